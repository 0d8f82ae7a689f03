"use strict";
// Puts the page together from its data; what is shown of a case is built again when another is chosen.

const DASHES = [[], [6, 4], [2, 3], [8, 3, 2, 3]];
const four = (value) => number(value, 4);
const withInterval = (row) => !row ? "–" : row[1] === null ? four(row[0]) : `${four(row[0])} [${four(row[1])}, ${four(row[2])}]`;
const TITLES = { qd_score: "QD score", best: "best objective", coverage: "coverage, %", wall_s: "seconds", compile_s: "of these, compilation" };
const titleOf = (name) => TITLES[name] ?? name.replaceAll("_", " ");
const pText = (p) => p === null ? "–" : p < 0.001 ? "< 0.001" : p.toFixed(3);

class Page {
  constructor({ facts, arrays }) {
    Object.assign(this, { facts, arrays, cell: null });
    for (const note of facts.notes) $("notes").append(element("li", note));
    facts.cases.forEach((each, i) => $("case").append(element("option", each.name, { value: i })));
    $("case-label").hidden = facts.cases.length < 2;
    $("cite").textContent = facts.cite;
    $("case").addEventListener("change", () => this.show(Number($("case").value)));
    $("layer").addEventListener("change", () => this.colourMaps());
    $("pair").addEventListener("change", () => this.colourMaps());
    let waiting = false;
    const again = () => { if (!waiting) { waiting = true; requestAnimationFrame(() => { waiting = false; this.draw(); }); } };
    window.addEventListener("resize", again);
    window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", again);
    $("main").hidden = false;
    this.show(0);
  }

  show(index) {
    this.case = this.facts.cases[index];
    const lines = this.facts.lines;
    this.looks = this.case.methods.map((_, i) => ({ colour: lines[i % lines.length], dash: DASHES[Math.floor(i / lines.length) % 4] }));
    this.heads();
    this.contrasts();
    this.final();
    this.setUpMaps();
    this.setUpCurves();
    this.folders();
    for (const name of ["contrasts", "final"])
      $(`${name}-copies`).replaceChildren(...["LaTeX", "CSV"].map((kind) => copyButton(`Copy ${kind}`, this.case.texts[`${name} ${kind}`])));
    $("contrasts-copies").hidden = !this.case.contrasts.length;
    this.draw();
  }

  heads() {
    const runs = this.case.methods.reduce((sum, method) => sum + method.seeds.length, 0);
    const figures = [["methods", this.case.methods.length], ["runs", runs], ["evaluations", this.case.evaluations], ["comparisons", this.case.contrasts.length]];
    $("figures").replaceChildren(...figures.map(([name, value]) => {
      const pair = element("div");
      pair.append(element("dt", name), element("dd", number(value)));
      return pair;
    }));
  }

  contrasts() {
    const heads = ["number", "difference", "mean [95 %]", "p (Holm)", "effect g", "a higher", "seeds", "seeds needed", "in words"];
    const rows = this.case.contrasts.map((each) => {
      const row = this.row([
        titleOf(each.metric), `${each.a} − ${each.b}`, withInterval([each.difference, each.low, each.high]), pText(each.p_holm),
        each.effect === null ? "–" : each.effect.toFixed(2), `${Math.round(100 * each.superiority)} %`,
        each.paired ? `${each.n} paired` : `${each.n} and ${each.m}`, each.seeds_needed === null ? "–" : number(each.seeds_needed), each.words,
      ], 2);
      if (each.p_holm !== null && each.p_holm < 0.05) row.className = "finding";
      return row;
    });
    this.fill($("contrasts"), heads, rows, 2);
    if (!rows.length) $("contrasts").replaceChildren(element("caption", "There is one method: nothing to compare it with."));
    $("how").textContent = "A difference is that of the means over seeds, with Student's interval of paired differences where both methods have the same seeds, else with Welch's. "
      + "p-values are those of the t-tests that belong to the intervals, corrected by Holm for all rows of this table: bold rows are findings at 5 %. "
      + "Effect: Hedges' g, in standard deviations over seeds. “a higher”: share of pairs of runs in which the first method is higher. "
      + "Seeds needed: of each method, for 80 % power at this number of comparisons, if the difference is as large as here.";
  }

  final() {
    const rows = this.case.methods.map((method) => this.row([method.name, method.seeds.length, ...method.means.map(withInterval)], 1));
    this.fill($("final"), ["method", "seeds", ...this.case.metrics.map(titleOf)], rows, 1);
  }

  row(cells, words) {
    const row = element("tr");
    cells.forEach((cell, i) => row.append(element("td", String(cell), i < words ? { class: "words" } : {})));
    return row;
  }

  fill(table, heads, rows, words) {
    const [head, body, line] = [element("thead"), element("tbody"), element("tr")];
    heads.forEach((text, i) => line.append(element("th", text, { scope: "col", ...(i < words ? { class: "words" } : {}) })));
    head.append(line);
    body.append(...rows);
    table.replaceChildren(head, body);
  }

  setUpMaps() {
    const { maps, pairs } = this.case, point = (cell) => this.pointAt(cell);
    $("maps-card").hidden = !maps.length;
    this.cell = null;
    this.maps = maps.map((map) => new CellMap(map, this.arrays, "maps", point));
    $("pair-label").hidden = $("difference-legend").hidden = !pairs.length;
    $("pair").replaceChildren(...pairs.map(([a, b], i) => element("option", `${maps[a].name} − ${maps[b].name}`, { value: i })));
    this.difference = pairs.length ? new CellMap(maps[pairs[0][0]], this.arrays, "differences", point) : null;
    $("maps").replaceChildren(...[...this.maps, ...(this.difference ? [this.difference] : [])].map((map) => map.figure));
    if (maps.length) this.colourMaps();
  }

  colourMaps() {
    const layer = $("layer").value, range = layer === "share" ? [0, 1] : this.case.scale;
    const values = this.case.maps.map((map) => this.arrays.get(`${map.key} ${layer}`));
    this.layers = values.map((each) => layer === "share" ? each.map((share) => share || NaN) : each);
    this.maps.forEach((map, i) => map.show(this.layers[i], range, this.arrays.get("palette maps"), map.facts.name));
    this.legend("bar", "low", "high", range, "palette maps", this.layers);
    $("layer-name").textContent = layer === "share" ? "share of seeds that fill the cell" : "mean objective";
    if (!this.difference) return;
    const [a, b, most] = this.case.pairs[Number($("pair").value)], [ours, theirs] = [a, b].map((i) => this.arrays.get(`${this.case.maps[i].key} values`));
    this.gap = ours.map((value, i) => value - theirs[i]);
    const name = `${this.case.maps[a].name} − ${this.case.maps[b].name}`;
    this.difference.title.textContent = name;
    this.difference.show(this.gap, [-most, most], this.arrays.get("palette differences"), `Difference ${name}`);
    this.legend("difference-bar", "least", "most", [-most, most], "palette differences", [this.gap]);
  }

  legend(bar, low, high, range, palette, layers) {
    const [context, w, h] = sharp($(bar), 14), colours = this.arrays.get(palette);
    for (let i = 0; i < w; i++) {
      const step = Math.floor((i / w) * 256);
      context.fillStyle = `rgb(${colours[3 * step]},${colours[3 * step + 1]},${colours[3 * step + 2]})`;
      context.fillRect(i, 0, 1.5, h);
    }
    const ends = layers.map(extent);
    $(low).textContent = `${Math.min(...ends.map((each) => each[0])) < range[0] ? "≤ " : ""}${four(range[0])}`;
    $(high).textContent = `${Math.max(...ends.map((each) => each[1])) > range[1] ? "≥ " : ""}${four(range[1])}`;
  }

  pointAt(cell) {
    if (cell === this.cell) return;
    this.cell = cell;
    const all = [...this.maps, ...(this.difference ? [this.difference] : [])];
    for (const map of all) { map.cell = cell !== null && cell < map.values.length ? cell : null; map.draw(); }
    if (cell === null) return;
    const words = this.maps.map((map) => `${map.facts.name}: ${map.cell === null ? "–" : number(map.values[cell])}`);
    if (this.difference) words.push(`difference ${number(this.gap[cell])}`);
    $("spoken").textContent = `Cell ${cell}. ${words.join("; ")}`;
  }

  setUpCurves() {
    $("methods").replaceChildren(...this.case.methods.map((method, i) => {
      const item = element("li"), svg = document.createElementNS("http://www.w3.org/2000/svg", "svg"), line = document.createElementNS("http://www.w3.org/2000/svg", "line");
      for (const [name, value] of Object.entries({ width: 28, height: 10, "aria-hidden": "true" })) svg.setAttribute(name, value);
      const look = { x1: 0, x2: 28, y1: 5, y2: 5, stroke: this.looks[i].colour, "stroke-width": 3, "stroke-dasharray": this.looks[i].dash.join(" ") };
      for (const [name, value] of Object.entries(look)) line.setAttribute(name, value);
      svg.append(line);
      item.append(svg, document.createTextNode(`${method.name} (${method.seeds.length} ${method.seeds.length === 1 ? "seed" : "seeds"})`));
      return item;
    }));
    this.panels = this.case.curves.map(({ column, label }) => {
      const methods = this.case.methods.map((method, i) => {
        const key = `${this.case.key} curve ${i} ${column}`;
        if (!this.arrays.has(`${key} middle`)) return null;
        const part = (name) => Array.from(this.arrays.get(`${key} ${name}`));
        return { name: method.name, ...this.looks[i], evaluations: part("evaluations"), middle: part("middle"), low: part("low"), high: part("high") };
      }).filter(Boolean);
      return { canvas: element("canvas", "", { role: "img", "aria-label": label }), label, methods };
    });
    $("curves").replaceChildren(...this.panels.map((panel) => panel.canvas));
  }

  folders() {
    $("folders").replaceChildren(...this.case.methods.flatMap((method) => [
      element("h3", method.name), ...method.folders.map((folder, i) => element("p", `seed ${method.seeds[i]}: ${folder}`, { class: "quiet" }))]));
  }

  draw() {
    if (this.case.maps.length) this.colourMaps();
    for (const { canvas, label, methods } of this.panels) drawBands(canvas, label, methods);
  }
}

unpack($("data").textContent).then((data) => new Page(data)).catch((error) => { $("trouble").textContent = `This page cannot be shown: ${error.message}`; });
