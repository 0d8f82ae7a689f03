"""Ways to search a function of K objectives with n evaluations, and what each leaves behind.

Each takes (problem, evaluations, seed) and returns objectives [N, K] and cells [N]: the rows of its archive, or, where it keeps
none (NSGA-II), all that it evaluated. B batch, D genes.
"""

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from domains.dtlz import DTLZ
from domains.several import Rastrigins
from feedback.descriptors.select import Select
from qd import fused, keys, programs
from qd.archives import Fronts, Grid
from qd.archives.pareto import hypervolume, hypervolumes, losers
from qd.emitters.fronts import VaryFronts
from qd.emitters.ribs import Ribs
from qd.emitters.vary import IsoLine, Vary
from qd.search import run, start
from qd.types import OBJECTIVES, Evaluation, Search

BATCH, SIDE, FRONT = 100, 16, 16
STRATEGIES = 5  # of CMA-ME, of BATCH / STRATEGIES samples each


class Problem(NamedTuple):
    """A function, what its cells are made of, and how far a child is from its parents."""

    domain: Any
    feature: str
    bounds: tuple[tuple[float, float], ...]
    iso: float  # of iso+line, in the units of the genes
    line: float

    @property
    def descriptor(self) -> Select:
        return Select(self.feature, self.bounds)

    @property
    def variation(self) -> IsoLine:
        return IsoLine(self.iso, self.line)


def rastrigins() -> Problem:
    """Two Rastrigin functions of 10 genes."""
    return Problem(Rastrigins(10), "corner", ((-2.0, 4.0), (-2.0, 4.0)), 0.05, 0.1)


def dtlz(function: str, objectives: int) -> Problem:
    """A DTLZ function of 10 genes.

    Args:
        function: of domains.dtlz.
        objectives: K.
    """
    return Problem(DTLZ(function, objectives, 10), "genes", ((0.0, 1.0), (0.0, 1.0)), 0.01, 0.2)


Found = tuple[np.ndarray, np.ndarray]
Rival = Callable[[Problem, int, int], Found]


def fronts(problem: Problem, n: int, seed: int, crowding: bool = False) -> Found:
    """Runs MAP-Elites with fronts, in the fused driver.

    Args:
        problem: what is searched.
        n: evaluations.
        seed: of all randomness.
        crowding: parents by crowding distance.
    """
    search = Search(
        problem.domain, problem.descriptor, _archive(problem), VaryFronts(problem.variation, BATCH, crowding=crowding)
    )
    return _searched(search, n, seed, fused.run)


def cma_me(problem: Problem, n: int, seed: int) -> Found:
    """Runs CMA-ME of which the strategies rank by hypervolume improvement; arguments as in ``fronts``."""
    low, high = problem.domain.space
    settings = {
        "ranker": "2imp",
        "sigma0": (high - low) / 6,
        "batch_size": BATCH // STRATEGIES,
        "lower_bounds": (low,) * problem.domain.dim,
        "upper_bounds": (high,) * problem.domain.dim,
    }
    emitter = Ribs("EvolutionStrategyEmitter", settings, STRATEGIES)
    return _searched(Search(problem.domain, problem.descriptor, _archive(problem, True), emitter), n, seed, run)


def own_hypervolume(problem: Problem, n: int, seed: int) -> Found:
    """Runs MAP-Elites with one row a cell, by its own hypervolume; arguments as in ``fronts``."""
    return _one_elite(problem, problem.domain, n, seed)


def weighted_sum(problem: Problem, n: int, seed: int) -> Found:
    """Runs MAP-Elites with one row a cell, by the mean of the objectives; arguments as in ``fronts``."""
    return _one_elite(problem, WeightedSum(problem.domain), n, seed)


def nsga2(problem: Problem, n: int, seed: int) -> Found:
    """Runs NSGA-II (Deb et al. 2002) of pymoo with its own settings and a population of BATCH; arguments as in ``fronts``."""
    from pymoo.algorithms.moo.nsga2 import NSGA2  # pyright: ignore[reportMissingImports]
    from pymoo.core.problem import Problem as Pymoo  # pyright: ignore[reportMissingImports]
    from pymoo.optimize import minimize  # pyright: ignore[reportMissingImports]

    low, high = problem.domain.space
    names, batches = (problem.feature,), []

    class Function(Pymoo):
        def _evaluate(self, x: np.ndarray, out: dict, *args: Any, **kwargs: Any) -> None:
            objectives, place = evaluate(problem.domain, names, x.astype(np.float32))
            batches.append((objectives, place))
            out["F"] = -objectives

    first = np.asarray(problem.domain.sample(keys.new(seed), BATCH))
    function = Function(n_var=problem.domain.dim, n_obj=len(problem.domain.objective_range), xl=low, xu=high)
    minimize(function, NSGA2(pop_size=BATCH, sampling=first), ("n_eval", n), seed=seed)
    objectives, place = (np.concatenate(columns)[:n] for columns in zip(*batches, strict=True))
    return objectives, cells(problem, place)


METHODS: dict[str, Rival] = {
    "fronts": fronts,
    "fronts, crowding": lambda problem, n, seed: fronts(problem, n, seed, True),
    "fronts, CMA-ME": cma_me,
    "own hypervolume": own_hypervolume,
    "weighted sum": weighted_sum,
    "NSGA-II": nsga2,
}


def installed() -> list[str]:
    """Returns the names of the methods whose packages are there."""
    return [name for name in METHODS if name != "NSGA-II" or importlib.util.find_spec("pymoo")]


@dataclass(frozen=True)
class WeightedSum:
    """A domain with one objective, the mean of several in units of their ranges; all of them are a feature."""

    domain: Any
    pure: bool = True
    objective_range: tuple[float, float] = (0.0, 1.0)

    def sample(self, key: Any, n: int) -> Any:
        """Draws as the domain does; arguments as in ``Domain``."""
        return self.domain.sample(key, n)

    def evaluate(self, keys: Any, solutions: Any) -> Evaluation:
        """Evaluates as the domain does.

        Args:
            keys: unused.
            solutions: [B, D].

        Returns:
            Objective [B]; the domain's features and objectives [B, K].
        """
        objectives, features = self.domain.evaluate(keys, solutions)
        low, high = np.array(self.domain.objective_range, np.float32).T
        return Evaluation(((objectives - low) / (high - low)).mean(axis=1), features | {OBJECTIVES: objectives})


def evaluate(domain: Any, names: tuple[str, ...], solutions: np.ndarray) -> tuple[np.ndarray, ...]:
    """Returns objectives [B, K] and features, compiled as in a search.

    Args:
        domain: a pure one of several objectives.
        names: of the features.
        solutions: [B, D].
    """
    evaluation = programs.evaluate(domain, (OBJECTIVES, *names), keys.new(0), solutions)
    return tuple(evaluation.features[name] for name in (OBJECTIVES, *names))


def scores(problem: Problem, found: Found, side: int = SIDE) -> dict[str, float]:
    """Returns the MOQD score, the hypervolume of all rows, coverage in per cent, and how many rows there are.

    Args:
        problem: its ranges are the units of hypervolumes.
        found: by a method.
        side: cells of each measure.
    """
    goals, rows = found
    order = np.argsort(rows, kind="stable")
    rows, scaled = rows[order], units(problem.domain, goals[order])
    stays = ~losers(rows, scaled)
    rows, scaled, count = rows[stays], scaled[stays], side * side
    return {
        "moqd_score": 100 * float(hypervolumes(rows, scaled).sum()) / count,
        "hypervolume": hypervolume(scaled),
        "coverage": 100 * len(np.unique(rows)) / count,
        "rows": len(rows),
    }


def units(domain: Any, goals: np.ndarray) -> np.ndarray:
    """Returns objectives [N, K] in units of the domain's ranges.

    Args:
        domain: of several objectives.
        goals: [N, K].
    """
    low, high = np.array(domain.objective_range).T
    return (goals.astype(np.float64) - low) / (high - low)


def cells(problem: Problem, place: np.ndarray) -> np.ndarray:
    """Returns the cells [N] of measures [N, 2].

    Args:
        problem: of which cells.
        place: [N, 2].
    """
    low, high = np.array(problem.bounds).T
    index = np.clip((place - low) / (high - low) * SIDE, 0, SIDE - 1).astype(int)
    return index[:, 0] * SIDE + index[:, 1]


def _archive(problem: Problem, improvement: bool = False) -> Fronts:
    return Fronts((SIDE, SIDE), problem.domain.objective_range, FRONT, improvement)


def _one_elite(problem: Problem, domain: Any, n: int, seed: int) -> Found:
    emitter = Vary(problem.variation, BATCH)
    search = Search(domain, problem.descriptor, Grid((SIDE, SIDE)), emitter, keep=(OBJECTIVES,))
    return _searched(search, n, seed, fused.run)


def _searched(search: Search, n: int, seed: int, driver: Any) -> Found:
    key, sample_key = keys.split(keys.new(seed))
    state, _ = start(search, key, search.domain.sample(sample_key, BATCH))
    for state, _ in driver(search, state, n):
        pass
    data = state.archive.data()
    return data[OBJECTIVES], data["index"]
