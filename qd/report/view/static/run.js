// The report of one run in a frame. While the run goes on a newer report takes its place, unless one does not follow it.
"use strict";

const id = new URLSearchParams(location.search).get("id") ?? "";
let run, shown = "", loading = "", due = 0;

function showReport() {
  if (!run || run.version === shown || loading) return;
  const version = loading = run.version, began = performance.now(), frame = part("iframe"), isFirst = !shown;
  frame.title = `Report of ${id}`;
  frame.setAttribute("sandbox", "allow-scripts allow-downloads");
  frame.setAttribute("allow", "clipboard-write");
  if (!isFirst) frame.style.visibility = "hidden";
  frame.addEventListener("load", () => setTimeout(() => {
    frame.style.visibility = "";
    [...$("frames").children].filter((node) => node !== frame).forEach((node) => node.remove());
    shown = version;
    loading = "";
    due = performance.now() + (performance.now() - began); // a report that takes long is not made again at once
    offer();
  }, isFirst ? 0 : 400)); // it draws in the meantime
  frame.src = `/report?${new URLSearchParams({id, v: version})}`;
  $("frames").append(frame);
}

function offer() {
  if (!shown || ($("follow").checked && run.state === "running" && performance.now() >= due)) showReport();
  $("newer").hidden = !shown || run.version === shown || Boolean(loading);
}

poll({id}, (facts) => {
  [run] = facts.runs;
  $("id").textContent = document.title = run.id;
  $("state").textContent = run.state;
  $("state").className = `state ${run.state}`;
  $("numbers").textContent = run.problem || [progressText(run),
    ...Object.entries(run.scores).map(([name, value]) => `${facts.scores[name][0]} ${number(value)}${facts.scores[name][1]}`)].join(" · ");
  $("follow-label").hidden = run.state !== "running";
  offer();
}, POLL / 2);
$("follow").addEventListener("change", offer);
$("newer").addEventListener("click", showReport);
