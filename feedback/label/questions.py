"""The search's side of the store: questions are put, waited for, and closed once their answers are used."""

import sqlite3
import time
from collections.abc import Sequence
from typing import NamedTuple

from qd.support.sqlite import transaction

ALIKE, BETTER = "alike", "better"


class Question(NamedTuple):
    """Things are named "id-mark"; x is None where the question is which of two is better."""

    x: str | None
    a: str
    b: str

    @property
    def kind(self) -> str:
        return BETTER if self.x is None else ALIKE

    @property
    def key(self) -> str:
        return ":".join([self.kind, self.x or "", *sorted((self.a, self.b))])


class Wait(NamedTuple):
    """How far people have come with what the search waits for."""

    questions: int
    missing: int  # answers
    latest: float  # when the newest one was given, 0 where there is none


def put(db: sqlite3.Connection, questions: Sequence[Question], want: int) -> list[int]:
    """Asks people for ``want`` answers to each question, the first ones first; returns their numbers in the store.

    Questions put earlier and not answered are no longer asked. One that is put again keeps what was answered.
    """
    with transaction(db):
        db.execute("UPDATE questions SET want = 0 WHERE closed = 0 AND want > 0")
        return [_one(db, question, want, rank) for rank, question in enumerate(questions)]


def waiting(db: sqlite3.Connection, numbers: Sequence[int]) -> Wait:
    """Returns how far people have come with these questions."""
    rows = [_state(db, number) for number in numbers]
    missing = sum(max(want - given, 0) for want, given, _ in rows)
    return Wait(len(rows), missing, max((latest or 0.0 for *_, latest in rows), default=0.0))


def close(db: sqlite3.Connection, numbers: Sequence[int], quiet: float) -> bool:
    """Closes the questions where nothing is missing and nothing was answered for ``quiet`` seconds; says whether it did."""
    with transaction(db):
        now = waiting(db, numbers)
        if now.missing or abs(time.time() - now.latest) < quiet:
            return False
        db.executemany("UPDATE questions SET closed = 1 WHERE id = ?", [(number,) for number in numbers])
    return True


def known(db: sqlite3.Connection, names: Sequence[str]) -> set[str]:
    """Returns which things can be shown already."""
    return {name for name in names if db.execute("SELECT 1 FROM things WHERE name = ?", (name,)).fetchone()}


def show(db: sqlite3.Connection, things: Sequence[tuple[str, str, str]]) -> None:
    """Notes of each thing (name, kind, file) in which file of the folder of shown things it can be seen."""
    with transaction(db):
        db.executemany("INSERT OR REPLACE INTO things VALUES (?, ?, ?)", things)


def find(db: sqlite3.Connection, question: Question) -> int | None:
    """Returns a question's number in the store."""
    row = db.execute("SELECT id FROM questions WHERE key = ?", (question.key,)).fetchone()
    return row[0] if row else None


def add(db: sqlite3.Connection, question: Question, want: int = 0, rank: int = 0) -> int:
    """Adds a question; by default one that nobody waits for."""
    values = (question.key, question.kind, question.x, question.a, question.b, rank, want)
    row = db.execute("INSERT INTO questions (key, kind, x, a, b, rank, want) VALUES (?, ?, ?, ?, ?, ?, ?)", values)
    assert row.lastrowid is not None
    return row.lastrowid


def _one(db: sqlite3.Connection, question: Question, want: int, rank: int) -> int:
    there = find(db, question)
    if there is None:
        return add(db, question, want, rank)
    db.execute("UPDATE questions SET want = ?, rank = ? WHERE id = ? AND closed = 0", (want, rank, there))
    return there


def _state(db: sqlite3.Connection, number: int) -> tuple[int, int, float | None]:
    """Returns how many answers are wanted, how many there are, and when the newest was given."""
    want, given, closed = db.execute("SELECT want, given, closed FROM questions WHERE id = ?", (number,)).fetchone()
    latest = "SELECT max(time) FROM answers WHERE question = ? AND counted = 1 AND undone = 0"
    return (0, given, None) if closed else (want, given, db.execute(latest, (number,)).fetchone()[0])
