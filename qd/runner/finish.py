"""The end of a run: its archive, its result, or a stop with a checkpoint."""

import signal
import textwrap
from collections.abc import Mapping
from typing import Any

import numpy as np

from qd import abilities, held_out
from qd.runner.job import Job
from qd.store import archive_file, films, folder, identity, renderings
from qd.store.recorder import Recorder, Row
from qd.support import growing, run_files, signals
from qd.types import State


def finish(job: Job, recorder: Recorder, state: State, ended: str) -> dict[str, Any]:
    """Writes the archive, pictures and the result of a search that is over.

    Args:
        ended: by what: budget or plateau.
    """
    row, domain, settings = recorder.last_row(state), job.parts.search.domain, job.settings
    columns, figures = held_out.evaluate(domain, state.archive, settings.seed)
    about = _write_archive(job, state, columns)
    row |= figures
    renderings.save(job.path, domain, state.archive, settings.renderings)
    films.save(job.path, domain, state.archive, settings.film)
    result = _result(job, recorder, state, row, about) | {"status": "finished", "ended": ended}
    recorder.pack()
    recorder.write_sums()
    folder.finish(job.path, result)
    _say_failures(job, recorder)
    advice = abilities.of_domain(domain).advice
    if words := "; ".join(filter(None, advice() if advice else ())):
        job.console.say(words)
    return result


def interrupt(job: Job, recorder: Recorder, state: State) -> dict[str, Any]:
    """Ends a run before its budget: writes a checkpoint and the archive.

    Where a component's own budget is used up in the middle of a generation, the run goes on later from the generation before
    it, and from recorded answers.

    Args:
        job: the search and its folder.
        recorder: of the run.
        state: at the end of the last whole generation.

    Returns:
        The result, which is not written; its "status" is spent or stopped, its "signal" that which stopped it or 0.

    Raises:
        UserError: a file cannot be written, or the state cannot be pickled.
    """
    reason, number = job.stop.reason, job.stop.signal
    status = "spent" if reason else "stopped"
    recorder.event(status, state, **({"signal": signal.Signals(number).name} if number else {}))
    recorder.save(state)
    about = _write_archive(job, state)
    how = f", archive saved: {reason}" if reason else " with a checkpoint; the same command goes on from there"
    job.console.say(f"stopped{signals.words(number)} at {state.evaluations} evaluations{how}")
    return _result(job, recorder, state, recorder.row(state), about) | {"status": status, "signal": number}


def _say_failures(job: Job, recorder: Recorder) -> None:
    """Says why the first solution failed, where most of them did and their domain knows why."""
    failed, count = recorder.tally.failed, recorder.tally.evaluations
    if failed > count / 2:
        events = (event for event in growing.events(job.path) if event.get("event") == "failed")
        if reason := next((event["reason"] for event in events if event.get("reason")), ""):
            first = textwrap.shorten(reason, 200, placeholder=" ...")
            job.console.say(f"{failed} of {count} evaluations failed, the first because: {first}; {run_files.EVENTS} has more")


def _write_archive(job: Job, state: State, more: Mapping[str, np.ndarray] | None = None) -> dict[str, Any]:
    """Writes the archive and returns its header."""
    header = {**job.header, run_files.EVALUATIONS: state.evaluations}
    archive_file.save(job.path, state.archive, job.parts.search.descriptor.bounds, header, more)
    return header


def _result(job: Job, recorder: Recorder, state: State, row: Row, about: dict[str, Any]) -> dict[str, Any]:
    numbers = {name: None if number != number else number for name, number in row.items()}  # JSON knows no NaN
    best_ever = recorder.tally.best if recorder.tally.evaluations > recorder.tally.failed else None
    return (
        {name: about[name] for name in identity.ORIGIN}
        | {
            "generation": state.generation,
            "budget": job.settings.budget,
            "folder": str(job.path),
            "metrics": numbers,
            "best_ever": best_ever,
            "wall_s": round(recorder.wall, 3),
            "compile_s": round(recorder.compile_s, 3),
            "sources": recorder.sources,
        }
        | recorder.workers.summary()
    )
