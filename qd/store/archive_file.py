"""The archive as two files that anyone can read: archive.npz (no pickle) and archive.json (what it is).

Version 1 is a promise: later versions of this project read it. Text is stored as UTF-8 bytes and offsets.
"""

import hashlib
import io
import json
import math
from collections.abc import Mapping, Sequence
from numbers import Real
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from qd import abilities
from qd.store import identity
from qd.support import atomic, read_files, run_files
from qd.support.errors import UserError
from qd.support.moved import current_config
from qd.types import Search

FORMAT, VERSION = "qd-archive", 1
_LACKS = "name the folder of a run that has finished or was stopped, or give the run's command once more"
_AGAIN = "copy both files again, or give the run's command once more"
_NEAR = 5  # ids that a message lists
_SHAPES = {"id": ("iu", 1), "index": ("iu", 1), "objective": ("iuf", 1), "measures": ("iuf", 2)}  # column -> kinds, axes
Bounds = tuple[tuple[float, float], ...]


class StoredArchive(NamedTuple):
    """An archive read from its files, one row per elite."""

    columns: dict[str, np.ndarray]  # id, solution, objective, measures, index (the cell), ..., and every stored feature
    about: dict[str, Any]  # kind, bounds, dims or cells, dtypes, config, seed, evaluations, ...
    centroids: np.ndarray | None  # [cells, M] of a CVT


def rows_by_id(archive: StoredArchive, ids: Sequence[Any]) -> list[int]:
    """Returns the rows of elites in the columns of an archive.

    Args:
        archive: as it was read.
        ids: [n] numbers of evaluations.

    Returns:
        [n] rows, in the order of the ids.

    Raises:
        UserError: no elite has that id; names the ids nearest to it.
    """
    row_of_id = {int(number): row for row, number in enumerate(archive.columns["id"])}
    for number in ids:
        is_number = isinstance(number, Real)
        if not is_number or number not in row_of_id:
            near = sorted(row_of_id, key=lambda other: abs(other - float(number)) if is_number else other)[:_NEAR]
            fix = f"type one of {', '.join(map(str, sorted(near)))}" if near else "give the run a larger budget"
            raise UserError(f"the archive has no elite with id {number!r}", fix)
    return [row_of_id[number] for number in ids]


def header(search: Search, config: dict[str, Any], origin: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the entries of archive.json that describe the run.

    Args:
        config: of the run, as config.yaml holds it.
        origin: ``identity.origin`` of the run; or its result, which holds the same and more.
    """
    traits = abilities.of_domain(search.domain)
    layout = {} if traits.layout is None else {"layout": [[name, list(shape)] for name, shape in traits.layout]}
    names = {} if traits.objective_names is None else {"objective_names": list(map(str, traits.objective_names))}
    titles = {feature: list(map(str, columns)) for feature, columns in traits.axis_titles.items()}
    return (
        {name: origin[name] for name in identity.ORIGIN}
        | {"config": config, "objective_range": traits.objective_range}
        | layout
        | names
        | ({"axis_titles": titles} if titles else {})
    )


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
    arrays: dict[str, np.ndarray] = {}
    encodings = {name: _encode(name, column, arrays) for name, column in elite_columns.items()}
    kind, traits = _kind(archive), abilities.of_opened(archive)
    dims, cells, centroids = traits.dims, traits.cells, traits.centroids
    if centroids is not None:
        arrays["archive.centroids"] = np.asarray(centroids)
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)  # type: ignore[arg-type]
    data = buffer.getvalue()
    head = {
        "format": FORMAT,
        "version": VERSION,
        "kind": kind,
        "elites": len(elite_columns["objective"]),
        "bounds": [[float(low), float(high)] for low, high in bounds],
        "dims": None if dims is None else [int(n) for n in dims],
        "cells": None if cells is None else int(cells),
        "dtypes": {name: str(column.dtype) for name, column in elite_columns.items()},
        "encodings": encodings,
        "sha256": hashlib.sha256(data).hexdigest(),
    }
    header_data = encode_header(head | about)
    atomic.write(run / run_files.ARCHIVE, data)
    atomic.write(run / run_files.ARCHIVE_HEADER, header_data)


def encode_header(content: Mapping[str, Any]) -> bytes:
    """Returns archive.json: the content with its own checksum.

    Args:
        content: of what JSON can hold; a checksum in it is replaced.
    """
    return read_files.with_checksum(content, read_files.HEADER_CHECKSUM)


def load(run: Path) -> StoredArchive:
    """Reads an archive without running any code in it.

    Raises:
        UserError: a file is missing, damaged, not ours, or comes from a later version.
    """
    about = _about(run / run_files.ARCHIVE_HEADER)
    npz = run / run_files.ARCHIVE
    data = read_files.data(npz, _LACKS)
    if hashlib.sha256(data).hexdigest() != about.get("sha256"):
        raise UserError(
            f"{npz} does not fit archive.json beside it: it is truncated ({len(data)} bytes), or belongs to another run; "
            "copy both files again, or give the run's command once more"
        )
    arrays = read_files.npz(npz, _AGAIN, data)
    try:
        elite_columns = {name: _decode(name, encoding, arrays) for name, encoding in about["encodings"].items()}
    except (ValueError, KeyError, TypeError, IndexError, RecursionError) as error:
        raise UserError(f"{npz} is damaged: it is no archive of this project ({error!r})", _AGAIN) from error
    _check_columns(npz, elite_columns, about)
    centroids = arrays.get("archive.centroids")
    if centroids is not None and (centroids.ndim != 2 or centroids.shape[1] != len(about["bounds"])):
        raise UserError(f"{npz} is damaged: its centroids are {centroids.dtype} {list(centroids.shape)}", _AGAIN)
    return StoredArchive(elite_columns, about, centroids)


def newest(run: Path) -> Path | None:
    """Returns the folder of a run's newest archive: its own, or RUN/now while it runs; None where it has neither.

    Of a run that was stopped and goes on, the archive of the stop is older than that of the moment.
    """
    places = [place for place in (run, run / run_files.LIVE) if (place / run_files.ARCHIVE_HEADER).is_file()]
    if len(places) == 2 and (run / run_files.RESULT).is_file():
        return run
    return max(places, key=lambda place: (place / run_files.ARCHIVE_HEADER).stat().st_mtime_ns, default=None)


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


def _encode(name: str, column: np.ndarray, arrays: dict[str, np.ndarray]) -> str:
    """Puts a column into ``packed`` and returns its encoding: array, text or json."""
    if column.dtype != object:
        arrays[name] = column
        return "array"
    encoding = "text" if all(isinstance(item, str) for item in column) else "json"
    pieces = [(item if encoding == "text" else _json(name, item)).encode() for item in column]
    arrays[f"{name}.bytes"] = np.frombuffer(b"".join(pieces), np.uint8)
    arrays[f"{name}.offsets"] = np.cumsum([0, *map(len, pieces)], dtype=np.int64)
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


def _check_columns(npz: Path, columns: Mapping[str, np.ndarray], about: Mapping[str, Any]) -> None:
    """Raises UserError where a column is missing, or is not what archive.json and the archive's other columns say."""
    for name in (*_SHAPES, "solution"):
        if name not in columns:
            raise UserError(f"{npz} is damaged: it has no column {name!r}", _AGAIN)
    for name, (kinds, axes) in _SHAPES.items():
        column = columns[name]
        if column.dtype.kind not in kinds or column.ndim != axes:
            raise UserError(f"{npz} is damaged: the column {name!r} is {column.dtype} {list(column.shape)}", _AGAIN)
    counts = {name: len(column) if column.ndim else None for name, column in columns.items()}
    n = about.get("elites", counts["id"])
    wrong = [f"{name!r} has {count} rows" for name, count in counts.items() if count != n]
    if wrong:
        raise UserError(f"{npz} is damaged: the column {wrong[0]}, but there are {n} elites", _AGAIN)
    if columns["measures"].shape[1] != len(about["bounds"]):
        raise UserError(
            f"{npz} is damaged: {columns['measures'].shape[1]} measures, but archive.json has {len(about['bounds'])} bounds",
            _AGAIN,
        )


def _check_header(path: Path, about: Mapping[str, Any]) -> None:
    """Raises UserError where an entry that figures and tables are made from is not of its kind."""
    bounds, dims, scale = about.get("bounds"), about.get("dims"), about.get("objective_range")
    names = about.get("objective_names", [])
    sound = {
        "kind": isinstance(about.get("kind"), str),
        "bounds": isinstance(bounds, list) and len(bounds) > 0 and all(_is_pair(each) and each[0] < each[1] for each in bounds),
        "dims": dims is None or (isinstance(dims, list) and all(_is_count(n) for n in dims)),
        "cells": about.get("cells") is None or _is_count(about["cells"]),
        "elites": "elites" not in about or about["elites"] == 0 or _is_count(about["elites"]),
        "encodings": isinstance(about["encodings"], dict)
        and all(isinstance(each, str) for each in about["encodings"].values()),
        "config": isinstance(about.get("config", {}), dict),
        "evaluations": isinstance(about.get("evaluations", 0), int),
        "objective_names": isinstance(names, list) and all(isinstance(name, str) for name in names),
        "objective_range": scale is None or (_is_pair(scale) and scale[0] < scale[1]),
    }
    wrong = [name for name, is_sound in sound.items() if not is_sound]
    if wrong:
        raise UserError(f"{path} is damaged: its {wrong[0]} is {str(about.get(wrong[0]))[:60]}", _AGAIN)


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def _is_pair(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(isinstance(n, int | float) and math.isfinite(n) for n in value)


def _about(path: Path) -> dict[str, Any]:
    about = read_files.unchecked_object(path, _AGAIN if path.exists() else _LACKS)
    if about.get("format") != FORMAT or "encodings" not in about:
        raise UserError(f"{path} describes no archive of this project (its format is not {FORMAT!r})", "name a run's folder")
    if not isinstance(about.get("version"), int) or about["version"] > VERSION:
        raise UserError(
            f"{path} is of version {about.get('version')}, and this program reads up to {VERSION}",
            "type pip install -U qd-atlas",
        )
    about = read_files.checked(path, about, _AGAIN)
    _check_header(path, about)
    return about | {"config": current_config(about["config"])} if "config" in about else about
