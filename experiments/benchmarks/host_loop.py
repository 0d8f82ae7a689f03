"""What our host loop costs above plain pyribs: the same hosted emitters, the same jitted evaluator, float32, 10-D arm.

Ours keeps 20-d features beside each elite, ids, statuses and failures; the peer is pyribs' own Scheduler without any.
Rounds are interleaved in one process; figures are medians over rounds.
"""

import statistics
import sys
import time

import jax
import numpy as np
from ribs.archives import GridArchive
from ribs.emitters import GaussianEmitter, IsoLineEmitter
from ribs.schedulers import Scheduler

from domains.arm import Arm
from feedback.descriptors.select import Select
from qd import keys
from qd.archives import Grid
from qd.emitters.ribs import Ribs
from qd.search import start, step
from qd.types import Search

ARM, DIMS, BOUNDS = Arm(joints=10), (50, 50), ((-1.0, 1.0), (-1.0, 1.0))
EMITTERS = {
    "iso+line": ("IsoLineEmitter", IsoLineEmitter, {"iso_sigma": 0.01, "line_sigma": 0.2}),
    "gaussian": ("GaussianEmitter", GaussianEmitter, {"sigma": 0.1}),
}


def main(generations: int = 400, rounds: int = 5, batches: tuple[int, ...] = (256, 512, 1024)) -> None:
    """Prints a row for each emitter and batch: ms a generation, ours and the peer's, ratio and difference."""
    print(f"{'emitter':10} {'batch':>6} {'ours ms':>8} {'pyribs ms':>9} {'ratio':>6} {'more ms':>8}")
    for name in EMITTERS:
        for batch in batches:
            sides = ours(name, batch), pyribs(name, batch)
            times: tuple[list[float], list[float]] = ([], [])
            for _ in range(rounds):
                for side, taken in zip(sides, times, strict=True):
                    taken.append(_clock(side, generations))
            a, b = (1000 * statistics.median(taken) for taken in times)
            print(f"{name:10} {batch:6} {a:8.3f} {b:9.3f} {a / b:6.2f} {a - b:8.3f}", flush=True)


def ours(name: str, batch: int):
    """Returns a function that does one generation of our loop."""
    hosted, _, settings = EMITTERS[name]
    emitter = Ribs(hosted, {**settings, "batch_size": batch})  # type: ignore[arg-type]
    search = Search(ARM, Select("gripper", BOUNDS), Grid(DIMS), emitter, keep=("angles",))
    state, _ = start(search, keys.new(0), ARM.sample(keys.new(1), batch))

    def generation() -> None:
        nonlocal state
        state, _ = step(search, state)

    return generation


def pyribs(name: str, batch: int):
    """Returns a function that does one generation of pyribs' scheduler."""
    _, emitter, settings = EMITTERS[name]
    archive = GridArchive(solution_dim=10, dims=DIMS, ranges=BOUNDS, seed=0, dtype=np.float32)
    scheduler = Scheduler(archive, [emitter(archive, **settings, x0=np.zeros(10), batch_size=batch, seed=0)])
    evaluate = jax.jit(_objective_and_measures)

    def generation() -> None:
        objective, measures = evaluate(scheduler.ask())
        scheduler.tell(objective, measures)

    return generation


def _objective_and_measures(solutions):
    said = ARM.evaluate(None, solutions)
    return said.objective, said.features["gripper"]


def _clock(generation, generations: int) -> float:
    for _ in range(20):
        generation()
    begin = time.perf_counter()
    for _ in range(generations):
        generation()
    return (time.perf_counter() - begin) / generations


if __name__ == "__main__":
    main(**dict(zip(("generations", "rounds"), map(int, sys.argv[1:3]), strict=False)))
