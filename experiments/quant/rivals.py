"""Ways to spend n true evaluations on configs of a network, compared by experiments/quant/front.py.

Each takes (problem, n, seed) and returns the evaluated configs, at most n, in order, [m, 2L].
"""

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from domains.quant.domain import Quant
from domains.quant.solve import ilp
from domains.quant.solve.emitter import ILP
from experiments.quant import score
from experiments.quant.screening import JointEmitter, ScreeningEmitter
from feedback.descriptors.select import Select
from qd import keys
from qd.archives import Grid
from qd.emitters.selection import crowding, fronts
from qd.emitters.vary import IntegerReset, Vary
from qd.search import run, start
from qd.types import Emitter, Search


class Problem(NamedTuple):
    domain: Quant  # what is searched: validation images
    test: Quant  # test images, on which the result is reported

    def judge(self, configs: np.ndarray) -> np.ndarray:
        return self.domain.accuracies(configs)["accuracy"]


Rival = Callable[[Problem, int, int], np.ndarray]


def uniform(problem: Problem, n: int, seed: int) -> np.ndarray:
    """Returns the configs with one option for all weights and one for all inputs: all pairs, the same for every seed.

    Args:
        problem: network and images.
        n: evaluations at most.
        seed: not used.
    """
    bank = problem.domain.bank
    several = range(len(bank.weight_options)), range(len(bank.activation_options))
    return np.stack([bank.uniform(w, a) for w in several[0] for a in several[1]])[:n]


def random(problem: Problem, n: int, seed: int) -> np.ndarray:
    """Draws each gene uniformly.

    Args:
        problem: network and images.
        n: evaluations at most.
        seed: of all randomness.
    """
    return np.random.default_rng(seed).integers(0, problem.domain.space, (n, len(problem.domain.space))).astype(np.int32)


def sample_stratified(problem: Problem, n: int, seed: int) -> np.ndarray:
    """Takes the domain's own samples, spread over size and bits; arguments as in ``random``."""
    return problem.domain.sample(keys.new(seed), n)


def ilp_front(problem: Problem, n: int, seed: int) -> np.ndarray:
    """Returns the optima of the KL tables for 8 sizes x 10 bit operations: at most 80, the same for every seed.

    Arguments as in ``uniform``.
    """
    domain = problem.domain
    return _optima(replace(domain, images=0, table=""))[:n]  # the optima depend on neither


@lru_cache(maxsize=4)
def _optima(domain: Quant) -> np.ndarray:
    (low, high), (least, most) = domain.bounds
    sizes, bops = np.linspace(low, high, 9)[1:], domain.costs.bops_reference * 2 ** np.linspace(least, most, 11)[1:]
    return ilp.front(domain.sensitivity, domain.costs, sizes.tolist(), bops.tolist())


def seeds(problem: Problem, n: int) -> np.ndarray:
    """Returns the first configs of seeded methods: the optima of the tables, then uniform configs.

    Args:
        problem: network and images.
        n: evaluations; at most half of them are returned.
    """
    both = np.concatenate([ilp_front(problem, n, 0), uniform(problem, n, 0)])
    _, first = np.unique(both, axis=0, return_index=True)
    return both[np.sort(first)][: n // 2]


def genetic(problem: Problem, n: int, seed: int) -> np.ndarray:
    """Runs a genetic algorithm for each of the four budgets, a quarter of the evaluations each: the usual way without a map.

    Arguments as in ``random``.
    """
    parts = []
    for i, (size, bops) in enumerate(score.budgets(problem.domain).values()):

        def penalized(configs: np.ndarray, size: float = size, bops: float = bops) -> np.ndarray:
            cost = score.cost(problem.domain, configs)
            over = np.maximum(cost.size / size - 1, 0) + np.maximum(cost.bops / bops - 1, 0)
            return problem.judge(configs) - 200 * over

        parts.append(_genetic(problem, penalized, n // 4, seed * 4 + i))
    return np.concatenate(parts)


def _genetic(problem: Problem, objective: Callable[[np.ndarray], np.ndarray], n: int, seed: int) -> np.ndarray:
    random, several = np.random.default_rng(seed), min(16, n // 2)
    all_of_them = problem.domain.sample(keys.new(seed), several)
    values = objective(all_of_them)
    while len(all_of_them) < n:
        rivals = random.integers(0, len(values), (2 * several, 3))
        parents = all_of_them[rivals[np.arange(len(rivals)), values[rivals].argmax(1)]]
        children = _children(random, parents, problem.domain.space)[: n - len(all_of_them)]
        all_of_them = np.concatenate([all_of_them, children])
        values = np.concatenate([values, objective(children)])
        pool = np.argsort(-values, kind="stable")[: 2 * several]  # parents
        order = np.concatenate([pool, np.setdiff1d(np.arange(len(values)), pool)])
        all_of_them, values = all_of_them[order], np.where(np.arange(len(values)) < 2 * several, values[order], -np.inf)
    return all_of_them


def nsga2(problem: Problem, n: int, seed: int, from_tables: bool = False) -> np.ndarray:
    """Runs NSGA-II on accuracy, size and bit operations (Deb et al. 2002).

    Args:
        problem: network and images.
        n: evaluations at most.
        seed: of all randomness.
        from_tables: starts with the tables' optima; else with uniform and sampled configs.
    """
    random, several = np.random.default_rng(seed), 40
    begin = seeds(problem, n) if from_tables else uniform(problem, n // 2, 0)
    samples = problem.domain.sample(keys.new(seed), max(several - len(begin), 0))
    everyone = population = np.concatenate([begin, samples])
    while len(everyone) < n:
        order = _by_crowding(problem, population)
        population = population[order[:several]]
        rivals = random.integers(0, len(population), (min(several, n - len(everyone)) * 2, 2)).min(1)  # the better of two
        children = _children(random, population[rivals], problem.domain.space)[: n - len(everyone)]
        everyone = np.concatenate([everyone, children])
        population = np.unique(np.concatenate([population, children]), axis=0)
    return everyone


def _by_crowding(problem: Problem, population: np.ndarray) -> np.ndarray:
    """Rows from best to worst: front by front, within a front the least crowded first."""
    accuracy, cost = problem.judge(population), score.cost(problem.domain, population)
    costs = np.stack([-accuracy, cost.size, np.log2(cost.bops)], 1)
    rank = fronts(-costs)
    several = (np.flatnonzero(rank == front) for front in range(rank.max() + 1))
    return np.concatenate([rows[np.argsort(-crowding(costs[rows]), kind="stable")] for rows in several])


def _children(random: np.random.Generator, parents: np.ndarray, space: tuple[int, ...]) -> np.ndarray:
    """Half as many as parents: each gene of one of two, and one in fifteen sampled."""
    one, two = np.split(parents[: len(parents) // 2 * 2], 2)
    children = np.where(random.random(one.shape) < 0.5, one, two)
    return np.where(random.random(one.shape) < 1 / 15, random.integers(0, space, one.shape), children).astype(np.int32)


def map_elites(problem: Problem, n: int, seed: int) -> np.ndarray:
    """Runs MAP-Elites from sampled configs; arguments as in ``random``."""
    return _search(problem, Vary(IntegerReset(problem.domain.space, 1 / 15), 16), sample_stratified(problem, 40, seed), n, seed)


def map_elites_seeded(problem: Problem, n: int, seed: int) -> np.ndarray:
    """Runs MAP-Elites from the tables' optima and uniform configs; arguments as in ``random``."""
    return _search(problem, Vary(IntegerReset(problem.domain.space, 1 / 15), 16), seeds(problem, n), n, seed)


def surrogate(problem: Problem, n: int, seed: int) -> np.ndarray:
    """Runs MAP-Elites; boosted trees select the children to evaluate, one of 40 (after Quantune).

    Arguments as in ``random``.
    """
    vary = Vary(IntegerReset(problem.domain.space, 1 / 15), 640)
    emitter = ScreeningEmitter(vary, problem.domain, _box(problem), 16, "trees")
    return _search(problem, emitter, sample_stratified(problem, 40, seed), n, seed)


def ilp_emitter(problem: Problem, n: int, seed: int) -> np.ndarray:
    """Proposes the tables' optima for empty and weak cells; tables are refitted to the evaluated configs.

    Arguments as in ``random``.
    """
    return _search(problem, _solver(problem, 16), seeds(problem, n), n, seed)


def ours(problem: Problem, n: int, seed: int) -> np.ndarray:
    """Starts from tables and uniform configs; then half exact solutions of refitted tables, half screened children.

    Arguments as in ``random``.
    """
    vary = Vary(IntegerReset(problem.domain.space, 1 / 15), 320)
    screening = ScreeningEmitter(vary, problem.domain, _box(problem), 8, "tables and trees")
    return _search(problem, JointEmitter((_solver(problem, 8), screening)), seeds(problem, n), n, seed)


METHODS: dict[str, Rival] = {
    "uniform": uniform,
    "random": random,
    "stratified": sample_stratified,
    "ILP": ilp_front,
    "GA x 4 budgets": genetic,
    "NSGA-II": nsga2,
    "NSGA-II seeded": lambda problem, n, seed: nsga2(problem, n, seed, from_tables=True),
    "MAP-Elites": map_elites,
    "MAP-Elites seeded": map_elites_seeded,
    "boosted trees": surrogate,
    "ILP emitter": ilp_emitter,
    "ours": ours,
}


def _box(problem: Problem) -> tuple[tuple[tuple[float, float], ...], tuple[int, ...]]:
    return problem.domain.bounds, score.DIMS


def _solver(problem: Problem, batch: int) -> ILP:
    return ILP(problem.domain, *_box(problem), batch_size=batch, chance=10.0, nodes=50)


def _search(problem: Problem, emitter: Emitter, begin: np.ndarray, n: int, seed: int) -> np.ndarray:
    limits, dims = _box(problem)
    search = Search(problem.domain, Select("cost", limits), Grid(dims), emitter)
    state, batch = start(search, keys.new(seed), begin)
    batches = [batch.solutions]
    for state, batch in run(search, state, until=n):
        batches.append(batch.solutions)
    return np.concatenate(batches)[:n]
