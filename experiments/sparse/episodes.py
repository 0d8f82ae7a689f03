"""Episodes a second of the sparse domains: where each ends alone, and with one or five images of 32 x 32 pixels of it.

    qd study sparse.episodes budget=quick|first|full

Batches of 1,000 controllers, rounds interleaved in one process, after compilation.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Annotated, Any

import jax
import numpy as np

from domains.scene import Camera
from experiments import command, study
from experiments.benchmarks import rounds
from experiments.benchmarks.rounds import BUDGETS, Side
from experiments.sparse.tasks import TASKS, task
from qd import keys
from qd.report.table import summary

BATCH, REPEATS = 1000, 2


def main(budget: Annotated[str, BUDGETS] = "quick", out: str = "") -> None:
    """Does the missing rounds, prints and writes the table: medians over rounds; arguments as in ``study``."""
    folder = study.folder("episodes", out=out)
    runs = study.runs(folder)
    for case in TASKS:
        rounds.race(runs, case, lambda case=case: sides(task(case).domain), BUDGETS[budget])
    study.report(folder, rows(runs), ("per_s", "per_cpu_s"), 0)


rows = summary  # medians


def sides(domain: Any) -> dict[str, Side]:
    """Each evaluates the same controllers and brings what a search would read to the host."""
    solutions = domain.sample(keys.new(0), BATCH)
    several = keys.split(keys.new(1), BATCH)

    def side(domain: Any, reads: str) -> Side:
        program: Callable = jax.jit(lambda k, x: domain.evaluate(k, x).features[reads])

        def evaluate() -> int:
            for _ in range(REPEATS):
                np.asarray(program(several, solutions))
            return REPEATS * BATCH

        return evaluate

    with_frames = lambda frames: replace(domain, camera=Camera(frames=frames), points=domain.points or frames)
    return {
        "where it ends": side(domain, "position"),
        "one image": side(with_frames(1), "image"),
        "five images": side(with_frames(5), "image"),
    }


if __name__ == "__main__":
    command.run()
