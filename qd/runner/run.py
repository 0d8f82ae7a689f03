"""The job of `qd run`: one search in one folder, that goes on from wherever it was cut off.

run -> refit -> run -> ... -> result.json
"""

import time
from pathlib import Path
from typing import Any

from qd import abilities, archives, checks, keys, outcomes
from qd.config.compose import Components
from qd.config.estimate import Consent
from qd.config.settings import RunSettings, to_config
from qd.report.tracking import live
from qd.runner import live_map, refits
from qd.runner.display.console import report_usage
from qd.runner.display.worker_view import WorkerView
from qd.runner.finish import finish, interrupt
from qd.runner.job import Display, Job
from qd.runner.resume import is_enough, load_checkpoint
from qd.runner.stopping import Stop, Watch, plateau_watch
from qd.search import refit, start
from qd.search import run as search_run
from qd.store import archive_file, folder, identity, solutions
from qd.store.checkpoint import Checkpoint
from qd.store.recorder import Recorder
from qd.support import run_files
from qd.support.error_notes import naming_component
from qd.support.errors import TooFewSolutions, UserError
from qd.support.signals import on_stop_signal
from qd.types import Array, Domain, Spent, State

_GLANCE = 0.5  # seconds between two looks of the console
_SEGMENT_SECONDS = 0.2  # that a segment may take: console, signals and checkpoints wait for its end
_GROWTH = 8  # of a segment's rows, at most, from one to the next
_MOST_ROWS = 10**6  # of a segment


def run(
    settings: RunSettings,
    parts: Components,
    path: Path,
    console: Display,
    stop: Stop | None = None,
    consent: Consent | None = None,
) -> dict[str, Any]:
    """Runs a search to its budget, or goes on with it, or skips it where it has its result.

    Args:
        path: the folder.
        stop: requests a stop in between.
        consent: asks before a long or paid run; None: it does not.

    Returns:
        The result; its "status" is finished, stopped (by SIGTERM or Ctrl-C, its "signal") or spent (a component's budget), both
        with a checkpoint, or skipped.

    Raises:
        UserError: the folder, its checkpoint or a component is faulty; the message names the fix.
    """
    job = Job(settings, parts, path, console, stop or Stop(), consent)
    checks.objective_range(parts.search.domain)  # also of a run that goes on, which is not rehearsed
    for warning in parts.warnings:
        console.say(warning)
    config = to_config(settings)
    with folder.lock(path):
        folder.admit(path, config, settings.again)
        result = folder.result(path)
        if result is not None and is_enough(job, result):
            result |= {"status": "skipped"}
        else:
            saved = load_checkpoint(job)
            if result is not None:
                if saved is None:
                    raise UserError(f"{path} is finished and its checkpoint is gone, so it cannot go on", "type again=true")
                folder.reopen(path, saved.lengths)
            try:
                header = archive_file.header(parts.search, config, identity.origin(config, evaluations=0))
                result = _work(job._replace(header=header), saved)
            finally:
                report_usage(parts.services, console.say)
    console.close(result)
    for warning in parts.warnings:
        console.say(warning)
    return result


def _work(job: Job, saved: Checkpoint | None) -> dict[str, Any]:
    """Starts or goes on, searches, and ends."""
    settings, parts = job.settings, job.parts
    recorder = Recorder(job.path, parts.search, parts.referee, settings.log_every, saved, settings.film, parts.metrics)
    live.start(job.path, settings.log)
    job = job._replace(console=WorkerView(parts.search.domain, job.console))
    live_archive = live_map.LiveArchive(job)
    try:
        with on_stop_signal(job.stop.on_signal), naming_component(parts.search, lambda: _what_is_saved(job.path)):
            if not saved and (prepare := abilities.of_archive(parts.search.archive).prepare):
                prepare(parts.search.descriptor.bounds)  # before the search is timed: its speed says how long it will take
            if job.consent:
                begun = saved.state.evaluations if saved else 0
                job.consent.begin(begun, recorder.wall - recorder.compile_s, parts.services)
            state = saved.state if saved else _start(job, recorder)
            live_map.draw(job, state)
            live_archive.write(state)
            if saved:
                recorder.event("resumed", state)
            watch = plateau_watch(settings, job.path, state.archive)
            state = _search(job, recorder, state, watch, live_archive)
        level = watch.is_reached(recorder.last_refit)
        if state.evaluations < settings.budget and not level:
            result = interrupt(job, recorder, state)
            live_archive.remove()
            return result
        if level:
            job.console.say(f"ended at {state.evaluations} evaluations: {watch}")
        if recorder.saved is not state:
            recorder.save(state)
        result = finish(job, recorder, state, "plateau" if level else "budget")
        live_archive.remove()
        return result
    finally:
        recorder.close()


def _start(job: Job, recorder: Recorder) -> State:
    """Does generation 0 and saves it."""
    settings, search, console = job.settings, job.parts.search, job.console
    sample_key, key = keys.split(keys.new(settings.seed))
    refits.check_initial(settings, search.descriptor)
    if settings.source is None and settings.budget <= settings.initial:
        console.say(
            f"budget={settings.budget} is used up by the initial population (initial={settings.initial}): no search follows"
        )
    elif unused := refits.unused_questions(settings, search.descriptor):
        console.say("; ".join(unused))
    source = solutions.load(settings.source, search.domain) if settings.source else None
    initial = source.solutions if source else _sample(search.domain, sample_key, settings.initial)
    try:
        state, batch = start(search, key, initial)
    except TooFewSolutions as error:
        raise refits.too_few_at_start(settings, error, outcomes.why_failed(search.domain, initial)) from error
    archive_file.columns(state.archive)  # fails now where they cannot be stored
    warnings = {"warnings": list(job.parts.warnings)} if job.parts.warnings else {}
    recorder.event("started", state, seed=settings.seed, **warnings, **(source.compare(batch) if source else {}))
    if source:
        console.say(source.summary(batch))
    console.update(recorder.batch(state, batch) or recorder.row(state))
    recorder.save(state)
    return state


def _sample(domain: Domain, key: Array, n: int) -> Any:
    solutions = domain.sample(key, n)
    checks.sampled(domain, solutions, n)
    return solutions


def _search(job: Job, recorder: Recorder, state: State, watch: Watch, live_archive: live_map.LiveArchive) -> State:
    """Segments between refits. A segment also ends for console and checkpoint, which changes no elite."""
    settings, stop, search = job.settings, job.stop, job.parts.search
    length = SegmentLength(settings, job.parts.referee or job.parts.metrics or archives.has_fronts(state.archive))
    refit_schedule = refits.open_schedule(settings, job.path)
    while state.evaluations < settings.budget and not stop.is_requested and not watch.is_reached(recorder.last_refit):
        _ask(job, recorder, state)
        next_refit = refit_schedule.next(recorder.last_refit)
        if next_refit is not None and state.evaluations >= next_refit:
            live_map.draw(job, state)
            try:
                state = refit(search, state)
                recorder.refit(state)
                recorder.save(state)
            except Spent as error:
                stop.request(str(error))
            except TooFewSolutions as error:
                raise refits.too_few_at_refit(settings, error) from error
            live_map.draw(job, state)
            continue
        end = min(length.end(state.evaluations, recorder.is_checkpoint_due(settings.save_seconds)), settings.budget)
        began = time.monotonic()
        state = _segment(job, recorder, state, min(end, next_refit or end), (watch, refit_schedule))
        length.adapt(time.monotonic() - began)
        saved = recorder.saved.evaluations if recorder.saved else 0
        crossed = state.evaluations // settings.save_every > saved // settings.save_every
        if crossed and not stop.reason and recorder.is_checkpoint_due(settings.save_seconds):
            recorder.save(state)
            live_archive.write(state)
    return state


def _ask(job: Job, recorder: Recorder, state: State) -> None:
    """Asks once whether to go on with a long or paid run. Raises UserError where the answer is no."""
    if job.consent and not job.consent.done:
        busy, services = recorder.wall - recorder.compile_s, job.parts.services
        job.consent.check(state.evaluations, busy, services, lambda: recorder.save(state), job.console.say)


def _segment(job: Job, recorder: Recorder, state: State, until: int, readers: tuple[Watch, refits.Schedule]) -> State:
    """Steps until that many evaluations, or until it is stopped; ``readers`` get each row of metrics."""
    recorder.begin(state, one_generation=job.parts.run is search_run)
    last_update = time.monotonic()
    try:
        for state, batch in job.parts.run(job.parts.search, state, until):
            row = recorder.batch(state, batch)
            if row is not None:
                for reader in readers:
                    reader.add(row)
            if row is not None or time.monotonic() - last_update > _GLANCE:
                job.console.update(row or recorder.row(state))
                last_update = time.monotonic()
            if job.stop.is_requested:
                break
    except Spent as error:  # the state is the last whole generation's
        job.stop.request(str(error))
    return state


def _what_is_saved(path: Path) -> str:
    """Words for what a run that raised has saved."""
    saved = any((path / run_files.CHECKPOINTS).glob("*.ckpt"))
    where = f"results until the last checkpoint are in {path}" if saved else "nothing is saved yet"
    return f"; {where}: correct it and type the command again"


class SegmentLength:
    """How far a search goes before console, signals and checkpoints are looked at: so many rows of metrics, which changes none.

    Short segments are made longer, for each costs some work beside the search.
    """

    def __init__(self, settings: RunSettings, reader: Any) -> None:
        self.log_every, self.save_every = settings.log_every, settings.save_every
        # they act on each row; and how fronts stood inside a batch of many generations is not found again
        self.one_row = bool(reader) or bool(settings.stop) or settings.refit == "outside"
        self.rows = 1

    def end(self, evaluations: int, checkpoint_due: bool) -> int:
        """Returns where the next segment ends; at a checkpoint, where one is due by now."""
        end = (evaluations // self.log_every + self.rows) * self.log_every
        return min(end, (evaluations // self.save_every + 1) * self.save_every) if checkpoint_due else end

    def adapt(self, seconds: float) -> None:
        """Learns how long the last one took."""
        if not self.one_row:
            self.rows = max(1, min(int(self.rows * _SEGMENT_SECONDS / max(seconds, 1e-6)), self.rows * _GROWTH, _MOST_ROWS))
