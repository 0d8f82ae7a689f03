// The report of one run in a frame. While the run goes on a newer report takes its place, unless one does not follow it.
"use strict";

const id = new URLSearchParams(location.search).get("id") ?? "";
const WAITED = 100; // ms, between two requests that wait for news
const MOST_DRAWING = 2000; // ms, after which a report that does not tell that it is drawn takes its place all the same
let run, shown = "", loading = "", isResting = false, drawn = () => {};

function showReport() {
  if (!run || run.version === shown || loading) return;
  const version = loading = run.version, began = performance.now(), frame = part("iframe"), isFirst = !shown;
  frame.title = `Report of ${id}`;
  frame.setAttribute("sandbox", "allow-scripts allow-downloads");
  frame.setAttribute("allow", "clipboard-write");
  if (!isFirst) frame.style.visibility = "hidden";
  const replace = () => {
    if (loading !== version) return;
    frame.style.visibility = "";
    [...$("frames").children].filter((node) => node !== frame).forEach((node) => node.remove());
    shown = version;
    loading = "";
    isResting = true; // a report that takes long is not made again at once
    setTimeout(() => { isResting = false; offer(); }, performance.now() - began);
    offer();
  };
  drawn = (source) => { if (source === frame.contentWindow) replace(); };
  frame.addEventListener("load", () => setTimeout(replace, isFirst ? 0 : MOST_DRAWING));
  frame.src = `/report?${new URLSearchParams({id, v: version})}`;
  $("frames").append(frame);
}

function offer() {
  if (!shown || ($("follow").checked && run.state === "running" && !isResting)) showReport();
  $("newer").hidden = !shown || run.version === shown || Boolean(loading);
}

poll({id, wait: 1}, (facts) => {
  [run] = facts.runs;
  $("id").textContent = document.title = run.id;
  $("state").textContent = run.state;
  $("state").className = `state ${run.state}`;
  $("numbers").textContent = run.problem || [progressText(run),
    ...Object.entries(run.scores).map(([name, value]) => `${facts.scores[name][0]} ${number(value)}${facts.scores[name][1]}`)].join(" · ");
  $("follow-label").hidden = run.state !== "running";
  offer();
}, WAITED);
window.addEventListener("message", (event) => drawn(event.source));
$("follow").addEventListener("change", offer);
$("newer").addEventListener("click", showReport);
