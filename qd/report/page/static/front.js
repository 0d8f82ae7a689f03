"use strict";
// The Pareto front of one cell, where cells hold several rows: each pair of objectives, a dot a row; a click chooses that row.

class Front {
  constructor(model, select) {
    this.model = model;
    this.select = select;
    this.names = model.facts.features.filter((name) => /^objectives\[\d+\]$/.test(name));
    this.columns = this.names.map((name) => model.arrays.get(`feature ${name}`));
    const words = model.facts.objective_names.length === this.names.length ? model.facts.objective_names : null;
    this.titles = new Map(words ? this.names.map((name, k) => [name, `${name}: ${words[k]}`]) : []);
    if (this.names.length > 1) this.titles.set("objective", "objective (own hypervolume)");
    if (words) this.names = words;
    this.rows = new Map();
    if (this.names.length > 1) model.cell.forEach((cell, row) => { if (!this.rows.has(cell)) this.rows.set(cell, []); this.rows.get(cell).push(row); });
  }

  // What a card says of the front that a row is in; nothing where cells hold one row.
  card(row) {
    const rows = this.rows.get(this.model.cell[row]);
    if (!rows) return [];
    const box = element("details", "", { open: "" }), plots = [];
    box.append(element("summary", rows.length === 1 ? "It is alone in the front of its cell" : `One of ${rows.length} in the front of its cell`));
    for (let i = 0; i < this.names.length; i++) for (let j = i + 1; j < this.names.length; j++) {
      const label = `Front of this cell: ${this.names[j]} against ${this.names[i]}, ${rows.length} rows`;
      const canvas = element("canvas", "", { role: "img", "aria-label": label });
      canvas.addEventListener("click", (event) => this.choose(event, canvas, rows, i, j));
      plots.push(() => this.draw(canvas, rows, row, i, j));
      box.append(canvas);
    }
    const links = element("p", "", { class: "quiet" });
    for (const each of rows.filter((other) => other !== row).slice(0, 32)) {
      const button = element("button", String(this.model.ids[each]), { type: "button" });
      button.addEventListener("click", () => this.select(each));
      links.append(button, " ");
    }
    if (links.childNodes.length) { links.prepend("The others: "); box.append(links); }
    const drawAll = () => plots.forEach((draw) => draw());
    queueMicrotask(drawAll);
    box.addEventListener("toggle", drawAll);
    return [box];
  }

  // Where a row stands in a plot of that size; all rows of the archive set the scale, so that cells can be compared.
  scales(w, h, i, j) {
    const across = extent(this.columns[i]), up = extent(this.columns[j]);
    return {
      across, up,
      x: (row) => 48 + ((this.columns[i][row] - across[0]) / (across[1] - across[0] || 1)) * (w - 60),
      y: (row) => 24 + (1 - (this.columns[j][row] - up[0]) / (up[1] - up[0] || 1)) * (h - 58),
    };
  }

  draw(canvas, rows, chosen, i, j) {
    const [context, w, h] = sharp(canvas, 170), { across, up, x, y } = this.scales(w, h, i, j);
    context.strokeStyle = theme("line");
    context.strokeRect(48, 24, w - 60, h - 58);
    for (const row of [...rows.filter((each) => each !== chosen), chosen]) {
      context.fillStyle = row === chosen ? theme("ring") : theme("accent");
      context.beginPath(); context.arc(x(row), y(row), row === chosen ? 5 : 3, 0, 7); context.fill();
    }
    context.fillStyle = theme("quiet");
    context.font = "11px system-ui, sans-serif";
    context.fillText(short(across[0]), 48, h - 20);
    context.textAlign = "right";
    context.fillText(short(across[1]), w - 12, h - 20);
    context.fillText(short(up[1]), 44, 32);
    context.fillText(short(up[0]), 44, h - 34);
    context.textAlign = "center";
    context.fillText(this.names[i], 48 + (w - 60) / 2, h - 4, w - 60);
    context.textAlign = "left";
    context.fillText(`↑ ${this.names[j]}`, 48, 15, w - 60);
  }

  choose(event, canvas, rows, i, j) {
    const box = canvas.getBoundingClientRect(), { x, y } = this.scales(box.width, box.height, i, j);
    const distance = (row) => Math.hypot(x(row) - (event.clientX - box.left), y(row) - (event.clientY - box.top));
    const nearest = rows.reduce((best, row) => (distance(row) < distance(best) ? row : best));
    if (distance(nearest) < 24) this.select(nearest);
  }
}
