"""What entered the archive and when: numbered parts, each written once, packed at the end.

A part's number is the first generation in it. N accepted rows, P parents of one solution.
"""

import io
import shutil
from pathlib import Path

import numpy as np

from qd.store import files
from qd.types import Batch, State

Columns = dict[str, np.ndarray]  # generation [N], id [N], parents [N, P] (-1 none), cell [N], objective [N]
_NAMES = ("generation", "id", "parents", "cell", "objective")


class History:
    """The accepted rows since the last part, and the parts before."""

    def __init__(self, run: Path, generation: int) -> None:
        """Opens the history of a run that goes on at ``generation``; what is newer is removed."""
        self._run = run
        self._parts = run / "history"
        self._rows: list[Columns] = []
        self._next = generation
        files.make_folder(self._parts)
        files.tidy(self._parts)
        for path in _parts(self._parts):
            if int(path.stem) >= generation:
                path.unlink()
        _cut_last(self._parts, generation)

    def add(self, state: State, batch: Batch) -> None:
        """Takes the accepted rows of a batch, which left the search at ``state``."""
        accepted = batch.status > 0
        generations = state.generation - batch.first
        generation = batch.first + np.arange(len(batch.ids)) // (len(batch.ids) // generations)
        rows = (generation, batch.ids, batch.parents, batch.cell, batch.evaluation.objective)
        self._rows.append({name: np.asarray(column)[accepted] for name, column in zip(_NAMES, rows, strict=True)})

    def write_part(self, generation: int) -> None:
        """Writes the rows since the last part, before a checkpoint of ``generation``."""
        if self._rows:
            rows = _joined(self._rows)
            if len(rows["id"]):
                files.write(self._parts / f"{self._next:06d}.npz", _npz(rows))
        self._rows, self._next = [], generation

    def pack(self) -> None:
        """Joins all parts into history.npz; they stay until ``drop_parts``."""
        files.write(self._run / "history.npz", _npz(load_parts(self._run)))


def load(run: Path) -> Columns:
    """Returns the history of a run, finished or not. Raises ValueError where there is none."""
    packed = run / "history.npz"
    if (run / "result.json").exists() and packed.exists():
        return _read(packed)
    return load_parts(run)


def load_parts(run: Path) -> Columns:
    """Returns what the parts hold. Raises ValueError where there are none."""
    paths = _parts(run / "history")
    if not paths:
        raise ValueError(f"{run} holds no history; is it the folder of a run, and did its first generation end?")
    return _joined([_read(path) for path in paths])


def drop_parts(run: Path) -> None:
    """Removes the parts of a run that has its result."""
    if (run / "history").exists():
        shutil.rmtree(run / "history")


def unpack(run: Path) -> None:
    """Makes a finished run's history one part, so that the run can go on. Raises ValueError where it is gone."""
    if not (run / "history.npz").exists():
        raise ValueError(f"{run / 'history.npz'} is gone, so the run cannot go on; put it back, or type again=true")
    packed = _read(run / "history.npz")
    drop_parts(run)
    files.make_folder(run / "history")
    files.write(run / "history" / "000000.npz", _npz(packed))


def _cut_last(folder: Path, generation: int) -> None:
    """A part that was unpacked may reach beyond an older checkpoint."""
    for path in _parts(folder)[-1:]:
        rows = _read(path)
        before = rows["generation"] < generation
        if not before.all():
            files.write(path, _npz({name: column[before] for name, column in rows.items()}))


def _parts(folder: Path) -> list[Path]:
    """By number: a seventh digit would sort wrongly as text."""
    return sorted((path for path in folder.glob("*.npz") if path.stem.isdigit()), key=lambda path: int(path.stem))


def _read(path: Path) -> Columns:
    with np.load(path, allow_pickle=False) as columns:
        return {name: columns[name] for name in _NAMES}


def _npz(columns: Columns) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, **columns)  # type: ignore[arg-type]
    return buffer.getvalue()


def _joined(several: list[Columns]) -> Columns:
    width = max(rows["parents"].shape[1] for rows in several)
    widened = [rows | {"parents": _widened(rows["parents"], width)} for rows in several]
    return {name: np.concatenate([rows[name] for rows in widened]) for name in _NAMES}


def _widened(parents: np.ndarray, width: int) -> np.ndarray:
    missing = width - parents.shape[1]
    return np.pad(parents, [(0, 0), (0, missing)], constant_values=-1).astype(np.int64) if missing else parents.astype(np.int64)
