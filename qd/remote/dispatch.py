"""Sends chunks to workers until each of their solutions has a result: an evaluation, or the reason why it failed.

    number = dispatcher.submit(keys, solutions)
    number, result = dispatcher.take([number])

B batch, b rows of one chunk.
"""

import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from qd import keys
from qd.remote.evaluating import Shapes, join
from qd.remote.journal import Journal, Parts
from qd.remote.order import Order
from qd.remote.tasks import KILLED, NAN, RUBBISH, SPENT, UNFIT, EngineSettings, Outcome, RowFailure, Status, Task
from qd.remote.workload import Workload
from qd.support.errors import UserError
from qd.types import Array, Evaluation, Spent

_GLANCE = 0.5  # seconds between two looks at workers, while none returns anything
_PROBES = 5  # solutions that are tried, where the shape of an evaluation is not known


class ChunkResult(NamedTuple):
    """A chunk of which each row has a result."""

    keys: Array
    solutions: Array
    parts: Parts  # None where a row failed, until all are joined
    failures: list[RowFailure]


@dataclass
class _Chunk:
    """A chunk that is under way."""

    number: int
    keys: Array
    solutions: Array
    rows: dict[int, Evaluation | None] = field(default_factory=dict)  # once its rows are evaluated one at a time
    failures: list[RowFailure] = field(default_factory=list)


class _Try(NamedTuple):
    """What a task of the engine is a try of."""

    chunk: _Chunk
    row: int | None  # None: the whole chunk
    tries: int  # with this one


class Dispatcher:
    """The workers of one domain, and all that is under way; they are started at the first evaluation."""

    def __init__(self, engine: EngineSettings, domain: Any, retries: int, patience: float, journal: str | None = None) -> None:
        """Starts nothing yet.

        Args:
            engine: where the domain is evaluated.
            domain: what is evaluated.
            retries: more tries of a solution that failed; NaN is a result, and is not tried again.
            patience: seconds to wait for a worker where there is none.
            journal: the folder of a run, in which results are recorded until a checkpoint holds them.
        """
        self.settings, self._domain, self._retries, self.patience = engine, domain, retries, patience
        self.journal = Journal(journal, domain)
        self.workload = Workload()
        self.calls: deque[tuple[int, list[RowFailure]]] = deque(maxlen=1000)  # rows and failures of each batch
        self.watch: Callable[[Status], None] = lambda status: None  # receives the status of the workers during a batch
        self.asks: dict[int, list[int]] = {}  # of the steady-state driver: ask -> its chunks, until it is taken
        self.order: Order | None = None  # of the same, once it has run
        self._engine: Any = None
        self._shapes: Shapes | None = None
        self._tries: dict[int, _Try] = {}
        self._results: dict[int, ChunkResult] = {}
        self._numbers = 0
        self._alone_since: float | None = None  # since when there has been no worker

    def evaluate(self, each: Array, solutions: Array, chunk: int) -> Evaluation:
        """Evaluates a batch.

        Args:
            each: uint32 [B, 2], a key for each solution.
            solutions: [B, ...].
            chunk: rows that one worker gets at a time.

        Returns:
            The evaluation in the order of the solutions; rows that failed have objective NaN and features of zeros.

        Raises:
            Spent: there is no worker, for longer than the patience.
            UserError: the workers cannot be started, or no solution can be evaluated.
        """
        starts = range(0, len(solutions), chunk)
        numbers = [self.submit(each[start : start + chunk], solutions[start : start + chunk]) for start in starts]
        results = [self.take([number])[1] for number in numbers]
        failures = [
            failure._replace(row=start + failure.row)
            for start, result in zip(starts, results, strict=True)
            for failure in result.failures
        ]
        self.calls.append((len(solutions), failures))
        return self.join(results)

    def submit(self, each: Array, solutions: Array) -> int:
        """Sends a chunk, and returns its number at once.

        Args:
            each: uint32 [b, 2].
            solutions: [b, ...].
        """
        self._numbers += 1
        chunk = _Chunk(self._numbers, each, solutions)
        record = self.journal.find(each, solutions)
        if record is not None:
            self._finish(chunk, *record, new=False)
        else:
            self._send(_Try(chunk, None, 1))
        return chunk.number

    def take(self, numbers: Sequence[int]) -> tuple[int, ChunkResult]:
        """Waits for one of some chunks, and returns its number and its results, once.

        Args:
            numbers: chunks that are submitted and not taken; the first in this order that is finished is taken.

        Raises:
            Spent: there is no worker, for longer than the patience.
        """
        while not any(number in self._results for number in numbers):
            self._wait()
        number = next(number for number in numbers if number in self._results)
        return number, self._results.pop(number)

    def first(self, asks: Sequence[int]) -> int:
        """Waits until all chunks of one of some asks are finished, and returns its number.

        Args:
            asks: that are submitted and not taken; the first in this order that is finished is returned.

        Raises:
            Spent: there is no worker, for longer than the patience.
        """
        while True:
            for ask in asks:
                if all(number in self._results for number in self.asks[ask]):
                    return ask
            self._wait()

    def join(self, results: Iterable[ChunkResult]) -> Evaluation:
        """Returns the evaluation of some chunks, in order, with blank rows for those that failed."""
        results = list(results)
        parts = [part for each in results for part in each.parts]  # a whole chunk that failed has one row
        present = [part for part in parts if part is not None]
        if len(present) == len(parts):
            return join(present)
        shapes = self._learn_shapes([failure for each in results for failure in each.failures])
        return join([shapes.blank(1) if part is None else part for part in parts])

    def status(self) -> Status:
        """Returns how many workers there are; none before the first evaluation."""
        return self._engine.status() if self._engine else Status(0, 0, 0, 0)

    def pids(self) -> list[int]:
        """Returns the process ids of the workers on this machine; empty where there is none, or where Dask has them."""
        return self._engine.pids() if self._engine else []

    def checkpointed(self) -> None:
        """Empties the journal, but for what is finished and not taken: a checkpoint holds the rest."""
        self.journal.clear()
        for result in self._results.values():
            self.journal.add(*result)

    def close(self) -> None:
        """Ends the workers; the next evaluation starts new ones."""
        if self._engine is not None:
            self._engine.close()
        self._engine = None
        self._tries, self._results, self.asks, self._alone_since = {}, {}, {}, None
        self.journal.close()

    def _send(self, attempt: _Try) -> None:
        if self._engine is None:
            self._engine = self.settings.open(self._domain)
            self.workload.open()
        self._numbers += 1
        self._tries[self._numbers] = attempt
        rows = slice(None) if attempt.row is None else slice(attempt.row, attempt.row + 1)
        self._engine.submit(Task(self._numbers, attempt.chunk.keys[rows], attempt.chunk.solutions[rows]))

    def _receive(self, outcome: Outcome) -> None:
        """Takes the outcome of a try: it is the result, or the chunk is tried again, whole or row by row."""
        attempt = self._tries.pop(outcome.number)
        chunk, row, _ = attempt
        if outcome.reason == SPENT:
            raise Spent(outcome.detail)
        if outcome.reason == UNFIT:
            raise UserError(outcome.detail)
        self.workload.add_work(len(chunk.solutions) if row is None else 1, outcome.seconds)
        evaluation, reason, detail = outcome.evaluation, outcome.reason, outcome.detail
        if evaluation is not None and self._shapes is not None and (difference := self._shapes.difference(evaluation)):
            evaluation, reason, detail = None, RUBBISH, difference
        if evaluation is not None:
            self._shapes = self._shapes or Shapes.of(evaluation)
            self._succeed(chunk, row, evaluation)
        else:
            self._fail(attempt, reason, detail)

    def _succeed(self, chunk: _Chunk, row: int | None, evaluation: Evaluation) -> None:
        if row is None:
            nan = np.flatnonzero(~np.isfinite(evaluation.objective.reshape(len(evaluation.objective), -1)).all(axis=1))
            self._finish(chunk, [evaluation], [RowFailure(int(i), NAN, "") for i in nan])
            return
        if not np.isfinite(evaluation.objective[0]).all():
            chunk.failures.append(RowFailure(row, NAN, ""))
        self._finish_row(chunk, row, evaluation)

    def _fail(self, attempt: _Try, reason: str, detail: str) -> None:
        """Tries again. A killed worker may be chance: its chunk stays whole; else the rows go one at a time."""
        chunk, row, tries = attempt
        whole = row is None and len(chunk.solutions) > 1
        if tries <= self._retries and (reason == KILLED or not whole):
            self.workload.retries += len(chunk.solutions) if row is None else 1
            self._send(attempt._replace(tries=tries + 1))
        elif whole:
            self.workload.retries += len(chunk.solutions)
            for i in range(len(chunk.solutions)):
                self._send(_Try(chunk, i, 1))
        else:
            chunk.failures.append(RowFailure(row or 0, reason, detail))
            self._finish_row(chunk, row or 0, None)

    def _finish_row(self, chunk: _Chunk, row: int, evaluation: Evaluation | None) -> None:
        chunk.rows[row] = evaluation
        if len(chunk.rows) == len(chunk.solutions):
            parts = [chunk.rows[i] for i in range(len(chunk.rows))]
            self._finish(chunk, parts, sorted(chunk.failures))

    def _finish(self, chunk: _Chunk, parts: Parts, failures: list[RowFailure], new: bool = True) -> None:
        self._results[chunk.number] = ChunkResult(chunk.keys, chunk.solutions, parts, failures)
        self.workload.add_results(len(chunk.solutions), [failure.reason for failure in failures])
        if new:
            self.journal.add(*self._results[chunk.number])

    def _wait(self) -> None:
        """Takes what comes back, shows the workers, and raises Spent where there has been none for too long."""
        outcomes = self._engine.wait(_GLANCE)
        for outcome in outcomes:
            self._receive(outcome)
        status = self._engine.status()
        self.watch(status)
        if status.alive or outcomes:
            self._alone_since = None
            return
        now = time.monotonic()
        self._alone_since = self._alone_since or now
        if now - self._alone_since > self.patience:
            waited = f"within {self.patience:g} s (remote.patience)"
            if not self.workload.busy:
                raise UserError(f"no worker came {waited}", self.settings.how_to_start)
            raise Spent(f"no worker is alive, and none came {waited}")

    def _learn_shapes(self, failures: list[RowFailure]) -> Shapes:
        """Returns the shape of an evaluation; where none is known, as after a resume, a few samples are evaluated for it."""
        for i in range(_PROBES if self._shapes is None else 0):
            samples = self._domain.sample(keys.new(i), 1)
            number = self.submit(keys.split(keys.new(i), 1), samples)
            self.take([number])
            if self._shapes is not None:
                break
        if self._shapes is None:
            first = f": {failures[0].reason}: {failures[0].detail}" if failures else ""
            raise UserError(
                f"none of {len(failures)} solutions could be evaluated{first}",
                "call domain.evaluate on one by hand",
            )
        return self._shapes
