"use strict";
// Parallel coordinates: a line for each visible elite through all measures and the objective.

class Parallel {
  constructor(model, canvas) {
    this.model = model;
    this.canvas = canvas;
  }

  draw() {
    const { model } = this, m = model.facts.bounds.length;
    const [context, w, h] = sharp(this.canvas, Math.max(280, Math.min(520, this.canvas.clientWidth * 0.6)));
    this.top = 26;
    this.height = h - this.top - 30;
    this.columns = Array.from({ length: m + 1 }, (_, i) => 46 + ((w - 92) * i) / m);
    const range = model.objectiveRange();
    this.unit = (row, i) => {
      const [low, high] = i < m ? model.facts.bounds[i] : range;
      const value = i < m ? model.measures[row * m + i] : model.objective[row];
      return Math.max(0, Math.min(1, (value - low) / (high - low || 1)));
    };
    this.rows = model.items().map((item) => item.row).filter((row) => row >= 0);
    const thin = this.rows.length > 4000 ? Math.ceil(this.rows.length / 4000) : 1; // more lines are one colour anyway
    context.globalAlpha = this.rows.length > 400 ? 0.35 : 0.8;
    context.lineWidth = 1;
    const order = [...this.rows].sort((a, b) => model.objective[a] - model.objective[b]);
    order.forEach((row, n) => { if (n % thin === 0 || order.length - n < 50) this.line(context, row, model.colourOf(model.values[row])); });
    context.globalAlpha = 1;
    context.lineWidth = 3;
    if (model.pinned !== null) this.line(context, model.pinned, theme("quiet"));
    if (model.selected !== null) this.line(context, model.selected, theme("ring"));
    context.fillStyle = theme("ink");
    context.font = "12px system-ui, sans-serif";
    context.textAlign = "center";
    this.columns.forEach((x, i) => {
      const [low, high] = i < m ? model.facts.bounds[i] : range;
      context.fillRect(x, this.top, 1, this.height);
      context.fillText(short(high), x, this.top - 14);
      context.fillText(short(low), x, this.top + this.height + 4);
      context.fillText(i < m ? model.axisName(i) : "objective", x, this.top + this.height + 18, (w - 40) / (m + 1));
    });
  }

  line(context, row, colour) {
    context.strokeStyle = colour;
    context.beginPath();
    this.columns.forEach((x, i) => {
      const y = this.top + (1 - this.unit(row, i)) * this.height;
      if (i) context.lineTo(x, y); else context.moveTo(x, y);
    });
    context.stroke();
  }

  at(x, y) {
    let nearest = null, least = 8;
    for (const row of this.rows) {
      for (let i = 0; i + 1 < this.columns.length; i++) {
        const [x0, x1] = [this.columns[i], this.columns[i + 1]];
        if (x < x0 || x > x1) continue;
        const unit = this.unit(row, i) + (this.unit(row, i + 1) - this.unit(row, i)) * ((x - x0) / (x1 - x0));
        const distance = Math.abs(this.top + (1 - unit) * this.height - y);
        if (distance < least) { least = distance; nearest = row; }
      }
    }
    return nearest === null ? null : this.model.item(nearest);
  }

  towards(row, dx, dy) {
    const order = [...this.rows].sort((a, b) => this.model.objective[a] - this.model.objective[b]);
    const at = order.indexOf(row), next = order[at < 0 ? order.length - 1 : at + (dx || -dy)];
    return next === undefined ? null : this.model.item(next);
  }
}
