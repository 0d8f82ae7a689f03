"""MAP-Elites in CVT archives: the compiled lookup against pyribs' k-d tree, and a grid of as many cells.

Uniform measures of a simple domain, so that the lookup is what is measured.

    qd study benchmarks.cvt budget=quick|first|full
"""

from dataclasses import dataclass
from functools import partial
from typing import Annotated

from experiments import command
from experiments.benchmarks import rounds
from experiments.benchmarks.rounds import BUDGETS, Side
from experiments.benchmarks.sides import begin, host, limit, ours, pyribs_cvt
from feedback.descriptors.select import Select
from qd import keys
from qd.archives import CVT, Grid
from qd.emitters.vary import Gaussian, Vary
from qd.types import Array, Evaluation, Search

CASES = {  # name -> measures, cells, batch, evaluations of a round
    "2 measures, 1,000 cells": (2, 1_000, 1024, 100_000),
    "2 measures, 10,000 cells": (2, 10_000, 1024, 100_000),
    "3 measures, 1,000 cells": (3, 1_000, 1024, 50_000),
    "4 measures, 1,000 cells": (4, 1_000, 1024, 30_000),
}
PAIRS = {
    "fused / pyribs": ("fused, hash", "pyribs"),
    "fused / host loop": ("fused, hash", "host loop"),
    "cvt / grid": ("fused, hash", "fused, grid"),
}


@dataclass(frozen=True)
class UnitCube:
    """Solutions are their own measures; the objective is the distance to the middle."""

    dim: int
    pure: bool = True

    def sample(self, key: Array, n: int) -> Array:
        """Samples uniformly in the unit cube.

        Args:
            key: of the draws.
            n: number of solutions.

        Returns:
            Solutions [n, D].
        """
        return keys.uniform(key, (n, self.dim), 0, 1)

    def evaluate(self, keys: Array, solutions: Array) -> Evaluation:
        """Evaluates B solutions.

        Args:
            keys: not used.
            solutions: [B, D].
        """
        return Evaluation(-((solutions - 0.5) ** 2).sum(1), {"x": solutions})


def main(budget: Annotated[str, BUDGETS] = "quick", out: str = "") -> None:
    """Does the missing rounds, then writes and prints the table; arguments as in ``study``."""
    rounds.run("cvt", {case: partial(sides, *settings) for case, settings in CASES.items()}, BUDGETS[budget], PAIRS, out)


rows = partial(rounds.rows, pairs=PAIRS)  # of its table


def sides(measures: int, cells: int, batch: int, evaluations: int) -> dict[str, Side]:
    """Returns the sides of a case.

    Args:
        measures: M, and dimensions of a solution.
        cells: of the archive.
        batch: solutions a generation.
        evaluations: of a round; the host loop and pyribs do a quarter of them.
    """
    describe = Select("x", ((0.0, 1.0),) * measures)
    search = Search(UnitCube(measures), describe, CVT(cells, samples=10 * cells), Vary(Gaussian(0.05, 0.0, 1.0), batch))
    grid = search._replace(archive=Grid((round(cells ** (1 / measures)),) * measures))
    state = begin(search)
    return {
        "limit": limit(search, state.archive.data("solution"), batch, evaluations),
        "fused, hash": ours(search, evaluations, "hash"),
        "fused, grid": ours(grid, evaluations, "hash"),
        "host loop": host(search, evaluations // 4),
        "pyribs": pyribs_cvt(search, state, evaluations // 4),
    }


if __name__ == "__main__":
    command.run()
