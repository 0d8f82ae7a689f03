"""What entered the archive and when, and for a film where all else ended: numbered parts, each written once, packed at the end.

A part's number is the first generation in it. N accepted rows, P parents of one solution.
"""

import io
import shutil
from contextlib import suppress
from pathlib import Path

import numpy as np

from qd.support import atomic, read_files, run_files
from qd.support.errors import UserError
from qd.types import Batch, State

Columns = dict[str, np.ndarray]  # generation [N], id [N], parents [N, P] (-1 none), cell [N], objective [N]
HISTORY, FILM = "history", "film"  # folders of parts, and names of the packed files
_AGAIN = "put it back from a copy, or type again=true to run it again"
_AXES = {"generation": 1, "id": 1, "parents": 2, "cell": 1, "objective": 1}  # column -> axes
_FILM_AXES = {"generation": 1, "objective": 1, "place": 2}
_KINDS = {name: "biuf" if name in ("objective", "place") else "iu" for name in (*_AXES, *_FILM_AXES)}
FILMED = tuple(_FILM_AXES)  # of every row that did not fail: place [N, 2] is the feature that is filmed


class History:
    """The accepted rows since the last part, and the parts before; or, of a ``film``, all rows and that feature."""

    def __init__(self, run: Path, generation: int, film: str | None = None) -> None:
        """Opens the history of a run that goes on at ``generation``; what is newer is removed."""
        self._run, self._film = run, film
        self._parts = run / (FILM if film else HISTORY)
        self._rows: list[Columns] = []
        self._next = generation
        atomic.make_folder(self._parts)
        atomic.tidy(self._parts)
        for path in _parts(self._parts):
            if int(path.stem) >= generation:
                path.unlink()
        _cut_last(self._parts, generation)

    def add(self, state: State, batch: Batch) -> None:
        """Takes the accepted rows of a batch.

        Args:
            state: of the search after the batch.
            batch: of one generation or more, B rows.

        Raises:
            UserError: the feature of a film has not two numbers.
        """
        is_accepted = batch.status > (-1 if self._film else 0)
        generations = state.generation - batch.first
        generation = batch.first + np.arange(len(batch.ids)) // (len(batch.ids) // generations)
        objective, features = batch.evaluation
        if self._film:
            place = np.asarray(features[self._film], np.float32)
            if place.shape[1:] != (2,):
                shape = list(place.shape[1:])
                raise UserError(f"film={self._film} is {shape} in each row, but places have two numbers", "type film=position")
            rows = dict(zip(FILMED, (generation, objective, place), strict=True))
        else:
            rows = dict(zip(_AXES, (generation, batch.ids, batch.parents, batch.cell, objective), strict=True))
        self._rows.append({name: np.asarray(column)[is_accepted] for name, column in rows.items()})

    def write_part(self, generation: int) -> None:
        """Writes the rows since the last part, before a checkpoint of ``generation``."""
        if self._rows:
            rows = _join(self._rows)
            if len(rows["generation"]):
                atomic.write(self._parts / f"{self._next:06d}.npz", _npz(rows))
        self._rows, self._next = [], generation

    def pack(self) -> None:
        """Joins all parts into history.npz or film.npz; they stay until ``drop_parts``."""
        atomic.write(self._parts.with_suffix(".npz"), _npz(load_parts(self._run, self._parts.name)))


def load(run: Path, kind: str = HISTORY) -> Columns:
    """Returns the history of a run, or its film, finished or not.

    Args:
        run: the folder.
        kind: HISTORY or FILM.

    Returns:
        Columns [N], in order of generation: of HISTORY the accepted rows (see ``Columns``), of FILM all rows that did not fail
        (see ``FILMED``).

    Raises:
        UserError: there is none.
    """
    file = run / f"{kind}.npz"
    if (run / run_files.RESULT).exists() and file.exists():
        return _read(file)
    return load_parts(run, kind)


def load_parts(run: Path, kind: str = HISTORY) -> Columns:
    """Returns what the parts hold, as ``load`` does; arguments as in ``load``.

    Returns:
        The columns of all parts, joined in order of their numbers.

    Raises:
        UserError: there are no parts.
    """
    paths = _parts(run / kind)
    if not paths:
        raise UserError(f"{run} holds no {kind}; is it the folder of a run, and did its first generation end?")
    return _join([_read(path) for path in paths])


def drop_parts(run: Path) -> None:
    """Removes the parts of a run that has its result."""
    for kind in (HISTORY, FILM):
        if (run / kind).exists():
            shutil.rmtree(run / kind)


def drop_packed_parts(run: Path) -> None:
    """Removes the parts that a run left behind when it was killed right after its result, if all of them are packed."""
    for kind in (HISTORY, FILM):
        if (run / kind).is_dir():
            with suppress(UserError):  # a damaged file: then the parts are all that is left
                _read(run / f"{kind}.npz")
                shutil.rmtree(run / kind)


def unpack(run: Path) -> None:
    """Makes a finished run's history one part, so that the run can go on. Raises ValueError where it is gone."""
    if not (run / "history.npz").exists():
        raise UserError(f"{run / 'history.npz'} is gone, so the run cannot go on", "put it back, or type again=true")
    columns_of = {kind: _read(run / f"{kind}.npz") for kind in (HISTORY, FILM) if (run / f"{kind}.npz").exists()}
    drop_parts(run)
    for kind, columns in columns_of.items():
        atomic.make_folder(run / kind)
        atomic.write(run / kind / "000000.npz", _npz(columns))


def _cut_last(folder: Path, generation: int) -> None:
    """A part that was unpacked may reach beyond an older checkpoint."""
    for path in _parts(folder)[-1:]:
        rows = _read(path)
        before = rows["generation"] < generation
        if not before.all():
            atomic.write(path, _npz({name: column[before] for name, column in rows.items()}))


def _parts(folder: Path) -> list[Path]:
    """By number: a seventh digit would sort wrongly as text."""
    return sorted((path for path in folder.glob("*.npz") if path.stem.isdigit()), key=lambda path: int(path.stem))


def _read(path: Path) -> Columns:
    """Reads a part or a packed file. Raises UserError where it is damaged."""
    arrays = read_files.npz(path, _AGAIN)
    axes = _FILM_AXES if "place" in arrays else _AXES
    for name in axes:
        if name not in arrays:
            raise UserError(f"{path} is damaged: it has no column {name!r}", _AGAIN)
    columns = {name: arrays[name] for name in axes}
    for name, column in columns.items():
        if column.ndim != axes[name] or len(column) != len(columns["generation"]) or column.dtype.kind not in _KINDS[name]:
            raise UserError(f"{path} is damaged: the column {name!r} is {column.dtype} {list(column.shape)}", _AGAIN)
    return columns


def _npz(columns: Columns) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, **columns)  # type: ignore[arg-type]
    return buffer.getvalue()


def _join(several: list[Columns]) -> Columns:
    if "parents" in several[0]:
        width = max(rows["parents"].shape[1] for rows in several)
        several = [rows | {"parents": _widen(rows["parents"], width)} for rows in several]
    return {name: np.concatenate([rows[name] for rows in several]) for name in several[0]}


def _widen(parents: np.ndarray, width: int) -> np.ndarray:
    missing = width - parents.shape[1]
    return np.pad(parents, [(0, 0), (0, missing)], constant_values=-1).astype(np.int64) if missing else parents.astype(np.int64)
