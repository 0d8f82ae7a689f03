"""What the workers did: how many evaluations, why some failed, how long they took, and how idle the workers were."""

import time
from collections import Counter, deque
from typing import NamedTuple

import numpy as np

_WINDOW = 10_000  # evaluations, of which the durations are kept for a row of metrics


class Counts(NamedTuple):
    """Running counts of a run, stored in its checkpoints."""

    reasons: tuple[tuple[str, int], ...] = ()  # (reason, evaluations that failed by it)
    retries: int = 0


class Workload:
    """Counts and times of one process."""

    def __init__(self) -> None:
        self.reasons: Counter[str] = Counter()
        self.evaluations = self.retries = 0
        self.busy = self.seconds = 0.0  # of all workers together; of evaluations
        self._durations: deque[tuple[float, int]] = deque(maxlen=_WINDOW)  # seconds an evaluation, rows
        self._mark = self._opened = (time.monotonic(), 0.0)

    def open(self) -> None:
        """Starts the clock: the workers are there."""
        self._mark = self._opened = (time.monotonic(), self.busy)

    def add_work(self, rows: int, seconds: float) -> None:
        """Adds a task that came back.

        Args:
            rows: how many solutions it had.
            seconds: that its worker was busy.
        """
        self.busy += seconds
        self._durations.append((seconds / rows, rows))

    def add_results(self, rows: int, reasons: list[str]) -> None:
        """Adds a chunk of which each row has a result.

        Args:
            rows: of the chunk.
            reasons: of those that failed.
        """
        self.evaluations += rows
        self.reasons.update(reasons)

    def discount(self, rows: int, reasons: list[str]) -> None:
        """Takes back evaluations that do not count.

        Args:
            rows: how many.
            reasons: of those that failed.
        """
        self.evaluations -= rows
        self.reasons.subtract(reasons)

    def take_times(self, workers: int) -> dict[str, float]:
        """Returns mean and 95th percentile of an evaluation's seconds, and the idle share, since the last call.

        Args:
            workers: that are alive.
        """
        times = (
            np.repeat([seconds for seconds, _ in self._durations], [rows for _, rows in self._durations])
            if self._durations
            else []
        )
        idle = self._idle(self._mark, workers)
        self._durations.clear()
        self._mark = (time.monotonic(), self.busy)
        mean, late = (float(np.mean(times)), float(np.percentile(times, 95))) if len(times) else (float("nan"), float("nan"))
        return {"eval_s_mean": round(mean, 6), "eval_s_p95": round(late, 6), "idle": round(idle, 4)}

    def idle(self, workers: int) -> float:
        """Returns the share of their time in which the workers had nothing to do, since they were opened.

        Args:
            workers: that are alive.
        """
        return self._idle(self._opened, workers)

    def _idle(self, since: tuple[float, float], workers: int) -> float:
        whole = (time.monotonic() - since[0]) * workers
        return min(max(1 - (self.busy - since[1]) / whole, 0.0), 1.0) if whole else float("nan")
