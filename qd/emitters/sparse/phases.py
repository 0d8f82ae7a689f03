"""When to explore and when to exploit: SERENE's scheduler and the others of its authors' code.

Each chunk of evaluations goes to one of the two; a chunk's gain is how many climbers it has brought.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from qd import keys
from qd.support.errors import UserError
from qd.support.spelling import unknown
from qd.types import Array

EXPLORE, EXPLOIT = 0, 1
_CHOICES = ("alternate", "even", "fading", "bandit")


class Record(NamedTuple):
    last: int  # the phase of the chunk before
    pulls: tuple[float, float]  # discounted, for the bandit
    gains: tuple[float, float]


START = Record(EXPLORE, (0.0, 0.0), (0.0, 0.0))


@dataclass(frozen=True)
class Phases:
    """alternate: in turn; even: a coin; fading: exploring with 1 - used / budget; bandit: by upper confidence bounds."""

    choose: str = "alternate"
    budget: int = 500_000  # of evaluations; for fading
    keep: float = 0.9  # for the bandit: what a chunk's gain still counts one chunk later
    optimism: float = 1.0  # for the bandit

    def __post_init__(self) -> None:
        if self.choose not in _CHOICES:
            raise unknown("schedule", self.choose, _CHOICES)
        if self.budget < 1 or not 0 < self.keep <= 1:
            raise UserError("type a budget of 1 or more, and keep above 0 and at most 1")

    def after(self, record: Record, gain: int) -> Record:
        """Notes what the chunk that has ended has brought: more climbers speak for exploiting, whoever found them."""
        sign = 1 if record.last == EXPLOIT else -1
        pulls, gains = ([self.keep * x for x in each] for each in (record.pulls, record.gains))
        pulls[record.last] += 1
        gains[record.last] += sign * float(np.tanh(gain))
        return record._replace(pulls=tuple(pulls), gains=tuple(gains))  # type: ignore[arg-type]

    def next(self, key: Array, record: Record, used: int) -> int:
        """Returns the phase of the next chunk, after ``used`` evaluations."""
        if self.choose == "alternate":
            return EXPLOIT if record.last == EXPLORE else EXPLORE
        if self.choose == "bandit":
            return self._most_hopeful(record)
        explore = 0.5 if self.choose == "even" else 1 - used / self.budget
        return EXPLORE if float(keys.uniform(key, ())) < explore else EXPLOIT

    def _most_hopeful(self, record: Record) -> int:
        if min(record.pulls) == 0:
            return record.pulls.index(min(record.pulls))
        pulls = np.array(record.pulls)
        bound = np.array(record.gains) / pulls + self.optimism * np.sqrt(np.log(max(pulls.sum(), 1)) / pulls)
        return int(np.argmax(bound))
