"""How far people have come, how far they agree with each other and with themselves, and whether the map agrees with them."""

import sqlite3
from pathlib import Path
from typing import NamedTuple

from feedback.label.run_view import Share, of_map


class Progress(NamedTuple):
    """Counts of answers. ``wanted`` and ``given`` are of what the search waits for now."""

    wanted: int
    given: int
    mine: int  # of this rater, in all
    all: int
    raters: int


class Agreement(NamedTuple):
    """Can't tell agrees with nothing but itself; the map is held against clear answers only."""

    myself: Share
    others: Share
    map: Share
    unsure: Share


def progress(db: sqlite3.Connection, rater: str) -> Progress:
    """Returns the counts of the moment."""
    wanted, given = db.execute(
        "SELECT coalesce(sum(want), 0), coalesce(sum(min(want, given)), 0) FROM questions WHERE want > 0 AND closed = 0"
    ).fetchone()
    mine, all_, raters = db.execute(
        "SELECT coalesce(sum(rater = ?), 0), count(*), count(DISTINCT rater) FROM answers WHERE undone = 0", (rater,)
    ).fetchone()
    return Progress(wanted, given, mine, all_, raters)


def agreement(db: sqlite3.Connection, rater: str, run: Path) -> Agreement:
    """Returns who agrees with whom, over all answers that stand."""
    pair = "SELECT coalesce(sum(one.answer = two.answer), 0), count(*) FROM answers AS one JOIN answers AS two "
    pair += "ON one.question = two.question AND one.undone = 0 AND two.undone = 0 "
    myself = db.execute(pair + "AND one.rater = two.rater WHERE one.rater = ? AND one.repeat = 0 AND two.repeat = 1", (rater,))
    others = db.execute(pair + "AND one.rater < two.rater WHERE one.repeat = 0 AND two.repeat = 0")
    unsure = db.execute("SELECT coalesce(sum(answer = '?'), 0), count(*) FROM answers WHERE undone = 0 AND repeat = 0")
    return Agreement(Share(*myself.fetchone()), Share(*others.fetchone()), of_map(run), Share(*unsure.fetchone()))
