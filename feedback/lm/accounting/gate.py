"""Decides when a call may start, by budget, rate and the load of the endpoint. Used on the engine's loop only.

The window of calls in flight grows by 1 a round and halves at a 429, as TCP's does (Chiu and Jain 1989).
"""

import asyncio
import math

from feedback.lm.accounting.budget import Budget, Cost
from feedback.lm.accounting.limits import Bucket, Limits
from feedback.lm.transport.response import Failure
from qd.types import Spent

_A_MINUTE = 48_000  # calls at most: sent at the same time, each would wait for the work of all others
_LOOK = 1.0  # seconds until a waiting call checks again: calls that end give tokens back
_LONGEST = 60.0  # seconds that one Retry-After may hold all calls, and no longer than a call's deadline


class Gate:
    def __init__(self, limits: Limits, budget: Budget, total: Cost, now: float) -> None:
        self.limits, self.budget = limits, budget
        self.total, self.reserved, self.flying = total, Cost(), 0
        self.window, self._cut, self._pause_end = float(limits.concurrency), -math.inf, -math.inf
        self._requests, self._tokens = Bucket(limits.requests_per_minute, now), Bucket(limits.tokens_per_minute, now)
        self._pace = Bucket(_A_MINUTE, now, seconds=0.01)
        self._turn, self._change = asyncio.Lock(), asyncio.Event()

    async def enter(self, worst: Cost) -> float:
        """Waits for a turn and reserves the worst cost of the call; returns the time. Raises Spent above the budget."""
        loop = asyncio.get_running_loop()
        async with self._turn:
            while (wait := self._wait(worst, loop.time())) > 0:
                if wait < math.inf:
                    await asyncio.sleep(min(wait, _LOOK))
                    continue
                self._change.clear()
                await self._change.wait()
            self.flying += 1
            self.reserved = self.reserved.plus(worst)
            self._pace.take(1)
            self._requests.take(1)
            self._tokens.take(worst.tokens)
        return loop.time()

    def leave(self, start: float, worst: Cost, actual: Cost, failure: Failure | None) -> None:
        """Ends the turn, and frees the unused part of the reservation.

        Args:
            start: the time that ``enter`` returned.
            worst: the reservation.
            actual: the cost of the call.
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
            if start > self._cut:  # calls of one round cut it once
                self.window, self._cut = max(1.0, self.window / 2), now
            wait = min(failure.after or 0.0, _LONGEST, self.limits.deadline)
            self._pause_end = max(self._pause_end, now + wait)
        self._change.set()

    def _wait(self, worst: Cost, now: float) -> float:
        """Seconds until there may be a turn; infinite where another call must end first."""
        lacks = self.budget.lacks(self.total.plus(self.reserved).plus(worst))
        if lacks and not self.flying:
            raise Spent(_spent_message(lacks, self.budget, self.total, worst))
        if lacks or self.flying >= int(self.window):
            return math.inf
        return max(
            self._pause_end - now,
            self._pace.wait(1, now),
            self._requests.wait(1, now),
            self._tokens.wait(worst.tokens, now),
            0.0,
        )


def _spent_message(name: str, budget: Budget, total: Cost, worst: Cost) -> str:
    return (
        f"the language model's budget is spent: {getattr(total, name):g} of {getattr(budget, name):g} {name}, and another call "
        f"may take {getattr(worst, name):g}; all answers are stored. Type a larger lm.budget.{name}=... to go on from there"
    )
