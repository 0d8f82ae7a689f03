"""Which method finds the best diffusion transformer in few bits for each size and number of bit operations?

    qd study quant.diffusion_map budget=quick|first [seeds=5] [methods=NSGA-II,MAP-Elites]

Rows of "200 evaluations" are from before queries, keys, attention and values could be quantized: of the layers with weights
alone. Those of "200 evaluations with attention" search all 44 products.

As quant.front, in which each method may evaluate the same number of configs: 20 samples of 5 steps each, from validation
noise and against validation images; what it selects is reported from test noise and against test images. The objective is
the Fréchet distance on a scale from 0 (30 or farther; noise has 26) to 100 (none). The ILP emitter's tables are not counted.
"""

from dataclasses import dataclass
from functools import partial
from itertools import product
from pathlib import Path
from typing import Annotated

import numpy as np

from domains.quant import generated
from domains.quant.domain import Quant
from experiments import command, study
from experiments.command import Names
from experiments.quant import front, rivals
from qd.report.table import Row, Runs, summary

BUDGETS = {"quick": (12, 1), "first": (200, 5)}  # evaluations, seeds
METHODS = {
    "uniform": rivals.uniform,
    "stratified": rivals.sample_stratified,
    "MAP-Elites": rivals.map_elites,
    "NSGA-II": rivals.nsga2,
    "NSGA-II seeded": partial(rivals.nsga2, from_tables=True),
    "ILP emitter": rivals.ilp_emitter,
}
METRICS = ("qd test", "hypervolume test")


@dataclass(frozen=True)
class Scaled(Quant):
    """The diffusion transformer with its distance as 0..100."""

    @property
    def objective_range(self) -> tuple[float, float]:
        return (0.0, 100.0)

    def accuracies(self, solutions: np.ndarray) -> dict[str, np.ndarray]:
        """Returns the figures of ``Quant``; accuracy is 100 (1 - distance / 30), at least 0."""
        return scaled(super().accuracies(solutions))


def scaled(columns: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Returns figures with minus the distance as 0..100."""
    share = np.clip(1 + columns["accuracy"] / generated.WORST_DISTANCE, 0, 1)
    return columns | {"accuracy": (100 * share).astype(np.float32)}


def main(
    budget: Annotated[str, BUDGETS] = "quick",
    seeds: int = 0,
    methods: Annotated[Names, METHODS] = (),
    out: str = "",
) -> None:
    """Does the missing runs, seed by seed; then writes and prints the table.

    Args:
        budget: a name in BUDGETS.
        seeds: number of seeds; 0: as the budget says.
        methods: names of methods; empty: all.
        out: folder of the results; empty: the default one.
    """
    folder = study.folder("quant_diffusion_map", budget, out)
    runs = study.runs(folder)
    n, usual = BUDGETS[budget]
    case = f"{n} evaluations with attention"
    keys = [(case, method, seed) for seed, method in product(range(seeds or usual), methods or METHODS)]
    table = str(Path("runs") / "quant_diffusion_map" / "evaluations.sqlite")
    search = Scaled("diffusion", "denoising_bits", 20, steps=5, table=table)
    of = rivals.Problem(search, Scaled("diffusion", "denoising_bits", 20, "test", steps=5, table=table))
    for case, method, seed in study.missing(runs, keys):
        study.add(runs, case, method, seed, front.play(of, method, n, seed), METRICS)
    study.report(folder, rows(runs), METRICS)


def rows(runs: Runs) -> list[Row]:
    """Returns means, and the ILP emitter minus each other method, paired by seed."""
    table = summary(runs, "mean")
    for case in study.cases(runs):
        others = [method for method in study.methods(runs, case) if method != "ILP emitter"]
        table += study.differences(runs, [(case, "ILP emitter", other) for other in others], METRICS)
    return table


if __name__ == "__main__":
    command.run()
