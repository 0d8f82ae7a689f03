// Keys for the buttons, and pages swapped in place. Without this script the same forms work.
"use strict";

const KEYS = {"1": "left", "2": "right", "s": "skip", "u": "undo", " ": "unsure"};
const DWELL = 120; // ms for which a new question takes no key: a second tap was meant for the one before
const AGAIN = 1500; // ms between tries while the server is away
const POLL = 2000;

let busy = false;
let since = performance.now();
const $ = (id) => document.getElementById(id);

function say(words, wrong) {
  $("notice").textContent = words;
  $("notice").className = wrong ? "wrong" : "";
}

// Puts in what has changed of a page; what had the focus keeps it.
function swap(text) {
  const page = new DOMParser().parseFromString(text, "text/html");
  const focus = document.activeElement && document.activeElement.id;
  for (const id of ["top", "main", "aside"]) {
    const [old, now] = [$(id), page.getElementById(id)];
    if (!old && !now) continue;
    if (!old || !now) { location.reload(); return; }
    if (old.outerHTML !== now.outerHTML) {
      if (id === "main" && old.dataset.token !== now.dataset.token) since = performance.now();
      old.replaceWith(now);
    }
  }
  document.title = page.title;
  const there = focus && $(focus);
  if (there && there !== document.activeElement) there.focus({preventScroll: true});
  const notice = page.getElementById("notice");
  if (notice.textContent) say(notice.textContent, notice.className === "wrong");
}

const pause = (ms) => new Promise((done) => setTimeout(done, ms));

// Sends until somebody answers. A form that was stored before the server died is refused as sent before: stored once.
async function ask(url, body) {
  for (;;) {
    try {
      const response = await fetch(url, {method: body ? "POST" : "GET", body, headers: {"X-Swap": "1"}, credentials: "same-origin"});
      return {text: await response.text(), html: (response.headers.get("content-type") || "").startsWith("text/html")};
    } catch (error) {
      say("The server is away. Your answers are stored; this page goes on when it is back.", true);
      if (!body) throw error;
      await pause(AGAIN);
    }
  }
}

async function act(button) {
  if (busy) return;
  busy = true;
  document.body.classList.add("busy");
  const data = new URLSearchParams(new FormData(button.form));
  if (button.name) data.set(button.name, button.value);
  const url = button.getAttribute("formaction") || button.form.getAttribute("action");
  try {
    say("", false);
    const {text, html} = await ask(url, data);
    if (html) swap(text); else say(text, true);
  } finally {
    busy = false;
    document.body.classList.remove("busy");
  }
}

document.addEventListener("submit", (event) => {
  if (!event.submitter || !event.target.closest("main") || $("main").dataset.state === "name") return;
  event.preventDefault();
  act(event.submitter);
});

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
  const pressed = event.target.closest("button, a, audio");
  if (event.target.closest("input") || (event.key === " " && pressed)) return; // space presses what has the focus
  const button = $(KEYS[event.key.toLowerCase()] || "");
  if (!button || performance.now() - since < DWELL) return;
  event.preventDefault();
  act(button);
});

setInterval(async () => {
  if (busy || document.hidden || !["waiting", "done"].includes($("main").dataset.state)) return;
  try {
    const {text, html} = await ask("/");
    if (!busy && html) { say("", false); swap(text); }
  } catch { /* ``ask`` shows it */ }
}, POLL);
