"""The end of a run: its archive, its result, or a stop with a checkpoint."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from qd import held_out
from qd.config.settings import to_config
from qd.runner.job import Job
from qd.store import archive_file, films, folder, identity, renderings
from qd.store.recorder import Recorder, Row
from qd.types import State


def finish(job: Job, recorder: Recorder, state: State, ended: str) -> dict[str, Any]:
    """Writes the archive, pictures and the result of a search that is over.

    Args:
        ended: by what: budget or plateau.
    """
    row, domain, settings = recorder.last_row(state), job.parts.search.domain, job.settings
    columns = held_out.judged(domain, state.archive, settings.seed)
    _write_archive(job, state, columns)
    row |= held_out.figures(domain, state.archive, columns)
    renderings.save(job.path, domain, state.archive, settings.renderings)
    films.save(job.path, domain, state.archive, settings.film)
    recorder.pack()
    result = _result(job, recorder, state, row) | {"status": "finished", "ended": ended}
    folder.finish(job.path, result)
    return result


def interrupt(job: Job, recorder: Recorder, state: State) -> dict[str, Any]:
    """Ends a run before its budget: writes the archive, and a checkpoint unless a part's own budget is spent.

    Where it is spent in the middle of a generation, the run goes on later from its last checkpoint and from recorded answers.

    Args:
        job: the search and its folder.
        recorder: of the run.
        state: at the end of the last whole generation.

    Returns:
        The result, which is not written; its "status" is spent or stopped.

    Raises:
        UserError: a file cannot be written, or the state cannot be pickled.
    """
    spent = job.stop.spent
    status = "spent" if spent else "stopped"
    recorder.event(status, state)
    if not spent:
        recorder.save(state)
    _write_archive(job, state)
    how = f", archive saved: {spent}" if spent else " with a checkpoint; the same command goes on from there"
    job.console.say(f"stopped at {state.evaluations} evaluations{how}")
    return _result(job, recorder, state, recorder.row(state)) | {"status": status}


def _write_archive(job: Job, state: State, more: Mapping[str, np.ndarray] | None = None) -> None:
    search, config = job.parts.search, to_config(job.settings)
    header = archive_file.header(search, config, identity.origin(config, state.evaluations))
    archive_file.save(job.path, state.archive, search.descriptor.bounds, header, more)


def _result(job: Job, recorder: Recorder, state: State, row: Row) -> dict[str, Any]:
    numbers = {name: None if number != number else number for name, number in row.items()}  # JSON knows no NaN
    best_ever = recorder.tally.best if recorder.tally.evaluated > recorder.tally.failed else None
    return identity.origin(to_config(job.settings), state.evaluations) | {
        "generation": state.generation,
        "budget": job.settings.budget,
        "folder": str(job.path),
        "metrics": numbers,
        "best_ever": best_ever,
        "wall_s": round(recorder.wall, 3),
        "sources": recorder.sources,
    }
