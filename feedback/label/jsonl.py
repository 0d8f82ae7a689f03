"""Answers as JSON lines, the format that a recorded judge reads, and back into the store.

    {"x": 12, "a": 40, "b": 7, "answer": "a", "rater": "ann", "marks": ["09ab31f2", "77e0c1d4", "5c2f00aa"],
     "side": "b", "ms": 1840, "time": 1790000000.5}

Where two are compared x is left out, and there are two marks. ``"counted": false`` stands where the search used the answer
for nothing: a repeat ("repeat": 1), or one that came too late.
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


class Took(NamedTuple):
    """What became of imported lines."""

    new: int
    there: int  # the same answer was in the store


def text(answers: Iterable[dict[str, Any]]) -> str:
    """Writes answers as JSON lines."""
    return "".join(f"{json.dumps(answer, ensure_ascii=False)}\n" for answer in answers)


def records(db: sqlite3.Connection) -> Iterator[dict[str, Any]]:
    """Yields every answer that stands, as its line holds it, the oldest first."""
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


def take(db: sqlite3.Connection, given: Sequence[str]) -> Took:
    """Stores answers given elsewhere, all or none; they are there when the search asks that question of the same solutions.

    Args:
        db: the store.
        given: JSON lines; blank ones are left out.

    Returns:
        How many answers are new, and how many were there.

    Raises:
        UserError: a line cannot be read or says another thing than the store; names the first few.
    """
    bad: list[str] = []
    took = [0, 0]
    with transaction(db):
        for number, text in enumerate(given, 1):
            if text.strip():
                try:
                    took[_take(db, json.loads(text))] += 1
                except (ValueError, KeyError, TypeError) as error:  # json's own error is a ValueError
                    bad.append(f"line {number}: {error if isinstance(error, ValueError) else f'it lacks {error}'}")
        if bad:
            shown = "; ".join(bad[:5]) + ("; ..." if len(bad) > 5 else "")
            raise UserError(f"{len(bad)} lines cannot be taken, so none is ({shown})", "mend them or leave them out")
    return Took(*took)


def _take(db: sqlite3.Connection, line: Any) -> int:
    """Stores one line; returns 1 where the same was there."""
    if not isinstance(line, dict):
        raise UserError(f"{line!r} is no answer")
    question, said, rater = _question(line), line["answer"], str(line.get("rater", ""))
    repeat = int(line.get("repeat", 0))
    if said not in _ANSWERS:
        raise UserError(f"answer {said!r} is none of a, b, ?")
    number = questions.find(db, question)
    if number is None:
        number = questions.add(db, question)
    a, closed = db.execute("SELECT a, closed FROM questions WHERE id = ?", (number,)).fetchone()
    side = line.get("side")
    if a != question.a:  # the store knows it the other way round
        turned = {"a": "b", "b": "a", "?": "?", None: None}
        said, side = turned[said], turned.get(side)
    there = db.execute(
        "SELECT answer FROM answers WHERE question = ? AND rater = ? AND repeat = ? AND undone = 0", (number, rater, repeat)
    ).fetchone()
    if there is not None:
        if there[0] != said:
            raise UserError(f"{rater or 'somebody'} said another thing of the same question in this store")
        return 1
    counted = int(line.get("counted", True) and not repeat and not closed)
    values = (number, rater, repeat, said, side, line.get("ms"), float(line.get("time", 0.0)), counted)
    db.execute(
        "INSERT INTO answers (question, rater, repeat, answer, side, ms, time, counted) VALUES (?, ?, ?, ?, ?, ?, ?, ?)", values
    )
    return 0


def _question(line: dict[str, Any]) -> Question:
    letters = "xab" if "x" in line else "ab"
    ids, marks = [line[letter] for letter in letters], line.get("marks")
    if not all(type(number) is int and number >= 0 for number in ids):
        raise UserError(f"{', '.join(letters)} are {ids}, not ids")
    if not isinstance(marks, list) or len(marks) != len(ids) or not all(isinstance(mark, str) and mark for mark in marks):
        raise UserError("it has no mark of each solution, so nobody knows which ones it is about", "type judge=recorded for it")
    names = [f"{number}-{mark}" for number, mark in zip(ids, marks, strict=True)]
    return Question(*(names if "x" in line else [None, *names]))
