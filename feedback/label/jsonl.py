"""Answers as JSON lines, the format that a recorded judge reads, and back into the store.

    {"x": 12, "a": 40, "b": 7, "answer": "a", "rater": "ann", "marks": ["09ab31f2", "77e0c1d4", "5c2f00aa"],
     "side": "b", "ms": 1840, "time": 1790000000.5}

A question which of two is better has no x and two marks. ``"counted": false`` marks an answer that the search did not use: a
repeat ("repeat": 1), or one that came too late.
"""

import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from feedback.label import questions
from feedback.label.questions import Question
from qd.support.errors import UserError
from qd.support.sqlite import transaction

_ANSWERS = ("a", "b", "?")


class ImportCounts(NamedTuple):
    """Counts of imported answers."""

    new: int
    duplicates: int  # the store had the same answer


def text(answers: Iterable[dict[str, Any]]) -> str:
    """Writes answers as JSON lines."""
    return "".join(f"{json.dumps(answer, ensure_ascii=False)}\n" for answer in answers)


def records(db: sqlite3.Connection) -> Iterator[dict[str, Any]]:
    """Yields every answer that was not undone, in the form of a JSON line, the oldest first."""
    rows = db.execute(
        "SELECT x, a, b, answer, rater, side, ms, time, repeat, counted FROM answers "
        "JOIN questions ON questions.id = answers.question WHERE undone = 0 ORDER BY answers.id"
    )
    for x, a, b, answer, rater, side, ms, time, repeat, counted in rows:
        names = [name.split("-", 1) for name in (x, a, b) if name is not None]
        record: dict[str, Any] = dict(zip("xab" if x else "ab", (int(number) for number, _ in names), strict=True))
        record |= {"answer": answer, "rater": rater, "marks": [mark for _, mark in names]}
        record |= {"side": side, "ms": ms, "time": time, "repeat": repeat or None, "counted": None if counted else False}
        yield {name: value for name, value in record.items() if value is not None}


def take(db: sqlite3.Connection, lines: Sequence[str]) -> ImportCounts:
    """Stores answers of another source, all or none; the search uses them when it asks about the same solutions.

    Args:
        db: the store.
        lines: JSON lines; blank ones are skipped.

    Returns:
        The numbers of new answers and of duplicates.

    Raises:
        UserError: a line cannot be read, or contradicts the store; the message lists the first five.
    """
    bad: list[str] = []
    counts = [0, 0]
    with transaction(db):
        for number, text in enumerate(lines, 1):
            if text.strip():
                try:
                    counts[_take(db, json.loads(text))] += 1
                except (ValueError, KeyError, TypeError) as error:
                    bad.append(f"line {number}: {_fault(error)}")
        if bad:
            examples = "; ".join(bad[:5]) + ("; ..." if len(bad) > 5 else "")
            problem = "1 line" if len(bad) == 1 else f"{len(bad)} lines"
            raise UserError(f"{problem} cannot be imported, so none was ({examples})", "correct or remove them")
    return ImportCounts(*counts)


def _take(db: sqlite3.Connection, line: Any) -> int:
    """Stores one line; returns 1 where the store has the same answer, else 0."""
    if not isinstance(line, dict):
        raise UserError(f"{line!r} is not an answer")
    question, letter, rater = _question(line), line["answer"], str(line.get("rater", ""))
    repeat = int(line.get("repeat", 0))
    if letter not in _ANSWERS:
        raise UserError(f"answer {letter!r} is none of a, b, ?")
    number = questions.find(db, question)
    if number is None:
        number = questions.add(db, question)
    a, is_closed = db.execute("SELECT a, closed FROM questions WHERE id = ?", (number,)).fetchone()
    side = line.get("side")
    if a != question.a:  # the store has a and b in the other order
        other = {"a": "b", "b": "a", "?": "?", None: None}
        letter, side = other[letter], other.get(side)
    row = db.execute(
        "SELECT answer FROM answers WHERE question = ? AND rater = ? AND repeat = ? AND undone = 0", (number, rater, repeat)
    ).fetchone()
    if row is not None:
        if row[0] != letter:
            raise UserError(f"{rater or 'a rater without a name'} gave another answer to the same question in this store")
        return 1
    counts = int(line.get("counted", True) and not repeat and not is_closed)
    values = (number, rater, repeat, letter, side, line.get("ms"), float(line.get("time", 0.0)), counts)
    db.execute(
        "INSERT INTO answers (question, rater, repeat, answer, side, ms, time, counted) VALUES (?, ?, ?, ?, ?, ?, ?, ?)", values
    )
    return 0


def _fault(error: ValueError | KeyError | TypeError) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"it is not JSON ({error.msg})"
    return str(error) if isinstance(error, ValueError) else f"it lacks {error}"


def _question(line: dict[str, Any]) -> Question:
    letters = "xab" if "x" in line else "ab"
    ids, marks = [line[letter] for letter in letters], line.get("marks")
    if not all(type(number) is int and number >= 0 for number in ids):
        raise UserError(f"{', '.join(letters)} are {ids}, which are not ids")
    if not isinstance(marks, list) or len(marks) != len(ids) or not all(isinstance(mark, str) and mark for mark in marks):
        raise UserError("it lacks the marks that identify its solutions", "type judge=recorded for it")
    names = [f"{number}-{mark}" for number, mark in zip(ids, marks, strict=True)]
    return Question(*(names if "x" in line else [None, *names]))
