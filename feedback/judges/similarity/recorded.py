"""Answers on disk, a JSON line each, as a judge.

    {"x": 12, "a": 40, "b": 7, "answer": "a", "rater": "ann", "marks": ["09ab31f2", "77e0c1d4", "5c2f00aa"]}

x, a, b are ids of solutions; answer is "a", "b" or "?" (can't tell); rater and marks may be left out. A mark is made of a
solution's own bytes: where it differs, the id belongs to another run, and the answer is not used. Nor is one that says
"counted": false: a repeat, or one that came too late. Without x the question was which of a and b is better.

T questions.
"""

import json
import warnings
import zlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from feedback.judges import CANT_TELL, A, B
from qd.support.errors import UserError
from qd.types import Rows

_CODES = {"a": A, "b": B, "?": CANT_TELL}
_BETTER = -1  # stands for x where two were compared


class Named(NamedTuple):
    """A solution in a question: the running number of its evaluation, and a mark of its bytes."""

    id: int
    mark: str

    def __str__(self) -> str:
        return f"{self.id}-{self.mark}"


Question = tuple[Named, ...]  # x, a, b; or a, b where two are compared


def named(rows: Rows) -> list[Named]:
    """Names each of N solutions."""
    return [Named(int(number), mark(solution)) for number, solution in zip(rows.ids, rows.solutions, strict=True)]


def mark(solution: Any) -> str:
    """Returns 8 hex digits of a solution's bytes, or of its text."""
    data = solution.tobytes() if isinstance(solution, np.ndarray) and solution.dtype != object else str(solution).encode()
    return f"{zlib.crc32(data):08x}"


class Vote(NamedTuple):
    """One rater's answer to one question."""

    answer: int  # A, B or CANT_TELL
    rater: str
    marks: tuple[str, ...] | None  # of x, a, b; of a, b where two were compared


class Book:
    """Votes by question, each once; ``source`` is named in warnings."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.votes: dict[tuple[int, int, int], list[Vote]] = {}  # ids of x, a, b

    def add(self, record: Any) -> None:
        """Adds one answer, as a JSON line holds it. Raises ValueError, KeyError or TypeError where it is none."""
        names = "xab" if "x" in record else "ab"
        ids, marks = tuple(record[name] for name in names), record.get("marks")
        if not all(isinstance(i, int) and i >= 0 for i in ids):
            raise ValueError(f"{', '.join(names)} are {ids}, not ids")
        if record["answer"] not in _CODES:
            raise ValueError(f"answer {record['answer']!r} is none of a, b, ?")
        if marks is not None and (not isinstance(marks, list) or len(marks) != len(ids)):
            raise ValueError(f"marks are not {len(ids)}")
        if record.get("counted") is not False:
            vote = Vote(_CODES[record["answer"]], str(record.get("rater", "")), None if marks is None else tuple(marks))
            self.votes.setdefault(ids if len(ids) == 3 else (_BETTER, *ids), []).append(vote)  # type: ignore[arg-type]

    def count(self, questions: Sequence[Question]) -> int:
        """Returns how many of T questions have an answer, "can't tell" included."""
        return sum(bool(votes) for votes in self._of_each(questions, warn=False))

    def answers(self, questions: Sequence[Question]) -> np.ndarray:
        """Answers T questions by majority, int8 [T]; "can't tell" where there is no answer."""
        return np.array([_majority(votes) for votes in self._of_each(questions)], np.int8)

    def raters(self, questions: Sequence[Question], names: Sequence[str]) -> np.ndarray:
        """Numbers by ``names`` the rater of each answer, int32 [T]; of several the first one who agrees with the majority.

        A rater who is not among ``names`` is one more; without a name the number is 0.
        """
        numbers = {"": 0} | {name: i for i, name in enumerate(names)}
        agreeing = ([v.rater for v in votes if v.answer == _majority(votes)] for votes in self._of_each(questions))
        return np.array([numbers.get(raters[0] if raters else "", len(names)) for raters in agreeing], np.int32)

    def _of_each(self, questions: Sequence[Question], warn: bool = True) -> list[list[Vote]]:
        """Returns the votes about these very solutions; warns of those about others of the same ids."""
        votes = [self._whichever_way_round(*question) for question in questions]
        ours = [
            [vote for vote in each_votes if vote.marks is None or vote.marks == tuple(each.mark for each in question)]
            for each_votes, question in zip(votes, questions, strict=True)
        ]
        others = sum(map(len, votes)) - sum(map(len, ours))
        if others and warn:
            warnings.warn(
                f"{others} answers in {self.source} are about other solutions of the same ids, from another run: not used",
                stacklevel=4,
            )
        return ours

    def _whichever_way_round(self, *question: Named) -> list[Vote]:
        *above, a, b = (each.id for each in question)
        x = above[0] if above else _BETTER
        turned = self.votes.get((x, b, a), ()) if a != b else ()
        return [*self.votes.get((x, a, b), ()), *map(_turned, turned)]


def book(records: Iterable[Any], source: str) -> Book:
    """Returns the votes of answers that are whole: those of a store, never edited by hand.

    Args:
        records: answers as a JSON line holds them, already read.
        source: where they come from, for warnings.

    Returns:
        The votes by question.

    Raises:
        ValueError: an answer is none of a, b and ?, or its ids or marks do not fit; also KeyError or TypeError where a
            record lacks a field.
    """
    votes = Book(source)
    for record in records:
        votes.add(record)
    return votes


def read(path: str) -> Book:
    """Returns the votes of a file of JSON lines. Lines that cannot be read are named in a warning, and the rest is kept.

    Raises:
        UserError: there is no such file.
    """
    if not Path(path).is_file():
        raise UserError(f"there is no file of answers {path}", "type path=FILE.jsonl, one JSON line an answer")
    status = Path(path).stat()
    return _read(path, status.st_mtime_ns, status.st_size)


@dataclass
class RecordedCounts:
    """How many questions a search has put to a file of answers so far."""

    questions: int = 0
    answered: int = 0


@dataclass(frozen=True)
class Recorded:
    """Answers from a file, by majority where several raters answered; "can't tell" where the file has no answer.

    A file that answers fewer than ``min_share`` of the questions put at a time belongs to another run, and is refused:
    a search would learn nothing from it. ``names`` numbers the raters in their order; a rater not named is one more.
    """

    path: str
    names: tuple[str, ...] = ()
    min_share: float = 0.5
    counts: RecordedCounts = field(default_factory=RecordedCounts, compare=False, repr=False)

    def __post_init__(self) -> None:
        if not 0 <= self.min_share <= 1:
            raise UserError(f"min_share={self.min_share} is no share", "type a number between 0 and 1")

    def __call__(self, x: Rows, a: Rows, b: Rows) -> np.ndarray:
        """Returns the answers [T]. Raises UserError where too few of the questions have one."""
        return self._answers(questions(x, a, b))

    def report(self) -> list[dict[str, Any]]:
        """Returns how many questions had an answer in the file, for the end of a run."""
        share = f"{self.counts.answered:,} of {self.counts.questions:,} found"
        return [{"recorded answers": share, "file": self.path}] if self.counts.questions else []

    def _answers(self, batch: list[Question]) -> np.ndarray:
        book = read(self.path)
        n = book.count(batch)
        self.counts.questions, self.counts.answered = self.counts.questions + len(batch), self.counts.answered + n
        if n < self.min_share * len(batch):
            raise UserError(
                f"{self.path} answers {n} of {len(batch)} questions: it belongs to another run, or to other settings",
                "type judge.path=FILE with this run's answers, or +judge.min_share=0 to go on without them",
            )
        return book.answers(batch)

    def raters(self, x: Rows, a: Rows, b: Rows) -> np.ndarray:
        """Who answered, [T]; of several the first who said what the majority said."""
        return read(self.path).raters(questions(x, a, b), self.names)

    def better(self, a: Rows, b: Rows) -> np.ndarray:
        """Answers which of two is better, [T]."""
        return self._answers(questions(a, b))


def questions(*rows: Rows) -> list[Question]:
    """Returns T questions about x, a, b, or about a, b."""
    return list(zip(*map(named, rows), strict=True))


@lru_cache(maxsize=16)
def _read(path: str, changed: int, size: int) -> Book:
    votes, bad = Book(path), []
    for number, line in enumerate(Path(path).read_bytes().splitlines(), 1):
        if not line.strip():
            continue
        try:
            votes.add(json.loads(line))
        except (ValueError, KeyError, TypeError, RecursionError) as error:  # json's own error is a ValueError
            bad.append(f"line {number}: {type(error).__name__}: {error}")
    if bad:
        examples = "; ".join(bad[:5]) + ("; ..." if len(bad) > 5 else "")
        warnings.warn(f"{len(bad)} answers in {path} cannot be read and are left out ({examples})", stacklevel=4)
    return votes


def _turned(vote: Vote) -> Vote:
    """The same vote where a and b change places."""
    return Vote(-vote.answer, vote.rater, vote.marks and (*vote.marks[:-2], *reversed(vote.marks[-2:])))


def _majority(votes: list[Vote]) -> int:
    counts = Counter(vote.answer for vote in votes if vote.answer != CANT_TELL).most_common(2)
    if not counts or (len(counts) == 2 and counts[0][1] == counts[1][1]):
        return CANT_TELL
    return counts[0][0]
