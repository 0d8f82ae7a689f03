"""What an evaluation costs as the search grows: batch, cells, dimensions, evolution strategies, seeds; and memory.

One axis at a time, the rest as in the middle: the sphere in 100-D, batch 1024, 10,000 cells, iso+line; strategies and
seeds in 10-D. CPU nanoseconds an evaluation, medians of the rounds with their range, on a sheet of logarithmic axes.

    OPENBLAS_NUM_THREADS=1 qd study benchmarks.costs budget=quick|first|full
"""

from collections.abc import Callable
from functools import partial
from typing import Annotated, Any

import jax
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from domains.functions import LinearProjection
from experiments import command, study
from experiments.benchmarks import cma_me, rounds, seeds
from experiments.benchmarks.rounds import Side
from experiments.benchmarks.sides import ISO, LINE, describe, end, in_numpy, limit, ours, pyribs
from qd import keys
from qd.archives import Grid
from qd.emitters.vary import IsoLine, Vary
from qd.fused import driver
from qd.fused.prepare import prepare
from qd.plots import bands
from qd.report.table import Runs
from qd.search import start
from qd.types import Search

AXES = {  # name -> its points; quick takes every third
    "batch": (32, 128, 512, 2_048, 8_192, 32_768, 65_536),
    "cells": (1_024, 4_096, 16_384, 65_536, 262_144, 524_288, 1_000_000),
    "dimensions": (10, 30, 100, 300, 1_000, 3_000, 10_000),
    "strategies": (1, 2, 4, 8, 16, 32, 64),
    "seeds": (1, 2, 4, 8, 12, 16, 20),
}
LABELS = {"batch": "batch", "cells": "cells", "dimensions": "dimensions"} | {
    "strategies": "evolution strategies (CMA-ME, 10-D)",
    "seeds": "seeds in one process (10-D, batch 100)",
}
STYLES: dict[str, dict[str, Any]] = (
    {"limit": {"color": "0.6", "linestyle": ":"}}
    | {  # distinct for colour-blind readers, and in grey
        method: bands.line_style(i) for i, method in enumerate(("fused, hash", "pyribs", "fused, threefry"))
    }
    | {method: bands.line_style(i) for i, method in enumerate(("one by one", "threads", "map"))}
)
BUDGETS = {"quick": 1, "first": 3, "full": 10}  # rounds
STARTS, NUMBERS = 1024, 4_000_000  # seeds; genes evaluated in a round, so that large solutions take no longer
PAIRS = {
    "fused hash / pyribs": ("fused, hash", "pyribs"),
    "fused threefry / pyribs": ("fused, threefry", "pyribs"),
    "fused hash / limit": ("fused, hash", "limit"),
    "threads / one by one": ("threads", "one by one"),
}


def main(budget: Annotated[str, BUDGETS] = "quick", out: str = "") -> None:
    """Does the missing rounds, then writes the table and a figure for each axis; arguments as in ``study``."""
    folder = study.folder("costs", out=out)
    runs = study.runs(folder)
    for axis, points in AXES.items():
        for point in points[:: 3 if budget == "quick" else 1]:
            case = f"{axis} {point}"
            rounds.race(runs, case, lambda axis=axis, point=point, case=case: sides(runs, case, axis, point), BUDGETS[budget])
    rounds.report(folder, rows(runs))
    sheet(runs).savefig(folder / "costs.png", dpi=150)


rows = partial(rounds.rows, pairs=PAIRS)  # of its table


def sides(runs: Runs, case: str, axis: str, point: int) -> dict[str, Side]:
    """Returns the sides at one point of an axis.

    Args:
        runs: the finished runs; memory is measured where it is missing.
        case: name of the point.
        axis: a name in AXES.
        point: value on the axis.
    """
    if axis == "strategies":
        return cma_me.sides("cma_es", 10, point, 20_000)
    if axis == "seeds":
        ways = {"one by one": seeds.one_by_one(10, 100, 10_000, point)}
        return ways | {how: seeds.together(10, 100, 10_000, point, how) for how in ("threads", "map")}
    search = recipe(**{axis: point})
    batch, dim = search.emitter.batch_size, search.domain.dim  # type: ignore[attr-defined]
    evaluations = max(batch, NUMBERS // dim)
    key, sample_key = keys.split(keys.new(0))
    begin = start(search, key, search.domain.sample(sample_key, STARTS))[0]
    for key in study.missing(runs, [(case, "memory", -1)]):
        study.add(runs, *key, memory(search, begin))
    elites = end(search, begin, STARTS + evaluations).archive.data()
    return {
        "limit": limit(search, elites["solution"], batch, evaluations),
        "fused, hash": ours(search, evaluations, "hash"),
        "fused, threefry": ours(search, evaluations, "threefry"),
        "pyribs": pyribs(search, elites, in_numpy(search.domain), max(batch, evaluations // 4)),
    }


def recipe(batch: int = 1024, cells: int = 10_000, dimensions: int = 100) -> Search:
    """Returns the search of a point: the sphere, a square grid, iso+line.

    Args:
        batch: solutions a generation.
        cells: of the grid, rounded to a square.
        dimensions: of a solution.
    """
    side = round(cells**0.5)
    domain = LinearProjection("sphere", dimensions)
    return Search(domain, describe(domain), Grid((side, side)), Vary(IsoLine(ISO, LINE), batch))


def memory(search: Search, state: Any) -> dict[str, float]:
    """Megabytes of the mirror and of one chunk's rows.

    Args:
        search: its components.
        state: where it starts.

    Returns:
        mirror_mb and rows_mb.
    """
    work = prepare(search, state)
    buffers = {"mirror_mb": driver.open_mirror(work, state), "rows_mb": driver.buffers(work)}
    return {name: sum(leaf.nbytes for leaf in jax.tree.leaves(tree)) / 2**20 for name, tree in buffers.items()}


def sheet(runs: Runs) -> Figure:
    """Draws cost against the points of each axis, a line for each side, and memory against cells."""
    figure = Figure(figsize=(10.5, 6.6), layout="constrained")
    panels = figure.subplots(2, 3).ravel()
    for panel, axis in zip(panels, AXES, strict=False):
        _costs(panel, runs, axis)
    _memory(panels[-1], runs)
    return figure


def _costs(panel: Axes, runs: Runs, axis: str) -> None:
    cases = _cases(runs, axis)
    for method, style in STYLES.items():
        cost: Callable = lambda case, method=method: 1e9 / np.array(list(runs.column(case, method, "per_cpu_s").values()))
        there = sorted((point, cost(case)) for case, point in cases.items() if len(runs.column(case, method, "per_cpu_s")))
        if there:
            points, middle = [point for point, _ in there], [float(np.median(values)) for _, values in there]
            panel.plot(points, middle, marker="o", markersize=3, label=method, **style)
            low, high = [v.min() for _, v in there], [v.max() for _, v in there]
            panel.fill_between(points, low, high, color=style["color"], alpha=0.15, linewidth=0)
    _frame(panel, LABELS[axis], "CPU ns an evaluation")


def _memory(panel: Axes, runs: Runs) -> None:
    cases = _cases(runs, "cells")
    for metric, label in (("mirror_mb", "the mirror"), ("rows_mb", "rows of a chunk")):
        points = sorted(
            (point, megabytes) for case, point in cases.items() for megabytes in runs.column(case, "memory", metric).values()
        )
        panel.plot(*zip(*points, strict=True), marker="o", markersize=3, label=label)
    _frame(panel, LABELS["cells"], "MB, 100-D")


def _frame(panel: Axes, x: str, y: str) -> None:
    panel.set(xscale="log", yscale="log", xlabel=x, ylabel=y)
    panel.grid(alpha=0.25, linewidth=0.5)
    low, high = panel.get_ylim()
    panel.set_ylim(low, high * (high / low) ** 0.3)  # room for the legend
    panel.legend(fontsize="x-small", frameon=False)


def _cases(runs: Runs, axis: str) -> dict[str, int]:
    return {case: int(case.split()[1]) for case, _, _ in runs.records if case.split()[0] == axis}


if __name__ == "__main__":
    command.run()
