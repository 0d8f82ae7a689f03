"""Files that only grow, and checksums by which a change that leaves plausible numbers is found.

A run's metrics.csv and events.jsonl are written by ``Growing``; RUN/checksums.json holds, for each, how many bytes there were
at the last checkpoint or at the end, and their SHA-256. What was written after the last checkpoint of a run that goes on, or
was killed, has none yet. Files of JSON lines that studies keep have a checksum in each line. A line cut off by a kill is left
out when read. What earlier versions wrote has no checksums, and is read as it is.
"""

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from qd.support import atomic, links, read_files, run_files
from qd.support.errors import UserError

_SUM = "sum"  # of a JSON line: 16 hex digits of the SHA-256 of all else in it
_AGAIN = "put it back from a copy, or give the run's command with again=true"


class Sum(NamedTuple):
    """The beginning of a file that grows."""

    bytes: int
    sha256: str


class Growing:
    """A file that only grows. Its length stands in each checkpoint; on resume it is cut to that."""

    def __init__(self, path: Path, length: int = 0) -> None:
        """Opens the file and cuts it. Raises UserError where it is shorter than ``length``, or cannot be written."""
        self.path = path
        with atomic.user_facing_os_errors(path):
            self._file = os.fdopen(links.open_file(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT), "ab")
            try:
                atomic.check_length(path, length)
            except UserError:
                self._file.close()
                raise
            self._file.truncate(length)
            self._hash = hashlib.sha256(path.read_bytes())
            self._bytes = length

    def add(self, *lines: str) -> None:
        """Adds lines and hands them to the system."""
        data = "".join([f"{line}\n" for line in lines]).encode()
        with atomic.user_facing_os_errors(self.path):
            self._file.write(data)
            self._file.flush()
        self._hash.update(data)
        self._bytes += len(data)

    def sync(self) -> int:
        """Makes sure that it is on the disk, and returns its length."""
        with atomic.user_facing_os_errors(self.path):
            os.fsync(self._file.fileno())
            return os.fstat(self._file.fileno()).st_size

    @property
    def sum(self) -> Sum:
        """The checksum of all that it holds."""
        return Sum(self._bytes, self._hash.hexdigest())

    def close(self) -> None:
        with suppress(OSError):  # a full disk was reported when the line was added
            self._file.close()


# --- checksums of a run's growing files


def write_sums(run: Path, sums: Mapping[str, Sum]) -> None:
    """Writes checksums.json: before the checkpoint that states the lengths, so that it covers at least what that does.

    Args:
        run: the folder.
        sums: by names of files.

    Raises:
        UserError: it cannot be written.
    """
    content = {name: each._asdict() for name, each in sums.items()}
    atomic.write(run / run_files.CHECKSUMS, read_files.with_checksum(content))


def cut_sums(run: Path, lengths: Mapping[str, int]) -> None:
    """Writes the checksums of files that are about to be cut to a length, where there are checksums; ``check`` comes before.

    Args:
        run: the folder.
        lengths: name -> bytes.

    Raises:
        UserError: a file cannot be read, or checksums.json cannot be written.
    """
    if (run / run_files.CHECKSUMS).is_file():
        heads = {name: read_files.data(run / name, _AGAIN)[:n] if n else b"" for name, n in lengths.items()}
        write_sums(run, {name: Sum(len(head), hashlib.sha256(head).hexdigest()) for name, head in heads.items()})


def has_sums(run: Path) -> bool:
    """Whether a run has checksums of its growing files; earlier versions wrote none."""
    return (run / run_files.CHECKSUMS).is_file()


def check(run: Path, names: Iterable[str]) -> None:
    """Raises UserError where one of a run's growing files is not what the run wrote, or is gone."""
    for name in names:
        if is_there(run / name):
            data(run / name)


def is_there(path: Path) -> bool:
    """Whether a growing file of a run is there. Raises UserError where its checksum says that there was one."""
    if path.is_file():
        return True
    sum_, _ = _expected(path)
    if sum_ is not None and sum_.bytes:
        raise UserError(f"{path} is gone: by {run_files.CHECKSUMS} the run wrote {sum_.bytes:,} bytes", _AGAIN)
    return False


def text(path: Path) -> str:
    """Returns the text of a growing file of a run, as ``data`` its bytes; UserError also where it is no text."""
    content = data(path)
    try:
        return read_files.decoded(path, content, _AGAIN)
    except UserError as error:
        raise UserError(f"{path} is damaged ({error.problem})", error.fix) from error


def data(path: Path) -> bytes:
    """Returns the bytes of a growing file of a run, whose checksum is compared first where there is one.

    Args:
        path: RUN/metrics.csv or RUN/events.jsonl; a run may be writing it.

    Raises:
        UserError: it cannot be read, or its beginning is not what the run wrote; of a finished run, all of it.
    """
    while True:
        expected = _expected(path)  # before the content, which only grows
        content = read_files.data(path, _AGAIN)
        if _fits(content, *expected):
            return content
        if _expected(path) == expected:  # else the run went on from a checkpoint in between, and cut the file
            sum_, finished = expected
            raise UserError(
                f"{path} is damaged: it has {len(content):,} bytes, and is not what the run wrote by the checksum of its "
                f"{'' if finished else 'first '}{sum_.bytes if sum_ else 0:,} bytes in {run_files.CHECKSUMS}",
                _AGAIN,
            )


def _fits(content: bytes, sum_: Sum | None, finished: bool) -> bool:
    if sum_ is None:
        return True
    is_whole = len(content) == sum_.bytes if finished else len(content) >= sum_.bytes
    return is_whole and hashlib.sha256(content[: sum_.bytes]).hexdigest() == sum_.sha256


def _expected(path: Path) -> tuple[Sum | None, bool]:
    """Returns the checksum of a file, None where there is none, and whether the run has its result: then it is of all of it."""
    file = path.with_name(run_files.CHECKSUMS)
    finished = path.with_name(run_files.RESULT).is_file()
    if not file.is_file():
        return None, finished
    entry = read_files.json_object(file, f"{_AGAIN}; without it {path.name} is read as it is").get(path.name)
    if entry is None:
        return None, finished
    if not isinstance(entry, dict) or not isinstance(entry.get("bytes"), int) or not isinstance(entry.get("sha256"), str):
        raise UserError(f"{file} is damaged: its {path.name} is {str(entry)[:60]}", _AGAIN)
    return Sum(entry["bytes"], entry["sha256"]), finished


# --- files of JSON lines


def append(path: Path, records: list[dict[str, Any]]) -> None:
    """Appends a line with its checksum for each record; a line that a kill cut off is ended first.

    Args:
        path: the file; it and its folders are made where there are none.
        records: each becomes a JSON object.

    Raises:
        TypeError: a record holds what JSON cannot; none of them is written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with os.fdopen(links.open_file(path, os.O_RDWR | os.O_APPEND | os.O_CREAT), "ab+") as file:
        if file.seek(0, os.SEEK_END):
            file.seek(-1, 2)
            if file.read() != b"\n":
                file.write(b"\n")
        file.write("".join(json.dumps({_SUM: _sum_of(record)} | record) + "\n" for record in records).encode())


def read(path: Path) -> list[dict[str, Any]]:
    """Returns the records of a file of JSON lines, without lines that are cut off; none where there is no file.

    Raises:
        UserError: a line is not what was written; names it.
    """
    if not path.is_file():
        return []
    records, has_sums = [], False
    for number, record in records_of(path.read_text(encoding="utf-8", errors="replace")):
        has_sums = has_sums or _SUM in record  # lines of earlier versions, without sums, are the first of a file
        if has_sums and record.pop(_SUM, None) != _sum_of(record):
            raise UserError(
                f"line {number} of {path} is damaged: its checksum does not fit it",
                "put it back from a copy, or remove the line, and what it kept is done again",
            )
        records.append(record)
    return records


def events(run: Path) -> list[dict[str, Any]]:
    """Returns the events of a run, without lines that are cut off; none where there is no events.jsonl.

    Raises:
        UserError: it is not what the run wrote.
    """
    path = run / run_files.EVENTS
    content = data(path) if is_there(path) else b""
    return [record for _, record in records_of(content.decode("utf-8", "replace"))]


def records_of(lines: str) -> list[tuple[int, dict[str, Any]]]:
    """Returns the objects among JSON lines, each with the number of its line from 1; what is no object is left out."""
    records = []
    for number, line in enumerate(lines.split("\n"), 1):
        try:
            record = json.loads(line)
        except (json.JSONDecodeError, RecursionError):
            continue
        if isinstance(record, dict):
            records.append((number, record))
    return records


def _sum_of(record: Mapping[str, Any]) -> str:
    return read_files.json_sha256(record)[:16]
