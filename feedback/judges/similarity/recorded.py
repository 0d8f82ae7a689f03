"""Answers on disk, a JSON line each, as a judge.

    {"x": 12, "a": 40, "b": 7, "answer": "a", "rater": "ann", "marks": ["09ab31f2", "77e0c1d4", "5c2f00aa"]}

x, a, b are ids of solutions; answer is "a", "b" or "?" (can't tell); rater and marks may be left out. A mark is made of a
solution's bytes: where it differs, the id belongs to another run, and the answer is not used. Answers with "counted": false
(repeats, and answers that came too late) are not used either. Without x the question was which of a and b is better.

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
_BETTER = -1  # in place of x where the question is which of two is better


class SolutionName(NamedTuple):
    """A solution in a question: the running number of its evaluation, and a mark of its bytes."""

    id: int
    mark: str

    def __str__(self) -> str:
        return f"{self.id}-{self.mark}"


Question = tuple[SolutionName, ...]  # x, a, b; or a, b where the question is which is better


def names(rows: Rows) -> list[SolutionName]:
    """Returns the name of each of N solutions."""
    return [SolutionName(int(number), mark(solution)) for number, solution in zip(rows.ids, rows.solutions, strict=True)]


def mark(solution: Any) -> str:
    """Returns 8 hex digits of a solution's bytes, or of its text."""
    data = solution.tobytes() if isinstance(solution, np.ndarray) and solution.dtype != object else str(solution).encode()
    return f"{zlib.crc32(data):08x}"


class Vote(NamedTuple):
    """One rater's answer to one question."""

    answer: int  # A, B or CANT_TELL
    rater: str
    marks: tuple[str, ...] | None  # of x, a, b; or of a, b


class Book:
    """Votes by question, each once; ``source`` is named in warnings."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.votes: dict[tuple[int, int, int], list[Vote]] = {}  # ids of x, a, b

    def add(self, record: Any) -> None:
        """Adds one answer in the form of a JSON line. Raises ValueError, KeyError or TypeError where it is not valid."""
        letters = "xab" if "x" in record else "ab"
        ids, marks = tuple(record[letter] for letter in letters), record.get("marks")
        if not all(isinstance(i, int) and i >= 0 for i in ids):
            raise ValueError(f"{', '.join(letters)} are {ids}, not ids")
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
        """Returns the rater of each answer; of several, the first one that agrees with the majority.

        Args:
            questions: T questions.
            names: of raters, numbered in this order.

        Returns:
            Numbers, int32 [T]: ``len(names)`` for a rater who is not among the names, 0 for an answer without a name.
        """
        numbers = {"": 0} | {name: i for i, name in enumerate(names)}
        agreeing = ([v.rater for v in votes if v.answer == _majority(votes)] for votes in self._of_each(questions))
        return np.array([numbers.get(raters[0] if raters else "", len(names)) for raters in agreeing], np.int32)

    def _of_each(self, questions: Sequence[Question], warn: bool = True) -> list[list[Vote]]:
        """Returns the votes on each question; warns of votes about other solutions with the same ids, which are left out."""
        votes = [self._in_either_order(*question) for question in questions]
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

    def _in_either_order(self, *question: SolutionName) -> list[Vote]:
        *above, a, b = (each.id for each in question)
        x = above[0] if above else _BETTER
        swaps = self.votes.get((x, b, a), ()) if a != b else ()
        return [*self.votes.get((x, a, b), ()), *map(_swap, swaps)]


def book(records: Iterable[Any], source: str) -> Book:
    """Returns the votes of valid answers: those of a store, which nobody edits by hand.

    Args:
        records: answers in the form of JSON lines, parsed.
        source: their origin, for warnings.

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
    """Returns the votes of a file of JSON lines. A warning lists the lines that cannot be read, and the rest is used.

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
    answers: int = 0


@dataclass(frozen=True)
class RecordedAnswers:
    """Answers from a file, by majority where several raters answered; "can't tell" where the file has no answer.

    A file that answers fewer than ``min_share`` of a batch of questions belongs to another run and is refused: a search would
    learn nothing from it. ``names`` numbers the raters in their order; all other raters share the next number.
    """

    path: str
    names: tuple[str, ...] = ()
    min_share: float = 0.5
    counts: RecordedCounts = field(default_factory=RecordedCounts, compare=False, repr=False)

    def __post_init__(self) -> None:
        if not 0 <= self.min_share <= 1:
            raise UserError(f"min_share={self.min_share} is not a share", "type a number between 0 and 1")

    def __call__(self, x: Rows, a: Rows, b: Rows) -> np.ndarray:
        """Returns the answers [T]. Raises UserError where too few of the questions have one."""
        return self._answers(questions(x, a, b))

    def report(self) -> list[dict[str, Any]]:
        """Returns how many questions had an answer in the file, for the end of a run."""
        share = f"{self.counts.answers:,} of {self.counts.questions:,} found"
        return [{"recorded answers": share, "file": self.path}] if self.counts.questions else []

    def _answers(self, batch: list[Question]) -> np.ndarray:
        book = read(self.path)
        n = book.count(batch)
        self.counts.questions, self.counts.answers = self.counts.questions + len(batch), self.counts.answers + n
        if n < self.min_share * len(batch):
            raise UserError(
                f"{self.path} answers {n} of {len(batch)} questions: it belongs to another run, or to other settings",
                "type judge.path=FILE with this run's answers, or +judge.min_share=0 to go on without them",
            )
        return book.answers(batch)

    def raters(self, x: Rows, a: Rows, b: Rows) -> np.ndarray:
        """Returns the rater of each answer; of several, the first one that agrees with the majority.

        Arguments as in ``People``.

        Returns:
            Numbers by ``names``, int32 [T].
        """
        return read(self.path).raters(questions(x, a, b), self.names)

    def better(self, a: Rows, b: Rows) -> np.ndarray:
        """Answers which of two solutions is better; arguments as in ``People``.

        Raises:
            UserError: too few of the questions have an answer.
        """
        return self._answers(questions(a, b))


def questions(*rows: Rows) -> list[Question]:
    """Returns T questions about x, a, b, or about a, b."""
    return list(zip(*map(names, rows), strict=True))


@lru_cache(maxsize=16)
def _read(path: str, modified_ns: int, size: int) -> Book:
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


def _swap(vote: Vote) -> Vote:
    """Returns the same vote with a and b exchanged."""
    return Vote(-vote.answer, vote.rater, vote.marks and (*vote.marks[:-2], *reversed(vote.marks[-2:])))


def _majority(votes: list[Vote]) -> int:
    counts = Counter(vote.answer for vote in votes if vote.answer != CANT_TELL).most_common(2)
    if not counts or (len(counts) == 2 and counts[0][1] == counts[1][1]):
        return CANT_TELL
    return counts[0][0]
