"""Sides of a benchmark take turns in one process, so that what else the machine does falls on all of them.

A side is a function that does some work and returns how many evaluations it did. Figures are evaluations a second, by
the process' CPU time (which a busy machine disturbs least) and by the wall; ratios are of the same round.
"""

import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from qd.report import table
from qd.report.table import Row, Runs
from qd.support.errors import UserError

Side = Callable[[], int]
BUDGETS = {"quick": 3, "first": 9, "full": 31}  # rounds


def rounds(budget: str) -> int:
    """Returns how many rounds a budget has. Raises ValueError on a budget that there is not."""
    if budget not in BUDGETS:
        raise UserError(f"there is no budget {budget!r}", f"type budget={', budget='.join(BUDGETS)}")
    return BUDGETS[budget]


def race(runs: Runs, case: str, sides: Callable[[], dict[str, Side]], n: int) -> None:
    """Does the rounds that are missing; each side goes once before the clock runs. ``sides`` is called only if any is."""
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
    """Evaluations a CPU second and a second of the wall."""
    wall, cpu = time.perf_counter(), time.process_time()
    done = side()
    return {"per_cpu_s": done / (time.process_time() - cpu), "per_s": done / (time.perf_counter() - wall)}


def ratios(runs: Runs, pairs: dict[str, tuple[str, str]]) -> list[Row]:
    """Returns, for each case that has both, a row for each named pair (method, other) and metric."""
    rows = []
    for case in dict.fromkeys(case for case, _, _ in runs.records):
        for name, (method, other) in pairs.items():
            for metric in ("per_cpu_s", "per_s"):
                ours, theirs = runs.column(case, method, metric), runs.column(case, other, metric)
                shared = sorted(ours.keys() & theirs.keys())
                if shared:
                    values = np.array([ours[i] / theirs[i] for i in shared])
                    rows.append(
                        Row(case, name, f"ratio {metric}", float(np.median(values)), *table.interval(values), len(values))
                    )
    return rows


def report(runs: Runs, folder: Path, pairs: dict[str, tuple[str, str]], more: Sequence[Row] = ()) -> None:
    """Writes table.csv, with the rows ``more`` at its end, and about.json, and prints the ratios."""
    rows = [*table.summary(runs), *ratios(runs, pairs), *more]
    table.write(folder / "table.csv", rows)
    table.about(folder / "about.json", ("jax", "numpy", "ribs", "qdax"))
    print(table.text([row for row in rows if row.metric.startswith("ratio")], ("ratio per_cpu_s", "ratio per_s"), 2))
