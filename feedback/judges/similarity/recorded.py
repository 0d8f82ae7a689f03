"""Answers on disk, a JSON line each: written as they are given, read back as a judge.

    {"x": 12, "a": 40, "b": 7, "answer": "a", "rater": "ann", "marks": ["09ab31f2", "77e0c1d4", "5c2f00aa"]}

x, a, b are ids of solutions; answer is "a", "b" or "?" (can't tell); rater and marks may be left out. A mark is made of a
solution's own bytes: where it differs, the id belongs to another run, and the answer is not used. Nor is one that says
"counted": false: a repeat, or one that came too late. Without x the question was which of a and b is better.
"""

import json
import threading
import warnings
import zlib
from collections import Counter
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from feedback.judges import CANT_TELL, A, B, Judge
from qd.support.errors import UserError
from qd.types import Rows

_CODES = {"a": A, "b": B, "?": CANT_TELL}
_LETTERS = {code: letter for letter, code in _CODES.items()}
_BETTER = -1  # stands for x where two were compared
_writing = threading.Lock()


class Said(NamedTuple):
    answer: int
    rater: str
    marks: tuple[str, ...] | None  # of x, a, b; of a, b where two were compared


Book = dict[tuple[int, int, int], list[Said]]


@dataclass(frozen=True)
class Recorded:
    """Answers what is in the file, by majority where several people answered; it cannot tell anything else.

    ``names`` numbers the raters in their order; someone who is not named is one more.
    """

    path: str
    names: tuple[str, ...] = ()

    def __call__(self, x: Rows, a: Rows, b: Rows) -> np.ndarray:
        return np.array([_majority(said) for said in self._known(x, a, b)], np.int8)

    def raters(self, x: Rows, a: Rows, b: Rows) -> np.ndarray:
        """Who answered, [T]; of several the first who said what the majority said."""
        numbers = {name: i for i, name in enumerate(self.names)}
        who = (next((s.rater for s in said if s.answer == _majority(said)), "") for said in self._known(x, a, b))
        return np.array([numbers.get(name, len(self.names) if name else 0) for name in who], np.int32)

    def better(self, a: Rows, b: Rows) -> np.ndarray:
        """Answers which of two is better, [T]."""
        return np.array([_majority(said) for said in self._known(None, a, b)], np.int8)

    def _known(self, x: Rows | None, a: Rows, b: Rows) -> list[list[Said]]:
        book, found, strange = read(self.path), [], 0
        shown = (a, b) if x is None else (x, a, b)
        for i in range(len(a.ids)):
            said = _about(book, _BETTER if x is None else int(x.ids[i]), int(a.ids[i]), int(b.ids[i]))
            mine = [s for s in said if s.marks is None or s.marks == tuple(mark(rows.solutions[i]) for rows in shown)]
            strange += len(said) - len(mine)
            found.append(mine)
        if strange:
            warnings.warn(
                f"{strange} answers in {self.path} are about other solutions of the same ids, from another run: not used",
                stacklevel=3,
            )
        return found


@dataclass(frozen=True)
class Recording:
    """Another judge, whose answers are appended to a file as they are given; asked again, the file answers."""

    judge: Judge
    path: str
    rater: str = ""

    @property
    def keep(self) -> tuple[str, ...]:
        return getattr(self.judge, "keep", ())

    def __call__(self, x: Rows, a: Rows, b: Rows) -> np.ndarray:
        known = Recorded(self.path)._known(x, a, b) if Path(self.path).exists() else [[] for _ in x.ids]
        if all(known):
            return np.array([_majority(said) for said in known], np.int8)
        answers = np.asarray(self.judge(x, a, b))
        for i, code in enumerate(answers):
            if not known[i]:
                ids = {name: int(rows.ids[i]) for name, rows in zip("xab", (x, a, b), strict=True)}
                marks = [mark(rows.solutions[i]) for rows in (x, a, b)]
                append(self.path, ids | {"answer": _LETTERS[int(code)], "rater": self.rater, "marks": marks})
        return answers


def read(path: str) -> Book:
    """Returns the answers of each triplet. Lines that cannot be read are named in a warning, and the rest is kept.

    Raises:
        ValueError: there is no such file.
    """
    if not Path(path).is_file():
        raise UserError(f"there is no file of answers {path}", "type path=FILE.jsonl, one JSON line an answer")
    status = Path(path).stat()
    return _read(path, status.st_mtime_ns, status.st_size)


def append(path: str, line: dict[str, Any]) -> None:
    """Appends one answer, on a line of its own also where the last one was cut off."""
    with _writing, Path(path).open("a+b") as file:
        if file.tell():
            file.seek(-1, 2)
            if file.read(1) != b"\n":
                file.write(b"\n")
        file.write(json.dumps(line).encode() + b"\n")


def mark(solution: Any) -> str:
    """Returns 8 hex digits of a solution's bytes, or of its text."""
    data = solution.tobytes() if isinstance(solution, np.ndarray) and solution.dtype != object else str(solution).encode()
    return f"{zlib.crc32(data):08x}"


@lru_cache(maxsize=16)
def _read(path: str, changed: int, size: int) -> Book:
    book: Book = {}
    bad: list[str] = []
    for number, line in enumerate(Path(path).read_bytes().splitlines(), 1):
        if not line.strip():
            continue
        try:
            parsed = _parsed(json.loads(line))
        except (ValueError, KeyError, TypeError) as error:  # json's own error is a ValueError
            bad.append(f"line {number}: {type(error).__name__}: {error}")
            continue
        if parsed is not None:
            book.setdefault(parsed[0], []).append(parsed[1])
    if bad:
        shown = "; ".join(bad[:5]) + ("; ..." if len(bad) > 5 else "")
        warnings.warn(f"{len(bad)} answers in {path} cannot be read and are left out ({shown})", stacklevel=4)
    return book


def _parsed(line: Any) -> tuple[tuple[int, int, int], Said] | None:
    """Returns what a line says of which triplet, None where it does not count."""
    letters = "xab" if "x" in line else "ab"
    ids = tuple(line[name] for name in letters)
    if not all(isinstance(i, int) and i >= 0 for i in ids):
        raise ValueError(f"{', '.join(letters)} are {ids}, not ids")
    if line["answer"] not in _CODES:
        raise ValueError(f"answer {line['answer']!r} is none of a, b, ?")
    marks = line.get("marks")
    if marks is not None and (not isinstance(marks, list) or len(marks) != len(ids)):
        raise ValueError(f"marks are not {len(ids)}")
    if line.get("counted") is False:
        return None
    said = Said(_CODES[line["answer"]], str(line.get("rater", "")), None if marks is None else tuple(marks))
    return (ids if "x" in line else (_BETTER, *ids)), said  # type: ignore[return-value]


def _about(book: Book, x: int, a: int, b: int) -> list[Said]:
    """What was said of a triplet, whichever way round a and b were shown."""
    turned = [
        Said(-s.answer, s.rater, s.marks and (*s.marks[:-2], *reversed(s.marks[-2:])))
        for s in book.get((x, b, a), ())
        if a != b
    ]
    return [*book.get((x, a, b), ()), *turned]


def _majority(said: list[Said]) -> int:
    counts = Counter(s.answer for s in said if s.answer != CANT_TELL).most_common(2)
    if not counts or (len(counts) == 2 and counts[0][1] == counts[1][1]):
        return CANT_TELL
    return counts[0][0]
