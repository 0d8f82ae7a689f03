"use strict";
// All elites as a table, sortable, a page at a time: the map for people who cannot see it.

const PAGE = 50;

class Table {
  constructor(model, select) {
    this.model = model;
    this.select = select;
    this.from = 0;
    this.order = Array.from(model.objective.keys());
    this.columns = this.columnsOf();
    this.sorted = { column: 1, up: false };
    this.sort();
    $("earlier").addEventListener("click", () => { this.from = Math.max(0, this.from - PAGE); this.draw(); });
    $("later").addEventListener("click", () => { if (this.from + PAGE < this.order.length) this.from += PAGE; this.draw(); });
  }

  columnsOf() {
    const { model } = this, m = model.facts.bounds.length;
    const columns = [["id", (row) => model.ids[row]], ["objective", (row) => model.objective[row]]];
    for (let i = 0; i < m; i++) columns.push([model.axisName(i), (row) => model.measures[row * m + i]]);
    for (const name of model.facts.features) columns.push([name, (row) => model.arrays.get(`feature ${name}`)[row]]);
    if (model.facts.solutions) columns.push(["solution", (row) => model.facts.solutions[row]]);
    return columns;
  }

  sort() {
    const [, value] = this.columns[this.sorted.column], sign = this.sorted.up ? 1 : -1;
    const rank = (each) => (typeof each === "number" && Number.isNaN(each) ? -Infinity : each);
    this.order.sort((a, b) => { const [x, y] = [rank(value(a)), rank(value(b))]; return x < y ? -sign : x > y ? sign : a - b; });
    this.from = 0;
  }

  draw() {
    const table = $("table"), head = element("tr"), body = element("tbody");
    this.columns.forEach(([name], i) => {
      const is = i === this.sorted.column, button = element("button", `${name}${is ? (this.sorted.up ? " ▲" : " ▼") : ""}`, { type: "button" });
      button.addEventListener("click", () => { this.sorted = { column: i, up: is ? !this.sorted.up : i === 0 }; this.sort(); this.draw(); });
      const cell = element("th", "", { scope: "col", "aria-sort": is ? (this.sorted.up ? "ascending" : "descending") : "none" });
      cell.append(button);
      head.append(cell);
    });
    for (const row of this.order.slice(this.from, this.from + PAGE)) {
      const line = element("tr", "", row === this.model.selected ? { class: "selected" } : {});
      this.columns.forEach(([, value], i) => {
        const each = value(row), cell = element("td");
        if (i) cell.textContent = typeof each === "number" ? number(each) : each;
        else { const button = element("button", String(each), { type: "button", "aria-label": `show elite ${each}` }); cell.append(button); }
        line.append(cell);
      });
      line.addEventListener("click", () => this.select(row));
      body.append(line);
    }
    const top = element("thead");
    top.append(head);
    table.replaceChildren(top, body);
    const last = Math.min(this.from + PAGE, this.order.length);
    $("table-count").textContent = `${this.from + 1} to ${last} of ${this.order.length.toLocaleString("en-US")}`;
    $("earlier").disabled = this.from === 0;
    $("later").disabled = last >= this.order.length;
  }
}
