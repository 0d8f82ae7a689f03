"""Who may call now: one turn after another, by budget, rate and how busy the endpoint is. Used on the engine's loop only.

The window of calls in flight grows by 1 a round and halves at a 429, as TCP's does (Chiu and Jain 1989).
"""

import asyncio
import math

from feedback.lm.accounting.budget import Budget, Cost
from feedback.lm.accounting.limits import Bucket, Limits
from feedback.lm.transport.response import Failure
from qd.types import Spent

_A_MINUTE = 48_000  # calls at most: sent at once they would be answered at once, and each wait for all the others' work
_LOOK = 1.0  # seconds until what is waited for is looked at again: calls that end give tokens back
_LONGEST = 60.0  # seconds that one Retry-After may hold all calls, and no longer than a call's deadline


class Gate:
    def __init__(self, limits: Limits, budget: Budget, total: Cost, now: float) -> None:
        self.limits, self.budget = limits, budget
        self.total, self.reserved, self.flying = total, Cost(), 0
        self.window, self._cut, self._paused = float(limits.concurrency), -math.inf, -math.inf
        self._requests, self._tokens = Bucket(limits.requests_per_minute, now), Bucket(limits.tokens_per_minute, now)
        self._pace = Bucket(_A_MINUTE, now, seconds=0.01)
        self._turn, self._left = asyncio.Lock(), asyncio.Event()

    async def enter(self, worst: Cost) -> float:
        """Waits for a turn and reserves what the call may cost; returns the time. Raises Spent where it never can."""
        loop = asyncio.get_running_loop()
        async with self._turn:
            while (wait := self._wait(worst, loop.time())) > 0:
                if wait < math.inf:
                    await asyncio.sleep(min(wait, _LOOK))
                    continue
                self._left.clear()
                await self._left.wait()
            self.flying += 1
            self.reserved = self.reserved.plus(worst)
            self._pace.take(1)
            self._requests.take(1)
            self._tokens.take(worst.tokens)
        return loop.time()

    def leave(self, entered: float, worst: Cost, actual: Cost, failure: Failure | None) -> None:
        """Gives the turn back, and what was reserved too much.

        Args:
            entered: the time that ``enter`` returned.
            worst: what was reserved.
            actual: what the call cost.
            failure: why it failed, None for a reply; a 429 halves the window and holds all calls for its Retry-After.
        """
        now = asyncio.get_running_loop().time()
        self.flying -= 1
        self.reserved = self.reserved.plus(worst, -1)
        self.total = self.total.plus(actual)
        self._tokens.take(actual.tokens - worst.tokens)
        if failure is None:
            self.window = min(self.limits.concurrency, self.window + 1 / self.window)
        elif failure.kind == "429":
            if entered > self._cut:  # calls of one round cut it once
                self.window, self._cut = max(1.0, self.window / 2), now
            wait = min(failure.after or 0.0, _LONGEST, self.limits.deadline)
            self._paused = max(self._paused, now + wait)
        self._left.set()

    def _wait(self, worst: Cost, now: float) -> float:
        """Seconds until there may be a turn; infinite where another call must end first."""
        lacks = self.budget.lacks(self.total.plus(self.reserved).plus(worst))
        if lacks and not self.flying:
            raise Spent(_spent_message(lacks, self.budget, self.total, worst))
        if lacks or self.flying >= int(self.window):
            return math.inf
        return max(
            self._paused - now, self._pace.wait(1, now), self._requests.wait(1, now), self._tokens.wait(worst.tokens, now), 0.0
        )


def _spent_message(name: str, budget: Budget, total: Cost, worst: Cost) -> str:
    return (
        f"the language model's budget is spent: {getattr(total, name):g} of {getattr(budget, name):g} {name}, and another call "
        f"may take {getattr(worst, name):g}; all answers are stored. Type a larger lm.budget.{name}=... to go on from there"
    )
