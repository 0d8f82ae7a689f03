"""How far people have come, how far they agree with each other and with themselves, and whether the map agrees with them."""

import sqlite3
from pathlib import Path
from typing import NamedTuple

from feedback.label.run_view import Share, of_map


class AnswerCounts(NamedTuple):
    """Counts of answers; repeats of a question are not counted."""

    wanted: int  # that the search waits for now
    given: int  # of those
    mine: int  # of this rater, in all
    all: int
    raters: int
    total: int  # that the run asks for in all; 0 where it is unknown
    used: int  # of those


class Agreement(NamedTuple):
    """Can't tell agrees with nothing but itself; the map is held against clear answers only."""

    myself: Share
    others: Share
    map: Share
    unsure: Share


def counts(db: sqlite3.Connection, rater: str, planned: int | None = None) -> AnswerCounts:
    """Returns the counts of the moment.

    Args:
        db: the store.
        rater: whose answers are counted as ``mine``.
        planned: answers that the run will ask for in all; None: those of the questions put so far.
    """
    wanted, given = db.execute(
        "SELECT coalesce(sum(want), 0), coalesce(sum(min(want, given)), 0) FROM questions WHERE want > 0 AND closed = 0"
    ).fetchone()
    mine, all_, raters = db.execute(
        "SELECT coalesce(sum(rater = ?), 0), count(*), count(DISTINCT rater) FROM answers WHERE undone = 0 AND repeat = 0",
        (rater,),
    ).fetchone()
    used, asked_for = db.execute("SELECT coalesce(sum(given), 0), coalesce(sum(max(want, given)), 0) FROM questions").fetchone()
    total = max(planned or 0, asked_for)
    return AnswerCounts(wanted, given, mine, all_, raters, total, min(used, total))


def agreement(db: sqlite3.Connection, rater: str, run: Path) -> Agreement:
    """Returns who agrees with whom, over all answers that stand.

    Args:
        db: the store.
        rater: the rater of ``myself``, which compares first answers with their repeats.
        run: the run's folder, for its newest map.

    Returns:
        Counts of agreeing pairs, of all: ``others`` of each two raters' first answers to one question, ``map`` as ``of_map``
        returns it, ``unsure`` the answers *can't tell* of all first answers.
    """
    pair = "SELECT coalesce(sum(one.answer = two.answer), 0), count(*) FROM answers AS one JOIN answers AS two "
    pair += "ON one.question = two.question AND one.undone = 0 AND two.undone = 0 "
    myself = db.execute(pair + "AND one.rater = two.rater WHERE one.rater = ? AND one.repeat = 0 AND two.repeat = 1", (rater,))
    others = db.execute(pair + "AND one.rater < two.rater WHERE one.repeat = 0 AND two.repeat = 0")
    unsure = db.execute("SELECT coalesce(sum(answer = '?'), 0), count(*) FROM answers WHERE undone = 0 AND repeat = 0")
    return Agreement(Share(*myself.fetchone()), Share(*others.fetchone()), of_map(run), Share(*unsure.fetchone()))
