"""What is a map worth when a joint breaks? A hexapod's servo gets stuck: the single best gait, and gaits tried from the map.

A map of gaits of the whole robot is searched once. Then 20 damages: a servo stuck at an angle of -30, 0 or 30 degrees, drawn
from the 54 there are. Measured is the speed that is left of the best gait, as a share of its speed on the whole robot; and that
of the best of 20, or 50, gaits tried from the map (Cully et al. 2015 need a dozen): the fastest first, each further from all
before it than 0.15 of a foot's share of time. How often at least half of the speed is kept. Walks of 3 s.

    qd study walkers.damage budget=quick|first      first: draws damage.png too
"""

from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Annotated

import numpy as np
from matplotlib.figure import Figure

from domains.walkers.hexapod import Hexapod
from experiments import command, study
from feedback.descriptors.select import Select
from qd import keys
from qd.archives import Grid, HostElites
from qd.emitters.pool import Pool
from qd.emitters.ribs import Ribs
from qd.emitters.vary import IsoLine, Vary
from qd.report.table import Row, Runs, summary
from qd.search import run, start
from qd.types import Search

BUDGETS = {"quick": 1, "first": 3}  # seeds: of the map, and of the damages
EVALUATIONS = {"quick": 400, "first": 2000}
DAMAGES, ANGLES, SERVOS = 20, (-0.52, 0.0, 0.52), 18
TRIALS, APART = (20, 50), 0.15
DOMAIN = Hexapod(seconds=3.0)
METRICS = ("kept_half", "speed_kept", "worst_kept")
EACH = "kept after damage "  # and its number: stored of every run, and not in the table


def main(budget: Annotated[str, BUDGETS] = "quick", seeds: int = 0, out: str = "") -> None:
    """Does the missing seeds, then writes and prints the table; arguments as in ``study``."""
    folder = study.folder("walkers_damage", budget, out)
    runs = study.runs(folder)
    case, methods = f"hexapod, map of {EVALUATIONS[budget]} evaluations", ("single best", *map(_name, TRIALS))
    for seed in sorted({key[2] for key in study.missing(runs, product([case], methods, range(seeds or BUDGETS[budget])))}):
        for method, measured in play(seed, EVALUATIONS[budget]).items():
            study.add(runs, case, method, seed, measured, (*METRICS, "speed"))
    study.report(folder, rows(runs), (*METRICS, "speed"), 3, ("mujoco-core", "ribs", "numpy"))
    if any(name.startswith(EACH) for metrics in runs.records.values() for name in metrics):
        picture(runs, case).savefig(Path(folder, "damage.png"), dpi=110)


def play(seed: int, evaluations: int) -> dict[str, dict[str, float]]:
    """Searches a map, then damages the robot.

    Args:
        seed: of the search and of the damages.
        evaluations: of the search.

    Returns:
        Method -> speed on the whole robot in m/s; share of damages in which at least half of it is kept, in per cent; the
        mean and the worst share that is kept; and the share after each damage.
    """
    gaits, measures, speeds = _map(seed, evaluations)
    order = _candidates(measures, speeds, max(TRIALS))
    best = float(speeds[order[0]])
    damages = _damages(seed)
    left = np.stack([replace(DOMAIN, locked=(damage,)).evaluate(None, gaits[order]).objective for damage in damages])
    left = np.nan_to_num(left, nan=0.0) / best  # [damages, trials]
    table = {"single best": _figures(left[:, 0], best, len(gaits))}
    return table | {_name(trials): _figures(left[:, :trials].max(axis=1), best, len(gaits)) for trials in TRIALS}


def rows(runs: Runs) -> list[Row]:
    """Returns means over seeds.

    Args:
        runs: the finished runs.
    """
    return [row for row in summary(runs, "mean") if not row.metric.startswith(EACH)]


def picture(runs: Runs, case: str) -> Figure:
    """Draws the speed that is left after every damage, the worst for the single best gait first.

    Args:
        runs: the finished runs.
        case: one of theirs.
    """
    methods = "single best", _name(TRIALS[0])
    left = [
        [value for (there, of, _), metrics in runs.records.items() if (there, of) == (case, method)
         for name, value in metrics.items() if name.startswith(EACH)]
        for method in methods
    ]  # fmt: skip
    order = np.argsort(left[0], kind="stable")
    figure = Figure(figsize=(6.4, 2.9), layout="constrained")
    axes = figure.subplots()
    for values, label, colour in zip(left, methods, ("#d1495b", "#2b7bba"), strict=True):
        axes.plot(np.arange(1, len(order) + 1), 100 * np.array(values)[order], "o", ms=4, color=colour, label=label)
    axes.axhline(50, color="#888888", lw=0.8, ls="--")
    axes.set(xlabel="damages: a servo stuck", ylabel="speed left, % of the best")
    axes.legend(frameon=False, loc="lower right")
    return figure


def _map(seed: int, evaluations: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Gaits [N, 36], shares of time [N, 6] and speeds [N] of the elites of a search."""
    domain = DOMAIN
    evolution = Ribs("EvolutionStrategyEmitter", {"ranker": "2imp", "sigma0": 0.15, "batch_size": 32}, count=2)
    emitter = Pool((Vary(IsoLine(0.05, 0.2, 0.0, 1.0), 64), evolution))
    search = Search(domain, Select("touch", domain.bounds), Grid((5,) * 6), emitter)
    key, sample_key = keys.split(keys.new(seed))
    state, _ = start(search, key, domain.sample(sample_key, 128))
    for state, _ in run(search, state, evaluations):
        pass
    elites = HostElites(state.archive)
    solutions, measures, speeds = elites.take(np.arange(elites.size), "solution", "measures", "objective")
    return solutions, measures, speeds


def _candidates(measures: np.ndarray, speeds: np.ndarray, count: int) -> np.ndarray:
    """Ranks of the gaits to try, the fastest first, each apart from all before; others follow where there are too few."""
    order = np.argsort(-speeds, kind="stable")
    chosen: list[int] = []
    for rank in order:
        if all(np.linalg.norm(measures[rank] - measures[other]) > APART for other in chosen):
            chosen.append(int(rank))
        if len(chosen) == count:
            break
    return np.array(chosen)


def _damages(seed: int) -> list[tuple[int, float]]:
    every = list(product(range(SERVOS), ANGLES))
    drawn = np.random.default_rng(seed).choice(len(every), DAMAGES, replace=False)
    return [every[i] for i in drawn]


def _figures(kept: np.ndarray, speed: float, elites: int) -> dict[str, float]:
    return {
        "kept_half": 100 * float((kept >= 0.5).mean()), "speed_kept": float(kept.mean()), "worst_kept": float(kept.min()),
        "speed": speed, "elites": float(elites),
    } | {f"{EACH}{i:02}": float(share) for i, share in enumerate(kept)}  # fmt: skip


def _name(trials: int) -> str:
    return f"best of {trials} from the map"


if __name__ == "__main__":
    command.run()
