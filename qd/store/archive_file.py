"""The archive as two files that anyone can read: archive.npz (no pickle) and archive.json (what it is).

Version 1 is a promise: later versions of this project read it. Text is stored as UTF-8 bytes and offsets.
"""

import hashlib
import io
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from qd import abilities
from qd.store import identity
from qd.support import atomic, run_files
from qd.support.errors import UserError
from qd.support.moved import current_config
from qd.types import Search

FORMAT, VERSION = "qd-archive", 1
Bounds = tuple[tuple[float, float], ...]


class Stored(NamedTuple):
    """An archive read from its files, one row per elite."""

    columns: dict[str, np.ndarray]  # id, solution, objective, measures, index (the cell), ..., and every stored feature
    about: dict[str, Any]  # kind, bounds, dims or cells, dtypes, config, seed, evaluations, ...
    centroids: np.ndarray | None  # [cells, M] of a CVT


def header(search: Search, config: dict[str, Any], origin: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the entries of archive.json that describe the run.

    Args:
        origin: ``identity.origin`` of the run; or its result, which holds the same and more.
    """
    scale = abilities.of_domain(search.domain).objective_range
    return {name: origin[name] for name in identity.ORIGIN} | {"config": config, "objective_range": scale}


def save(run: Path, archive: Any, bounds: Bounds, about: dict[str, Any], more: Mapping[str, np.ndarray] | None = None) -> None:
    """Writes archive.npz, then archive.json with its checksum. N elites.

    Args:
        run: the folder, which exists.
        archive: a pyribs archive.
        bounds: (low, high) of each of the M measures.
        about: ``header`` of the run, and whatever else archive.json is to hold.
        more: further columns, name -> [N, ...], in the archive's order.

    Raises:
        UserError: a solution cannot be stored as text, or the files cannot be written.
    """
    elite_columns = columns(archive) | dict(more or {})
    packed: dict[str, np.ndarray] = {}
    encodings = {name: _encode(name, column, packed) for name, column in elite_columns.items()}
    traits = abilities.of_opened(archive)
    if traits.centroids is not None:
        packed["archive.centroids"] = np.asarray(traits.centroids)
    buffer = io.BytesIO()
    np.savez(buffer, **packed)  # type: ignore[arg-type]
    data = buffer.getvalue()
    head = {
        "format": FORMAT,
        "version": VERSION,
        "kind": _kind(archive),
        "elites": len(elite_columns["objective"]),
        "bounds": [[float(low), float(high)] for low, high in bounds],
        "dims": None if traits.dims is None else [int(n) for n in traits.dims],
        "cells": None if traits.cells is None else int(traits.cells),
        "dtypes": {name: str(column.dtype) for name, column in elite_columns.items()},
        "encodings": encodings,
        "sha256": hashlib.sha256(data).hexdigest(),
    }
    atomic.write(run / run_files.ARCHIVE, data)
    atomic.write(run / run_files.ARCHIVE_HEADER, (json.dumps(head | about, indent=1) + "\n").encode())


def load(run: Path) -> Stored:
    """Reads an archive without running any code in it.

    Raises:
        ValueError: a file lacks, is truncated, is not ours, or comes from a later version.
    """
    about = _about(run / run_files.ARCHIVE_HEADER)
    npz = run / run_files.ARCHIVE
    data = _bytes(npz)
    if hashlib.sha256(data).hexdigest() != about.get("sha256"):
        raise UserError(
            f"{npz} does not fit archive.json beside it: it is truncated ({len(data)} bytes), or belongs to another run; "
            "copy both files again, or give the run's command once more"
        )
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as packed:
            arrays = {name: packed[name] for name in packed.files}
        decoded = {name: _decode(name, encoding, arrays) for name, encoding in about["encodings"].items()}
    except (ValueError, KeyError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise UserError(f"{npz} is no archive of this project ({error}); a foreign file must be converted first") from error
    return Stored(decoded, about, arrays.get("archive.centroids"))


def columns(archive: Any) -> dict[str, np.ndarray]:
    """Returns all columns of a pyribs archive's elites. Raises ValueError where a solution can be stored as no text."""
    elite_columns = {name: np.asarray(column) for name, column in archive.data(return_type="dict").items()}
    for name, column in elite_columns.items():
        _encode(name, column, {})
    return elite_columns


def _kind(archive: Any) -> str:
    """Names the pyribs class that an archive is or extends: grid, cvt, proximity, ..."""
    ours = (kind for kind in type(archive).__mro__ if kind.__module__.startswith("ribs."))
    return next(ours, type(archive)).__name__.removesuffix("Archive").lower()


def _encode(name: str, column: np.ndarray, packed: dict[str, np.ndarray]) -> str:
    """Puts a column into ``packed`` and returns its encoding: array, text or json."""
    if column.dtype != object:
        packed[name] = column
        return "array"
    encoding = "text" if all(isinstance(item, str) for item in column) else "json"
    pieces = [(item if encoding == "text" else _json(name, item)).encode() for item in column]
    packed[f"{name}.bytes"] = np.frombuffer(b"".join(pieces), np.uint8)
    packed[f"{name}.offsets"] = np.cumsum([0, *map(len, pieces)], dtype=np.int64)
    return encoding


def _json(name: str, item: Any) -> str:
    try:
        return json.dumps(item)
    except (TypeError, ValueError) as error:
        raise UserError(
            f"a {type(item).__name__} in the column {name!r} cannot be stored as text ({error}); "
            "make solutions of text, numbers, lists and dicts"
        ) from error


def _decode(name: str, encoding: str, arrays: dict[str, np.ndarray]) -> np.ndarray:
    if encoding == "array":
        return arrays[name]
    data, offsets = arrays[f"{name}.bytes"].tobytes(), arrays[f"{name}.offsets"]
    column = np.empty(len(offsets) - 1, dtype=object)
    for i in range(len(column)):
        piece = data[offsets[i] : offsets[i + 1]].decode()
        column[i] = piece if encoding == "text" else json.loads(piece)
    return column


def _about(path: Path) -> dict[str, Any]:
    try:
        about = json.loads(_bytes(path))
    except ValueError as error:
        if isinstance(error, json.JSONDecodeError | UnicodeDecodeError):
            raise UserError(
                f"{path} is truncated or no JSON ({error})", "copy it again, or give the run's command once more"
            ) from error
        raise
    if not isinstance(about, dict) or about.get("format") != FORMAT or "encodings" not in about:
        raise UserError(f"{path} describes no archive of this project (its format is not {FORMAT!r})", "name a run's folder")
    if not isinstance(about.get("version"), int) or about["version"] > VERSION:
        raise UserError(
            f"{path} is of version {about.get('version')}, and this program reads up to {VERSION}",
            "type pip install -U qd-atlas",
        )
    return about | {"config": current_config(about["config"])} if isinstance(about.get("config"), dict) else about


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UserError(
            f"{path} cannot be read ({error.strerror})",
            "name the folder of a run that has finished or was stopped, or give the run's command once more",
        ) from error
