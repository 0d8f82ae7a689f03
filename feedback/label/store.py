"""One SQLite file, RUN/labels/labels.sqlite, opened by the search and by the page at the same time.

What has been answered is on the disk when the key press is acknowledged: every write is one synced transaction.
"""

import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

FOLDER, FILE, SHOWN = "labels", "labels.sqlite", "shown"
VERSION = 1
_SCHEMA = """
CREATE TABLE about (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE things (name TEXT PRIMARY KEY, kind TEXT NOT NULL, file TEXT NOT NULL);
CREATE TABLE questions (
  id INTEGER PRIMARY KEY,
  key TEXT NOT NULL UNIQUE,      -- kind, ids and marks, whichever way round a and b are
  kind TEXT NOT NULL,            -- alike: is a or b more like x?   better: a or b?
  x TEXT, a TEXT NOT NULL, b TEXT NOT NULL,   -- things, "id-mark"; x is null where two are compared
  rank INTEGER NOT NULL,         -- what tells most comes first
  want INTEGER NOT NULL,         -- people whose answers the search waits for; 0: it does not wait for this question
  closed INTEGER NOT NULL DEFAULT 0   -- the search has used its answers: they stand
);
CREATE TABLE asks (
  id INTEGER PRIMARY KEY,
  token TEXT NOT NULL UNIQUE,    -- of the form that was shown: good for one act
  question INTEGER NOT NULL REFERENCES questions(id),
  rater TEXT NOT NULL,
  repeat INTEGER NOT NULL,       -- 1: asked once more, to see whether the rater agrees with themselves
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
  counted INTEGER NOT NULL,      -- 0: a repeat, or later than the search could wait for
  undone INTEGER NOT NULL DEFAULT 0,
  ask INTEGER UNIQUE REFERENCES asks(id)
);
CREATE UNIQUE INDEX once ON answers (question, rater, repeat) WHERE undone = 0;
CREATE INDEX by_rater ON answers (rater, repeat, undone);
CREATE INDEX waited_for ON questions (want, closed, rank);
CREATE INDEX open_of ON asks (question, state);
CREATE INDEX acts ON asks (rater, state, act);
"""


def there(run: Path) -> bool:
    """Whether a folder holds questions, or is that of a search that has not come to ask yet."""
    return (run / FOLDER / FILE).is_file() or (run / "config.yaml").is_file()


@contextmanager
def opened(run: Path) -> Iterator[sqlite3.Connection]:
    """Opens the store of a run, and makes it where there is none.

    Raises:
        ValueError: the file is no store, or was made by a later version.
    """
    folder = run / FOLDER
    (folder / SHOWN).mkdir(parents=True, exist_ok=True)
    with closing(_connected(folder / FILE)) as db:
        yield db


@contextmanager
def writing(db: sqlite3.Connection) -> Iterator[None]:
    """One transaction: all of it or nothing, and nobody else writes in between."""
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        db.execute("ROLLBACK")
        raise
    db.execute("COMMIT")


def about(db: sqlite3.Connection, name: str, default: str = "") -> str:
    """Returns what is noted under a name."""
    row = db.execute("SELECT value FROM about WHERE name = ?", (name,)).fetchone()
    return row[0] if row else default


def note(db: sqlite3.Connection, name: str, value: str) -> None:
    """Notes something under a name."""
    db.execute("INSERT INTO about VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value", (name, value))


def _connected(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(path, timeout=30, isolation_level=None)
    try:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        db.execute("PRAGMA foreign_keys = ON")
        with writing(db):
            _begin(db, path)
    except sqlite3.DatabaseError as error:
        db.close()
        raise ValueError(f"{path} is no store of answers ({error}); move it away, and the search asks anew") from error
    except ValueError:
        db.close()
        raise
    return db


def _begin(db: sqlite3.Connection, path: Path) -> None:
    version = db.execute("PRAGMA user_version").fetchone()[0]
    if version > VERSION:
        raise ValueError(
            f"{path} is of version {version}, and this program reads up to {VERSION}; type pip install -U qd-atlas"
        )
    if version == 0:
        for statement in _SCHEMA.split(";\n"):
            db.execute(statement)
        note(db, "secret", secrets.token_hex(32))
        db.execute(f"PRAGMA user_version = {VERSION}")
