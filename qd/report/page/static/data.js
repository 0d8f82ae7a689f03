"use strict";
// Unpacks the data of this page, see qd/report/page/bundle.py.

const KINDS = { f4: Float32Array, f8: Float64Array, i4: Int32Array, u1: Uint8Array };

async function unpack(text) {
  const packed = bytes(text.trim());
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  const whole = await new Response(stream).arrayBuffer();
  const length = new DataView(whole).getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(whole, 4, length)));
  const arrays = new Map();
  for (const [name, place] of Object.entries(header.arrays)) {
    const count = place.shape.reduce((product, n) => product * n, 1);
    const array = new KINDS[place.dtype](whole, 4 + length + place.offset, count);
    array.shape = place.shape;
    arrays.set(name, array);
  }
  return { facts: header.facts, arrays };
}

function bytes(base64) {
  if (Uint8Array.fromBase64) return Uint8Array.fromBase64(base64);
  const letters = atob(base64), array = new Uint8Array(letters.length);
  for (let i = 0; i < letters.length; i++) array[i] = letters.charCodeAt(i);
  return array;
}

// Small things that all parts use.

const $ = (id) => document.getElementById(id);

function element(tag, text = "", attributes = {}) {
  const node = document.createElement(tag);
  if (text !== "") node.textContent = text;
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  return node;
}

// A button that copies; where the browser forbids it, the text appears, selected.
function copyButton(label, text) {
  const button = element("button", label, { type: "button" });
  button.addEventListener("click", () => navigator.clipboard.writeText(text).then(
    () => { button.textContent = "Copied"; setTimeout(() => { button.textContent = label; }, 1500); },
    () => {
      const box = element("pre", text, { tabindex: "0" });
      button.replaceWith(box);
      getSelection().selectAllChildren(box);
      box.focus();
    }));
  return button;
}

function number(value, digits = 5) {
  if (value === null || value === undefined || Number.isNaN(value)) return "–";
  if (Number.isInteger(value)) return (value || 0).toLocaleString("en-US"); // -0 is 0
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-3 || size >= 1e7)) return value.toExponential(3);
  return String(Number(value.toPrecision(digits)));
}

function extent(values) {
  let low = Infinity, high = -Infinity;
  for (const value of values) if (Number.isFinite(value)) { if (value < low) low = value; if (value > high) high = value; }
  return low <= high ? [low, high] : [0, 1];
}

// The range that all but the lowest 2 % lie in: a few failures would make all others one colour.
function bulk(values) {
  const sorted = Float64Array.from(values).filter(Number.isFinite).sort();
  return sorted.length ? [sorted[Math.floor(sorted.length / 50)], sorted[sorted.length - 1]] : [0, 1];
}

// The lines that a text takes in so many pixels, three at most.
function wrapped(context, text, width) {
  const lines = [""];
  for (const word of text.split(" ")) {
    const longer = `${lines.at(-1)} ${word}`.trim();
    if (!lines.at(-1) || lines.length === 3 || context.measureText(longer).width <= width) lines[lines.length - 1] = longer;
    else lines.push(word);
  }
  return lines;
}

const clipped = (text, most) => text.length > most ? `${text.slice(0, most)} …` : text;

// A canvas that is sharp at every zoom: its pixels are those of the screen.
function sharp(canvas, height) {
  const ratio = window.devicePixelRatio || 1, width = canvas.clientWidth || 300;
  const [w, h] = [Math.round(width * ratio), Math.round(height * ratio)];
  if (canvas.width !== w || canvas.height !== h) { canvas.width = w; canvas.height = h; canvas.style.height = `${height}px`; }
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  Object.assign(context, { textAlign: "left", textBaseline: "alphabetic", lineWidth: 1, globalAlpha: 1 });
  return [context, width, height];
}

function theme(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

// About `count` round values within [low, high].
function ticks(low, high, count = 5) {
  const rough = (high - low) / count;
  if (!(rough > 0)) return [low];
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].map((factor) => factor * power).find((each) => each >= rough);
  const values = [];
  for (let i = Math.ceil(low / step - 1e-9); i * step <= high + step * 1e-9; i++) values.push(i * step);
  return values;
}

const short = (value) => Math.abs(value) >= 1000
  ? new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 }).format(value)
  : String(Number(value.toPrecision(4)));
