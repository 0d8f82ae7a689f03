"""Workers on a simulated clock: how busy they would be, whatever else this machine does.

Evaluations are done at once in this process; only their durations, lognormal by the key, are simulated.
"""

import heapq
import math
from dataclasses import dataclass, field
from typing import Any

from experiments.benchmarks.durations import normal
from qd.remote import evaluating
from qd.remote.tasks import Outcome, Status, Task


@dataclass(frozen=True)
class Simulated:
    """Settings: workers, and seconds of an evaluation, a lognormal time around that median."""

    workers: int
    seconds: float = 1.0
    sigma: float = 1.0
    clocks: list["Clock"] = field(default_factory=list, compare=False, repr=False)  # the workers, once they are open

    @property
    def capacity(self) -> int:
        """How many tasks keep all workers busy."""
        return self.workers

    @property
    def how_to_start(self) -> str:
        """Nothing needs to be started."""
        return ""

    def open(self, domain: Any) -> "Clock":
        """Starts the clock at 0."""
        self.clocks.append(Clock(self, domain))
        return self.clocks[-1]


class Clock:
    """Workers that take tasks in order, each when it is free."""

    def __init__(self, settings: Simulated, domain: Any) -> None:
        self.now = self.busy = 0.0
        self._settings, self._call = settings, evaluating.call_of(domain)
        self._free = [0.0] * settings.workers  # when each is free
        self._running: list[tuple[float, int, Outcome]] = []  # (end, number, outcome), the next first

    def submit(self, task: Task) -> None:
        """Gives a task to the worker that is free first."""
        begin = max(self.now, heapq.heappop(self._free))
        seconds = sum(self._settings.seconds * math.exp(self._settings.sigma * normal(key)) for key in task.keys)
        outcome = evaluating.evaluate(self._call, task)._replace(seconds=seconds)
        heapq.heappush(self._free, begin + seconds)
        heapq.heappush(self._running, (begin + seconds, task.number, outcome))

    def wait(self, seconds: float) -> list[Outcome]:
        """Moves the clock on to the next end of a task."""
        if not self._running:
            return []
        self.now, _, outcome = heapq.heappop(self._running)
        self.busy += outcome.seconds
        return [outcome]

    def status(self) -> Status:
        """Returns that all workers are there."""
        return Status(self._settings.workers, len(self._running), 0, len(self._running))

    def pids(self) -> list[int]:
        """Returns that there are no processes."""
        return []

    def close(self) -> None:
        """Leaves all that is under way."""
        self._running = []
