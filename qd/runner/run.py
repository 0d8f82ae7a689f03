"""The job of `qd run`: one search in one folder, that goes on from wherever it was cut off.

run -> refit -> run -> ... -> result.json
"""

import time
from pathlib import Path
from typing import Any

from qd import keys
from qd.config import schedule
from qd.config.compose import Assembled
from qd.config.settings import RunSettings, to_config
from qd.runner import refits, snapshot, usage
from qd.runner.console import Display
from qd.runner.finish import _finish, _stop
from qd.runner.resume import is_enough
from qd.runner.stopping import Stop, Watch, check_plateau, ending, plateau_watch, stopping
from qd.runner.stride import Stride
from qd.search import refit, start
from qd.search import run as search_run
from qd.store import archive_file, checkpoint, folder, identity, solutions
from qd.store.checkpoint import Checkpoint
from qd.store.recorder import Recorder
from qd.support import run_files
from qd.support.error_notes import Noting, raised_by
from qd.support.errors import UserError
from qd.types import Search, State

_GLANCE = 0.5  # seconds between two looks of the console


def run(settings: RunSettings, parts: Assembled, path: Path, console: Display, stop: Stop | None = None) -> dict[str, Any]:
    """Runs a search to its budget, or goes on with it, or skips it where it has its result.

    Args:
        stop: for whoever wants to stop it in between.

    Returns:
        The result; its "status" is finished, stopped (by SIGTERM or Ctrl-C, with a checkpoint), spent (a part's
        budget, without one) or skipped.

    Raises:
        ValueError: the folder, its checkpoint or a part is not as it must be; says what to type instead.
    """
    check(settings)
    with folder.locked(path):
        folder.admit(path, to_config(settings), settings.again)
        done = folder.result(path)
        if done is not None and is_enough(done, settings, parts, path, console):
            result = done | {"status": "skipped"}
        else:
            saved = _load(settings, parts, path, console)
            if done is not None:
                if saved is None:
                    raise UserError(f"{path} is finished and its checkpoint is gone, so it cannot go on", "type again=true")
                folder.reopen(path)
            with usage.told(parts.services, console.say):
                result = _work(settings, parts, path, console, saved, stop or Stop())
    console.close(result)
    return result


def check(settings: RunSettings) -> None:
    """Raises ValueError where a number of the job makes no sense."""
    for name in ("budget", "initial", "log_every", "save_every"):
        if getattr(settings, name) < 1:
            raise UserError(f"{name}={getattr(settings, name)} is too little", f"type {name}=1 or more")
    if not settings.save_seconds >= 0:
        raise UserError(f"save_seconds={settings.save_seconds} is below 0", "type 0 for a checkpoint at each save_every")
    schedule.check(settings)
    check_plateau(settings)


def _work(
    settings: RunSettings, parts: Assembled, path: Path, console: Display, saved: Checkpoint | None, stop: Stop
) -> dict[str, Any]:
    recorder = Recorder(path, parts.search, parts.referee, settings.log_every, saved, settings.film)
    try:
        with stopping(stop), Noting(lambda error: _saved(path)):
            state = saved.state if saved else _start(settings, parts.search, recorder, console)
            snapshot.show(settings, parts, path, state)
            if saved:
                recorder.event("resumed", state)
            watch = plateau_watch(settings, recorder.run, state.archive)
            state = _search(settings, parts, recorder, state, console, stop, watch)
        level = watch.reached(recorder.last_refit)
        if state.evaluations < settings.budget and not level:
            return _stop(settings, parts, path, recorder, state, console, stop)
        if level:
            console.say(f"ended at {state.evaluations} evaluations: {watch}")
        if recorder.saved is not state:
            recorder.save(state)
        return _finish(settings, parts, path, recorder, state, "plateau" if level else "budget")
    finally:
        recorder.close()


def _saved(path: Path) -> str:
    """Says what a run that raised has saved."""
    saved = any((path / run_files.CHECKPOINTS).glob("*.ckpt"))
    where = f"what was found until the last checkpoint is in {path}" if saved else "nothing was found yet"
    return f"; {where}: mend it and give the command again"


def _load(settings: RunSettings, parts: Assembled, path: Path, console: Display) -> Checkpoint | None:
    """Returns where the run goes on; ``again`` starts anew where its checkpoint is refused or its code has changed."""
    try:
        saved = checkpoint.load(path / run_files.CHECKPOINTS, console.say)
    except ValueError:
        if not settings.again:
            raise
        saved, changed = None, ["all"]
    else:
        changed = identity.changed(saved.sources, identity.fingerprint(parts.search, parts.referee)) if saved else []
    if not changed:
        return saved
    if settings.again:
        folder.wipe(path)
        folder.admit(path, to_config(settings), settings.again)
        return None
    console.say(
        f"the code of {', '.join(changed)} has changed since the checkpoint; going on with the new code. "
        "Type again=true to run it anew"
    )
    return saved


def _start(settings: RunSettings, search: Search, recorder: Recorder, console: Display) -> State:
    """Does generation 0 and saves it."""
    sample_key, key = keys.split(keys.new(settings.seed))
    known = solutions.load(settings.source, search.domain) if settings.source else None
    with raised_by("domain", search.domain):
        initial = known.solutions if known else search.domain.sample(sample_key, settings.initial)
    state, batch = start(search, key, initial)
    archive_file.columns(state.archive)  # what cannot be stored is told of now
    recorder.event("started", state, seed=settings.seed, **(known.compared(batch) if known else {}))
    if known:
        console.say(known.said(batch))
    console.update(recorder.batch(state, batch) or recorder.row(state))
    recorder.save(state)
    if unasked := refits.unasked(settings, search.descriptor):
        console.say("; ".join(unasked))
    return state


def _search(
    settings: RunSettings,
    parts: Assembled,
    recorder: Recorder,
    state: State,
    console: Display,
    stop: Stop,
    watch: Watch,
) -> State:
    """Stretches between refits. A stretch ends too where somebody looks on or a checkpoint is due, which changes no elite."""
    lessons, stride = refits.opened(settings, recorder.run), Stride(settings, parts.referee)
    while state.evaluations < settings.budget and not stop.asked and not watch.reached(recorder.last_refit):
        due = lessons.next(recorder.last_refit)
        if due is not None and state.evaluations >= due:
            snapshot.show(settings, parts, recorder.run, state)
            with ending(stop):
                state = refit(parts.search, state)
                recorder.refit(state)
                recorder.save(state)
            snapshot.show(settings, parts, recorder.run, state)
            continue
        end = stride.end(state.evaluations, recorder.rested(settings.save_seconds))
        state = _stretch(parts, recorder, state, min(end, settings.budget, due or end), console, stop, (watch, lessons), stride)
        saved = recorder.saved.evaluations if recorder.saved else 0
        crossed = state.evaluations // settings.save_every > saved // settings.save_every
        if crossed and not stop.spent and recorder.rested(settings.save_seconds):
            recorder.save(state)
    return state


def _stretch(
    parts: Assembled,
    recorder: Recorder,
    state: State,
    until: int,
    console: Display,
    stop: Stop,
    lookers: tuple,
    stride: Stride,
) -> State:
    recorder.begin(state, one_generation=parts.run is search_run)
    began = looked = time.monotonic()
    with ending(stop):
        for state, batch in parts.run(parts.search, state, until):
            row = recorder.batch(state, batch)
            if row is not None:
                for looker in lookers:
                    looker.add(row)
            if row is not None or time.monotonic() - looked > _GLANCE:
                console.update(row or recorder.row(state))
                looked = time.monotonic()
            if stop.asked:
                break
    stride.took(time.monotonic() - began)
    return state
