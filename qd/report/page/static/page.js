"use strict";
// Puts the parts together. The model holds the data and what is chosen; whatever changes it calls `refresh`.

class Model {
  constructor({ facts, arrays }) {
    Object.assign(this, { facts, arrays, selected: null, pinned: null, frame: 0, rest: "best", palette: "viridis", colour: "objective" });
    facts.bounds ??= [];
    facts.features ??= [];
    for (const name of ["id", "objective", "measures", "cell"]) this[name === "id" ? "ids" : name] = arrays.get(name);
    this.dims = facts.dims;
    this.rowOf = new Map(Array.from(this.ids, (id, row) => [id, row]));
    this.across = 0;
    this.up = facts.bounds.length > 1 ? 1 : null;
    this.slice = (this.dims ?? []).map((n) => Math.floor(n / 2));
    const corners = arrays.get("polygon"), start = arrays.get("polygon start");
    this.polygons = corners && ((cell) => Array.from({ length: start[cell + 1] - start[cell] }, (_, i) => [corners[2 * (start[cell] + i)], corners[2 * (start[cell] + i) + 1]]));
    this.family = arrays.has("family id") ? new Family(arrays) : null;
    this.film = { evaluations: arrays.get("film evaluations"), start: arrays.get("film start"), cell: arrays.get("film cell"), id: arrays.get("film id"), objective: arrays.get("film objective") };
    this.frame = this.lastFrame;
    this.colours = this.colourChoices();
    this.scale = facts.scale && !this.isMostlyWithin(facts.scale) ? "elites" : "domain";
    this.recolour();
  }

  get lastFrame() { return this.film.evaluations.length - 1; }

  // Today's elites, or those of an earlier frame: {row (-1: no longer in the map), id, cell, objective, value}.
  items() {
    if (this.frame >= this.lastFrame) return Array.from(this.ids, (_, row) => this.item(row));
    return this.changesOf(this.film.start[this.frame + 1]).map((i) => {
      const row = this.rowOf.get(this.film.id[i]) ?? -1, objective = this.film.objective[i];
      const value = row >= 0 ? this.values[row] : this.colour === "objective" ? objective : this.colour === "evaluation" ? this.film.id[i] : NaN;
      return { row, id: this.film.id[i], cell: this.film.cell[i], objective, value };
    });
  }

  // Of the first `count` changes those that still stand: the last one of each cell.
  changesOf(count) {
    if (!this.facts.cells) return Array.from({ length: count }, (_, i) => i);
    const last = (this.last ??= new Int32Array(this.facts.cells)).fill(-1), { cell } = this.film, standing = [];
    for (let i = 0; i < count; i++) last[cell[i]] = i;
    for (let at = 0; at < last.length; at++) if (last[at] >= 0) standing.push(last[at]);
    return standing;
  }

  item(row) { return { row, id: this.ids[row], cell: this.cell[row], objective: this.objective[row], value: this.values[row] }; }

  colourChoices() {
    const m = this.facts.bounds.length, choices = new Map([["objective", this.objective], ["evaluation", Float64Array.from(this.ids)]]);
    for (let i = 0; i < m; i++) choices.set(this.axisName(i), Float64Array.from(this.ids, (_, row) => this.measures[row * m + i]));
    for (const name of this.facts.features) choices.set(name, this.arrays.get(`feature ${name}`));
    return choices;
  }

  recolour() {
    this.values = this.colours.get(this.colour);
    this.range = this.colour === "objective" ? this.objectiveRange() : extent(this.values);
    const table = this.table = this.arrays.get(`palette ${this.palette}`);
    this.shades = Array.from({ length: 256 }, (_, i) => `rgb(${table[3 * i]} ${table[3 * i + 1]} ${table[3 * i + 2]})`);
  }

  objectiveRange() { return this.scale === "domain" && this.facts.scale ? this.facts.scale : bulk(this.objective); }

  // A map of which most is beyond the end of its colours shows nothing.
  isMostlyWithin([low, high]) { return this.objective.filter((value) => value >= low && value <= high).length * 2 >= this.objective.length; }

  colourOf = (value) => (Number.isFinite(value) ? this.shades[this.shadeOf(value)] : "#b0aea8");

  shadeOf(value) {
    const [low, high] = this.range;
    return Math.max(0, Math.min(255, Math.round(((value - low) / (high - low || 1)) * 255)));
  }

  // Red, green and blue of a finite value, from 0 to 255.
  rgbOf(value) { const at = 3 * this.shadeOf(value); return this.table.subarray(at, at + 3); }

  unravel(cell) {
    const at = new Array(this.dims.length);
    for (let i = this.dims.length - 1; i >= 0; i--) { at[i] = cell % this.dims[i]; cell = Math.floor(cell / this.dims[i]); }
    return at;
  }

  axisName(i) { return this.facts.axis_labels?.[i]?.[0] ?? this.facts.measures[i]; }

  // [text, position from 0 to 1]: the words of an axis where it has some, else round numbers.
  axisTicks(i) {
    const words = this.facts.axis_labels?.[i]?.slice(1), [low, high] = this.facts.bounds[i];
    if (words && words.length === 2) return [[words[0], 0.08], [words[1], 0.92]];
    if (words && this.dims && words.length === this.dims[i]) return words.map((word, n) => [word, (n + 0.5) / words.length]);
    return ticks(low, high, 4).map((value) => [short(value), (value - low) / (high - low)]);
  }

  measureText(row, i) {
    const value = this.measures[row * this.facts.bounds.length + i], words = this.facts.axis_labels?.[i]?.slice(1);
    const named = words && this.dims && words.length === this.dims[i] && words.length > 2 ? ` (${words[this.unravel(this.cell[row])[i]]})` : "";
    return number(value) + named;
  }

  // A solution that is a text, or the text that its domain shows for it.
  textOf(row) {
    const entry = this.facts.pictures?.[this.ids[row]];
    return entry?.[0] === "text" ? entry[1] : this.facts.solutions?.[row];
  }

  sentence(item) {
    const m = this.facts.bounds.length;
    const where = item.row < 0 ? [] : Array.from({ length: m }, (_, i) => `${this.axisName(i)} ${this.measureText(item.row, i)}`);
    return [`id ${item.id}`, `objective ${number(item.objective)}`, ...where].join("\n");
  }
}

function option(select, values, chosen) {
  select.replaceChildren(...values.map(([value, text]) => element("option", text, { value })));
  select.value = chosen;
}

function start(model) {
  const map = new CellMap(model, $("map")), parallel = new Parallel(model, $("map")), detail = new Detail(model, select);
  const table = new Table(model, select), curves = new Curves(model, $("curves"), showAt), m = model.facts.bounds.length;
  let view = map, pastItem = null, timer = null;

  option($("view"), [["map", model.dims || model.polygons ? "map" : "dots"], ...(m > 1 ? [["parallel", "parallel coordinates"]] : [])], "map");
  option($("colour"), [...model.colours.keys()].map((name) => [name, name]), "objective");
  const axes = model.facts.bounds.map((_, i) => [String(i), model.axisName(i)]);
  option($("across"), axes, "0");
  option($("up"), axes, "1");
  $("range").value = model.scale;
  document.querySelector(".time").hidden = model.lastFrame === 0; // the map never changed
  document.querySelectorAll(".axes").forEach((label) => { label.hidden = m < 3; });
  $("rest-label").hidden = m < 3 || !model.dims;
  $("time").max = String(model.lastFrame);
  $("time").value = $("time").max;
  $("film-note").textContent = model.facts.film === "births"
    ? "The slider shows today's elites from the evaluation that made each: earlier maps had other cells, or were not recorded." : "";

  function refresh() {
    view.draw();
    drawScale();
    drawSpread($("spread"), model.values, model.range, model.colourOf, $("spread-kind").value);
    const now = model.frame >= model.lastFrame ? null : model.film.evaluations[model.frame];
    curves.draw(now);
    const evaluations = model.film.evaluations[model.frame];
    $("when").textContent = `${evaluations.toLocaleString("en-US")} evaluations`;
    $("time").setAttribute("aria-valuetext", $("when").textContent);
  }

  function refreshMap() { // what a slider at 20 frames a second can do
    view.draw();
    const evaluations = model.film.evaluations[model.frame];
    $("when").textContent = `${evaluations.toLocaleString("en-US")} evaluations`;
    curves.draw(model.frame >= model.lastFrame ? null : evaluations, true);
  }

  function drawScale() {
    const [context, w, h] = sharp($("scale"), 14);
    for (let x = 0; x < w; x++) { context.fillStyle = model.shades[Math.floor((x / w) * 255)]; context.fillRect(x, 0, 1.5, h); }
    const [low, high] = model.range, all = extent(model.values);
    $("low").textContent = `${all[0] < low ? "≤ " : ""}${short(low)}`;
    $("high").textContent = `${all[1] > high ? "≥ " : ""}${short(high)}`;
    $("range-label").hidden = !model.facts.scale || model.colour !== "objective";
  }

  function select(row, item = null) {
    model.selected = row;
    pastItem = item;
    showElites();
    view.draw();
    table.draw();
    $("pin").disabled = row === null;
    $("spoken").textContent = row === null ? (item ? model.sentence(item) : "") : model.sentence(model.item(row));
    if (row !== null) history.replaceState(null, "", `#${model.ids[row]}`);
  }

  function showElites() {
    const cards = [];
    if (model.selected !== null) cards.push(detail.card(model.selected));
    else if (pastItem) cards.push(detail.past(pastItem));
    if (model.pinned !== null && model.pinned !== model.selected) cards.push(detail.card(model.pinned));
    $("elites").replaceChildren(...(cards.length ? cards : [element("p", "No elite is chosen.", { class: "quiet" })]));
  }

  function showAt(evaluation) {
    const evaluations = model.film.evaluations, at = evaluations.findIndex((each) => each >= evaluation);
    show(at < 0 ? model.lastFrame : at);
  }

  function show(frame) {
    model.frame = frame;
    $("time").value = String(frame);
    refreshMap();
  }

  function slices() {
    const rows = model.dims && model.rest === "slice" ? model.dims.map((_, i) => i).filter((i) => i !== model.across && i !== model.up) : [];
    $("slices").replaceChildren(...rows.map((i) => {
      const label = element("label", model.axisName(i)), input = element("input", "", { type: "range", min: "0", max: String(model.dims[i] - 1), step: "1" });
      const text = element("output"), [low, high] = model.facts.bounds[i];
      input.value = String(model.slice[i]);
      const say = () => { text.textContent = `${short(low + (model.slice[i] / model.dims[i]) * (high - low))} to ${short(low + ((model.slice[i] + 1) / model.dims[i]) * (high - low))}`; };
      input.addEventListener("input", () => { model.slice[i] = Number(input.value); say(); view.draw(); });
      say();
      label.append(input, text);
      return label;
    }));
  }

  const point = (event) => { const box = $("map").getBoundingClientRect(); return [event.clientX - box.left, event.clientY - box.top]; };
  $("map").addEventListener("click", (event) => {
    const place = view.at(...point(event));
    if (place) select(place.row < 0 ? null : place.row, place.row < 0 ? place : null);
  });
  $("map").addEventListener("pointermove", (event) => {
    const [x, y] = point(event), place = view.at(x, y), tip = $("tip");
    tip.hidden = !place;
    if (!place) return;
    tip.textContent = model.sentence(place);
    tip.style.left = `${Math.min(x + 14, $("map").clientWidth - tip.offsetWidth - 4)}px`;
    tip.style.top = `${Math.max(0, y - tip.offsetHeight - 10)}px`;
  });
  $("map").addEventListener("pointerleave", () => { $("tip").hidden = true; });
  $("map").addEventListener("keydown", (event) => {
    const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (step) {
      event.preventDefault();
      const place = view.towards(model.selected, ...step);
      if (place && place.row >= 0) select(place.row);
    } else if (event.key === "b" || event.key === "B") select(best());
  });
  const hasPicture = (row) => Boolean(model.facts.pictures?.[model.ids[row]]);
  const isBetter = (row, top) => model.objective[row] > model.objective[top] || (model.objective[row] === model.objective[top] && hasPicture(row) && !hasPicture(top));
  const best = () => model.objective.reduce((top, _, row) => (isBetter(row, top) ? row : top), 0);

  const choose = (id, change) => $(id).addEventListener("change", () => { change($(id).value); refresh(); });
  choose("colour", (name) => { model.colour = name; model.recolour(); });
  choose("range", (name) => { model.scale = name; model.recolour(); });
  choose("palette", (name) => { model.palette = name; model.recolour(); });
  choose("across", (i) => { const other = model.across; model.across = Number(i); if (model.across === model.up) { model.up = other; $("up").value = String(other); } slices(); });
  choose("up", (i) => { const other = model.up; model.up = Number(i); if (model.across === model.up) { model.across = other; $("across").value = String(other); } slices(); });
  choose("rest", (kind) => { model.rest = kind; slices(); });
  choose("view", (name) => { view = name === "map" ? map : parallel; });
  choose("spread-kind", () => {});
  $("time").addEventListener("input", () => show(Number($("time").value)));
  $("play").addEventListener("click", () => {
    const stop = () => { clearInterval(timer); timer = null; $("play").textContent = "Play"; $("play").setAttribute("aria-pressed", "false"); };
    if (timer) { stop(); return; }
    if (model.frame >= model.lastFrame) show(0);
    timer = setInterval(() => (model.frame < model.lastFrame ? show(model.frame + 1) : stop()), 50);
    $("play").textContent = "Stop";
    $("play").setAttribute("aria-pressed", "true");
  });
  $("find").addEventListener("submit", (event) => {
    event.preventDefault();
    const row = model.rowOf.get(Number($("find-id").value));
    if (row === undefined) $("elites").replaceChildren(element("p", `No elite has the id ${$("find-id").value}.`, { class: "quiet" }));
    else select(row);
  });
  $("pin").addEventListener("click", () => { model.pinned = model.selected; select(model.selected); });

  ends(model, select);
  $("main").hidden = false;
  const wanted = location.hash.length > 1 ? model.rowOf.get(Number(location.hash.slice(1))) : undefined;
  select(wanted === undefined ? best() : wanted);
  refresh();
  new ResizeObserver(() => refresh()).observe($("stage"));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", refresh);
}

// For each measure the elites at its two ends: what the axis is like, also where it was learned.
function ends(model, select) {
  const m = model.facts.bounds.length;
  for (let i = 0; i < m; i++) {
    const order = Array.from(model.ids.keys()).sort((a, b) => model.measures[a * m + i] - model.measures[b * m + i]);
    const few = Math.max(1, Math.ceil(order.length / 20));
    const bestOf = (rows) => rows.reduce((top, row) => {
      const [drawn, other] = [row, top].map((each) => Boolean(model.facts.pictures?.[model.ids[each]]));
      return drawn !== other ? (drawn ? row : top) : model.objective[row] > model.objective[top] ? row : top;
    });
    const line = element("div", "", { class: "end" }), words = model.facts.axis_labels?.[i]?.slice(1) ?? [];
    line.append(element("h3", model.axisName(i)));
    const [low, high] = words.length === 2 ? words : ["low", "high"];
    for (const [rows, text] of [[order.slice(0, few), low], [order.slice(-few), high]]) {
      const row = bestOf(rows), button = element("button", "", { type: "button", title: `elite ${model.ids[row]}` });
      const entry = model.facts.pictures?.[model.ids[row]];
      if (entry && ["svg", "png", "gif"].includes(entry[0])) { const drawing = picture(entry).firstChild; drawing.alt = ""; button.append(drawing); }
      else if (model.textOf(row) !== undefined) button.append(element("span", clipped(model.textOf(row), 140), { class: "text" }));
      button.append(element("span", `${text}: ${model.measureText(row, i)}`));
      button.addEventListener("click", () => select(row));
      line.append(button);
    }
    $("ends").append(line);
  }
}

function about(facts) {
  const figures = $("figures"), figure = (name, value) => {
    if (value === null || value === undefined) return;
    const box = element("div");
    box.append(element("dt", name), element("dd", value));
    figures.append(box);
  };
  for (const [title, value, unit] of facts.figures) figure(title, `${number(value)}${unit}`);
  figure("status", facts.status);
  for (const note of facts.notes) $("notes").append(element("li", note));
  const list = $("about"), add = (name, value) => { if (value !== null && value !== undefined && value !== "") list.append(element("dt", name), element("dd", String(value))); };
  list.className = "facts";
  add("folder", facts.folder);
  add("seed", facts.seed);
  add("budget", number(facts.budget));
  add("seconds", number(facts.wall_s));
  if (facts.compile_s) add("of these, compilation", number(facts.compile_s));
  for (const [name, value] of Object.entries(facts.versions ?? {})) add(name, value);
  add("commit", facts.commit);
  add("config hash", facts.config_hash);
  const refits = facts.events.filter((event) => event.event === "refit" || event.event === "relearn").length;
  if (refits) add("refits", refits);
  $("config").textContent = JSON.stringify(facts.config, null, 2);
  $("cite").textContent = facts.cite ?? "";
  const head = element("tr");
  for (const name of ["evaluations", "event", "details"]) head.append(element("th", name, { scope: "col" }));
  const rows = facts.events.map((event) => {
    const { event: name, evaluations, ...rest } = event, row = element("tr");
    const details = Object.entries(rest).map(([key, value]) => `${key}: ${typeof value === "string" ? value : JSON.stringify(value)}`);
    row.append(element("td", number(evaluations)), element("td", String(name)), element("td", details.join("; ")));
    return row;
  });
  $("events").append(head, ...rows);
}

async function main() {
  if (typeof DecompressionStream === "undefined") throw new Error("This browser is too old to unpack the page; any of 2023 or later will do.");
  const data = await unpack($("data").textContent);
  about(data.facts);
  if (data.arrays.has("id") && data.arrays.get("id").length) start(new Model(data));
}

main().catch((error) => { $("trouble").textContent = String(error.message ?? error); })
  .finally(() => { if (parent !== window) parent.postMessage("drawn", "*"); }); // qd view then puts it in place of an older one
