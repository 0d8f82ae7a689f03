"""The end of a run: its archive, its result, or a stop with a checkpoint."""

from pathlib import Path
from typing import Any

from qd import abilities, held_out
from qd.config.compose import Assembled
from qd.config.settings import RunSettings, to_config
from qd.runner.console import Display
from qd.runner.stopping import Stop
from qd.store import archive_file, films, folder, identity, renderings
from qd.store.recorder import Recorder
from qd.support import provenance
from qd.types import State


def _stop(
    settings: RunSettings, parts: Assembled, path: Path, recorder: Recorder, state: State, console: Display, stop: Stop
) -> dict[str, Any]:
    """Writes the archive; and a checkpoint, unless half a generation was done: then the last one and recorded answers go on."""
    ended = "spent" if stop.spent else "stopped"
    recorder.event(ended, state)
    if not stop.spent:
        recorder.save(state)
    _write_archive(settings, parts, path, state)
    why = f", archive saved: {stop.spent}" if stop.spent else " with a checkpoint; the same command goes on from there"
    console.say(f"stopped at {state.evaluations} evaluations{why}")
    return _result(settings, recorder, state, recorder.row(state)) | {"status": ended}


def _finish(
    settings: RunSettings, parts: Assembled, path: Path, recorder: Recorder, state: State, ended: str
) -> dict[str, Any]:
    row = recorder.last_row(state)
    told = held_out.judged(parts.search.domain, state.archive, settings.seed)
    _write_archive(settings, parts, path, state, told)
    row |= held_out.figures(parts.search.domain, state.archive, told)
    renderings.save(path, parts.search.domain, state.archive, settings.renderings)
    films.save(path, parts.search.domain, state.archive, settings.film)
    recorder.pack()
    result = _result(settings, recorder, state, row) | {"status": "finished", "ended": ended}
    folder.finish(path, result)
    return result


def _write_archive(settings: RunSettings, parts: Assembled, path: Path, state: State, more: dict | None = None) -> None:
    scale = abilities.of_domain(parts.search.domain).objective_range
    about = _about(settings, state) | {"commit": provenance.commit(), "config": to_config(settings), "objective_range": scale}
    archive_file.save(path, state.archive, parts.search.descriptor.bounds, about, more)


def _result(settings: RunSettings, recorder: Recorder, state: State, row: dict[str, float]) -> dict[str, Any]:
    numbers = {name: None if number != number else number for name, number in row.items()}  # JSON knows no NaN
    best_ever = recorder.tally.best if recorder.tally.evaluated > recorder.tally.failed else None
    return _about(settings, state) | {
        "generation": state.generation,
        "budget": settings.budget,
        "folder": str(recorder.run),
        "metrics": numbers,
        "best_ever": best_ever,
        "wall_s": round(recorder.wall, 3),
        "sources": recorder.sources,
        "commit": provenance.commit(),
    }


def _about(settings: RunSettings, state: State) -> dict[str, Any]:
    return {
        "evaluations": state.evaluations,
        "seed": settings.seed,
        "config_hash": identity.config_hash(to_config(settings)),
        "versions": identity.versions(),
    }
