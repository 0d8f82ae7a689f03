"""Writes the numbers of README and docs from the kept tables, between markers in their text.

    qd study pages                 writes all pages; given again, nothing changes
    qd study pages page=sparse

In a page ``<!--NAME-->...<!--/-->`` is a number, or a table where it stands on lines of its own. ``PAGE.yaml`` beside this
file says what NAME is, in words and references:

    defaults: {study: qdhf, metric: qd_score_current}
    numbers:
      ours 200: "[[case=arm, 200 answers; method=ours; form=.1i]]"
    tables:
      arm:
        rows: [{answers: 200, case: "arm, 200 answers"}]
        columns: {answers: $answers, ours: "[[method=ours; form=.1i]]"}

A reference names a row of a table (study, case, method, metric; what it lacks is that of the row, then of the defaults) and
a form: a format of Python, then ``i`` for the interval (and the values where they are fewer than five), ``b`` for both without
the number itself, ``r`` for the smallest and the largest seed, ``m`` for these alone, ``p`` for p, ``s`` for whether a
difference is above 0 (yes, no or inconclusive, by its interval and its corrected p), ``n`` for the number of
seeds, ``commit`` for the commit of the table, and ``k``, ``w`` and ``c`` as ``_until`` says. ``times`` scales;
``seeds=20-39`` is the median over these alone, and empty where none of them was run. A number that a table lacks is empty in
a table of a page and a fault elsewhere.
"""

import json
import re
from functools import cache
from pathlib import Path
from string import Template
from typing import Any

import numpy as np
import yaml

from experiments import command, missing, study
from qd.report import table
from qd.report.table import Row
from qd.support import atomic
from qd.support.errors import UserError
from qd.support.spelling import unknown

HERE, ROOT = Path(__file__).parent, Path(__file__).parents[2]
RESULTS = ROOT / "experiments" / "results"
_MARK = re.compile(r"<!--([^/\n][^\n]*?)-->(.*?)<!--/-->", re.DOTALL)
_REFERENCE = re.compile(r"\[\[(.*?)\]\]")
_FIELDS = ("study", "case", "method", "metric", "form", "times", "seeds")
Fields = dict[str, Any]


def main(page: str = "") -> None:
    """Writes the numbers of pages.

    Args:
        page: name of a page; empty: all.
    """
    names = pages()
    if page and page not in names:
        raise unknown("page", page, names)
    for name in [page] if page else names:
        before = path_of(name).read_text(encoding="utf-8")
        after = written(name, before)
        if after != before:
            atomic.write(path_of(name), after.encode())
        state = "as it was" if after == before else "written"
        print(f"{path_of(name).relative_to(ROOT)}: {len(_MARK.findall(after))} numbers and tables, {state}")


def pages() -> list[str]:
    """Returns the names of the pages that have numbers of tables."""
    return sorted(path.stem for path in HERE.glob("*.yaml"))


def path_of(name: str) -> Path:
    """Returns the file of a page; ``guides.clusters`` is in a folder of docs."""
    return ROOT / "README.md" if name == "README" else ROOT / "docs" / f"{name.replace('.', '/')}.md"


def written(name: str, text: str) -> str:
    """Returns a page's text with all marked numbers as the tables have them.

    Args:
        name: of the page.
        text: of the page.

    Raises:
        UserError: a marker has no meaning, a meaning has no marker, or a table has no such number.
    """
    plan = yaml.safe_load((HERE / f"{name}.yaml").read_text(encoding="utf-8"))
    defaults, numbers, tables = (plan.get(part) or {} for part in ("defaults", "numbers", "tables"))
    marked = [match[1] for match in _MARK.finditer(text)]
    for unmarked in [each for each in (*numbers, *tables) if each not in marked]:
        raise UserError(f"{name}.yaml names {unmarked!r}, which {path_of(name).name} does not mark", "mark it or leave it out")

    def fill(match: re.Match[str]) -> str:
        mark = match[1]
        if mark in tables:
            inside = "\n\n" + "\n".join(_lines(tables[mark], defaults)) + "\n\n"
        elif mark in numbers:
            inside = _fill(numbers[mark], defaults)
            if not inside.strip():
                raise UserError(f"{mark!r} of {name}.yaml is in no table: {numbers[mark]}", "correct its names")
        else:
            raise unknown("number", mark, [*numbers, *tables])
        return f"<!--{mark}-->{inside}<!--/-->"

    return _MARK.sub(fill, text)


def _lines(plan: Fields, defaults: Fields) -> list[str]:
    """Returns the lines of a table in markdown; with ``goals`` the rows that tables still lack."""
    if "goals" in plan:
        return list(missing.lines())
    columns = plan["columns"]
    lines = [f"| {' | '.join(columns)} |", "|" + "---|" * len(columns)]
    for row in plan["rows"]:
        fields = defaults | plan.get("defaults", {}) | row
        lines.append("| " + " | ".join(_fill(str(cell), fields) for cell in columns.values()) + " |")
    return lines


def _fill(words: str, fields: Fields) -> str:
    words = Template(words).substitute({key: "" if value is None else value for key, value in fields.items()})
    return _REFERENCE.sub(lambda match: _number(match[1], fields), words).strip()


def _number(reference: str, fields: Fields) -> str:
    """Returns a number as it stands in a page; empty where no table has it."""
    stated = dict(part.strip().split("=", 1) for part in reference.split("; "))
    for key in stated:
        if key not in _FIELDS:
            raise unknown("field", key, _FIELDS, f"of [[{reference}]]")
    of = {"times": 1, "form": ".1"} | {key: str(value) for key, value in fields.items()} | stated
    if of["form"] == "commit":
        return json.loads((RESULTS / of["study"] / "about.json").read_text(encoding="utf-8"))["commit"][:7]
    row = _rows(of["study"]).get((of["case"], of["method"], of["metric"]))
    if row is not None and "seeds" in of:
        first, last = map(int, of["seeds"].split("-"))
        column = _runs(of["study"]).column(row.case, row.method, row.metric)
        values = [value for seed, value in column.items() if first <= seed <= last]
        row = table.over_seeds(*row[:3], values) if values else None
    return "" if row is None else _text(row, of["study"], of["form"], float(of["times"]))


def _text(row: Row, name: str, form: str, times: float) -> str:
    *digits, kind = form if form[-1].isalpha() and form[-1] not in "fg" else (*form, "v")
    form = "".join(digits)
    number = lambda value: format(value * times, form if form[-1:] in ("f", "g") else f"{form}f")
    interval = "" if np.isnan(row.low) else f"[{number(row.low)}, {number(row.high)}]"
    few = f" ({', '.join(map(number, row.values))})" if row.values else ""
    if kind == "n":
        return str(row.n)
    if kind == "p":
        return "<0.001" if row.p < 0.001 else f"{row.p:.2g}"
    if kind == "s":
        sure = not row.low <= 0 <= row.high and row.p < 0.05
        return ("yes" if row.value > 0 else "no") if sure else "inconclusive"
    if kind in "rm":
        values = row.values or [*_runs(name).column(row.case, row.method, row.metric).values()]
        both = f"[{number(min(values))}, {number(max(values))}]" if len(values) > 1 else ""
        return f"{number(row.value)} {both}".strip() if kind == "r" else both
    if kind in "kwc":
        return _until(row, name, kind)
    return {"v": number(row.value), "b": interval + few, "i": f"{number(row.value)} {interval}".strip() + few}[kind]


def _until(row: Row, name: str, kind: str) -> str:
    """Returns evaluations until something happened, in thousands, "-" where they are the whole budget.

    Args:
        row: its case ends with the budget, "N evaluations".
        name: of the study.
        kind: k: the median and the range over seeds; w: each seed's, in order; c: in how many seeds it happened.
    """
    budget = float(re.findall(r"(\d+) evaluations", row.case)[-1])
    values = sorted(_runs(name).column(row.case, row.method, row.metric).values())
    number = lambda value: "-" if value >= budget else f"{value / 1000:.0f}k"
    if kind == "c":
        return str(sum(value < budget for value in values))
    if kind == "w":
        return ", ".join(map(number, values))
    return number(row.value) + (f" [{number(values[0])}, {number(values[-1])}]" if len(values) > 1 else "")


@cache
def _rows(name: str) -> dict[tuple[str, str, str], Row]:
    path = RESULTS / name / "table.csv"
    if not path.is_file():
        raise unknown("study", name, sorted(each.parent.name for each in RESULTS.glob("*/table.csv")))
    return {(row.case, row.method, row.metric): row for row in table.read(path)}


@cache
def _runs(name: str) -> table.Runs:
    return study.runs(RESULTS / name)


if __name__ == "__main__":
    command.run()
