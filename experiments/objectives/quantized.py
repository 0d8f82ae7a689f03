"""Accuracy, size and latency of quantized networks as three objectives: fronts in cells, NSGA-II, and the map of one objective.

Each method may evaluate the same number of configs on validation images, and all begin with the same seeds: optima of the
tables, then uniform configs. What is not dominated there is judged again on held-out images: the hypervolume of (accuracy,
size, latency), in units of their ranges, that it dominates then. The MOQD score, also on held-out images, is over cells of
(share of 8-bit layers, accuracy on the worst class), of the fronts that all evaluated configs make in them.

    qd study objectives.quantized budget=quick|first
"""

import time
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Annotated

import numpy as np

from domains.quant.domain import Quant
from domains.quant.tradeoffs import Tradeoffs
from experiments import command, study
from experiments.command import Names
from experiments.objectives.rivals import units
from experiments.quant import rivals as quant
from experiments.quant.rivals import Problem
from experiments.quant.screening import ScreeningEmitter
from feedback.descriptors.select import Select
from qd import keys
from qd.archives import Fronts
from qd.archives.pareto import hypervolume, hypervolumes, select
from qd.emitters.fronts import VaryFronts
from qd.emitters.selection import crowding, fronts
from qd.emitters.vary import IntegerReset
from qd.report.table import Row, Runs, summary
from qd.search import run, start
from qd.types import Emitter, Search

BUDGETS = {"quick": (60, (0,)), "first": (200, (100, 101, 102, 103, 104))}  # evaluations, seeds that no setting was chosen on
BOX, DIMS = ((0.0, 1.0), (0.0, 100.0)), (8, 5)
SCORES = ("hypervolume held out", "hypervolume validation", "moqd_score held out")
EVERYTHING = 1_000  # rows of a front: all


def main(budget: Annotated[str, BUDGETS] = "quick", methods: Annotated[Names, ()] = (), out: str = "") -> None:
    """Does the missing runs, then writes and prints the table; arguments as in ``study``."""
    folder = study.folder("quant_objectives", budget, out)
    runs, (n, seeds) = study.runs(folder), BUDGETS[budget]
    problem = of_digits()
    plan = product([f"digits, {n} evaluations"], methods or METHODS, seeds)
    for case, method, seed in study.missing(runs, plan):
        study.add(runs, case, method, seed, play(problem, method, n, seed), SCORES)
    study.report(folder, rows(runs), SCORES, 3, ("jax", "numpy", "scipy", "ribs", "moocore"))


def of_digits() -> Problem:
    """The network of digits, its validation images to search on, its test images to report on, and one table for both."""
    table = str(Path("runs") / "quant_objectives" / "evaluations.sqlite")
    domain = Tradeoffs("digits", "bits", 300, table=table)
    return Problem(domain, replace(domain, split="test"))


def play(problem: Problem, method: str, n: int, seed: int) -> dict[str, float]:
    """Spends n evaluations on a method, and judges what it found.

    Args:
        problem: network and images.
        method: a name in METHODS.
        n: evaluations at most.
        seed: of all randomness.
    """
    begin = time.process_time()
    configs = np.unique(METHODS[method](problem, n, seed), axis=0)
    assert len(configs) <= n
    seconds = time.process_time() - begin
    goals, place = _judged(problem.domain, configs)
    front = select(goals, EVERYTHING)
    final, _ = _judged(problem.test, configs[front])
    elites = _elites(goals, place)
    test, where = _judged(problem.test, configs[elites])
    cell, order = _cells(where), np.argsort(_cells(where), kind="stable")
    stays = [order[cell[order] == c][select(test[order[cell[order] == c]], EVERYTHING)] for c in np.unique(cell)]
    rows = np.concatenate(stays)
    return {
        "hypervolume validation": hypervolume(goals),
        "hypervolume held out": hypervolume(final),
        "moqd_score held out": 100 * float(hypervolumes(cell[rows], test[rows]).sum()) / np.prod(DIMS),
        "front": len(front),
        "evaluations": len(configs),
        "search_cpu_seconds": seconds,
    }


def with_fronts(problem: Problem, n: int, seed: int, crowded: bool = False) -> np.ndarray:
    """Runs MAP-Elites with fronts.

    Args:
        problem: network and images.
        n: evaluations at most.
        seed: of all randomness.
        crowded: parents by crowding distance.
    """
    return _search(problem, VaryFronts(IntegerReset(problem.domain.space, 1 / 15), 16, crowding=crowded), n, seed)


def screened(problem: Problem, n: int, seed: int) -> np.ndarray:
    """Runs it with many children, and evaluates those of the largest predicted hypervolume; arguments as in ``with_fronts``."""
    vary = VaryFronts(IntegerReset(problem.domain.space, 1 / 15), 320, crowding=True)
    return _search(problem, ScreenedByVolume(vary, problem.domain, (BOX, DIMS), 16, "tables and trees"), n, seed)


class ScreenedByVolume(ScreeningEmitter):
    """Selects the children that together are predicted to raise the hypervolume of all evaluated rows the most, one by one."""

    def ask(self, key, memory, elites):
        """Varies rows of fronts, and selects; arguments as in ``ScreeningEmitter``."""
        from qd.types import Offspring

        _, offspring = self.vary.ask(key, (), elites)
        children = np.unique(np.asarray(offspring.solutions), axis=0)
        past = {row.tobytes() for row in memory.genomes.astype(np.int32)}
        children = children[[row.tobytes() not in past for row in children.astype(np.int32)]]
        there = _goals(self.domain, memory.genomes, memory.objective)
        there = there[select(there, EVERYTHING)]
        goals = _goals(self.domain, children, self._predict(memory, children))
        return memory, Offspring(children[_greedy(goals, there, self.batch_size)])

    def tell(self, memory, batch):
        """Adds a batch; the objective that it learns is the accuracy."""
        accuracy = np.asarray(batch.evaluation.features["objectives"])[:, 0]
        return super().tell(memory, batch._replace(evaluation=batch.evaluation._replace(objective=accuracy)))

    def init(self, key, elites):
        """Remembers the initial population, with its accuracies."""
        solutions, goals = elites.take(np.arange(elites.size), "solution", "objectives")
        return super().init(key, elites)._replace(genomes=solutions, objective=goals[:, 0])


def nsga2(problem: Problem, n: int, seed: int) -> np.ndarray:
    """Runs NSGA-II (Deb et al. 2002) on the same objectives from the same seeds; arguments as in ``with_fronts``."""
    random, several = np.random.default_rng(seed), 40
    begin = quant.seeds(problem, n)
    everyone = population = np.concatenate([begin, problem.domain.sample(keys.new(seed), max(several - len(begin), 0))])
    while len(everyone) < n:
        goals, _ = _judged(problem.domain, population)
        rank = fronts(goals)
        order = np.concatenate([_by_space(goals, np.flatnonzero(rank == front)) for front in range(rank.max() + 1)])
        population = population[order[:several]]
        rivals = random.integers(0, len(population), (min(several, n - len(everyone)) * 2, 2)).min(1)  # the better of two
        children = quant._children(random, population[rivals], problem.domain.space)[: n - len(everyone)]
        everyone = np.concatenate([everyone, children])
        population = np.unique(np.concatenate([population, children]), axis=0)
    return everyone


def present_map(problem: Problem, n: int, seed: int) -> np.ndarray:
    """Runs the map of accuracy over size and bit operations with its exact solver; arguments as in ``with_fronts``."""
    domain = problem.domain
    plain = quant.Quant(domain.network, domain.option_set, domain.images, table=domain.table)
    return quant.ilp_emitter(Problem(plain, replace(plain, split="test")), n, seed)


METHODS = {
    "fronts": with_fronts,
    "fronts, crowding": lambda problem, n, seed: with_fronts(problem, n, seed, True),
    "fronts, screened": screened,
    "NSGA-II seeded": nsga2,
    "map with ILP emitter": present_map,
}


def rows(runs: Runs) -> list[Row]:
    """Returns means, and the methods with fronts minus the others, paired by seed."""
    table = summary(runs, "mean")
    for case in study.cases(runs):
        others = ("NSGA-II seeded", "map with ILP emitter")
        pairs = [(case, ours, other) for ours in ("fronts", "fronts, screened") for other in others]
        table += study.differences(runs, pairs, SCORES)
    return table


def _search(problem: Problem, emitter: Emitter, n: int, seed: int) -> np.ndarray:
    assert isinstance(problem.domain, Tradeoffs)
    archive = Fronts(DIMS, problem.domain.objective_range)
    search = Search(problem.domain, Select("balance", BOX), archive, emitter)
    state, batch = start(search, keys.new(seed), quant.seeds(problem, n))
    batches = [batch.solutions]
    for state, batch in run(search, state, until=n):
        batches.append(batch.solutions)
    return np.concatenate(batches)[:n]


def _judged(domain: Quant, configs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Objectives [n, 3] in units of their ranges, and measures [n, 2]."""
    assert isinstance(domain, Tradeoffs)
    objectives, features = domain.evaluate(None, configs)
    return units(domain, np.asarray(objectives)), np.asarray(features["balance"])


def _goals(domain: Quant, configs: np.ndarray, accuracy: np.ndarray) -> np.ndarray:
    """Objectives in units of their ranges, of an accuracy that is known or predicted."""
    assert isinstance(domain, Tradeoffs)
    cost = domain.cost(configs)
    return units(domain, np.stack([accuracy, -cost["size"], -cost["latency"]], axis=1))


def _greedy(goals: np.ndarray, there: np.ndarray, count: int) -> list[int]:
    """Takes the row with the largest gain of hypervolume again and again."""
    chosen: list[int] = []
    gains, whole = np.full(len(goals), np.inf), hypervolume(there)
    for _ in range(min(count, len(goals))):
        while True:  # gains only fall: the largest that is up to date is the largest
            best = int(gains.argmax())
            gain = hypervolume(np.concatenate([there, goals[[best]]])) - whole
            gains[best] = gain
            if gain >= gains.max():
                break
        chosen.append(best)
        there = np.concatenate([there, goals[[best]]])
        whole, gains[best] = whole + gain, -np.inf
    return chosen


def _by_space(goals: np.ndarray, rows: np.ndarray) -> np.ndarray:
    return rows[np.argsort(-crowding(goals[rows]), kind="stable")]


def _cells(place: np.ndarray) -> np.ndarray:
    low, high = np.array(BOX).T
    index = np.clip((place - low) / (high - low) * DIMS, 0, np.array(DIMS) - 1).astype(int)
    return index[:, 0] * DIMS[1] + index[:, 1]


def _elites(goals: np.ndarray, place: np.ndarray) -> np.ndarray:
    """The rows of all cells' fronts."""
    cell = _cells(place)
    return np.concatenate([(rows := np.flatnonzero(cell == c))[select(goals[rows], EVERYTHING)] for c in np.unique(cell)])


if __name__ == "__main__":
    command.run()
