"""Counts of answers, and how well raters agree with each other, with themselves and with the map."""

import sqlite3
from pathlib import Path
from typing import NamedTuple

from feedback.label.run_view import Share, of_map


class AnswerCounts(NamedTuple):
    """Counts of answers, without repeats of a question."""

    want: int  # answers that the search waits for now, the ones that it has included
    have: int  # of those
    mine: int  # of this rater
    raters: int
    total: int  # answers that the run needs in all; where no plan is known, to the questions so far
    used: int  # of those

    @property
    def missing(self) -> int:
        """Answers that the search waits for now."""
        return self.want - self.have


class Agreement(NamedTuple):
    """*Can't tell* agrees only with itself; the map is compared with clear answers only."""

    myself: Share
    others: Share
    map: Share
    unsure: Share


def counts(db: sqlite3.Connection, rater: str, plan: int | None = None) -> AnswerCounts:
    """Returns the current counts.

    Args:
        db: the store.
        rater: the rater of ``mine``.
        plan: answers that the run needs in all; None: those to the questions so far.
    """
    want, have = db.execute(
        "SELECT coalesce(sum(want), 0), coalesce(sum(min(want, given)), 0) FROM questions WHERE want > 0 AND closed = 0"
    ).fetchone()
    mine, raters = db.execute(
        "SELECT coalesce(sum(rater = ?), 0), count(DISTINCT rater) FROM answers WHERE undone = 0 AND repeat = 0",
        (rater,),
    ).fetchone()
    used, so_far = db.execute("SELECT coalesce(sum(given), 0), coalesce(sum(max(want, given)), 0) FROM questions").fetchone()
    total = max(plan or 0, so_far)
    return AnswerCounts(want, have, mine, raters, total, min(used, total))


def agreement(db: sqlite3.Connection, rater: str, run: Path) -> Agreement:
    """Returns how well answers agree, over all that were not undone.

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
