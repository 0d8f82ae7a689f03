"""How far people have come, how far they agree with each other and with themselves, and whether the map agrees with them."""

import json
import sqlite3
from pathlib import Path
from typing import Any, NamedTuple


class Progress(NamedTuple):
    """Counts of answers. ``wanted`` and ``given`` are of what the search waits for now."""

    wanted: int
    given: int
    mine: int  # of this rater, in all
    all: int
    raters: int


class Share(NamedTuple):
    """So many of so many pairs of answers agree."""

    agree: int
    of: int

    def __str__(self) -> str:
        return f"{100 * self.agree / self.of:.0f} %" if self.of else "not known yet"


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


def picture(run: Path) -> Path | None:
    """Returns the newest picture of the map: from the search that goes on, or from its end."""
    now, *end = run / "now" / "map.png", run / "figures" / "sheet.png", run / "figures" / "heatmap.png"
    last = next((path for path in end if path.is_file()), None)
    there = [path for path in (now, last) if path is not None and path.is_file()]
    return max(there, key=lambda path: path.stat().st_mtime_ns, default=None)


def finished(run: Path) -> bool:
    """Whether the search has come to its end."""
    return (run / "result.json").is_file()


def evaluations(run: Path) -> int | None:
    """Returns how many evaluations the newest map was drawn after."""
    paths = [path for path in (run / "now" / "archive.json", run / "archive.json") if path.is_file()]
    found = _said(max(paths, key=lambda path: path.stat().st_mtime_ns, default=run / "archive.json"))
    return int(found["evaluations"]) if "evaluations" in found else None


def of_map(run: Path) -> Share:
    """Returns how many clear answers the newest map agrees with, of those that it was learned from."""
    return Share(*_said(run / "now" / "archive.json").get("agreement", (0, 0)))


def _said(about: Path) -> dict[str, Any]:
    """Returns what is written of a map; nothing where there is none, or it is being written."""
    try:
        return json.loads(about.read_bytes())
    except (OSError, ValueError):
        return {}
