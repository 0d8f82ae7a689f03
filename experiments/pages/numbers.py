"""A number of a kept table as a page has it: which row a reference names, and the form in which it is written."""

import json
import re
from functools import cache
from string import Template
from typing import Any

import numpy as np

from experiments import study
from experiments.pages.plans import ROOT
from qd.report import table
from qd.report.table import Row
from qd.support.spelling import unknown

RESULTS = ROOT / "experiments" / "results"
_REFERENCE = re.compile(r"\[\[(.*?)\]\]")
_FIELDS = ("study", "case", "method", "metric", "form", "times", "seeds")
Fields = dict[str, Any]
Name = tuple[str, str, str, str]  # study, case, method, metric


def fill(words: str, fields: Fields) -> str:
    """Returns words with all references in them replaced by numbers.

    Args:
        words: with references, and ``$NAME`` for fields.
        fields: what the references lack.
    """
    return _REFERENCE.sub(lambda match: _number(match[1], fields), _substitute(words, fields)).strip()


def names(words: str, fields: Fields) -> list[Name]:
    """Returns the rows that references name; arguments as in ``fill``."""
    found = [_whole(match, fields) for match in _REFERENCE.findall(_substitute(words, fields))]
    return [(of["study"], of["case"], of["method"], of["metric"]) for of in found if not of["form"].endswith("commit")]


@cache
def rows(name: str) -> dict[tuple[str, str, str], Row]:
    """Returns the rows of a kept table by case, method and metric.

    Args:
        name: of the folder.

    Raises:
        UserError: there is no such table.
    """
    path = RESULTS / name / "table.csv"
    if not path.is_file():
        raise unknown("study", name, sorted(each.parent.name for each in RESULTS.glob("*/table.csv")))
    return {(row.case, row.method, row.metric): row for row in table.read(path)}


@cache
def runs(name: str) -> table.Runs:
    """Returns the kept runs of a study.

    Args:
        name: of the folder.
    """
    return study.runs(RESULTS / name)


def _substitute(words: str, fields: Fields) -> str:
    return Template(words).substitute({key: "" if value is None else value for key, value in fields.items()})


def _whole(reference: str, fields: Fields) -> dict[str, str]:
    """Returns the fields of a reference, with those that it lacks."""
    stated = dict(part.strip().split("=", 1) for part in reference.split("; "))
    for key in stated:
        if key not in _FIELDS:
            raise unknown("field", key, _FIELDS, f"of [[{reference}]]")
    return {"times": "1", "form": ".1"} | {key: str(value) for key, value in fields.items()} | stated


def _number(reference: str, fields: Fields) -> str:
    """Returns a number as it stands in a page; empty where no table has it."""
    of = _whole(reference, fields)
    if of["form"] == "commit":
        return json.loads((RESULTS / of["study"] / "about.json").read_text(encoding="utf-8"))["commit"][:7]
    row = rows(of["study"]).get((of["case"], of["method"], of["metric"]))
    if row is not None and "seeds" in of:
        first, last = map(int, of["seeds"].split("-"))
        column = runs(of["study"]).column(row.case, row.method, row.metric)
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
        values = row.values or [*runs(name).column(row.case, row.method, row.metric).values()]
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
    values = sorted(runs(name).column(row.case, row.method, row.metric).values())
    number = lambda value: "-" if value >= budget else f"{value / 1000:.0f}k"
    if kind == "c":
        return str(sum(value < budget for value in values))
    if kind == "w":
        return ", ".join(map(number, values))
    return number(row.value) + (f" [{number(values[0])}, {number(values[-1])}]" if len(values) > 1 else "")
