// The comparison of the runs that the address names, in a frame that reaches nothing else.
"use strict";

const frame = document.createElement("iframe"), chosen = new URLSearchParams(location.search).getAll("id");
document.title = document.getElementById("title").textContent = `Comparison of ${chosen.length} runs`;
frame.title = document.title;
frame.setAttribute("sandbox", "allow-scripts allow-downloads");
frame.setAttribute("allow", "clipboard-write");
frame.src = `/comparison?${new URLSearchParams(chosen.map((id) => ["id", id]))}`;
document.getElementById("frames").append(frame);
