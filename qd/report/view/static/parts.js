// What both pages need. Whatever a run says is put in as text, never as markup.
"use strict";

const POLL = 1000; // ms
const $ = (id) => document.getElementById(id);
const number = (value) => value.toLocaleString("en", {maximumSignificantDigits: 4});
const count = (value) => value.toLocaleString("en");

function part(name, className, text) {
  const node = document.createElement(name);
  if (className) node.className = className;
  if (text !== undefined) node.textContent = text;
  return node;
}

function progressText(run) {
  if (run.evaluations === null) return "no evaluations yet";
  const of = run.budget !== null && run.state !== "finished" ? ` of ${count(run.budget)}` : "";
  return `${count(run.evaluations)}${of} evaluations`;
}

// Asks again and again; hands on what is new, and says so where the server does not answer. With wait: 1 in the query
// the server answers once there is news, and a pause follows an answer only.
async function poll(query, show, pause = POLL) {
  let have = "";
  for (;;) {
    let rest = POLL;
    try {
      const answer = await fetch(`/runs.json?${new URLSearchParams({...query, have})}`);
      if (answer.status === 200) {
        const facts = await answer.json();
        have = facts.version;
        show(facts);
      }
      if (answer.ok) rest = pause;
      $("trouble").textContent = answer.ok ? "" : await answer.text();
    } catch {
      $("trouble").textContent = "The server does not answer. Start qd view again; this page then goes on by itself.";
    }
    do await new Promise((done) => setTimeout(done, rest)); while (document.hidden);
  }
}
