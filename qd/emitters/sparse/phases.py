"""When to explore and when to exploit: SERENE's scheduler and the others of its authors' code.

Each chunk of evaluations goes to one of the two; a chunk's gain is the number of candidates and improving local searches that
it has brought.
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


class PhaseHistory(NamedTuple):
    last: int  # phase of the previous chunk
    pulls: tuple[float, float]  # discounted, for the bandit
    gains: tuple[float, float]


START = PhaseHistory(EXPLORE, (0.0, 0.0), (0.0, 0.0))


@dataclass(frozen=True)
class Phases:
    """alternate: in turn; even: at random; fading: explore with probability 1 - used / budget; bandit: by UCB."""

    choose: str = "alternate"  # or even, fading, bandit
    budget: int = 500_000  # of evaluations; for fading
    keep: float = 0.9  # for the bandit: weight of a gain one chunk later
    optimism: float = 1.0  # for the bandit: weight of the bound

    def __post_init__(self) -> None:
        if self.choose not in _CHOICES:
            raise unknown("schedule", self.choose, _CHOICES)
        if self.budget < 1 or not 0 < self.keep <= 1:
            raise UserError("type a budget of 1 or more, and keep above 0 and at most 1")

    def after(self, history: PhaseHistory, gain: int) -> PhaseHistory:
        """Records the gain of a chunk; a high gain makes the bandit exploit more.

        Args:
            history: before the chunk ended; ``last`` is its phase.
            gain: candidates and improving local searches of the chunk.

        Returns:
            The history with it.
        """
        sign = 1 if history.last == EXPLOIT else -1
        pulls, gains = ([self.keep * x for x in each] for each in (history.pulls, history.gains))
        pulls[history.last] += 1
        gains[history.last] += sign * float(np.tanh(gain))
        return history._replace(pulls=tuple(pulls), gains=tuple(gains))  # type: ignore[arg-type]

    def next(self, key: Array, history: PhaseHistory, used: int) -> int:
        """Draws the phase of the next chunk.

        Args:
            key: of the draw.
            history: of the chunks so far.
            used: evaluations so far.

        Returns:
            EXPLORE or EXPLOIT.
        """
        if self.choose == "alternate":
            return EXPLOIT if history.last == EXPLORE else EXPLORE
        if self.choose == "bandit":
            return self._most_promising(history)
        explore = 0.5 if self.choose == "even" else 1 - used / self.budget
        return EXPLORE if float(keys.uniform(key, ())) < explore else EXPLOIT

    def _most_promising(self, history: PhaseHistory) -> int:
        if min(history.pulls) == 0:
            return history.pulls.index(min(history.pulls))
        pulls = np.array(history.pulls)
        bound = np.array(history.gains) / pulls + self.optimism * np.sqrt(np.log(max(pulls.sum(), 1)) / pulls)
        return int(np.argmax(bound))
