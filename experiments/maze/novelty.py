"""Does novelty search explore our maze as it explores the Kheperax package's? pyribs' tutorial, on both.

The tutorial's settings (icaros-usc/pyribs, tutorials/ns_maze.ipynb): target maze, 250 steps, a network of (8, 8), five
CMA-ES emitters of 30 ranked by novelty, a proximity archive (k = 15, threshold 0.01) and a result grid of 100 x 100
that receives everything evaluated; 2,500 iterations. One loop drives pyribs on both sides, only ``evaluate`` differs. The
tutorial has no seed; here one seed sets x0, the emitters and the archives, the same on both sides. Its own single run ended
with a coverage of 88.9 %.

    qd study maze.novelty budget=quick|first|full seeds=10

quick: 20 iterations; first: 500; full: 2,500. The package's side runs where it is installed (see kheperax.py).
"""

import importlib.util
import time
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Annotated

import jax
import numpy as np
from ribs.archives import GridArchive, ProximityArchive
from ribs.emitters import EvolutionStrategyEmitter
from ribs.schedulers import Scheduler

from domains.maze import Maze
from domains.maze.controller import Mlp
from domains.maze.maps import Target
from experiments import command, study
from experiments.command import Names
from qd import keys
from qd.report.table import Row, Runs, of_ratios, summary

MAZE = Maze(steps=250, controller=Mlp(hidden=(8, 8)), goal=Target())
CELLS, BATCH = (100, 100), 150
BUDGETS = {"quick": 20, "first": 500, "full": 2_500}  # iterations
METHODS = ("ours", "kheperax")
VERSUS = "kheperax / ours"
Evaluate = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]  # policies [B, D] -> objective [B], position [B, 2]


def main(
    budget: Annotated[str, BUDGETS] = "quick", seeds: int = 2, methods: Annotated[Names, METHODS] = METHODS, out: str = ""
) -> None:
    """Does the missing runs, then writes and prints the table, and draws a dot for each run.

    Args:
        budget: a name in BUDGETS.
        seeds: number of seeds.
        methods: names of methods.
        out: folder of the results; empty: the default one.
    """
    folder = study.folder("maze_novelty", budget, out)
    runs = study.runs(folder)
    case, iterations = f"target maze {BUDGETS[budget]}", BUDGETS[budget]
    for method in methods:
        todo = list(study.missing(runs, product([case], [method], range(seeds))))
        if not todo:
            continue
        if not is_installed(method):
            print(f"the package {method} is not installed (the extra peers): its side is left out")
            continue
        evaluate = evaluator(method)
        for *_, seed in todo:
            novelty_search(evaluate, seed, 2)  # what compiles on first use is no part of the times
            study.add(runs, case, method, seed, novelty_search(evaluate, seed, iterations))
    report(runs, folder)


def novelty_search(evaluate: Evaluate, seed: int, iterations: int) -> dict[str, float]:
    """Runs the tutorial's loop once.

    Args:
        evaluate: policies -> final positions.
        seed: of all randomness.
        iterations: of the loop.

    Returns:
        Coverage in per cent of the result grid, and seconds of the loop.
    """
    x_key, archive_key, grid_key, *emit_keys = keys.split(keys.new(seed), 8)
    x0 = MAZE.sample(x_key, 1)[0]
    archive = ProximityArchive(
        solution_dim=MAZE.size, measure_dim=2, k_neighbors=15, novelty_threshold=0.01, seed=int(archive_key[0])
    )
    result = GridArchive(solution_dim=MAZE.size, dims=CELLS, ranges=[(0, 1), (0, 1)], seed=int(grid_key[0]))
    settings = {"sigma0": 0.5, "ranker": "nov", "selection_rule": "mu", "restart_rule": "basic", "batch_size": 30}
    emitters = [EvolutionStrategyEmitter(archive, x0=x0, seed=int(key[0]), **settings) for key in emit_keys]
    scheduler = Scheduler(archive, emitters, result)
    cpu, wall = time.process_time(), time.perf_counter()
    for _ in range(iterations):
        scheduler.tell(*evaluate(scheduler.ask()))
    return {
        "coverage": 100 * float(result.stats.coverage),
        "novel": len(archive),
        "evaluations": BATCH * iterations,
        "cpu_seconds": time.process_time() - cpu,
        "wall_seconds": time.perf_counter() - wall,
    }


def evaluator(method: str) -> Evaluate:
    """Returns one side's evaluation of policies."""
    if method == "kheperax":
        from experiments.maze import kheperax

        return kheperax.evaluator(MAZE)

    @jax.jit
    def program(policies):
        evaluation = MAZE.evaluate(None, policies)  # keys are for noise, of which there is none
        return evaluation.objective, evaluation.features["position"]

    return lambda policies: jax.device_get(program(np.asarray(policies, np.float32)))


def is_installed(method: str) -> bool:
    """Whether a side can run here."""
    return method == "ours" or importlib.util.find_spec(method) is not None


def report(runs: Runs, folder: Path) -> None:
    """Writes the table and the figure; prints medians and how the sides compare.

    Args:
        runs: the finished runs.
        folder: of the results.
    """
    table = rows(runs)
    study.report(
        folder, table, ("coverage", "cpu_seconds", "wall_seconds"), packages=("jax", "numpy", "ribs", "kheperax", "qdax")
    )
    for row in table:
        if row.method in (VERSUS, " - ".join(METHODS)):
            print(f"{row.case}: {row.method}, {row.metric} {row.value:.3g} [{row.low:.3g}, {row.high:.3g}], {row.n} seeds")
    _draw(runs, folder / "coverage.png")


def rows(runs: Runs) -> list[Row]:
    """Returns medians, and ours beside the package's."""
    return [*summary(runs), *(row for case in study.cases(runs) for row in _compare(runs, case))]


def _compare(runs: Runs, case: str) -> list[Row]:
    """Compares coverage by seed, and the ratios of times; there is none where a side has not run."""
    if set(METHODS) - set(study.methods(runs, case)):
        return []
    table = study.differences(runs, [(case, *METHODS)], ["coverage"])
    for metric in ("cpu_seconds", "wall_seconds"):
        ours, theirs = (runs.column(case, method, metric) for method in METHODS)
        ratios = [theirs[seed] / ours[seed] for seed in sorted(ours.keys() & theirs.keys())]
        table.append(of_ratios(case, VERSUS, f"{metric}_ratio", ratios))
    return table


def _draw(runs: Runs, path: Path) -> None:
    """Draws a dot for each run."""
    from matplotlib.figure import Figure

    cases = study.cases(runs)
    figure = Figure(figsize=(6, 1 + 1.2 * len(cases)), layout="constrained")
    axes = figure.subplots(len(cases), 1, squeeze=False)[:, 0]
    for ax, case in zip(axes, cases, strict=True):
        for height, method in enumerate(METHODS):
            values = [*runs.column(case, method, "coverage").values()]
            ax.plot(values, np.full(len(values), height), "o", alpha=0.6)
            ax.plot([np.median(values)] if values else [], [height] if values else [], "|k", markersize=18)
        ax.set(title=case, yticks=(0, 1), yticklabels=METHODS, ylim=(-0.6, 1.6))
    axes[-1].set_xlabel("coverage, % of 100 x 100 cells, everything evaluated")
    figure.savefig(path, dpi=150)


if __name__ == "__main__":
    command.run()
