"use strict";
// The map: cells of a grid, polygons of a CVT, or dots where an archive has no cells. What it shows is in `state`.

class CellMap {
  constructor(model, canvas) {
    this.model = model;
    this.canvas = canvas;
    this.margin = { left: 56, right: 10, top: 8, bottom: 42 };
    this.places = []; // of what is visible: {row, x, y, w, h} in pixels, or a path
  }

  // Which rows are visible, and at which place: rows of the film's frame, projected on two measures.
  draw() {
    const { model } = this, m = model.facts.bounds.length;
    const width = this.canvas.clientWidth || 300;
    const height = m === 1 ? 150 : Math.max(240, Math.min(width * 0.82, 620));
    const [context, w, h] = sharp(this.canvas, height);
    context.font = "12px system-ui, sans-serif";
    this.titleLines = wrapped(context, model.axisName(model.across), w - this.margin.left - this.margin.right);
    this.area = { x: this.margin.left, y: this.margin.top, w: w - this.margin.left - this.margin.right,
                  h: h - this.margin.top - this.margin.bottom - 15 * (this.titleLines.length - 1) };
    const { x, y, w: aw, h: ah } = this.area;
    context.fillStyle = theme("empty");
    context.fillRect(x, y, aw, ah);
    this.places = model.dims ? this.gridPlaces() : model.polygons ? this.polygonPlaces() : this.dotPlaces();
    if (model.dims && this.places.length && this.places[0].fine) this.drawFine(context);
    else for (const place of this.places) {
      context.fillStyle = model.colourOf(place.value);
      if (place.path) { context.fill(place.path); context.strokeStyle = context.fillStyle; context.lineWidth = 0.5; context.stroke(place.path); }
      else if (place.r) { context.beginPath(); context.arc(place.x, place.y, place.r, 0, 7); context.fill(); }
      else context.fillRect(place.x, place.y, place.w, place.h);
    }
    this.drawAxes(context);
    this.drawMark(context, model.pinned, theme("quiet"));
    this.drawMark(context, model.selected, theme("ring"));
  }

  // Small cells as a picture of one pixel each, scaled without smoothing: ten thousand rectangles take a frame's time.
  drawFine(context) {
    const { model, area } = this, columns = model.dims[model.across], rows = model.up === null ? 1 : model.dims[model.up];
    const cells = document.createElement("canvas"), picture = new ImageData(columns, rows);
    for (const { column, line, value } of this.places) {
      const at = 4 * (line * columns + column);
      picture.data.set(Number.isFinite(value) ? model.rgbOf(value) : [176, 174, 168], at);
      picture.data[at + 3] = 255;
    }
    Object.assign(cells, { width: columns, height: rows });
    cells.getContext("2d").putImageData(picture, 0, 0);
    context.imageSmoothingEnabled = false;
    context.drawImage(cells, area.x, area.y, area.w, area.h);
  }

  // The best visible elite of each cell of two axes; the other measures are best of all, or one slice.
  gridPlaces() {
    const { model, area } = this, dims = model.dims, best = new Map();
    const [ax, ay] = [model.across, model.up];
    for (const item of model.items()) {
      const at = dims.length === 2 ? [Math.floor(item.cell / dims[1]), item.cell % dims[1]] : model.unravel(item.cell);
      if (model.rest === "slice" && at.some((n, i) => i !== ax && i !== ay && n !== model.slice[i])) continue;
      const key = at[ax] * (dims[ay] ?? 1) + (ay === null ? 0 : at[ay]);
      const other = best.get(key);
      if (!other || item.objective > other.objective) best.set(key, item);
    }
    const places = [], nx = dims[ax], ny = ay === null ? 1 : dims[ay];
    const edge = (n, count, start, size) => Math.round((start + (n / count) * size) * devicePixelRatio) / devicePixelRatio;
    for (const [key, item] of best) {
      const i = Math.floor(key / ny), j = key % ny;
      const [x0, x1] = [edge(i, nx, area.x, area.w), edge(i + 1, nx, area.x, area.w)];
      const [y0, y1] = [edge(ny - 1 - j, ny, area.y, area.h), edge(ny - j, ny, area.y, area.h)];
      const gap = x1 - x0 > 6 && y1 - y0 > 6 ? 0.5 : 0;
      item.x = x0; item.y = y0; item.w = x1 - x0 - gap; item.h = y1 - y0 - gap; item.cx = (x0 + x1) / 2; item.cy = (y0 + y1) / 2;
      item.fine = !gap; item.column = i; item.line = ny - 1 - j;
      places.push(item);
    }
    return places;
  }

  polygonPlaces() {
    const places = [];
    for (const item of this.model.items()) {
      const corners = this.model.polygons(item.cell), path = new Path2D();
      let [cx, cy] = [0, 0];
      corners.forEach(([u, v], i) => {
        const [x, y] = this.position(u, v);
        cx += x / corners.length; cy += y / corners.length;
        if (i) path.lineTo(x, y); else path.moveTo(x, y);
      });
      path.closePath();
      places.push({ ...item, path, cx, cy });
    }
    return places;
  }

  dotPlaces() {
    const { model } = this, m = model.facts.bounds.length, places = [];
    for (const item of model.items()) {
      if (item.row < 0) continue; // where it lay is not known
      const u = model.measures[item.row * m + model.across];
      const v = model.up === null ? 0 : model.measures[item.row * m + model.up];
      const [x, y] = this.position(u, v);
      places.push({ ...item, x, y, r: 3.5, cx: x, cy: y });
    }
    return places;
  }

  position(u, v) {
    const { model, area } = this, bx = model.facts.bounds[model.across];
    const by = model.up === null ? [-1, 1] : model.facts.bounds[model.up];
    return [area.x + ((u - bx[0]) / (bx[1] - bx[0])) * area.w, area.y + (1 - (v - by[0]) / (by[1] - by[0])) * area.h];
  }

  drawAxes(context) {
    const { model, area } = this;
    context.fillStyle = theme("ink");
    context.font = "12px system-ui, sans-serif";
    context.textAlign = "center";
    context.textBaseline = "top";
    for (const [value, at] of model.axisTicks(model.across)) {
      const x = area.x + at * area.w;
      context.fillRect(x, area.y + area.h, 1, 4);
      context.fillText(value, x, area.y + area.h + 6, area.w / 3);
    }
    this.titleLines.forEach((line, i) => context.fillText(line, area.x + area.w / 2, area.y + area.h + 24 + 15 * i, area.w));
    if (model.up === null) return;
    context.textAlign = "right";
    context.textBaseline = "middle";
    for (const [value, at] of model.axisTicks(model.up)) {
      const y = area.y + (1 - at) * area.h;
      context.fillRect(area.x - 4, y, 4, 1);
      context.fillText(value, area.x - 7, y, 34);
    }
    context.save();
    context.translate(10, area.y + area.h / 2);
    context.rotate(-Math.PI / 2);
    context.textAlign = "center";
    context.fillText(model.axisName(model.up), 0, 0, area.h);
    context.restore();
  }

  drawMark(context, row, colour) {
    const place = row === null ? null : this.placeOf(row);
    if (!place) return;
    context.lineWidth = 2.5;
    context.strokeStyle = colour;
    if (place.path) context.stroke(place.path);
    else if (place.r) { context.beginPath(); context.arc(place.x, place.y, place.r + 3, 0, 7); context.stroke(); }
    else context.strokeRect(place.x - 1, place.y - 1, place.w + 2, place.h + 2);
  }

  // Where a row is drawn: by itself, or, where its cell shows another row of a front, that one's place.
  placeOf(row) {
    const cell = this.model.cell[row];
    return this.places.find((each) => each.row === row) ?? this.places.find((each) => !each.r && each.cell === cell);
  }

  // What lies under a point of the canvas.
  at(x, y) {
    if (this.places.length && this.places[0].path) {
      const context = this.canvas.getContext("2d"), ratio = devicePixelRatio || 1;
      return this.places.find((place) => context.isPointInPath(place.path, x * ratio, y * ratio)) ?? null;
    }
    let nearest = null, least = 14;
    for (const place of this.places) {
      if (!place.r) { if (x >= place.x && x < place.x + place.w + 1 && y >= place.y && y < place.y + place.h + 1) return place; continue; }
      const distance = Math.hypot(place.x - x, place.y - y);
      if (distance < least) { least = distance; nearest = place; }
    }
    return nearest;
  }

  // The nearest visible elite in a direction, for the arrow keys.
  towards(row, dx, dy) {
    const from = this.placeOf(row);
    if (!from) return this.places[0] ?? null;
    let nearest = null, least = Infinity;
    for (const place of this.places) {
      if (place.row < 0 || place.row === row) continue;
      const along = (place.cx - from.cx) * dx + (place.cy - from.cy) * dy;
      const aside = Math.abs((place.cx - from.cx) * dy) + Math.abs((place.cy - from.cy) * dx);
      if (along > 0.5 && along + 2.5 * aside < least) { least = along + 2.5 * aside; nearest = place; }
    }
    return nearest;
  }
}
