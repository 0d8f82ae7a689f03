"""What the workers of a run did: columns of metrics.csv, events, and counts that its checkpoints hold."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

from qd import abilities
from qd.remote.workload import Counts
from qd.types import Batch, Domain

TIMES = ("eval_s_mean", "eval_s_p95", "idle", "retried")  # columns that differ when a run is repeated
_COLUMNS = ("eval_s_mean", "eval_s_p95", "idle", "timed_out", "retried")
_EVENTS = 100  # evaluations that failed, of which events.jsonl says why; all are counted


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
        return _COLUMNS if self._dispatcher else ()

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
                if sum(self.reasons.values()) < _EVENTS:
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
