// The list of runs: a card each, updated in place, so that the focus and the choice stay.
"use strict";

const cards = new Map(); // id -> {run, node, ...}
const chosen = new Set();
let facts = {runs: [], scores: {}};

function newCard(id) {
  const card = {node: part("li"), map: part("div", "map"), link: part("a", "title", id), box: part("input"), state: part("span", "state"),
    about: part("p", "quiet"), bar: part("progress"), scores: part("dl")};
  card.link.href = `/run?${new URLSearchParams({id})}`;
  card.box.type = "checkbox";
  card.box.setAttribute("aria-label", `Compare ${id}`);
  card.box.addEventListener("change", () => { card.box.checked ? chosen.add(id) : chosen.delete(id); showChoice(); });
  card.bar.setAttribute("aria-label", `Progress of ${id}`);
  const line = part("div", "row under");
  line.append(card.state);
  const label = part("label", "", "compare");
  label.append(card.box);
  line.append(label);
  card.node.append(card.map, card.link, line, card.about, card.bar, card.scores);
  return card;
}

function update(card, run) {
  if (card.run && card.run.version === run.version && card.run.state === run.state) return;
  const isNewMap = !card.run || card.run.version !== run.version;
  card.run = run;
  card.state.className = `state ${run.state}`;
  card.state.textContent = run.state;
  card.about.className = run.problem ? "problem" : "quiet";
  card.about.textContent = run.problem || [run.about, progressText(run)].filter(Boolean).join(" · ");
  card.bar.hidden = !run.budget || run.evaluations === null || run.state === "finished" || Boolean(run.problem);
  if (!card.bar.hidden) { card.bar.max = run.budget; card.bar.value = Math.min(run.evaluations, run.budget); }
  card.scores.replaceChildren(...Object.entries(run.scores).map(([name, value]) => {
    const pair = part("div");
    pair.append(part("dt", "", facts.scores[name][0]), part("dd", "", number(value) + facts.scores[name][1]));
    return pair;
  }));
  if (isNewMap && run.state !== "unreadable") showMap(card, run);
}

// The new map takes the place of the old one when it is there; a run without one keeps an empty square.
function showMap(card, run) {
  const picture = new Image();
  picture.alt = "";
  picture.loading = card.map.firstChild ? "eager" : "lazy";
  picture.addEventListener("error", () => { picture.remove(); });
  if (card.map.firstChild) picture.addEventListener("load", () => card.map.replaceChildren(picture));
  else card.map.append(picture);
  picture.src = `/thumbnail?${new URLSearchParams({id: run.id, v: run.version})}`;
}

function listed() {
  const word = $("find").value.toLowerCase(), state = $("state").value, order = $("order").value;
  const rank = (run) => order === "changed" ? run.changed : run.scores[order] ?? -Infinity;
  return facts.runs
    .filter((run) => (!state || run.state === state) && `${run.id} ${run.about}`.toLowerCase().includes(word))
    .sort((one, two) => order === "id" ? one.id.localeCompare(two.id, "en", {numeric: true})
      : (order === "changed" ? (two.state === "running") - (one.state === "running") : 0) || rank(two) - rank(one) || (one.id < two.id ? -1 : 1));
}

function arrange() {
  const list = $("runs"), runs = listed(), nodes = runs.map((run) => cards.get(run.id).node);
  if (nodes.length !== list.children.length || nodes.some((node, i) => list.children[i] !== node)) {
    const focus = document.activeElement;
    list.replaceChildren(...nodes);
    if (focus && focus !== document.activeElement && list.contains(focus)) focus.focus({preventScroll: true});
  }
  const running = facts.runs.filter((run) => run.state === "running").length;
  $("count").textContent = [`${count(runs.length)} of ${count(facts.runs.length)} shown`, running ? `${count(running)} running` : "",
    facts.left_out ? "more are left out: view a folder further down" : ""].filter(Boolean).join(" · ");
  $("none").hidden = facts.runs.length > 0;
}

function showChoice() {
  const runs = facts.runs.filter((run) => chosen.has(run.id));
  $("choice").hidden = runs.length === 0;
  $("chosen").textContent = runs.length < 2 ? "1 run chosen: choose another one to compare with." : `${count(runs.length)} runs chosen`;
  $("as-command").hidden = $("compare").hidden = runs.length < 2;
  $("compare").href = `/compare?${new URLSearchParams(runs.map((run) => ["id", run.id]))}`;
  $("command").textContent = `qd compare ${runs.map((run) => run.path).join(" ")}`;
}

function show(newest) {
  facts = newest;
  $("folder").textContent = facts.folder;
  document.title = `Runs in ${facts.folder}`;
  const ids = new Set(facts.runs.map((run) => run.id));
  for (const id of cards.keys()) if (!ids.has(id)) { cards.delete(id); chosen.delete(id); }
  for (const run of facts.runs) {
    if (!cards.has(run.id)) cards.set(run.id, newCard(run.id));
    update(cards.get(run.id), run);
  }
  arrange();
  showChoice();
}

for (const id of ["find", "state", "order"]) $(id).addEventListener("input", arrange);
$("all").addEventListener("click", () => {
  for (const run of listed()) { chosen.add(run.id); cards.get(run.id).box.checked = true; }
  showChoice();
});
$("clear").addEventListener("click", () => {
  chosen.clear();
  for (const card of cards.values()) card.box.checked = false;
  showChoice();
  $("find").focus();
});
$("copy").addEventListener("click", () => navigator.clipboard.writeText($("command").textContent).then(
  () => { $("copy").textContent = "Copied"; setTimeout(() => { $("copy").textContent = "Copy the command"; }, 1500); },
  () => getSelection().selectAllChildren($("command"))));
poll({}, show);
