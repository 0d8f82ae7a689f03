"""Functions of two and three objectives: fronts in every cell, one row a cell, and NSGA-II, at equal evaluations.

Rastrigin functions with optima apart, DTLZ1, DTLZ2 and DTLZ7. The MOQD score and coverage are of the rows that a method leaves
behind; NSGA-II leaves no map, so all that it evaluated is laid out in one, which favours it.

    qd study objectives.functions budget=quick|first      NSGA-II where pymoo is installed (the extra peers)
"""

from itertools import product
from typing import Annotated

from experiments import command, study
from experiments.command import Names
from experiments.objectives.rivals import METHODS, dtlz, installed, rastrigins, scores
from qd.report.table import Row, Runs, summary

BUDGETS = {"quick": (0,), "first": tuple(range(100, 105))}  # seeds; 0 to 9 were seen while this was written
EVALUATIONS = 10_000
SCORES = ("moqd_score", "hypervolume", "coverage")
CASES = {
    "rastrigins, 2 objectives": rastrigins(),
    **{f"{name}, {k} objectives": dtlz(name, k) for name in ("dtlz1", "dtlz2", "dtlz7") for k in (2, 3)},
}


def main(
    budget: Annotated[str, BUDGETS] = "quick",
    seeds: int = 0,
    cases: str = "",
    methods: Annotated[Names, METHODS] = (),
    out: str = "",
) -> None:
    """Does the missing runs, then writes and prints the table; arguments as in ``study``."""
    folder = study.folder("objectives", budget, out)
    runs = study.runs(folder)
    names = study.beginning(CASES, cases)
    plan = product(names, methods or installed(), range(100, 100 + seeds) if seeds else BUDGETS[budget])
    for case, method, seed in study.missing(runs, plan):
        study.add(runs, case, method, seed, scores(CASES[case], METHODS[method](CASES[case], EVALUATIONS, seed)))
    study.report(folder, rows(runs), SCORES, 3, ("numpy", "ribs", "jax", "moocore", "pymoo"))


def rows(runs: Runs) -> list[Row]:
    """Returns means over seeds, and fronts minus each other method, paired by seed."""
    table = summary(runs, "mean")
    for case in study.cases(runs):
        others = [method for method in study.methods(runs, case) if method != "fronts"]
        table += study.differences(runs, [(case, "fronts", other) for other in others], SCORES[:2])
    return table


if __name__ == "__main__":
    command.run()
