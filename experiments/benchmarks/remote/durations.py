"""A domain with evaluations that take a set time, asleep or at work; light to import, for workers.

B solutions, D genes.
"""

import heapq
import math
import time
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from qd import keys
from qd.remote import evaluating
from qd.remote.tasks import Outcome, Status, Task
from qd.types import Array, Evaluation


@dataclass(frozen=True)
class Durations:
    """-|x|² with the first two genes as feature; each evaluation takes ``seconds``, or a lognormal time around that median."""

    seconds: float = 0.0
    at_work: bool = False  # it burns CPU, else it sleeps
    sigma: float = 0.0  # of the logarithm of the time, which follows from the key
    dim: int = 10
    objective_range: tuple[float, float] = (-10.0, 0.0)
    pure: bool = False

    def sample(self, key: Array, n: int) -> Array:
        """Returns solutions [n, D]; arguments as in ``Domain``."""
        return keys.uniform(key, (n, self.dim), -1, 1)

    def evaluate(self, keys: Array, solutions: Array) -> Evaluation:
        """Takes its time and evaluates.

        Args:
            keys: uint32 [B, 2].
            solutions: [B, D].

        Returns:
            Objective [B]; feature "xy" [B, 2].
        """
        for key in keys if self.seconds else ():
            spend(self.seconds * math.exp(self.sigma * normal(key)), self.at_work)
        return Evaluation(-(solutions**2).sum(1), {"xy": solutions[:, :2]})


INSTANT = Durations()


def evaluate_at_once(each: Array, solutions: Array) -> Evaluation:
    """What plain maps of the benchmark call.

    Args:
        each: keys, uint32 [b, 2].
        solutions: [b, D].
    """
    return INSTANT.evaluate(each, solutions)


def spend(seconds: float, at_work: bool) -> None:
    """Sleeps, or computes.

    Args:
        seconds: of the wall, or of CPU.
        at_work: compute.
    """
    if not at_work:
        time.sleep(seconds)
        return
    end = time.process_time() + seconds
    while time.process_time() < end:
        np.sqrt(np.arange(1000.0)).sum()


def normal(key: Array) -> float:
    """Returns a standard normal number that follows from the key."""
    return float(keys.normal(key, ())[()])


@dataclass(frozen=True)
class Simulated:
    """Settings: workers, and seconds of an evaluation, a lognormal time around that median."""

    workers: int
    seconds: float = 1.0
    sigma: float = 1.0
    clocks: list["SimulatedClock"] = field(default_factory=list, compare=False, repr=False)  # the workers, once they are open

    @property
    def capacity(self) -> int:
        """How many tasks keep all workers busy."""
        return self.workers

    @property
    def how_to_start(self) -> str:
        """Nothing needs to be started."""
        return ""

    def open(self, domain: Any) -> "SimulatedClock":
        """Starts the clock at 0."""
        self.clocks.append(SimulatedClock(self, domain))
        return self.clocks[-1]


class SimulatedClock:
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
