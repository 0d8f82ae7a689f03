"""The tasks of Multi-Objective GFlowNets, made small: which share of the true front does a search find, at equal evaluations?

The true Pareto front is known by enumeration. *perfect sampler* draws a preference evenly from the simplex and then a
solution with probability proportional to (preference . objectives)^32: what a preference-conditional GFlowNet is trained
towards, without the evaluations of its training, an advantage of its own. Scores, of all that a method evaluated: the share
of the front's objective vectors, the share of all Pareto-optimal solutions, and hypervolume and MOQD score (8 x 8 cells) over
the true ones.

    qd study objectives.gflownets budget=quick|first      NSGA-II where pymoo is installed (the extra peers)
"""

import importlib.util
from collections.abc import Callable
from functools import lru_cache
from itertools import product
from typing import Annotated, Any

import numpy as np

from experiments import command, study
from experiments.command import Names
from experiments.objectives.tasks import Enumerated, table
from feedback.descriptors.select import Select
from qd import keys
from qd.archives import Fronts, Grid
from qd.archives.pareto import hypervolume, hypervolumes, losers, select
from qd.emitters.fronts import VaryFronts
from qd.emitters.vary import IntegerReset, Vary
from qd.report.table import Row, Runs, summary
from qd.search import run, start
from qd.types import Emitter, Search

BUDGETS = {"quick": (0,), "first": tuple(range(100, 105))}  # seeds; 0 to 9 were seen while this was written
EVALUATIONS = {"grid": 300, "n-grams": 2_000}  # of 1,024 and of 65,536 solutions
BATCH, SIDE, SHARPNESS, EVERYTHING = 20, 8, 32.0, 100_000
SCORES = ("front", "optimal solutions", "hypervolume", "moqd_score")


def main(budget: Annotated[str, BUDGETS] = "quick", methods: Annotated[Names, ()] = (), out: str = "") -> None:
    """Does the missing runs, then writes and prints the table; arguments as in ``study``."""
    folder = study.folder("gflownets", budget, out)
    runs = study.runs(folder)
    names = methods or [name for name in METHODS if name != "NSGA-II" or importlib.util.find_spec("pymoo")]
    for case, method, seed in study.missing(runs, product(EVALUATIONS, names, BUDGETS[budget])):
        domain = Enumerated(case)
        study.add(runs, case, method, seed, scores(domain, METHODS[method](domain, EVALUATIONS[case], seed)))
    study.report(folder, rows(runs), SCORES, 3, ("numpy", "ribs", "moocore", "pymoo"))


def with_fronts(domain: Enumerated, n: int, seed: int, crowded: bool = False) -> np.ndarray:
    """Runs MAP-Elites with fronts; returns the numbers of the solutions that it evaluated.

    Args:
        domain: the task.
        n: evaluations.
        seed: of all randomness.
        crowded: parents by crowding distance.
    """
    archive = Fronts((SIDE, SIDE), domain.objective_range)
    return _searched(domain, archive, VaryFronts(_variation(domain), BATCH, crowding=crowded), n, seed)


def one_elite(domain: Enumerated, n: int, seed: int) -> np.ndarray:
    """Runs MAP-Elites with one row a cell, by its own hypervolume; arguments as in ``with_fronts``."""
    return _searched(domain, Grid((SIDE, SIDE)), Vary(_variation(domain), BATCH), n, seed)


def perfect_sampler(domain: Enumerated, n: int, seed: int) -> np.ndarray:
    """Draws from what a preference-conditional GFlowNet is trained towards; arguments as in ``with_fronts``."""
    random, objectives = np.random.default_rng(seed), table(domain.task)[0].astype(np.float64)
    drawn = []
    for preference in random.dirichlet(np.ones(objectives.shape[1]), n):
        weights = np.cumsum((objectives @ preference) ** SHARPNESS)
        drawn.append(np.searchsorted(weights, random.random() * weights[-1], side="right"))
    return np.array(drawn)


def evenly(domain: Enumerated, n: int, seed: int) -> np.ndarray:
    """Draws solutions evenly; arguments as in ``with_fronts``."""
    return domain.index(domain.sample(keys.new(seed), n))


def nsga2(domain: Enumerated, n: int, seed: int) -> np.ndarray:
    """Runs NSGA-II of pymoo with its operators for whole numbers; arguments as in ``with_fronts``."""
    from pymoo.algorithms.moo.nsga2 import NSGA2  # pyright: ignore[reportMissingImports]
    from pymoo.core.problem import Problem  # pyright: ignore[reportMissingImports]
    from pymoo.operators.crossover.sbx import SBX  # pyright: ignore[reportMissingImports]
    from pymoo.operators.mutation.pm import PM  # pyright: ignore[reportMissingImports]
    from pymoo.operators.repair.rounding import RoundingRepair  # pyright: ignore[reportMissingImports]
    from pymoo.optimize import minimize  # pyright: ignore[reportMissingImports]

    numbers: list[np.ndarray] = []

    class Function(Problem):
        def _evaluate(self, x: np.ndarray, out: dict, *args: Any, **kwargs: Any) -> None:
            numbers.append(domain.index(x.astype(int)))
            out["F"] = -table(domain.task)[0][numbers[-1]]

    genes, most = len(domain.options), domain.options[0] - 1
    function = Function(n_var=genes, n_obj=3, xl=0, xu=most, vtype=int)
    first = domain.sample(keys.new(seed), 2 * BATCH)
    repair = RoundingRepair()
    crossover, mutation = SBX(vtype=float, repair=repair), PM(vtype=float, repair=repair)
    search = NSGA2(pop_size=2 * BATCH, n_offsprings=BATCH, sampling=first, crossover=crossover, mutation=mutation)
    minimize(function, search, ("n_eval", n), seed=seed)
    return np.concatenate(numbers)[:n]


METHODS: dict[str, Callable[[Enumerated, int, int], np.ndarray]] = {
    "fronts": with_fronts,
    "fronts, crowding": lambda domain, n, seed: with_fronts(domain, n, seed, True),
    "own hypervolume": one_elite,
    "NSGA-II": nsga2,
    "perfect sampler": perfect_sampler,
    "even draws": evenly,
}


def scores(domain: Enumerated, numbers: np.ndarray) -> dict[str, float]:
    """Returns the scores of solutions, over those of all solutions.

    Args:
        domain: the task.
        numbers: [N] of the solutions.
    """
    objectives, place = table(domain.task)
    optimal, vectors, volume, score = truth(domain)
    found = np.unique(numbers)
    distinct = {tuple(row) for row in objectives[np.intersect1d(found, optimal)]}
    return {
        "front": len(distinct) / vectors,
        "optimal solutions": len(np.intersect1d(found, optimal)) / len(optimal),
        "hypervolume": hypervolume(objectives[found]) / volume,
        "moqd_score": _moqd(objectives[found], place[found]) / score,
        "distinct": len(found),
    }


@lru_cache(maxsize=2)
def truth(domain: Enumerated) -> tuple[np.ndarray, int, float, float]:
    """Returns all Pareto-optimal solutions, their distinct objective vectors, and hypervolume and MOQD score of all solutions.

    Args:
        domain: the task.
    """
    objectives, place = table(domain.task)
    vectors = np.unique(objectives, axis=0)
    vectors = vectors[select(vectors, EVERYTHING)]
    front = {tuple(row) for row in vectors}
    optimal = np.flatnonzero([tuple(row) in front for row in objectives])
    return optimal, len(front), hypervolume(objectives), _moqd(objectives, place)


def rows(runs: Runs) -> list[Row]:
    """Returns means, and fronts minus each other method, paired by seed."""
    table = summary(runs, "mean")
    for case in study.cases(runs):
        others = [method for method in study.methods(runs, case) if method != "fronts"]
        table += study.differences(runs, [(case, "fronts", other) for other in others], SCORES)
    return table


def _moqd(objectives: np.ndarray, place: np.ndarray) -> float:
    index = np.minimum((place * SIDE).astype(int), SIDE - 1)
    cell = index[:, 0] * SIDE + index[:, 1]
    _, distinct = np.unique(np.column_stack([cell, objectives]), axis=0, return_index=True)
    rows = distinct[np.argsort(cell[distinct], kind="stable")]
    rows = rows[~losers(cell[rows], objectives[rows])]
    return float(hypervolumes(cell[rows], objectives[rows].astype(np.float64)).sum())


def _variation(domain: Enumerated) -> IntegerReset:
    return IntegerReset(domain.options, 1 / len(domain.options))


def _searched(domain: Enumerated, archive: Any, emitter: Emitter, n: int, seed: int) -> np.ndarray:
    search = Search(domain, Select("point", ((0.0, 1.0), (0.0, 1.0))), archive, emitter)
    key, sample_key = keys.split(keys.new(seed))
    state, batch = start(search, key, domain.sample(sample_key, 2 * BATCH))
    numbers = [domain.index(batch.solutions)]
    for state, batch in run(search, state, n):
        numbers.append(domain.index(batch.solutions))
    return np.concatenate(numbers)[:n]


if __name__ == "__main__":
    command.run()
