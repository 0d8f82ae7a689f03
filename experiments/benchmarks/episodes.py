"""Episodes a second of the sparse domains: where each ends alone, and with one or five images of 32 x 32 pixels of it.

    python -m experiments.benchmarks.episodes budget=quick|first|full

Batches of 1,000 controllers, rounds interleaved in one process, after compilation.
"""

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import jax
import numpy as np

from domains.scene import Camera
from experiments.benchmarks.rounds import Side, race, rounds
from experiments.sparse.cases import task
from qd import keys
from qd.report import table

BATCH, REPEATS = 1000, 2
PLAN = ("redundant arm", "maze", "curling")


def main(budget: str = "quick", out: str = "experiments/results/episodes") -> None:
    """Does the rounds that are missing, prints and writes the table: medians over rounds."""
    n, runs = rounds(budget), table.Runs(Path(out) / "runs.jsonl")
    for case in PLAN:
        race(runs, case, lambda case=case: sides(task(case).domain), n)
    rows = table.summary(runs)
    table.write(Path(out) / "table.csv", rows)
    table.about(Path(out) / "about.json")
    print(table.text(rows, ("per_s", "per_cpu_s"), 0))


def sides(domain: Any) -> dict[str, Side]:
    """Each evaluates the same controllers and brings what a search would read to the host."""
    solutions = domain.sample(keys.new(0), BATCH)
    several = keys.split(keys.new(1), BATCH)

    def side(domain: Any, reads: str) -> Side:
        program: Callable = jax.jit(lambda k, x: domain.evaluate(k, x).features[reads])

        def evaluated() -> int:
            for _ in range(REPEATS):
                np.asarray(program(several, solutions))
            return REPEATS * BATCH

        return evaluated

    filmed = lambda frames: replace(domain, camera=Camera(frames=frames), points=domain.points or frames)
    return {
        "where it ends": side(domain, "position"),
        "one image": side(filmed(1), "image"),
        "five images": side(filmed(5), "image"),
    }


if __name__ == "__main__":
    main(**dict(argument.split("=", 1) for argument in sys.argv[1:]))
