"""The journal of a run: every program with its source, its origin and its evaluation, one JSON object a line.

A program is evaluated once: a run that was ended goes on with what stands in the journal.
"""

import hashlib
import math
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from qd.support import growing, run_files

FILE = run_files.PROGRAMS
_CODE = (".py", ".sh", ".r", ".rs", ".cpp", ".c", ".h", ".js", ".ts", ".jl", ".yaml", ".yml")
INITIAL = "initial"  # the operator of the first programs
_OUTPUT = 2_000  # characters of a program's output


class Record(NamedTuple):
    """The evaluation of one program."""

    objective: float  # NaN: it failed
    features: dict[str, float]
    words: str  # why it failed, or what its score says
    output: str
    seconds: float
    memory: float


class Origin(NamedTuple):
    """Where a program comes from."""

    by: str  # the operator, or INITIAL
    parents: tuple[str, ...]  # names


class ProgramJournal:
    """Safe for several threads; only one process writes it."""

    def __init__(self, folder: str | None, of: str) -> None:
        """Opens it.

        Args:
            folder: of the run; None: in memory alone.
            of: settings of problem and sandbox; evaluations of others are not used.

        Raises:
            UserError: a line of it is not what was written, or it is a link.
        """
        self._path = None if folder is None else Path(folder, FILE)
        self._of = hashlib.sha256(of.encode()).hexdigest()[:12]
        self._lock = threading.Lock()
        self.sources: dict[str, str] = {}
        self._records: dict[str, Record] = {}
        self._origins: dict[str, Origin] = {}
        for line in [] if self._path is None else growing.read(self._path):
            self._take(line)

    def find(self, source: str) -> Record | None:
        """Returns the evaluation of a program, if it has one."""
        return self._records.get(name_of(source))

    def origin(self, source: str) -> Origin | None:
        """Returns where a program comes from, if that is known."""
        return self._origins.get(name_of(source))

    def written(self) -> list[str]:
        """Returns the sources that an operator made, those without usable code included; none of them is a first program."""
        return [self.sources[name] for name, origin in self._origins.items() if origin.by != INITIAL]

    def note_origin(self, source: str, by: str, parents: Sequence[str] = ()) -> None:
        """Notes where a program comes from, the first time.

        Args:
            source: of the program.
            by: name of the operator.
            parents: sources of its parents.
        """
        name = name_of(source)
        if name not in self._origins:
            self._write({"program": name, "source": source, "by": by, "parents": [name_of(each) for each in parents]})

    def add(self, source: str, record: Record) -> None:
        """Adds an evaluation.

        Args:
            source: of the program.
            record: its evaluation.
        """
        fields = record._asdict() | {"output": record.output[:_OUTPUT]}
        numbers = {key: None if isinstance(value, float) and math.isnan(value) else value for key, value in fields.items()}
        more = {} if name_of(source) in self.sources else {"source": source}
        self._write({"program": name_of(source), "of": self._of, **more, **numbers})

    def _write(self, line: dict[str, Any]) -> None:
        with self._lock:
            self._take(line)
            if self._path is not None:
                growing.append(self._path, [line])  # closed at once: a run that is killed keeps it

    def _take(self, line: dict[str, Any]) -> None:
        name = line.get("program", "")
        if "source" in line:
            self.sources[name] = line["source"]
        if "by" in line:
            self._origins.setdefault(name, Origin(line["by"], tuple(line["parents"])))
        elif line.get("of") == self._of:
            numbers = {key: math.nan if line.get(key) is None else line[key] for key in ("objective", "seconds", "memory")}
            self._records[name] = Record(**numbers, features=line["features"], words=line["words"], output=line["output"])


def code_in(folders: Sequence[str]) -> list[str]:
    """Returns a hash of the code and settings that lie directly in some folders, a text for each file of them.

    Args:
        folders: paths.
    """
    files = [path for folder in folders for path in sorted(Path(folder).iterdir()) if path.suffix.lower() in _CODE]
    return [f"{path.name} {hashlib.sha256(path.read_bytes()).hexdigest()}" for path in files if path.is_file()]


def name_of(source: str) -> str:
    """Returns the name of a program: 12 digits of its hash."""
    return hashlib.sha256(source.encode()).hexdigest()[:12]
