"""One SQLite file, RUN/labels/labels.sqlite, opened by the search and by the page at the same time.

Every act is one transaction, which survives the death of either process. ``Disk`` makes sure that it is on the disk before
the page confirms an answer: one sync serves all answers that arrive at the same time.
"""

import asyncio
import os
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from feedback.label import private
from qd.support import links, run_files, sqlite
from qd.support.errors import UserError

FOLDER, FILE, SHOWN = run_files.LABELS, "labels.sqlite", "shown"
VERSION = 2  # 1 held the page's secrets beside the answers
_PATIENCE = 30.0  # seconds to wait for another who writes
_SCHEMA = """
CREATE TABLE about (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE things (name TEXT PRIMARY KEY, kind TEXT NOT NULL, file TEXT NOT NULL);
CREATE TABLE questions (
  id INTEGER PRIMARY KEY,
  key TEXT NOT NULL UNIQUE,      -- kind, ids and marks, for either order of a and b
  kind TEXT NOT NULL,            -- 'alike': which is more similar to x?   'better': a or b?
  x TEXT, a TEXT NOT NULL, b TEXT NOT NULL,   -- things, "id-mark"; x is null where two are compared
  rank INTEGER NOT NULL,         -- the most informative first
  want INTEGER NOT NULL,         -- answers that the search waits for, each of another rater; 0: none
  given INTEGER NOT NULL DEFAULT 0,   -- answers that count, by the triggers below
  closed INTEGER NOT NULL DEFAULT 0   -- the search has used its answers: they can no longer change
);
CREATE TABLE asks (
  id INTEGER PRIMARY KEY,
  token TEXT NOT NULL UNIQUE,    -- of the form on the page: valid once
  question INTEGER NOT NULL REFERENCES questions(id),
  rater TEXT NOT NULL,
  repeat INTEGER NOT NULL,       -- 1: a repeat, which measures the rater's consistency
  side TEXT NOT NULL,            -- which of a and b stood on the left
  shown REAL NOT NULL,
  state TEXT NOT NULL DEFAULT 'open',   -- open, answered, skipped, undone
  act INTEGER                    -- running number of the rater's acts
);
CREATE TABLE answers (
  id INTEGER PRIMARY KEY,
  question INTEGER NOT NULL REFERENCES questions(id),
  rater TEXT NOT NULL,
  repeat INTEGER NOT NULL,
  answer TEXT NOT NULL,          -- a, b or ?
  side TEXT, ms INTEGER, time REAL NOT NULL,
  counted INTEGER NOT NULL,      -- 0: a repeat, or later than the search waited for
  undone INTEGER NOT NULL DEFAULT 0,
  ask INTEGER UNIQUE REFERENCES asks(id)
);
CREATE UNIQUE INDEX once ON answers (question, rater, repeat) WHERE undone = 0;
CREATE INDEX by_rater ON answers (rater, repeat, undone);
CREATE INDEX lacking ON questions (rank) WHERE closed = 0 AND given < want;
CREATE INDEX open_of ON asks (question, state);
CREATE INDEX acts ON asks (rater, state, act);
CREATE TRIGGER counted_in AFTER INSERT ON answers WHEN new.counted = 1 AND new.undone = 0
  BEGIN UPDATE questions SET given = given + 1 WHERE id = new.question; END;
CREATE TRIGGER counted_out AFTER UPDATE OF undone ON answers WHEN old.undone = 0 AND new.undone = 1 AND new.counted = 1
  BEGIN UPDATE questions SET given = given - 1 WHERE id = new.question; END;
CREATE TRIGGER counted_after_all AFTER UPDATE OF counted ON answers WHEN old.counted = 0 AND new.counted = 1 AND new.undone = 0
  BEGIN UPDATE questions SET given = given + 1 WHERE id = new.question; END;
"""


def there(run: Path) -> bool:
    """Whether a folder holds questions, or is the folder of a run that may still ask."""
    return (run / FOLDER / FILE).is_file() or (run / run_files.CONFIG).is_file()


@contextmanager
def opened(run: Path, any_thread: bool = False) -> Iterator[sqlite3.Connection]:
    """Opens the store of a run, and creates it where there is none; only its owner can read it.

    Args:
        run: the run's folder.
        any_thread: another thread than this one will use the connection, one at a time.

    Raises:
        UserError: the file is not a store, or of a later version; or the folder holds a link.
    """
    links.check(run)
    folder = run / FOLDER
    (folder / SHOWN).mkdir(parents=True, exist_ok=True)
    if os.name != "nt" and folder.stat().st_mode & 0o077:
        folder.chmod(0o700)  # answers.jsonl and what raters look at lie there, too
    with closing(_connect(folder / FILE, any_thread)) as db:
        try:
            yield db
        except sqlite3.DatabaseError as error:
            if type(error) is not sqlite3.DatabaseError:  # locked, full, or a fault of ours
                raise
            raise _damaged(folder / FILE, error) from error


class Disk:
    """Waits until all that was written is on the disk; calls at the same time share one sync."""

    def __init__(self, run: Path) -> None:
        self._log = run / FOLDER / f"{FILE}-wal"
        self._now: asyncio.Task[None] | None = None
        self._next: asyncio.Task[None] | None = None

    async def reached(self) -> None:
        """Returns when all transactions before the call are on the disk."""
        if self._next is None:  # the sync that runs now may have begun before the commit: only a later one will do
            self._next = asyncio.ensure_future(self._after(self._now))
        await self._next

    async def _after(self, before: "asyncio.Task[None] | None") -> None:
        if before is not None:
            await before
        self._now, self._next = self._next, None
        await asyncio.to_thread(self._sync)

    def _sync(self) -> None:
        if self._log.exists():  # else it is in the file itself
            handle = os.open(self._log, os.O_RDONLY)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)


def about(db: sqlite3.Connection, name: str, default: str = "") -> str:
    """Returns the note under a name.

    Args:
        db: the store.
        name: as given to ``note``.
        default: returned where there is no note.
    """
    row = db.execute("SELECT value FROM about WHERE name = ?", (name,)).fetchone()
    return row[0] if row else default


def note(db: sqlite3.Connection, name: str, value: str) -> None:
    """Writes a note under a name.

    Args:
        db: the store.
        name: of the note.
        value: the text; it replaces an earlier note of that name.
    """
    db.execute("INSERT INTO about VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value", (name, value))


def _connect(path: Path, any_thread: bool) -> sqlite3.Connection:
    private.own(path)  # SQLite gives its log the mode of the file
    for log in (path.with_name(f"{path.name}{ending}") for ending in ("-wal", "-shm")):
        if log.exists():  # of an earlier version
            private.own(log)
    try:
        db = sqlite.connect(path, VERSION, lambda db: _create(db, path.parent), _PATIENCE, check_same_thread=not any_thread)
    except sqlite.LaterVersionError as error:
        raise UserError(
            f"{path} has version {error.version}, and this program reads versions up to {VERSION}",
            "type pip install -U qd-atlas",
        ) from error
    except sqlite3.DatabaseError as error:
        if "locked" in str(error):
            raise UserError(
                f"{path} is in use by another program ({error})", "end that program, or give the command again"
            ) from error
        raise _damaged(path, error) from error
    db.execute("PRAGMA foreign_keys = ON")
    names = {name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if missing := sorted({"about", "things", "questions", "asks", "answers"} - names):
        db.close()
        raise _damaged(path, f"it has no table {missing[0]}")
    return db


def _damaged(path: Path, why: object) -> UserError:
    return UserError(f"{path} is not a store of answers, or is damaged ({why})", "move it away, and the search asks again")


def _create(db: sqlite3.Connection, folder: Path) -> None:
    """Creates the tables; a store of version 1 has them, and its secrets move into a file of their own."""
    if db.execute("SELECT 1 FROM sqlite_master WHERE name = 'about'").fetchone():
        before = dict(db.execute("SELECT name, value FROM about WHERE name IN ('secret', 'key')").fetchall())
        private.keep(folder, {{"secret": private.SESSION, "key": private.KEY}[name]: value for name, value in before.items()})
        db.execute("PRAGMA secure_delete = ON")
        db.execute("DELETE FROM about WHERE name IN ('secret', 'key')")
        return
    for statement in re.split(r";\n(?=CREATE)", _SCHEMA.strip()):
        db.execute(statement)
