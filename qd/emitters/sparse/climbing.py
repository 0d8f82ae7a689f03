"""One of SERENE's local searches: it starts at a rewarding solution and climbs with steps that never change.

Others climb otherwise (evolving.py). S people of a climber (6), D genes.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np

from qd import keys
from qd.emitters import selection
from qd.emitters.selection import Known
from qd.types import Array

PEOPLE, CHILDREN = 6, 2  # a step makes 12, of which with their parents the best 6 live on
_RECORDED = 3  # populations at each end, by whose mean reward improvement is told
_EDGE = 20  # steps at each end of the window, by which a standstill is told


class Climber(NamedTuple):
    ancestor: Known  # one row
    sigma: float
    people: Known  # none before its first step
    means: tuple[float, ...] = ()  # mean reward of the people, step by step
    bests: tuple[float, ...] = ()
    paid: float = 0.0  # the best reward that it has put into the reward archive
    far: float = 0.0  # the most novel that it has been
    novel: tuple[Known, ...] = ()  # what was more novel than all of its own before
    gain: float = 0.0  # how much it improves
    evolving: Any = None  # the state of its evolution strategy, where it is one

    @property
    def steps(self) -> int:
        return len(self.means)


class Climb(Protocol):
    """How climbers climb: a part, whose memory is the climber."""

    def begin(self, known: Known, row: int, others: np.ndarray) -> Climber:
        """Makes a climber of a row, near others [N, D]."""
        ...

    def ask(self, key: Array, climber: Climber) -> tuple[np.ndarray, np.ndarray]:
        """Returns the solutions of its next step, not clipped, and the id of each one's parent."""
        ...

    def tell(self, climber: Climber, children: Known) -> Climber:
        """Takes those of the step that did not fail."""
        ...

    def ended(self, climber: Climber) -> bool: ...


@dataclass(frozen=True)
class Elitist:
    """SERENE's own: 6 people make 12 by normal steps, the best 6 of all live on."""

    def begin(self, known: Known, row: int, others: np.ndarray) -> Climber:
        return begin(known, row, others)

    def ask(self, key: Array, climber: Climber) -> tuple[np.ndarray, np.ndarray]:
        known = parents(climber)
        return known.solutions + np.float32(climber.sigma) * keys.normal(key, known.solutions.shape), known.ids

    def tell(self, climber: Climber, children: Known) -> Climber:
        return climbed(climber, children)

    def ended(self, climber: Climber) -> bool:
        return stands_still(climber)


def begin(known: Known, row: int, others: np.ndarray) -> Climber:
    """Makes a climber of a row; sigma is a third of the way to the nearest other solution, or 0.05 where that is no way at all.

    Args:
        known: the rows.
        row: index of the ancestor in them.
        others: [N, D] solutions, the ancestor among them.

    Returns:
        A climber that has done no step; its sigma is in the units of the genes.
    """
    nearest = np.sqrt(np.partition(((others - known.solutions[row]) ** 2).sum(axis=1), 1)[1]) if len(others) > 1 else 0.0
    ancestor = known.take(np.array([row]))
    return Climber(ancestor, float(nearest / 3) or 0.05, ancestor.take(np.arange(0)))


def parents(climber: Climber) -> Known:
    """Whom the next rows vary: the ancestor 6 times, then each of the people twice."""
    if climber.steps == 0:
        return climber.ancestor.take(np.zeros(PEOPLE, int))
    return climber.people.take(np.arange(len(climber.people.ids)).repeat(CHILDREN))


def climbed(climber: Climber, children: Known) -> Climber:
    """The best 6 of people and children live on.

    Args:
        climber: before the step.
        children: those of the step that did not fail.

    Returns:
        The climber after the step, with its mean and best reward recorded.
    """
    both = selection.join([climber.people, children])
    if len(both.ids) == 0:  # all of the first have failed
        both = climber.ancestor
    people = both.take(np.argsort(-both.objective, kind="stable")[:PEOPLE])
    return noted(climber._replace(people=people), float(people.objective.mean()), float(people.objective.max()))


def noted(climber: Climber, mean: float, best: float) -> Climber:
    """Notes a step's mean and best reward, and by how much the means have risen.

    Args:
        climber: its means and bests are those of the steps before.
        mean: mean reward of the step.
        best: best reward of the step.

    Returns:
        The climber; its gain is the mean of the last 3 means less that of the first 3, or 0 where that is negative.
    """
    means, bests = (*climber.means, mean), (*climber.bests, best)
    gain = max(0.0, float(np.mean(means[-_RECORDED:]) - np.mean(means[:_RECORDED])))
    return climber._replace(means=means, bests=bests, gain=gain)


def best_new(climber: Climber, children: Known) -> tuple[Climber, Known | None]:
    """Returns what the reward archive gets: the best child, where it is paid more than all that the climber gave before.

    Args:
        climber: its ``paid`` is the best reward that it gave before.
        children: of its last step, those that did not fail.

    Returns:
        The climber, its ``paid`` raised where a child is better, and that child as one row, else None.
    """
    if len(children.ids) == 0 or not children.objective.max() > climber.paid:
        return climber, None
    best = int(np.argmax(children.objective))
    return climber._replace(paid=float(children.objective[best])), children.take(np.array([best]))


def stands_still(climber: Climber) -> bool:
    """The stagnation rule of CMA-ES (Hansen 2016), over 120 + 20 D / 6 steps: the last 20 are no better than the first."""
    window = 120 + 20 * climber.ancestor.solutions.shape[1] // PEOPLE
    if climber.steps < window:
        return False
    first, last = climber.bests[-window:][:_EDGE], climber.bests[-_EDGE:]
    return bool(np.median(first) >= np.median(last) or max(first) >= max(last))
