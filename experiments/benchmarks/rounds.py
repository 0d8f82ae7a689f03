"""Sides of a benchmark take turns in one process, so that other load of the machine affects all of them equally.

A side is a function that does some work and returns how many evaluations it did. Figures are evaluations a second, by
the process' CPU time (which a busy machine disturbs least) and by the wall; ratios are of the same round.
"""

import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from experiments import study
from qd.report.table import Row, Runs, of_ratios, summary

Side = Callable[[], int]
BUDGETS = {"quick": 3, "first": 9, "full": 31}  # rounds
RATIOS = ("ratio per_cpu_s", "ratio per_s")


def run(
    name: str, cases: dict[str, Callable[[], dict[str, Side]]], n: int, pairs: dict[str, tuple[str, str]], out: str
) -> None:
    """Runs a benchmark: the missing rounds of each case, then the table.

    Args:
        name: of the folder of its results.
        cases: name -> function that returns its sides.
        n: rounds.
        pairs: name of a ratio -> (method, other).
        out: another folder; empty: the default one.
    """
    folder = study.folder(name, out=out)
    runs = study.runs(folder)
    for case, sides in cases.items():
        race(runs, case, sides, n)
    report(folder, rows(runs, pairs))


def race(runs: Runs, case: str, sides: Callable[[], dict[str, Side]], n: int) -> None:
    """Runs the missing rounds, after one untimed call of each side.

    Args:
        runs: the finished runs.
        case: name of the case.
        sides: returns the sides; called only if a round is missing.
        n: number of rounds.
    """
    missing = [i for i in range(n) if not any(key[0] == case and key[2] == i for key in runs.records)]
    if not missing:
        return
    all_sides = sides()
    for side in all_sides.values():
        side()
    for i in missing:
        for method, side in all_sides.items():
            runs.add(case, method, i, clock(side))
    medians = {m: float(np.median(list(runs.column(case, m, "per_cpu_s").values()))) for m in all_sides}
    print(case, {method: f"{value:,.0f}" for method, value in medians.items()}, "evaluations a CPU second", flush=True)


def clock(side: Side) -> dict[str, float]:
    """Returns evaluations a CPU second and a second of the wall."""
    wall, cpu = time.perf_counter(), time.process_time()
    evaluations = side()
    return {"per_cpu_s": evaluations / (time.process_time() - cpu), "per_s": evaluations / (time.perf_counter() - wall)}


def rows(runs: Runs, pairs: dict[str, tuple[str, str]], metrics: Sequence[str] = ("per_cpu_s", "per_s")) -> list[Row]:
    """Returns medians over rounds and, for each case that has both of a named pair, the ratio of (method, other).

    Args:
        runs: the finished runs.
        pairs: name of a ratio -> (method, other).
        metrics: of which ratios are taken.
    """
    table = summary(runs)
    for case in study.cases(runs):
        for name, (method, other) in pairs.items():
            for metric in metrics:
                ours, theirs = runs.column(case, method, metric), runs.column(case, other, metric)
                if shared := sorted(ours.keys() & theirs.keys()):
                    ratios = [ours[i] / theirs[i] for i in shared]
                    table.append(of_ratios(case, name, f"ratio {metric}", ratios))
    return table


def report(folder: Path, rows: list[Row]) -> None:
    """Writes the table, and prints the ratios.

    Args:
        folder: of the results.
        rows: of the table.
    """
    study.report(folder, rows, RATIOS, 2, ("jax", "numpy", "ribs", "qdax"))
