"""What is written while a search runs: rows of metrics, events, history and checkpoints.

Rows are written where the evaluations cross a multiple of ``log_every``, so that the same run writes the same rows. Where
several fall into one batch of many generations, each describes the archive at its own generation; its time is interpolated.
"""

import json
import math
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from qd import abilities, archives, metrics
from qd.archives import HostElites
from qd.metrics import OwnMetrics, Tally
from qd.referee import Referee
from qd.remote.workload import TIMES as WORKER_TIMES
from qd.remote.workload import WorkerLog
from qd.store import checkpoint, identity
from qd.store.checkpoint import Checkpoint
from qd.store.compile_time import compile_clock
from qd.store.history import History
from qd.store.replay import Past
from qd.support import atomic, growing, run_files
from qd.support.growing import Growing
from qd.types import Batch, Search, State

_COLUMNS = ("evals", "generation", "wall_s", "compile_s", "evals_per_s", "elites", "coverage", "qd_score", "hypervolume",
            "best", "mean", "new", "improved", "failed", "outside", "reserve", "dropped")  # fmt: skip
TIMES = ("wall_s", "compile_s", "evals_per_s", *WORKER_TIMES)  # the only columns that differ when a run is repeated
_FAILURES = 10  # solutions that failed, of which events.jsonl keeps the genes
_FILES = (run_files.METRICS, run_files.EVENTS)
Row = dict[str, float]


class Times(NamedTuple):
    """Seconds since the beginning of a run."""

    wall: float
    compilation: float  # of these, in which JAX compiled

    def until(self, end: "Times", share: float) -> "Times":
        """Returns the moment at which a share of the work between here and ``end`` was done; all compilation came first.

        Args:
            end: later than this.
            share: from 0 to 1.
        """
        compilation = min(end.compilation - self.compilation, end.wall - self.wall)
        work = end.wall - self.wall - compilation
        return Times(self.wall + compilation + work * share, end.compilation)


class Recorder:
    """Writes into the folder of one run. ``saved`` is where the run goes on, None at its beginning."""

    def __init__(
        self,
        run: Path,
        search: Search,
        referee: Referee | None,
        log_every: int,
        saved: Checkpoint | None = None,
        film: str | None = None,  # a feature of two numbers, of which every row is kept
        own_metrics: Mapping[str, Callable[..., Any]] = MappingProxyType({}),  # more columns: functions of (state, batch)
    ) -> None:
        self.run, self.search, self.referee, self.log_every = run, search, referee, log_every
        self.bench = saved.bench if saved else None
        self.tally = saved.tally if saved else Tally()
        self.last_refit = saved.last_refit if saved else 0
        self.sources = identity.fingerprint(search, referee)
        self.saved = saved.state if saved else None  # what the newest checkpoint holds
        self._last_row = saved.last_row if saved else None
        self._started = time.perf_counter() - (saved.wall if saved else 0.0)
        self._compiled_before = (saved.compile_s if saved else 0.0) - compile_clock().seconds
        self._saved_at = time.perf_counter()  # when the newest checkpoint was written
        self._last_times = Times(self.wall, self.compile_s)  # at the end of the last batch
        self._last_wall = self._last_row["wall_s"] if self._last_row else 0.0  # not rounded: rows may be close together
        self._columns = [name for name in _COLUMNS if self._last_row is None or name in self._last_row]  # as the file began
        self.workers = WorkerLog(search.domain, saved.workers if saved else None)
        self.own_metrics = OwnMetrics(own_metrics, saved.own_metrics if saved else None)
        self._batch: Batch | None = None  # the last one
        self._past: Past | None = None
        generation = saved.state.generation if saved else 0
        self._histories = [History(run, generation), *([History(run, generation, film)] if film else [])]
        atomic.make_folder(run / run_files.CHECKPOINTS)
        lengths: dict[str, int] = {str(name): 0 for name in _FILES} | (saved.lengths if saved else {})
        if saved:
            growing.check(run, _FILES)
        growing.cut_sums(run, lengths)
        self._metrics, self._events = [Growing(run / name, lengths[name]) for name in _FILES]
        self._range = abilities.of_domain(search.domain).objective_range

    @property
    def wall(self) -> float:
        """Seconds that the run has taken, over all its processes."""
        return time.perf_counter() - self._started

    @property
    def compile_s(self) -> float:
        """Seconds of these in which JAX has compiled, over all the run's processes."""
        return compile_clock().seconds + self._compiled_before

    def begin(self, state: State, one_generation: bool = False) -> None:
        """Looks at the archive before a segment, so that rows inside its batches can report how it stood then.

        Args:
            one_generation: each batch is one generation, so that no row falls inside one.
        """
        reads_state = self.referee is not None or bool(self.own_metrics.functions)
        replays = not one_generation and not reads_state and Past.fits(state.archive)
        self._past = Past(state.archive) if replays else None
        self._last_times = Times(self.wall, self.compile_s)

    def batch(self, state: State, batch: Batch) -> Row | None:
        """Records one batch.

        Args:
            state: of the search after the batch.
            batch: of one generation or more.

        Returns:
            The last row of metrics that was due in it; None where none was.
        """
        if self.referee is not None:
            self.bench = self.bench or self.referee.open(batch)
            self.bench.add(batch)
        self._batch = batch
        self._note_failures(state, batch)
        self._note_workers(state, batch)
        whole, began = state.generation - batch.first, self._last_times
        now = self._last_times = Times(self.wall, self.compile_s)
        due = self._due(state.evaluations)
        for history in self._histories:
            history.add(state, batch)
        if whole == 1 or self._past is None:
            self._past = None
            self.tally = metrics.count(self.tally, batch, self.search.descriptor.bounds)
            return self._write_row(state, now) if due else None
        return self._rows_inside(state, batch, whole, began)

    def _note_failures(self, state: State, batch: Batch) -> None:
        """Keeps the first solutions that failed, for the archive has none of them: vectors, or else their reasons."""
        for row in np.flatnonzero(batch.status < 0)[: max(0, _FAILURES - self.tally.failed)]:
            if np.asarray(batch.solutions).dtype.kind in "fiu":
                self.event("failed", state, id=int(batch.ids[row]), solution=np.asarray(batch.solutions[row]).tolist())
            elif reasons := abilities.of_domain(self.search.domain).reasons:
                self.event("failed", state, id=int(batch.ids[row]), reason=reasons(batch.solutions[[row]])[0])

    def _note_workers(self, state: State, batch: Batch | None = None) -> None:
        for event, entries in self.workers.events(batch):
            self.event(event, state, **entries)

    def refit(self, state: State) -> None:
        """Records that the descriptor was refitted and the archive refilled."""
        self._note_workers(state)
        self.last_refit = state.evaluations
        elites, reserve = len(state.archive), state.reserve
        self.event("refit", state, elites=elites, reserve=len(reserve.rows.ids), dropped=reserve.n_dropped)

    def event(self, what: str, state: State, **more: Any) -> None:
        """Adds a line to events.jsonl.

        Args:
            what: name of the event.
            state: of the search at that moment.
            more: further entries, which JSON can hold.
        """
        about = {"event": what, "generation": state.generation, "evaluations": state.evaluations, "wall_s": round(self.wall, 3)}
        self._events.add(json.dumps(about | more))

    def row(self, state: State) -> Row:
        """Returns the numbers of the moment, without the referee's."""
        return self._row(state, Times(self.wall, self.compile_s), metrics.of_archive(state.archive, self._range))

    def is_checkpoint_due(self, seconds: float) -> bool:
        """Whether the newest checkpoint is so old."""
        return time.perf_counter() - self._saved_at >= seconds

    def save(self, state: State) -> None:
        """Makes sure that all written is on the disk, then adds a checkpoint."""
        wall = self.wall
        for history in self._histories:
            history.write_part(state.generation)
        lengths = {file.path.name: file.sync() for file in (self._metrics, self._events)}
        self.write_sums()
        progress = state, self.bench, self.tally, self.last_refit, self._last_row, wall, lengths
        own = self.own_metrics.row(state, self._batch) or None
        saved = Checkpoint(*progress, self.sources, self.compile_s, self.workers.counts, own)
        checkpoint.save(self.run / run_files.CHECKPOINTS, saved)
        self.workers.checkpointed()
        self.saved, self._saved_at = state, time.perf_counter()

    def last_row(self, state: State) -> Row:
        """Returns the row of the end; it is written where none was due, after the checkpoint, so that a longer run lacks it."""
        last = self._last_row
        return (
            last
            if last is not None and last["evals"] == state.evaluations
            else self._write_row(state, Times(self.wall, self.compile_s))
        )

    def write_sums(self) -> None:
        """Writes the checksums of metrics.csv and events.jsonl as they are now."""
        growing.write_sums(self.run, {file.path.name: file.sum for file in (self._metrics, self._events)})

    def pack(self) -> None:
        """Joins the parts of the history into one file, and those of the film."""
        for history in self._histories:
            history.pack()
        self.workers.close_journal()

    def close(self) -> None:
        for file in (self._metrics, self._events):
            file.close()

    def _rows_inside(self, state: State, batch: Batch, whole: int, began: Times) -> Row | None:
        """Writes the rows that were due after any of a batch's ``whole`` generations, which ran since ``began``.

        What was compiled for the batch was compiled before its first generation.
        """
        assert self._past is not None
        size, row = len(batch.ids) // whole, None
        ends, order = self._ends(state, whole, size), archives.occupied(state.archive)
        tallies = metrics.counts(self.tally, batch, self.search.descriptor.bounds, [end * size for end in ends])
        for end, self.tally, _ in zip(ends, tallies, self._past.through(batch, size, ends), strict=True):
            then = state._replace(generation=batch.first + end, evaluations=state.evaluations - (whole - end) * size)
            if self._due(then.evaluations):
                scores = metrics.of_objective(self._past.objective(order), self._past.cells, self._range)
                row = self._write_row(then, began.until(self._last_times, end / whole), scores)
        return row

    def _due(self, evaluations: int) -> bool:
        last = self._last_row
        return last is None or evaluations // self.log_every > last["evals"] // self.log_every

    def _ends(self, state: State, whole: int, size: int) -> list[int]:
        """Returns the generations of a batch after which a row is due, and the last one."""
        after = state.evaluations - size * np.arange(whole, -1, -1)
        return sorted({*map(int, np.flatnonzero(np.diff(after // self.log_every)) + 1), whole})

    def _row(self, state: State, times: Times, scores: dict[str, float]) -> Row:
        before = self._last_row["evals"] if self._last_row else 0
        rate = (state.evaluations - before) / max(times.wall - self._last_wall, 1e-9)
        return {
            "evals": state.evaluations,
            "generation": state.generation,
            "wall_s": round(times.wall, 3),
            "compile_s": round(times.compilation, 3),
            "evals_per_s": round(rate, 1),
            **scores,
            **{name: getattr(self.tally, name) for name in ("new", "improved", "failed", "outside")},
            "reserve": len(state.reserve.rows.ids),
            "dropped": state.reserve.n_dropped,
        }

    def _write_row(self, state: State, times: Times, scores: dict[str, float] | None = None) -> Row:
        """Writes the row of a state; ``scores`` are its archive's of that moment, where it has changed since."""
        row = self._row(state, times, scores or metrics.of_archive(state.archive, self._range))
        row = {name: row[name] for name in self._columns if name in row} | self.workers.row()
        if self.bench is not None:
            row |= self.bench.scores(HostElites(state.archive), scale=self._range)
        row = self.own_metrics.added_to(row, state, self._batch)
        head = [] if self._last_row is not None else [",".join(row)]
        self._metrics.add(*head, ",".join([_cell(number) for number in row.values()]))
        self._last_row, self._last_wall = row, times.wall
        return row


def _cell(number: float) -> str:
    return "" if math.isnan(number) else str(number)
