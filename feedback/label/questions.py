"""The search's side of the store: it adds questions, waits for their answers, and closes them when it uses the answers."""

import sqlite3
import time
from collections.abc import Sequence
from typing import NamedTuple

from qd.support.sqlite import transaction

SIMILAR, BETTER = "alike", "better"  # kinds of question, as the store writes them


class Question(NamedTuple):
    """Solutions are named "id-mark"; x is None where the question is which of two is better."""

    x: str | None
    a: str
    b: str

    @property
    def kind(self) -> str:
        return BETTER if self.x is None else SIMILAR

    @property
    def key(self) -> str:
        return ":".join([self.kind, self.x or "", *sorted((self.a, self.b))])


class Wait(NamedTuple):
    """Progress of the questions that the search waits for."""

    questions: int
    missing: int  # answers
    latest: float  # time of the newest one, 0 where there is none


def put(db: sqlite3.Connection, questions: Sequence[Question], want: int) -> list[int]:
    """Adds questions that each need ``want`` answers, and returns their numbers in the store.

    The search no longer waits for earlier questions that are not closed. A question that the store has keeps its answers.

    Args:
        db: the store.
        questions: each once, the most informative first.
        want: answers to each question, each of another rater.

    Returns:
        The number of each question, in their order.
    """
    with transaction(db):
        db.execute("UPDATE questions SET want = 0 WHERE closed = 0 AND want > 0")
        return [_one(db, question, want, rank) for rank, question in enumerate(questions)]


def waiting(db: sqlite3.Connection, numbers: Sequence[int]) -> Wait:
    """Returns the progress of these questions.

    Args:
        db: the store.
        numbers: of questions, as ``put`` returns them; a closed one lacks no answer.
    """
    rows = [_state(db, number) for number in numbers]
    missing = sum(max(want - n, 0) for want, n, _ in rows)
    return Wait(len(rows), missing, max((latest or 0.0 for *_, latest in rows), default=0.0))


def close(db: sqlite3.Connection, numbers: Sequence[int], quiet: float) -> bool:
    """Closes the questions if no answer is missing and there was none for ``quiet`` seconds; returns whether it did.

    Args:
        db: the store.
        numbers: of questions, as ``put`` returns them.
        quiet: seconds since the latest answer, so that it can still be undone.
    """
    with transaction(db):
        now = waiting(db, numbers)
        if now.missing or abs(time.time() - now.latest) < quiet:
            return False
        db.executemany("UPDATE questions SET closed = 1 WHERE id = ?", [(number,) for number in numbers])
    return True


def rendered_names(db: sqlite3.Connection, names: Sequence[str]) -> set[str]:
    """Returns the names of the solutions that have a rendering.

    Args:
        db: the store.
        names: "id-mark" of solutions.

    Returns:
        The names among these that ``show`` was called with.
    """
    return {name for name in names if db.execute("SELECT 1 FROM things WHERE name = ?", (name,)).fetchone()}


def show(db: sqlite3.Connection, things: Sequence[tuple[str, str, str]]) -> None:
    """Registers the rendering of each solution, a file in the folder of renderings.

    Args:
        db: the store.
        things: (name "id-mark", kind of rendering such as png, file name) of each; an earlier entry of a name is replaced.
    """
    with transaction(db):
        db.executemany("INSERT OR REPLACE INTO things VALUES (?, ?, ?)", things)


def find(db: sqlite3.Connection, question: Question) -> int | None:
    """Returns a question's number in the store, None where it is not there.

    Args:
        db: the store.
        question: a and b may stand in either order.
    """
    row = db.execute("SELECT id FROM questions WHERE key = ?", (question.key,)).fetchone()
    return row[0] if row else None


def add(db: sqlite3.Connection, question: Question, want: int = 0, rank: int = 0) -> int:
    """Adds a question; by default the search waits for no answer to it.

    Args:
        db: the store.
        question: one that the store lacks.
        want: answers that the search waits for; 0: none.
        rank: the lowest comes first.

    Returns:
        Its number in the store.
    """
    values = (question.key, question.kind, question.x, question.a, question.b, rank, want)
    row = db.execute("INSERT INTO questions (key, kind, x, a, b, rank, want) VALUES (?, ?, ?, ?, ?, ?, ?)", values)
    assert row.lastrowid is not None
    return row.lastrowid


def _one(db: sqlite3.Connection, question: Question, want: int, rank: int) -> int:
    number = find(db, question)
    if number is None:
        return add(db, question, want, rank)
    db.execute("UPDATE questions SET want = ?, rank = ? WHERE id = ? AND closed = 0", (want, rank, number))
    return number


def _state(db: sqlite3.Connection, number: int) -> tuple[int, int, float | None]:
    """Returns the number of answers that the search needs, the number that it has, and the time of the newest."""
    want, n, is_closed = db.execute("SELECT want, given, closed FROM questions WHERE id = ?", (number,)).fetchone()
    latest = "SELECT max(time) FROM answers WHERE question = ? AND counted = 1 AND undone = 0"
    return (0, n, None) if is_closed else (want, n, db.execute(latest, (number,)).fetchone()[0])
