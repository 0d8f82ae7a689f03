"use strict";
// One map: cells of a grid, a strip, or polygons, each in the colour of its value. Cells of all maps are moved through together.

class CellMap {
  constructor(facts, arrays, palette, point) {
    Object.assign(this, { facts, palette, point, cell: null });
    const [start, corners] = [arrays.get(`${facts.key} start`), arrays.get(`${facts.key} corners`)];
    this.shape = arrays.get(`${facts.key} values`).shape;
    this.polygons = start && Array.from({ length: start.length - 1 }, (_, i) => corners.subarray(2 * start[i], 2 * start[i + 1]));
    this.figure = element("figure");
    this.title = element("figcaption", facts.name);
    this.canvas = element("canvas", "", { tabindex: "0", role: "img" });
    this.figure.append(this.title, this.canvas);
    this.canvas.addEventListener("pointermove", (event) => point(this.cellAt(event)));
    this.canvas.addEventListener("pointerdown", (event) => point(this.cellAt(event)));
    this.canvas.addEventListener("keydown", (event) => this.key(event));
  }

  get flat() { return this.facts.bounds.length === 1; }

  show(values, range, colours, label) {
    Object.assign(this, { values, range, colours });
    const count = values.reduce((sum, value) => sum + Number.isFinite(value), 0);
    this.canvas.setAttribute("aria-label", `${label}: ${count} of ${values.length} cells have a value, from ${number(extent(values)[0])} to ${number(extent(values)[1])}`);
    this.draw();
  }

  draw() {
    const width = this.canvas.clientWidth || 240, [context, w, h] = sharp(this.canvas, this.flat ? 70 : width);
    this.frame = { left: 38, top: 4, width: w - 42, height: h - (this.flat ? 34 : 38) };
    const { left, top, width: wide, height: tall } = this.frame;
    context.fillStyle = theme("empty");
    context.fillRect(left, top, wide, tall);
    this.values.forEach((value, cell) => {
      if (!Number.isFinite(value)) return;
      context.fillStyle = this.colour(value);
      this.path(context, cell);
      context.fill();
    });
    if (this.cell !== null) { context.strokeStyle = theme("ring"); context.lineWidth = 2; this.path(context, this.cell); context.stroke(); }
    this.axes(context, w, h);
  }

  axes(context, w, h) {
    const { left, top, width, height } = this.frame, [across, up] = this.facts.bounds;
    context.font = "11px system-ui, sans-serif";
    context.fillStyle = theme("quiet");
    context.textAlign = "center";
    for (const tick of ticks(across[0], across[1], 4)) context.fillText(short(tick), left + ((tick - across[0]) / (across[1] - across[0])) * width, top + height + 13);
    context.fillText(this.facts.axes[0], left + width / 2, h - 4, width);
    if (this.flat) return;
    context.textAlign = "right";
    for (const tick of ticks(up[0], up[1], 4)) context.fillText(short(tick), left - 4, top + (1 - (tick - up[0]) / (up[1] - up[0])) * height + 4);
    context.save();
    context.translate(10, top + height / 2);
    context.rotate(-Math.PI / 2);
    context.textAlign = "center";
    context.fillText(this.facts.axes[1], 0, 0, height);
    context.restore();
  }

  colour(value) {
    const [low, high] = this.range, step = Math.max(0, Math.min(255, Math.round(((value - low) / (high - low || 1)) * 255)));
    return `rgb(${this.colours[3 * step]},${this.colours[3 * step + 1]},${this.colours[3 * step + 2]})`;
  }

  path(context, cell) {
    const { left, top, width, height } = this.frame;
    context.beginPath();
    if (this.polygons) {
      const [across, up] = this.facts.bounds, corners = this.polygons[cell];
      for (let i = 0; i < corners.length; i += 2)
        context.lineTo(left + ((corners[i] - across[0]) / (across[1] - across[0])) * width, top + (1 - (corners[i + 1] - up[0]) / (up[1] - up[0])) * height);
      context.closePath();
      return;
    }
    const [columns, rows] = [this.shape[0], this.flat ? 1 : this.shape[1]];
    const [i, j] = [Math.floor(cell / rows), cell % rows], [x, y] = [left + (i / columns) * width, top + (1 - (j + 1) / rows) * height];
    context.rect(x, y, width / columns + 0.3, height / rows + 0.3);
  }

  cellAt(event) {
    const box = this.canvas.getBoundingClientRect(), { left, top, width, height } = this.frame;
    const x = (event.clientX - box.left - left) / width, y = 1 - (event.clientY - box.top - top) / height;
    if (!(x >= 0 && x < 1 && y >= 0 && y < 1)) return null;
    if (this.polygons) return this.nearest(x, y);
    const rows = this.flat ? 1 : this.shape[1];
    return Math.floor(x * this.shape[0]) * rows + Math.floor(y * rows);
  }

  centre(cell) {
    const [across, up] = this.facts.bounds;
    if (this.polygons) {
      const corners = this.polygons[cell], count = corners.length / 2;
      let [x, y] = [0, 0];
      for (let i = 0; i < count; i++) { x += corners[2 * i] / count; y += corners[2 * i + 1] / count; }
      return [(x - across[0]) / (across[1] - across[0]), (y - up[0]) / (up[1] - up[0])];
    }
    const rows = this.flat ? 1 : this.shape[1];
    return [(Math.floor(cell / rows) + 0.5) / this.shape[0], ((cell % rows) + 0.5) / rows];
  }

  nearest(x, y, allowed = () => true) {
    let [best, least] = [null, Infinity];
    this.polygons.forEach((_, cell) => {
      const [a, b] = this.centre(cell), distance = (a - x) ** 2 + (b - y) ** 2;
      if (distance < least && allowed(a, b)) [best, least] = [cell, distance];
    });
    return best;
  }

  key(event) {
    const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key];
    if (!step) return;
    event.preventDefault();
    if (this.cell === null) { this.point(Math.floor(this.values.length / 2)); return; }
    const [x, y] = this.centre(this.cell);
    if (this.polygons) {
      const next = this.nearest(x, y, (a, b) => (a - x) * step[0] + (b - y) * step[1] > Math.abs((a - x) * step[1]) + Math.abs((b - y) * step[0]) + 1e-9);
      if (next !== null) this.point(next);
      return;
    }
    const rows = this.flat ? 1 : this.shape[1], i = Math.floor(this.cell / rows) + step[0], j = (this.cell % rows) + step[1];
    if (i >= 0 && i < this.shape[0] && j >= 0 && j < rows) this.point(i * rows + j);
  }
}
