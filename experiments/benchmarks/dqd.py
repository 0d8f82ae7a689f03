"""Gradients by autodiff against gradients by hand: CMA-MEGA and OMG-MEGA on the 100-D sphere, 100 x 100 cells.

Ours is the host loop with pyribs' emitters hosted and the jacobian of domain and descriptor taken by JAX; pyribs is its own
scheduler with evaluation and jacobian written out in NumPy, float32. The loss of quality, if any, is that of the gradient,
so the largest difference of the two jacobians is in the table too.

    OPENBLAS_NUM_THREADS=1 qd study benchmarks.dqd budget=quick|first|full
"""

from functools import partial
from typing import Annotated, Any

import numpy as np
from ribs.archives import GridArchive
from ribs.emitters import GradientArborescenceEmitter, GradientOperatorEmitter
from ribs.schedulers import Scheduler

from domains.functions import LinearProjection
from experiments import command, study
from experiments.benchmarks import rounds
from experiments.benchmarks.rounds import BUDGETS, Side
from experiments.benchmarks.sides import continuing, describe, steps
from qd import keys, programs
from qd.archives import Grid
from qd.emitters.ribs import Ribs
from qd.search import start
from qd.types import Search

DIM, DIMS = 100, (100, 100)
DOMAIN = LinearProjection("sphere", DIM)
_MEGA = {"sigma0": 10.0, "lr": 1.0, "grad_opt": "gradient_ascent", "selection_rule": "mu", "batch_size": 35}
_OMG = {"sigma": 0.0, "sigma_g": 10.0, "measure_gradients": True, "normalize_grad": True, "batch_size": 270}
CASES = {  # name -> emitter, its settings, how many, evaluations of a round
    "CMA-MEGA, 15 x 36": ("GradientArborescenceEmitter", _MEGA, 15, 10_800),
    "OMG-MEGA, 270": ("GradientOperatorEmitter", _OMG, 1, 10_800),
}
PAIRS = {"ours, autodiff / pyribs, by hand": ("ours, autodiff", "pyribs, by hand")}


def main(budget: Annotated[str, BUDGETS] = "quick", out: str = "") -> None:
    """Does the missing rounds, then writes and prints the table; arguments as in ``study``."""
    folder = study.folder("dqd", out=out)
    runs = study.runs(folder)
    for case, settings in CASES.items():
        rounds.race(runs, case, lambda settings=settings: sides(*settings), BUDGETS[budget])
    for key in study.missing(runs, [("jacobian", "autodiff - by hand", 0)]):
        study.add(runs, *key, {"largest_relative_difference": difference()})
    rounds.report(folder, rows(runs))


rows = partial(rounds.rows, pairs=PAIRS)  # of its table


def sides(emitter: str, settings: dict, count: int, evaluations: int) -> dict[str, Side]:
    """Returns the sides of a case.

    Args:
        emitter: class of pyribs.
        settings: of the emitter.
        count: number of emitters.
        evaluations: of a round.
    """
    return {
        "ours, autodiff": _ours(emitter, settings, count, evaluations),
        "pyribs, by hand": _pyribs(emitter, settings, count, evaluations),
    }


def by_hand(x: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Objective [B], measures [B, 2] and jacobian [B, 3, D], as domains/functions.py states them, in NumPy."""
    reach, shift = np.float32(5.12), np.float32(0.4 * 5.12)
    worst, inside, half = np.float32(DIM * (5.12 * 1.4) ** 2), np.abs(x) <= reach, DIM // 2
    objective = 100 * (1 - ((x - shift) ** 2).sum(1) / worst)
    projection = np.where(inside, x, reach / np.where(inside, np.float32(1), x))
    slope = np.where(inside, np.float32(1), -reach / np.where(inside, np.float32(1), x) ** 2)
    jacobian = np.zeros((len(x), 3, DIM), np.float32)
    jacobian[:, 0] = -200 * (x - shift) / worst
    jacobian[:, 1, :half], jacobian[:, 2, half:] = slope[:, :half], slope[:, half:]
    return objective, projection.reshape(len(x), 2, -1).sum(2), jacobian


def difference() -> float:
    """The largest difference of the two jacobians over solutions near and beyond the bounds, relative to the largest slope."""
    x = 4 * keys.normal(keys.new(0), (500, DIM))
    batch = programs.evaluate_and_describe(DOMAIN, describe(DOMAIN), ("projection",), None, keys.new(1), x, gradients=True)
    ours, theirs = np.asarray(batch.jacobian), by_hand(x)[2]
    return float((np.abs(ours - theirs).max((0, 2)) / np.abs(theirs).max((0, 2))).max())


def _ours(emitter: str, settings: dict, count: int, evaluations: int) -> Side:
    search = Search(DOMAIN, describe(DOMAIN), Grid(DIMS), Ribs(emitter, settings, count, x0=0.0))  # type: ignore[arg-type]
    state = start(search, keys.new(0), np.zeros((1, DIM), np.float32))[0]
    return continuing(state, evaluations, lambda state, until: steps(search, state, until))


def _pyribs(emitter: str, settings: dict, count: int, evaluations: int) -> Side:
    archive = GridArchive(solution_dim=DIM, dims=DIMS, ranges=DOMAIN.bounds, seed=0, dtype=np.float32)
    x0 = np.zeros(DIM, np.float32)
    archive.add(x0[None], *by_hand(x0[None])[:2])
    emitters: Any = {
        "GradientArborescenceEmitter": GradientArborescenceEmitter,
        "GradientOperatorEmitter": GradientOperatorEmitter,
    }
    scheduler = Scheduler(archive, [emitters[emitter](archive, x0=x0, seed=i, **settings) for i in range(count)])

    def side() -> int:
        total = 0
        while total < evaluations:
            x = scheduler.ask_dqd()
            scheduler.tell_dqd(*by_hand(x))
            total += len(x)
            x = scheduler.ask()
            scheduler.tell(*by_hand(x)[:2])
            total += len(x)
        return total

    return side


if __name__ == "__main__":
    command.run()
