"""SERENE's local search: a small evolution strategy that starts at a solution with a reward; its step size is constant.

cma_exploiter.py adapts the step size. D genes.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np

from qd import keys
from qd.emitters import selection
from qd.emitters.selection import EvaluatedSolutions
from qd.types import Array

POPULATION, CHILDREN = 6, 2  # a step makes 12, of which with their parents the best 6 live on
_WINDOW = 3  # steps at each end, by the mean reward of which improvement is measured
_EDGE = 20  # steps at each end of the window that stagnation is measured by


class LocalSearch(NamedTuple):
    ancestor: EvaluatedSolutions  # one row
    sigma: float
    population: EvaluatedSolutions  # empty before its first step
    means: tuple[float, ...] = ()  # mean reward of the population, step by step
    bests: tuple[float, ...] = ()
    best_archived: float = 0.0  # the highest reward that it has added to the reward archive
    max_novelty: float = 0.0  # of all its children so far
    novel_rows: tuple[EvaluatedSolutions, ...] = ()  # children that were more novel than all before them
    gain: float = 0.0  # how much it improves
    strategy_state: Any = None  # of CMAExploiter

    @property
    def steps(self) -> int:
        return len(self.means)


class Exploiter(Protocol):
    """How local searches step: a component; its memory is the LocalSearch."""

    def begin(self, rows: EvaluatedSolutions, row: int, others: np.ndarray) -> LocalSearch:
        """Starts a local search at a row.

        Args:
            rows: evaluated solutions.
            row: index of the ancestor in them.
            others: [N, D] solutions, the ancestor among them.
        """
        ...

    def ask(self, key: Array, search: LocalSearch) -> tuple[np.ndarray, np.ndarray]:
        """Proposes the solutions of the next step.

        Args:
            key: of the draws.
            search: before the step.

        Returns:
            Solutions [B, D], not clipped, and the id [B] of the parent of each.
        """
        ...

    def tell(self, search: LocalSearch, children: EvaluatedSolutions) -> LocalSearch:
        """Takes the evaluated children of a step.

        Args:
            search: before the step.
            children: those that did not fail.

        Returns:
            The search after the step.
        """
        ...

    def should_stop(self, search: LocalSearch) -> bool:
        """Whether the search has nothing more to gain."""
        ...


@dataclass(frozen=True)
class Elitist:
    """SERENE's own: 6 parents make 12 children by normal steps, the best 6 of all survive."""

    def begin(self, rows: EvaluatedSolutions, row: int, others: np.ndarray) -> LocalSearch:
        """See ``begin``; arguments as in ``Exploiter``."""
        return begin(rows, row, others)

    def ask(self, key: Array, search: LocalSearch) -> tuple[np.ndarray, np.ndarray]:
        """Arguments as in ``Exploiter``."""
        rows = parents(search)
        return rows.solutions + np.float32(search.sigma) * keys.normal(key, rows.solutions.shape), rows.ids

    def tell(self, search: LocalSearch, children: EvaluatedSolutions) -> LocalSearch:
        """See ``select``; arguments as in ``CMAExploiter``."""
        return select(search, children)

    def should_stop(self, search: LocalSearch) -> bool:
        return stagnates(search)


def begin(rows: EvaluatedSolutions, row: int, others: np.ndarray) -> LocalSearch:
    """Starts a local search; sigma is a third of the distance to the nearest other solution, or 0.05 where that is 0.

    Args:
        rows: evaluated solutions.
        row: index of the ancestor in them.
        others: [N, D] solutions, the ancestor among them.

    Returns:
        A search before its first step; its sigma is in the units of the genes.
    """
    nearest = np.sqrt(np.partition(((others - rows.solutions[row]) ** 2).sum(axis=1), 1)[1]) if len(others) > 1 else 0.0
    ancestor = rows.take(np.array([row]))
    return LocalSearch(ancestor, float(nearest / 3) or 0.05, ancestor.take(np.arange(0)))


def parents(search: LocalSearch) -> EvaluatedSolutions:
    """Returns the parents of the next step: the ancestor 6 times at first, later each of the population twice."""
    if search.steps == 0:
        return search.ancestor.take(np.zeros(POPULATION, int))
    return search.population.take(np.arange(len(search.population.ids)).repeat(CHILDREN))


def select(search: LocalSearch, children: EvaluatedSolutions) -> LocalSearch:
    """Keeps the best 6 of population and children.

    Args:
        search: before the step.
        children: those of the step that did not fail.

    Returns:
        The search after the step, with its mean and best reward recorded.
    """
    both = selection.join([search.population, children])
    if len(both.ids) == 0:  # all children of the first step have failed
        both = search.ancestor
    population = both.take(np.argsort(-both.objective, kind="stable")[:POPULATION])
    return record(search._replace(population=population), float(population.objective.mean()), float(population.objective.max()))


def record(search: LocalSearch, mean: float, best: float) -> LocalSearch:
    """Records a step's mean and best reward, and by how much the means have risen.

    Args:
        search: its means and bests are those of the steps before.
        mean: mean reward of the step.
        best: best reward of the step.

    Returns:
        The search; its gain is the mean of the last 3 means less that of the first 3, or 0 where that is negative.
    """
    means, bests = (*search.means, mean), (*search.bests, best)
    gain = max(0.0, float(np.mean(means[-_WINDOW:]) - np.mean(means[:_WINDOW])))
    return search._replace(means=means, bests=bests, gain=gain)


def best_new(search: LocalSearch, children: EvaluatedSolutions) -> tuple[LocalSearch, EvaluatedSolutions | None]:
    """Returns the row for the reward archive: the best child, where its reward is above all that the search added before.

    Args:
        search: its ``best_archived`` is the highest reward that it added before.
        children: of its last step, those that did not fail.

    Returns:
        The search, its ``best_archived`` raised where a child is better, and that child as one row, else None.
    """
    if len(children.ids) == 0 or not children.objective.max() > search.best_archived:
        return search, None
    best = int(np.argmax(children.objective))
    return search._replace(best_archived=float(children.objective[best])), children.take(np.array([best]))


def stagnates(search: LocalSearch) -> bool:
    """The stagnation rule of CMA-ES (Hansen 2016), over 120 + 20 D / 6 steps: the last 20 are no better than the first."""
    window = 120 + 20 * search.ancestor.solutions.shape[1] // POPULATION
    if search.steps < window:
        return False
    first, last = search.bests[-window:][:_EDGE], search.bests[-_EDGE:]
    return bool(np.median(first) >= np.median(last) or max(first) >= max(last))
