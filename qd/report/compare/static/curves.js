"use strict";
// One number of all methods against evaluations: lines with bands.

function drawBands(canvas, label, methods) {
  const [context, w, h] = sharp(canvas, 200), drawn = methods.filter((method) => method.middle.some(Number.isFinite));
  context.font = "12px system-ui, sans-serif";
  context.fillStyle = theme("ink");
  context.fillText(label, 46, 13);
  if (!drawn.length) { context.fillStyle = theme("quiet"); context.fillText("not defined, or not recorded", 46, 60); return; }
  const middles = extent(drawn.flatMap((method) => [...method.middle])), all = extent(drawn.flatMap((method) => [...method.low, ...method.high, ...method.middle]));
  const span = middles[1] - middles[0] || Math.abs(middles[1]) * 0.1 || 1;  // a band of three seeds may be much wider than the curves
  const low = Math.max(all[0], middles[0] - span * 0.6), high = Math.min(all[1], middles[1] + span * 0.6) || low + 1;
  const last = Math.max(...drawn.map((method) => method.evaluations[method.evaluations.length - 1]), 1);
  const top = 24, bottom = h - 22, x = (value) => 46 + (value / last) * (w - 58);
  const y = (value) => Math.max(top, Math.min(bottom, top + (1 - (value - low) / (high - low || 1)) * (bottom - top)));
  context.fillStyle = theme("quiet");
  context.textAlign = "right";
  for (const tick of ticks(low, high, 4)) { context.fillText(short(tick), 42, y(tick) + 4); context.fillRect(46, y(tick), w - 58, 0.5); }
  context.textAlign = "center";
  for (const tick of ticks(0, last, 4)) context.fillText(short(tick), x(tick), h - 6);
  for (const method of drawn) {
    context.fillStyle = context.strokeStyle = method.colour;
    context.globalAlpha = 0.18;
    band(method);
    context.globalAlpha = 1;
    context.lineWidth = 2;
    context.setLineDash(method.dash);
    context.beginPath();
    let pen = false;
    method.middle.forEach((value, i) => {
      if (!Number.isFinite(value)) { pen = false; return; }
      if (pen) context.lineTo(x(method.evaluations[i]), y(value)); else context.moveTo(x(method.evaluations[i]), y(value));
      pen = true;
    });
    context.stroke();
    context.setLineDash([]);
  }
  canvas.setAttribute("aria-label", `${label} against evaluations; at the end ${drawn.map((method) => `${method.name} ${number(method.middle[method.middle.length - 1])}`).join(", ")}`);

  function band(method) {
    const points = [...method.middle.keys()].filter((i) => Number.isFinite(method.low[i]) && Number.isFinite(method.high[i]));
    context.beginPath();
    for (const i of points) context.lineTo(x(method.evaluations[i]), y(method.high[i]));
    for (const i of points.reverse()) context.lineTo(x(method.evaluations[i]), y(method.low[i]));
    context.closePath();
    context.fill();
  }
}
