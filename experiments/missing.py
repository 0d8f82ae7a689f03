"""Which rows the tables still lack, what they cost, and the command that fills them.

    qd study missing               prints a line for each goal of experiments/goals.yaml
    qd study missing page=sparse   those of one page

A goal names a study's folder of results, a case, methods and seeds. The rest costs the median CPU time of the rows that are
kept of the same case and method; where there are none, of those of another method that the goal names as ``like``, times
``scale``. The same table stands in docs/scoreboard.md, written by ``qd study pages``.
"""

import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import yaml

from experiments import checking, command, study
from qd.report import table
from qd.report.table import Runs
from qd.support.spelling import unknown

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "experiments" / "results"
GOALS = Path(__file__).with_name("goals.yaml")
_SECONDS = ("cpu_seconds", "search_cpu_seconds")


class Goal(NamedTuple):
    """Rows that a table is to have."""

    page: str  # on which they stand
    rows: str  # in words
    study: str  # folder of results
    case: str
    methods: tuple[str, ...]
    seeds: tuple[int, ...]
    command: str
    like: tuple[str, str] | None = None  # (case, method) of the same cost, for methods of which no row is kept
    scale: float = 1.0  # of that cost
    cpu_seconds: float | None = None  # of a row, where the study keeps no times


class Progress(NamedTuple):
    """How far a goal is."""

    kept: int
    wanted: int
    cpu_hours: float | None  # of the rest; None: no row tells


def main(page: str = "") -> None:
    """Prints how far each goal is.

    Args:
        page: name of a page; empty: all.
    """
    every = goals()
    pages = list(dict.fromkeys(goal.page for goal in every))
    if page and page not in pages:
        raise unknown("page", page, pages)
    print("\n".join(table.align([HEAD, *(cells(goal) for goal in every if page in ("", goal.page))])))


HEAD = ("page", "rows", "kept", "CPU-hours for the rest", "command")


def goals(path: Path = GOALS) -> list[Goal]:
    """Reads the goals.

    Args:
        path: of a file like goals.yaml.
    """
    return [_goal(record) for record in yaml.safe_load(path.read_text(encoding="utf-8"))]


def cells(goal: Goal, results: Path = RESULTS) -> tuple[str, ...]:
    """Returns a goal's line of the table, as HEAD names its columns.

    Args:
        goal: the goal.
        results: folder of all results.
    """
    far = progress(goal, results)
    hours = "0" if far.kept == far.wanted else "not known" if far.cpu_hours is None else f"{far.cpu_hours:.2g}"
    return goal.page, goal.rows, f"{far.kept} of {far.wanted}", hours, goal.command


def progress(goal: Goal, results: Path = RESULTS) -> Progress:
    """Counts the rows of a goal that are kept; those that the present code does not make do not count.

    Args:
        goal: the goal.
        results: folder of all results.
    """
    runs = study.runs(results / goal.study)
    lacking = [(method, seed) for method in goal.methods for seed in goal.seeds if not _current(runs, goal.case, method, seed)]
    wanted = len(goal.methods) * len(goal.seeds)
    seconds = [_seconds(runs, goal, method) for method, _ in lacking]
    known = [each for each in seconds if each is not None]
    hours = sum(known) / 3600 if len(known) == len(seconds) else None
    return Progress(wanted - len(lacking), wanted, hours)


def lines() -> Iterator[str]:
    """Yields the table of all goals in markdown."""
    yield f"| {' | '.join(HEAD)} |"
    yield "|" + "---|" * len(HEAD)
    for goal in goals():
        *words, line = cells(goal)
        yield f"| {' | '.join(words)} | `{line}` |"


def words(line: str) -> list[str]:
    """Returns the words of a command as a shell parts them.

    Args:
        line: of a goal.
    """
    return shlex.split(line)


def _current(runs: Runs, case: str, method: str, seed: int) -> bool:
    return runs.has(case, method, seed) and runs.codes.get((case, method, seed)) != {checking.OLDER}


def _seconds(runs: Runs, goal: Goal, method: str) -> float | None:
    """Returns the CPU-seconds that a row of a method takes."""
    for case, name, scale in [(goal.case, method, 1.0)] + ([(*goal.like, goal.scale)] if goal.like else []):
        for metric in _SECONDS:
            column = list(runs.column(case, name, metric).values())
            if column:
                return scale * float(np.median(column))
    return goal.cpu_seconds


def _goal(record: dict[str, Any]) -> Goal:
    first, _, last = str(record["seeds"]).partition("-")
    seeds = tuple(range(int(first), int(last) + 1)) if last else tuple(range(int(first)))
    like = tuple(record["like"]) if "like" in record else None
    fields = {name: record[name] for name in ("page", "rows", "study", "case", "command")}
    return Goal(
        **fields,
        methods=tuple(record["methods"]),
        seeds=seeds,
        like=like,
        scale=float(record.get("scale", 1)),
        cpu_seconds=record.get("cpu_seconds"),
    )


if __name__ == "__main__":
    command.run()
