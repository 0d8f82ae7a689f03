"""A rater's side of the store: the next question, and the effects of an answer, a skip and an undo.

Each form on a page has a token of its own that is valid once, so a form that is posted twice is stored once.
"""

import hashlib
import secrets
import sqlite3
import time
from typing import NamedTuple

from feedback.label import store
from qd.support.sqlite import transaction

EVERY = 10  # answers of a rater for one repeated question
_AGO = 5  # answers between a question and its repeat, at least
_CLAIM = 45.0  # seconds for which a question on one rater's page goes to no other rater
_LONGEST = 3_600_000  # milliseconds; a rater who took longer was away


class RefusalError(Exception):
    """An act that is not possible: the HTTP status and the words of the reply."""

    def __init__(self, status: int, words: str) -> None:
        super().__init__(words)
        self.status, self.words = status, words


class RaterQuestion(NamedTuple):
    """A question as the page of one rater shows it."""

    token: str
    kind: str
    x: str | None
    left: str  # "id-mark" of the solution on that side
    right: str
    repeat: bool


def upcoming(db: sqlite3.Connection, rater: str) -> RaterQuestion | None:
    """Returns the next question of a rater: the open one, a repeat that is due, or a new one.

    Args:
        db: the store.
        rater: the rater's name.

    Returns:
        The question with the token of its form; None where there is none for this rater.
    """
    current = _current(db, rater)
    if current is not None:
        return current
    with transaction(db):
        question, repeat = _repeat(db, rater), 1
        if question is None:
            question, repeat = _fresh(db, rater), 0
        return None if question is None else _show(db, rater, question, repeat, _side(db, question, rater, repeat))


def answer(db: sqlite3.Connection, rater: str, token: str, choice: str) -> None:
    """Stores an answer.

    Args:
        db: the store.
        rater: the rater's name.
        token: of the form that the rater sent.
        choice: left, right or ? (can't tell).

    Raises:
        RefusalError: the choice is none of these; the form is unknown, another rater's or was sent before; or the rater has
            answered the question already. Nothing is changed.
    """
    if choice not in ("left", "right", "?"):
        raise RefusalError(400, "An answer is left, right or can't tell.")
    with transaction(db):
        ask, question, repeat, side, start = _open_form(db, rater, token)
        letter = choice if choice == "?" else side if choice == "left" else {"a": "b", "b": "a"}[side]
        is_closed, n, want = db.execute("SELECT closed, given, want FROM questions WHERE id = ?", (question,)).fetchone()
        counts = int(not repeat and not is_closed and n < max(want, 1))  # no more than the search needs
        now = time.time()
        ms = min(max(round(1000 * (now - start)), 0), _LONGEST)
        try:
            db.execute(
                "INSERT INTO answers (question, rater, repeat, answer, side, ms, time, counted, ask) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", (question, rater, repeat, letter, side, ms, now, counts, ask)
            )  # fmt: skip
        except sqlite3.IntegrityError as error:
            raise RefusalError(409, "You have answered this question already; the first answer stands.") from error
        _act(db, rater, ask, "answered")


def skip(db: sqlite3.Connection, rater: str, token: str) -> None:
    """Postpones a question: it comes again after all others, or goes to another rater.

    Args:
        db: the store.
        rater: the rater's name.
        token: of the form that the rater sent.

    Raises:
        RefusalError: the form is unknown, another rater's or was sent before; nothing is changed.
    """
    with transaction(db):
        _act(db, rater, _open_form(db, rater, token)[0], "skipped")


def undo(db: sqlite3.Connection, rater: str) -> str:
    """Takes back the rater's last answer or skip, and shows its question again; arguments as in ``upcoming``.

    Returns:
        "answered" or "skipped".

    Raises:
        RefusalError: there is nothing to take back, or the search has already learned from it.
    """
    with transaction(db):
        last = db.execute(
            "SELECT id, question, repeat, side, state FROM asks WHERE rater = ? AND state IN ('answered', 'skipped') "
            "ORDER BY act DESC LIMIT 1", (rater,)
        ).fetchone()  # fmt: skip
        if last is None:
            raise RefusalError(409, "There is nothing to take back.")
        ask, question, repeat, side, state = last
        if state == "answered":
            (is_closed,) = db.execute("SELECT closed FROM questions WHERE id = ?", (question,)).fetchone()
            (counts,) = db.execute("SELECT counted FROM answers WHERE ask = ?", (ask,)).fetchone()
            if is_closed and counts:
                raise RefusalError(409, "The search has learned from your last answer already, so it stands.")
            db.execute("UPDATE answers SET undone = 1 WHERE ask = ?", (ask,))
            if counts:  # a later answer of another rater takes its place
                db.execute(
                    "UPDATE answers SET counted = 1 WHERE id = (SELECT min(id) FROM answers WHERE question = ? AND repeat = 0 "
                    "AND undone = 0 AND counted = 0)", (question,)
                )  # fmt: skip
        db.execute("UPDATE asks SET state = 'undone' WHERE id = ?", (ask,))
        _show(db, rater, question, repeat, side)
    return state


def _current(db: sqlite3.Connection, rater: str) -> RaterQuestion | None:
    row = db.execute(
        "SELECT asks.id, token, questions.kind, x, a, b, side, repeat, shown FROM asks "
        "JOIN questions ON questions.id = asks.question "
        "WHERE rater = ? AND state = 'open' AND (repeat = 1 OR (closed = 0 AND want > 0)) ORDER BY asks.id DESC LIMIT 1",
        (rater,),
    ).fetchone()
    return None if row is None else _as_question(*row[1:8])


def _repeat(db: sqlite3.Connection, rater: str) -> int | None:
    """Returns a question to repeat where one is due: drawn at random from those that were answered a while ago."""
    first, again = db.execute(
        "SELECT sum(repeat = 0), sum(repeat = 1) FROM answers WHERE rater = ? AND undone = 0 AND ask IS NOT NULL", (rater,)
    ).fetchone()
    if (again or 0) >= (first or 0) // EVERY:
        return None
    old = db.execute(
        "SELECT question FROM answers AS first WHERE rater = ? AND repeat = 0 AND undone = 0 AND ask IS NOT NULL "
        "AND NOT EXISTS (SELECT 1 FROM asks WHERE question = first.question AND rater = first.rater AND repeat = 1 "
        "AND state != 'undone') ORDER BY id DESC LIMIT 40 OFFSET ?", (rater, _AGO)
    ).fetchall()  # fmt: skip
    return old[_draw(db, f"{rater}:{first}") % len(old)][0] if old else None


def _fresh(db: sqlite3.Connection, rater: str) -> int | None:
    """Returns the next question that lacks an answer and is on no other rater's page; skipped ones come last."""
    acts = "(SELECT count(*) FROM asks WHERE question = questions.id AND rater = :rater AND state = 'skipped')"
    lacking = """
        SELECT id FROM questions WHERE closed = 0 AND given < want
          AND given + (SELECT count(*) FROM asks WHERE question = questions.id AND state = 'open' AND repeat = 0
                       AND rater != :rater AND abs(shown - :now) < :claim) < want
          AND NOT EXISTS (SELECT 1 FROM answers WHERE question = questions.id AND rater = :rater AND repeat = 0 AND undone = 0)
        """
    values = {"rater": rater, "now": time.time(), "claim": _CLAIM}  # abs: a clock that was set back hides no question for long
    row = db.execute(f"{lacking} AND {acts} = 0 ORDER BY rank LIMIT 1", values).fetchone()
    row = row or db.execute(f"{lacking} ORDER BY {acts}, rank LIMIT 1", values).fetchone()
    return row[0] if row else None


def _show(db: sqlite3.Connection, rater: str, question: int, repeat: int, side: str) -> RaterQuestion:
    kind, x, a, b = db.execute("SELECT kind, x, a, b FROM questions WHERE id = ?", (question,)).fetchone()
    token = secrets.token_urlsafe(18)
    values = (token, question, rater, repeat, side, time.time())
    db.execute("INSERT INTO asks (token, question, rater, repeat, side, shown) VALUES (?, ?, ?, ?, ?, ?)", values)
    return _as_question(token, kind, x, a, b, side, repeat)


def _as_question(token: str, kind: str, x: str | None, a: str, b: str, side: str, repeat: int) -> RaterQuestion:
    pair = (a, b) if side == "a" else (b, a)
    return RaterQuestion(token, kind, x, *pair, bool(repeat))


def _open_form(db: sqlite3.Connection, rater: str, token: str) -> tuple[int, int, int, str, float]:
    """Returns id, question, repeat, side and time of a form that is still open. Raises RefusalError where there is none."""
    row = db.execute("SELECT id, question, repeat, side, shown, rater, state FROM asks WHERE token = ?", (token,)).fetchone()
    if row is None or row[5] != rater:
        raise RefusalError(404, "There is no such question.")
    if row[6] != "open":
        raise RefusalError(409, "This form was sent before; its answer is stored.")
    return row[:5]


def _act(db: sqlite3.Connection, rater: str, ask: int, state: str) -> None:
    (acts,) = db.execute("SELECT coalesce(max(act), 0) FROM asks WHERE rater = ?", (rater,)).fetchone()
    db.execute("UPDATE asks SET state = ?, act = ? WHERE id = ?", (state, acts + 1, ask))


def _side(db: sqlite3.Connection, question: int, rater: str, repeat: int) -> str:
    """Draws which of a and b stands on the left."""
    (key,) = db.execute("SELECT key FROM questions WHERE id = ?", (question,)).fetchone()
    return "ab"[_draw(db, f"{key}:{rater}:{repeat}") % 2]


def _draw(db: sqlite3.Connection, words: str) -> int:
    """Returns a random number that follows from the words and the run's seed."""
    return int.from_bytes(hashlib.sha256(f"{store.about(db, 'seed')}:{words}".encode()).digest()[:8], "big")
