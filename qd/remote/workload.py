"""What the workers did: how many evaluations, why some failed, how long they took, how idle they were; and its log in a run."""

import time
from collections import Counter, deque
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from qd import abilities
from qd.types import Batch, Domain

TIMES = ("eval_s_mean", "eval_s_p95", "idle", "retried")  # columns of metrics.csv that differ when a run is repeated
COLUMNS = ("eval_s_mean", "eval_s_p95", "idle", "timed_out", "retried")
EVENTS = 100  # evaluations that failed, of which events.jsonl says why; all are counted
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


class WorkerLog:
    """Follows the workers of a domain; of one that is evaluated in this process there is nothing to follow."""

    def __init__(self, domain: Domain, counts: Counts | None) -> None:
        """Goes on from the counts of a checkpoint, None at the beginning."""
        self._dispatcher: Any = abilities.of_domain(domain).dispatcher
        counts = counts or Counts()
        self.reasons, self._retries_before, self._losses = Counter(dict(counts.reasons)), counts.retries, 0

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns of metrics.csv."""
        return COLUMNS if self._dispatcher else ()

    @property
    def counts(self) -> Counts | None:
        """What a checkpoint holds."""
        return Counts(tuple(sorted(self.reasons.items())), self._retries) if self._dispatcher else None

    def row(self) -> dict[str, float]:
        """Returns the numbers since the last row, and the counts of the run."""
        if not self._dispatcher:
            return {}
        counts = {"timed_out": self.reasons["timed_out"], "retried": self._retries}
        return self._dispatcher.workload.take_times(self._dispatcher.status().alive) | counts

    def status(self) -> dict[str, str]:
        """Returns the workers of this moment in words, for a live line."""
        return {"workers": str(self._dispatcher.status())} if self._dispatcher else {}

    def events(self, batch: Batch | None = None) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yields (event, entries) of what has happened since the last call.

        Args:
            batch: the generation that has just been evaluated; None: a learner evaluated solutions of its own.
        """
        if not self._dispatcher:
            return
        calls = list(self._dispatcher.calls)
        self._dispatcher.calls.clear()
        if batch is not None and batch.first == 0 and calls:  # the rehearsal on two solutions counts for nothing
            self._dispatcher.workload.discount(calls[0][0], [failure.reason for failure in calls[0][1]])
            calls = calls[1:]
        ids = [] if batch is None else batch.ids.tolist()
        for rows, failures in calls:
            of_generation = len(ids) == rows
            for failure in failures:
                if sum(self.reasons.values()) < EVENTS:
                    number = {"id": ids[failure.row]} if of_generation else {}
                    yield "evaluation failed", number | {"reason": failure.reason, "detail": failure.detail}
                self.reasons[failure.reason] += 1
            ids = [] if of_generation else ids
        losses = self._dispatcher.status().lost
        if losses > self._losses:
            yield "workers lost", {"lost": losses - self._losses}
        self._losses = losses

    def summary(self) -> dict[str, Any]:
        """Returns the entries of a result."""
        return {"failures": dict(sorted(self.reasons.items())), "retried": self._retries} if self._dispatcher else {}

    def checkpointed(self) -> None:
        """A checkpoint holds all that was evaluated."""
        if self._dispatcher:
            self._dispatcher.checkpointed()

    def close_journal(self) -> None:
        """The run has its result."""
        if self._dispatcher:
            self._dispatcher.journal.remove()

    @property
    def _retries(self) -> int:
        return self._retries_before + self._dispatcher.workload.retries
