"""Results that no checkpoint holds yet, recorded in the folder of a run: a run that is killed evaluates nothing twice.

A record is a line of JSON (what follows, in which shapes) and the plain bytes of its columns; nothing is unpickled. A
checkpoint empties the file. b rows of a chunk.
"""

import hashlib
import inspect
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from qd.remote.tasks import NAN, RowFailure
from qd.support import run_files
from qd.types import Array, Evaluation

_KEYS, _OBJECTIVE = "key", "objective"  # columns of a record, beside the features, which are named "feature NAME"
_FEATURE = "feature "
Parts = list[Evaluation | None]  # of a chunk: the whole, or each row; None: failed


class Journal:
    """The file of one run; without a folder nothing is recorded."""

    def __init__(self, run: str | None, domain: Any) -> None:
        self._path = None if run is None else Path(run, run_files.EVALUATIONS_AHEAD)
        self._file: BinaryIO | None = None
        self._source = _source(domain)
        self._records: dict[bytes, tuple[Parts, list[RowFailure]]] | None = None  # of the process before; None: not read yet

    def find(self, each: Array, solutions: Array) -> tuple[Parts, list[RowFailure]] | None:
        """Returns the results of a chunk that an earlier process recorded.

        Args:
            each: uint32 [b, 2].
            solutions: [b, ...].

        Returns:
            The parts and the failures; None where there are none.
        """
        if self._path is None:
            return None
        if self._records is None:
            self._records = self._read(self._path)
        return self._records.pop(_identity(each, solutions), None) if self._records else None

    def add(self, each: Array, solutions: Array, parts: Parts, failures: list[RowFailure]) -> None:
        """Records a chunk, unless an evaluation in it failed: its program may be corrected before the run goes on.

        Args:
            each: uint32 [b, 2].
            solutions: [b, ...].
            parts: the chunk as one, or each row.
            failures: of its rows.
        """
        if self._path is None or any(failure.reason != NAN for failure in failures):  # another time it may not fail
            return
        if self._file is None:
            self._file = self._path.open("ab")
        self._file.write(_record(_identity(each, solutions), self._source, parts, failures))
        self._file.flush()

    def clear(self) -> None:
        """Empties the file: a checkpoint holds all that is in it."""
        if self._path is not None and (self._file is not None or self._path.exists()):
            self.close()
            self._file = self._path.open("wb")

    def remove(self) -> None:
        """Removes the file: the run is finished."""
        self.close()
        if self._path is not None:
            self._path.unlink(missing_ok=True)

    def close(self) -> None:
        """Closes the file, which stays."""
        if self._file is not None:
            self._file.close()
        self._file = None

    def _read(self, path: Path) -> dict[bytes, tuple[Parts, list[RowFailure]]]:
        """Reads whole records of the same source; cuts what a kill left half written."""
        content = path.read_bytes() if path.is_file() else b""
        records, end = {}, 0
        for end, identity, source, record in _parse(content):
            if source == self._source:
                records[identity] = record
        if end < len(content):
            with path.open("r+b") as file:
                file.truncate(end)
        return records


def _record(identity: bytes, source: str, parts: Parts, failures: list[RowFailure]) -> bytes:
    present = [part for part in parts if part is not None]
    columns: dict[str, np.ndarray] = {}
    if present:
        columns[_OBJECTIVE] = np.concatenate([part.objective for part in present])
        for name in present[0].features:
            columns[_FEATURE + name] = np.concatenate([part.features[name] for part in present])
    content = b"".join(np.ascontiguousarray(column).tobytes() for column in columns.values())
    about = {
        "identity": identity.hex(),
        "source": source,
        "parts": [part is not None for part in parts],
        "failures": [list(failure) for failure in failures],
        "columns": {name: [column.dtype.str, list(column.shape)] for name, column in columns.items()},
        "bytes": len(content),
        "digest": hashlib.blake2b(content, digest_size=8).hexdigest(),
    }
    return json.dumps(about).encode() + b"\n" + content


def _parse(content: bytes) -> Iterator[tuple[int, bytes, str, tuple[Parts, list[RowFailure]]]]:
    """Yields (end, identity, source, record) of each whole record, until one is damaged."""
    start = 0
    while (line := content.find(b"\n", start)) >= 0:
        try:
            about = json.loads(content[start:line])
            end = line + 1 + int(about["bytes"])
            columns = content[line + 1 : end]
            if hashlib.blake2b(columns, digest_size=8).hexdigest() != about["digest"]:
                return
            record = _parts(about, columns), [RowFailure(int(row), str(why), str(text)) for row, why, text in about["failures"]]
            yield end, bytes.fromhex(about["identity"]), str(about["source"]), record
        except (ValueError, KeyError, TypeError, AttributeError):
            return
        start = end


def _parts(about: dict[str, Any], content: bytes) -> Parts:
    columns, offset = {}, 0
    for name, (dtype, shape) in about["columns"].items():
        kind = np.dtype(dtype)
        size = int(np.prod(shape, dtype=np.int64)) * kind.itemsize
        if kind.kind not in "biuf" or size < 0 or offset + size > len(content):
            raise ValueError(f"column {name!r}")
        columns[name] = np.frombuffer(content[offset : offset + size], kind).reshape(shape).copy()
        offset += size
    features = {name.removeprefix(_FEATURE): column for name, column in columns.items() if name != _OBJECTIVE}
    if len(about["parts"]) == 1:
        return [Evaluation(columns[_OBJECTIVE], features)] if about["parts"][0] else [None]
    ranks = np.cumsum(about["parts"]) - 1
    return [
        Evaluation(columns[_OBJECTIVE][rank : rank + 1], {name: column[rank : rank + 1] for name, column in features.items()})
        if present
        else None
        for present, rank in zip(about["parts"], ranks, strict=True)
    ]


def _identity(each: Array, solutions: Array) -> bytes:
    """Names a chunk: its keys, which no other evaluation has, and its solutions where these are numbers."""
    solutions = np.asarray(solutions)
    numbers = b"" if solutions.dtype == object else np.ascontiguousarray(solutions).tobytes()
    return hashlib.blake2b(np.ascontiguousarray(each).tobytes() + numbers, digest_size=16).digest()


def _source(domain: Any) -> str:
    """Names the code and the settings of a domain: results of others are not used."""
    try:
        file = inspect.getsourcefile(type(domain))
    except TypeError:  # typed at a prompt
        file = None
    code = Path(file).read_bytes() if file and Path(file).is_file() else b""
    return hashlib.blake2b(code + repr(domain).encode(), digest_size=8).hexdigest()
