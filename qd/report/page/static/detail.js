"use strict";
// What is known of one elite: its picture, numbers, solution, and the line it descends from.

function picture(entry) {
  const plate = element("div", "", { class: "plate" });
  const [kind, data] = entry;
  const base64 = (text) => btoa(Array.from(new TextEncoder().encode(text), (byte) => String.fromCharCode(byte)).join(""));
  if (kind === "svg") plate.append(element("img", "", { alt: "drawing of this elite", src: `data:image/svg+xml;base64,${base64(data)}` }));
  else if (kind === "png" || kind === "gif") plate.append(element("img", "", { alt: "picture of this elite", src: `data:image/${kind};base64,${data}` }));
  else if (kind === "audio") plate.append(element("audio", "", { controls: "", src: `data:audio/wav;base64,${data}` }));
  else if (kind === "html") plate.append(element("iframe", "", { sandbox: "", title: "page of this elite", srcdoc: data, referrerpolicy: "no-referrer" }));
  else plate.append(element("pre", data, { tabindex: "0" }));
  return plate;
}

const MOST_ANCESTORS = 400; // of one elite, the nearest first

class Detail {
  constructor(model, select) {
    this.model = model;
    this.select = select;
    this.front = new Front(model, select);
  }

  // The card of one elite of today's archive.
  card(row) {
    const { model } = this, m = model.facts.bounds.length, card = element("div", "", { class: "elite" });
    const id = model.ids[row];
    const facts = element("dl", "", { class: "facts" });
    const add = (name, value) => facts.append(element("dt", name), element("dd", value));
    card.append(element("h3", `Elite ${id}`), ...this.plate(row, id), facts);
    const title = (name) => this.front.titles.get(name) ?? name;
    add(title("objective"), number(model.objective[row]));
    for (let i = 0; i < m; i++) add(model.axisName(i), model.measureText(row, i));
    if (model.facts.cells) add("cell", model.dims ? `${model.unravel(model.cell[row]).join(", ")} (number ${model.cell[row]})` : String(model.cell[row]));
    for (const name of model.facts.features) add(title(name), number(model.arrays.get(`feature ${name}`)[row]));
    const family = model.family;
    const at = family ? family.place.get(id) : undefined;
    if (at !== undefined) this.addFamily(card, add, at);
    card.append(...this.front.card(row), this.solution(row), this.commands(row));
    return card;
  }

  // What the elite looks like; nothing where the run stores no pictures at all.
  plate(row, id) {
    const { pictures = {}, solutions } = this.model.facts;
    if (pictures[id]) return [picture(pictures[id])];
    if (solutions) return [picture(["text", solutions[row]])];
    return Object.keys(pictures).length ? [element("p", "No picture of this elite is in this page: a run draws as many as its setting renderings says.", { class: "quiet" })] : [];
  }

  solution(row) {
    const { model } = this, box = element("details");
    const numbers = model.arrays.get("solution"), wide = numbers ? numbers.shape[1] : 0;
    const value = numbers ? Array.from(numbers.subarray(row * wide, (row + 1) * wide), (each) => Number(each.toPrecision(9))) : model.facts.solutions?.[row];
    if (value === undefined) return element("p", "Its solution is not in this page.", { class: "quiet" });
    const text = JSON.stringify(value);
    box.append(element("summary", "Solution as JSON"), element("pre", text, { tabindex: "0" }), copyButton("Copy", text));
    return box;
  }

  commands(row) {
    const { model } = this, id = model.ids[row], box = element("details");
    const folder = model.facts.folder;
    const code = model.facts.domain_code;
    const lines = [
      "import qd", ...(code ? [code[0]] : []), "", `solution = qd.load_run(${JSON.stringify(folder)}).solution(${id})`,
      `domain = ${code ? code[1] : 'qd.compose([...]).search.domain  # the words of the run, e.g. "domain=arm"'}`,
      "key = qd.keys.split(qd.keys.new(0), 1)", "print(domain.evaluate(key, solution[None]).objective)",
    ];
    box.append(element("summary", "Evaluate it again in Python"), element("pre", lines.join("\n"), { tabindex: "0" }));
    return box;
  }

  addFamily(card, add, at) {
    const { family } = this.model, parents = family.parents(at), children = family.children(at);
    add("generation", String(family.generation[at]));
    const none = family.generation[at] === 0 ? "none: initial population" : family.hasOthers(at) ? "none that the archive accepted" : "none: drawn from a distribution";
    add("parents", parents.length ? parents.map((each) => family.ids[each]).join(", ") : none);
    add("children among elites and their ancestors", String(children.length));
    const ancestors = family.ancestors(at);
    if (ancestors.length < 2) return;
    const box = element("details", "", { open: "" }), canvas = element("canvas", "", { role: "img" });
    const oldest = Math.min(...ancestors.map((each) => family.generation[each]));
    canvas.setAttribute("aria-label", `${ancestors.length - 1} ancestors back to generation ${oldest}, objective against evaluations`);
    const all = ancestors.length < MOST_ANCESTORS ? `${ancestors.length - 1} ancestor${ancestors.length === 2 ? "" : "s"}, back to generation ${oldest}` : `the nearest ${MOST_ANCESTORS} ancestors`;
    box.append(element("summary", all), canvas);
    const links = element("p", "", { class: "quiet" });
    for (const each of [...parents, ...children].filter((other) => this.model.rowOf.has(family.ids[other])).slice(0, 12)) {
      const button = element("button", String(family.ids[each]), { type: "button" });
      button.addEventListener("click", () => this.select(this.model.rowOf.get(family.ids[each])));
      links.append(button, " ");
    }
    if (links.childNodes.length) { links.prepend("Parents and children that are in the map: "); box.append(links); }
    card.append(box);
    queueMicrotask(() => this.drawFamily(canvas, ancestors));
    box.addEventListener("toggle", () => this.drawFamily(canvas, ancestors));
  }

  // Objective against evaluations of all ancestors, a line from each to its parents.
  drawFamily(canvas, ancestors) {
    const { family } = this.model, [context, w, h] = sharp(canvas, 140);
    const xs = extent(ancestors.map((each) => family.ids[each])), ys = extent(ancestors.map((each) => family.objective[each]));
    const x = (each) => 40 + ((family.ids[each] - xs[0]) / (xs[1] - xs[0] || 1)) * (w - 50);
    const y = (each) => 10 + (1 - (family.objective[each] - ys[0]) / (ys[1] - ys[0] || 1)) * (h - 32);
    context.strokeStyle = theme("line");
    for (const each of ancestors) for (const parent of family.parents(each)) {
      context.beginPath(); context.moveTo(x(each), y(each)); context.lineTo(x(parent), y(parent)); context.stroke();
    }
    ancestors.forEach((each, i) => {
      context.fillStyle = i ? theme("accent") : theme("ring");
      context.beginPath(); context.arc(x(each), y(each), i ? 2 : 4, 0, 7); context.fill();
    });
    context.fillStyle = theme("quiet");
    context.font = "11px system-ui, sans-serif";
    context.fillText(short(ys[1]), 2, 14);
    context.fillText(short(ys[0]), 2, h - 22);
    context.fillText(`${short(xs[0])} evaluations`, 40, h - 4);
    context.textAlign = "right";
    context.fillText(short(xs[1]), w - 8, h - 4);
  }

  // What is known of an elite of an earlier frame that is no longer in the map.
  past(item) {
    const card = element("div", "", { class: "elite" }), facts = element("dl", "", { class: "facts" });
    facts.append(element("dt", "objective"), element("dd", number(item.objective)), element("dt", "cell"), element("dd", String(item.cell)));
    card.append(element("h3", `Evaluation ${item.id}`), element("p", "It was the elite of its cell at this moment, and was replaced later.", { class: "quiet" }), facts);
    return card;
  }
}

// Ancestors and children by position in the arrays of the lineage.
class Family {
  constructor(arrays) {
    this.ids = arrays.get("family id");
    this.generation = arrays.get("family generation");
    this.objective = arrays.get("family objective");
    this.table = arrays.get("family parents");
    this.wide = this.table.shape[1] ?? 1;
    this.place = new Map(Array.from(this.ids, (id, at) => [id, at]));
    this.below = new Map();
    for (let at = 0; at < this.ids.length; at++) for (const parent of this.parents(at)) {
      if (!this.below.has(parent)) this.below.set(parent, []);
      this.below.get(parent).push(at);
    }
  }

  row(at) { return this.table.subarray(at * this.wide, (at + 1) * this.wide); }

  parents(at) { return [...new Set(this.row(at).filter((parent) => parent >= 0))]; }

  hasOthers(at) { return this.row(at).includes(-2); } // e.g. of an island

  children(at) { return this.below.get(at) ?? []; }

  ancestors(at, most = MOST_ANCESTORS) {
    const reached = new Set([at]), queue = [at];
    for (let i = 0; i < queue.length && queue.length < most; i++)
      for (const parent of this.parents(queue[i])) if (!reached.has(parent)) { reached.add(parent); queue.push(parent); }
    return queue;
  }
}
