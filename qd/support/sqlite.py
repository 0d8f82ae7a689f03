"""SQLite files that several processes open at the same time (write-ahead logging), each with a version of its tables."""

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path


class LaterVersionError(Exception):
    """The file was made by a later version of this program.

    Args:
        version: that of the file.
    """

    def __init__(self, version: int) -> None:
        super().__init__(f"version {version}")
        self.version = version


def connect(
    path: Path | None,
    version: int,
    create: Callable[[sqlite3.Connection], None],
    patience: float,
    check_same_thread: bool = True,
) -> sqlite3.Connection:
    """Opens a database with a write-ahead log, and makes its tables where it has none; each statement commits by itself.

    Args:
        path: None keeps it in memory.
        version: of the tables, 1 or more; it stands in the file as ``user_version``.
        create: makes the tables, inside a transaction.
        patience: seconds to wait while another process writes.

    Raises:
        sqlite3.Error: the file is no database, or stays locked.
        LaterVersionError: its tables are of a later version.
    """
    name = ":memory:" if path is None else str(path)
    db = sqlite3.connect(name, timeout=patience, isolation_level=None, check_same_thread=check_same_thread)
    try:
        _log_ahead(db, time.monotonic() + patience)
        db.execute("PRAGMA synchronous = NORMAL")
        db.execute("PRAGMA trusted_schema = OFF")  # the file may be foreign
        if _version(db) < version:
            with transaction(db):
                if _version(db) < version:  # else another process has just made them
                    create(db)
                    db.execute(f"PRAGMA user_version = {version}")
        if _version(db) > version:
            raise LaterVersionError(_version(db))
    except BaseException:
        db.close()
        raise
    return db


@contextmanager
def transaction(db: sqlite3.Connection) -> Iterator[None]:
    """One transaction: all of it or nothing, and no other writer in between."""
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:  # a full disk ends it by itself, or leaves it open at COMMIT
            db.execute("ROLLBACK")
        raise


def _version(db: sqlite3.Connection) -> int:
    return db.execute("PRAGMA user_version").fetchone()[0]


def _log_ahead(db: sqlite3.Connection, until: float) -> None:
    """Switches to a write-ahead log. Where two processes do so at once SQLite refuses one of them without waiting."""
    while True:
        try:
            db.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > until:
                raise
            time.sleep(0.005)
