"""The runs below a folder, each described by what its files say; a file is read again only after it changed."""

import hashlib
import os
import shlex
import stat
import threading
import time
from collections.abc import Mapping
from itertools import islice
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from qd.store import archive_file, metrics_file, runs
from qd.support import growing, links, locks, read_files, run_files
from qd.support.errors import UserError

MOST = 2_000  # runs that are listed
_READ_WHOLE = (run_files.CONFIG, run_files.RESULT, run_files.ARCHIVE_HEADER, run_files.CHECKSUMS)
_WATCHED = (
    *_READ_WHOLE, run_files.LOCK, run_files.METRICS, run_files.EVENTS, run_files.LIVE, run_files.RENDERINGS,
)  # fmt: skip
_LARGEST = 64 << 20  # bytes of a file that is read whole
_WALK_SHARE = 0.1  # of the time is spent on the search for runs, at most
_AT_ONCE = 0.5  # seconds for which a list is not made again
_AGAIN = "give the run's command once more"
_LETTERS = 200  # of a text out of a folder
_SCORES = ("coverage", "qd_score", "best")


class ListedRun(NamedTuple):
    """A run of the list."""

    id: str  # its path below the folder
    path: str  # as a command names it
    state: str  # finished, running, stopped or unreadable
    problem: str = ""  # why it is unreadable
    about: str = ""  # its domain and archive
    evaluations: int | None = None
    budget: int | None = None
    scores: Mapping[str, float] = MappingProxyType({})  # coverage, qd_score, best
    changed: float = 0.0  # seconds since 1970
    version: str = ""  # another one whenever a file of the run changed


class Listing:
    """Lists the runs below a folder, from several threads."""

    def __init__(self, folder: Path) -> None:
        """Takes the folder. Raises UserError where it is none."""
        if not folder.is_dir():
            raise UserError(
                f"{folder} is {'no folder' if folder.exists() else 'not there'}", "type qd run first, or a folder of runs"
            )
        self.folder = folder
        self.left_out = False  # there are more than MOST runs
        self._lock = threading.Lock()
        self._paths: dict[str, Path] = {}
        self._entries: dict[str, ListedRun] = {}
        self._walk_due = self._list_due = 0.0
        self._find()

    def entries(self) -> list[ListedRun]:
        """Returns all runs, in order of their ids."""
        with self._lock:
            now = time.monotonic()
            if now >= self._walk_due:
                self._find()
            if now >= self._list_due:
                known = self._entries
                self._entries = {id: describe(id, path, known.get(id)) for id, path in self._paths.items()}
                self._list_due = time.monotonic() + _AT_ONCE
            return list(self._entries.values())

    def entry(self, id: str) -> ListedRun | None:
        """Returns one run as it is now; None where the list has no such id, whatever path the id may spell."""
        with self._lock:
            if id not in self._paths and time.monotonic() >= self._walk_due:
                self._find()
            if id not in self._paths:
                return None
            self._entries[id] = describe(id, self._paths[id], self._entries.get(id))
            return self._entries[id]

    def path(self, id: str) -> Path:
        """Returns the folder of a run of the list."""
        return self._paths[id]

    def _find(self) -> None:
        began = time.monotonic()
        paths = list(islice(runs.below(self.folder, "qd view runs"), MOST + 1))
        self.left_out = len(paths) > MOST
        self._paths = {_text(path.relative_to(self.folder).as_posix()): path for path in paths[:MOST]}
        self._walk_due = began + (time.monotonic() - began) / _WALK_SHARE


def describe(id: str, run: Path, known: ListedRun | None = None) -> ListedRun:
    """Describes a run.

    Args:
        id: of the list.
        run: its folder.
        known: an earlier description; returned as it is where nothing changed since.

    Returns:
        The entry; its state is "unreadable", with the reason, where a file is damaged, too large, or no plain file.
    """
    files = _files(run)
    version = hashlib.sha256(repr(sorted(files.items())).encode()).hexdigest()[:16]
    is_running = run_files.LOCK in files and run_files.RESULT not in files and locks.is_taken(run / run_files.LOCK)
    if known is not None and known.version == version and (known.state == "running") == is_running:
        return known
    changed = max((file.time_ns / 1e9 for file in files.values()), default=0.0)
    entry = ListedRun(id, shlex.quote(_text(str(run))), "unreadable", changed=changed, version=version)
    try:
        _check(run, files)
        state = "finished" if run_files.RESULT in files else "running" if is_running else "stopped"
        return entry._replace(state=state, **_facts(run, files, is_running))
    except (UserError, OSError) as error:
        return entry._replace(problem=_text(error)[:_LETTERS])


class _File(NamedTuple):
    time_ns: int
    size: int
    mode: int


def _files(run: Path) -> dict[str, _File]:
    """Returns those files that a description is made from; none where the folder is gone."""
    try:
        with os.scandir(run) as places:
            stats = {place.name: place.stat(follow_symlinks=False) for place in places if place.name in _WATCHED}
    except OSError:
        return {}
    return {name: _File(entry.st_mtime_ns, entry.st_size, entry.st_mode) for name, entry in stats.items()}


def _check(run: Path, files: dict[str, _File]) -> None:
    """Raises UserError where a file is a link, a pipe or a device, or larger than such a file ever is."""
    for name, file in files.items():
        if not stat.S_ISREG(file.mode) and not stat.S_ISDIR(file.mode):
            raise UserError(f"{name} is {'a link' if stat.S_ISLNK(file.mode) else 'no plain file'}, and is not opened")
        if name in _READ_WHOLE and file.size > _LARGEST:
            raise UserError(f"{name} has {file.size:,} bytes, and is not opened")
    links.check(run, (run_files.LIVE,))


def _facts(run: Path, files: dict[str, _File], is_running: bool) -> dict[str, Any]:
    """Reads what an entry says. Raises UserError where a file is damaged."""
    place = archive_file.newest(run)
    header = {} if place is None else read_files.json_object(place / run_files.ARCHIVE_HEADER, _AGAIN)
    config = header.get("config")
    if is_running or not config:  # the archive may be of a smaller budget; yaml takes long to read
        config = read_files.yaml_mapping(run / run_files.CONFIG, _AGAIN)
    has_rows = run_files.METRICS in files
    if has_rows and not is_running and run_files.RESULT not in files and files[run_files.METRICS].size <= _LARGEST:
        growing.check(run, (run_files.METRICS,))
    row = metrics_file.last_row(run / run_files.METRICS) if has_rows else {}
    if run_files.RESULT in files:
        result = read_files.json_object(run / run_files.RESULT, _AGAIN)
        metrics = result.get("metrics")
        row |= {"evals": result.get("evaluations")} | (metrics if isinstance(metrics, dict) else {})
    return {
        "about": _about(config if isinstance(config, dict) else {}, header),
        "evaluations": _count(row.get("evals")),
        "budget": _count(config.get("budget")) if isinstance(config, dict) else None,
        "scores": {name: float(value) for name in _SCORES if _is_finite(value := row.get(name)) and value is not None},
    }


def _about(config: dict[str, Any], header: dict[str, Any]) -> str:
    parts = [config.get(name) for name in ("domain", "archive")]
    names = [str(part.get("_target_", "")).rpartition(".")[2] for part in parts if isinstance(part, dict)]
    dims = header.get("dims")
    shape = "×".join(map(str, dims)) if isinstance(dims, list) else ""
    return _text(" · ".join(name for name in (*names, shape) if name))[:_LETTERS]


def _count(value: Any) -> int | None:
    return int(value) if _is_finite(value) and value >= 0 else None


def _is_finite(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e300


def _text(value: Any) -> str:
    """Returns a text that JSON and a page can hold."""
    return str(value).encode("utf-8", "replace").decode()
