"use strict";
// Metrics against evaluations, with events as dotted lines; a click chooses a moment.

const CURVES = ["coverage", "qd_score", "best", "mean", "elites", "failed", "evals_per_s"];
const MARKED = new Set(["refit", "relearn", "resumed", "stopped", "interrupted", "plateau", "budget"]);

class Curves {
  constructor(model, place, choose) {
    this.model = model;
    const names = model.facts.curves.filter((name) => name !== "evals" && name !== "generation" && name !== "wall_s" && name !== "compile_s");
    const first = CURVES.filter((name) => names.includes(name));
    const later = names.filter((name) => !CURVES.includes(name) && new Set(model.arrays.get(`curve ${name}`)).size > 1);
    this.panels = [...first, ...later].slice(0, 12).map((name) => {
      const canvas = element("canvas", "", { role: "img", tabindex: "-1" });
      place.append(canvas);
      canvas.addEventListener("click", (event) => choose(this.evaluationAt(event, canvas)));
      return { name, canvas };
    });
    if (!this.panels.length) place.append(element("p", "No metrics are recorded yet.", { class: "quiet" }));
  }

  // Draws the curves, and the moment `now` over them; where only the moment changed, over the picture of them.
  draw(now, isSame = false) {
    const evals = this.model.arrays.get("curve evals");
    if (!evals) return;
    this.range = [0, evals[evals.length - 1] || 1];
    for (const panel of this.panels) {
      if (!isSame || !panel.still) {
        this.panel(panel.name, panel.canvas, evals);
        panel.still = document.createElement("canvas");
        Object.assign(panel.still, { width: panel.canvas.width, height: panel.canvas.height });
        panel.still.getContext("2d").drawImage(panel.canvas, 0, 0);
      }
      this.moment(panel, now);
    }
  }

  moment({ canvas, still }, now) {
    const [context, w, h] = sharp(canvas, 130);
    context.drawImage(still, 0, 0, w, h);
    context.strokeStyle = theme("ring");
    if (now !== null) this.vertical(context, 44 + (now / this.range[1]) * (w - 56), h);
  }

  panel(name, canvas, evals) {
    const [context, w, h] = sharp(canvas, 130), values = this.model.arrays.get(`curve ${name}`);
    let [low, high] = extent(values);
    if (high === low) [low, high] = low === 0 ? [0, 1] : [low - Math.abs(low) / 10, low + Math.abs(low) / 10];
    const x = (value) => 44 + (value / this.range[1]) * (w - 56), y = (value) => 24 + (1 - (value - low) / (high - low)) * (h - 46);
    context.font = "11px system-ui, sans-serif";
    context.fillStyle = theme("ink");
    context.fillText(this.title(name), 44, 13);
    context.fillStyle = theme("quiet");
    context.textAlign = "right";
    for (const tick of ticks(low, high, 3)) { context.fillText(short(tick), 40, y(tick) + 4); context.fillRect(44, y(tick), w - 56, 0.5); }
    context.textAlign = "center";
    for (const tick of ticks(0, this.range[1], 3)) context.fillText(short(tick), x(tick), h - 6);
    context.setLineDash([2, 3]);
    context.strokeStyle = theme("quiet");
    for (const event of this.model.facts.events)
      if (MARKED.has(event.event) && Number.isFinite(event.evaluations)) this.vertical(context, x(event.evaluations), h);
    context.setLineDash([]);
    context.strokeStyle = theme("accent");
    context.lineWidth = 1.8;
    context.beginPath();
    let pen = false;
    values.forEach((value, i) => {
      if (!Number.isFinite(value)) { pen = false; return; }
      if (pen) context.lineTo(x(evals[i]), y(value)); else context.moveTo(x(evals[i]), y(value));
      pen = true;
    });
    context.stroke();
    const last = [...values].reverse().find(Number.isFinite);
    canvas.setAttribute("aria-label", `${this.title(name)} against evaluations, at the end ${number(last)}`);
  }

  title(name) { return this.model.facts.curve_titles[name] ?? name.replaceAll("_", " "); }

  vertical(context, x, h) {
    context.lineWidth = 1;
    context.beginPath();
    context.moveTo(x, 22);
    context.lineTo(x, h - 20);
    context.stroke();
  }

  evaluationAt(event, canvas) {
    const box = canvas.getBoundingClientRect();
    return Math.max(0, ((event.clientX - box.left - 44) / (box.width - 56)) * this.range[1]);
  }
}

// Histogram, or the share of elites below each value, of what the map's colours show.
function drawSpread(canvas, values, range, colourOf, kind) {
  const [context, w, h] = sharp(canvas, 170), finite = [...values].filter(Number.isFinite).sort((a, b) => a - b);
  if (!finite.length) return;
  const [low, high] = range, x = (value) => 40 + ((value - low) / (high - low || 1)) * (w - 52);
  context.font = "11px system-ui, sans-serif";
  const most = kind === "bars" ? bars() : steps();
  context.fillStyle = theme("quiet");
  context.textAlign = "center";
  for (const tick of ticks(low, high, 5)) context.fillText(short(tick), x(tick), h - 5);
  context.textAlign = "right";
  context.fillText(kind === "bars" ? short(most) : "100 %", 36, 16);
  context.fillText("0", 36, h - 20);

  function bars() {
    const counts = new Array(40).fill(0);
    for (const value of finite) counts[Math.max(0, Math.min(39, Math.floor(((value - low) / (high - low || 1)) * 40)))]++;
    const top = Math.max(...counts);
    counts.forEach((count, i) => {
      const tall = (count / top) * (h - 34);
      context.fillStyle = colourOf(low + ((i + 0.5) / 40) * (high - low));
      context.fillRect(x(low + (i / 40) * (high - low)), h - 20 - tall, (w - 52) / 40 - 1, tall);
    });
    return top;
  }

  function steps() {
    context.strokeStyle = theme("accent");
    context.lineWidth = 1.8;
    context.beginPath();
    context.moveTo(x(low), h - 20);
    finite.forEach((value, i) => context.lineTo(x(value), h - 20 - ((i + 1) / finite.length) * (h - 34)));
    context.stroke();
    return 1;
  }
}
