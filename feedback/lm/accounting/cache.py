"""Answers on disk: SQLite in WAL mode. Complete and valid answers only, each with its request, response, latency and cost.

Final failures are stored too, so that a replay fails where the recording did; any other mode calls again.
"""

import json
import sqlite3
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from feedback.lm.transport.request import Request
from feedback.lm.transport.response import Failure, Reply
from qd.support import sqlite
from qd.support.errors import UserError

_VERSION = 1
_TABLES = (
    "CREATE TABLE IF NOT EXISTS answers (key BLOB PRIMARY KEY, text TEXT NOT NULL, logprobs TEXT NOT NULL, "
    "tokens_in INTEGER NOT NULL, tokens_out INTEGER NOT NULL, money REAL NOT NULL, finish TEXT NOT NULL) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS records (key BLOB PRIMARY KEY, role TEXT NOT NULL, model TEXT NOT NULL, request TEXT NOT NULL, "
    "response TEXT NOT NULL, seconds REAL NOT NULL, at REAL NOT NULL)",
    "CREATE TABLE IF NOT EXISTS failures (key BLOB PRIMARY KEY, kind TEXT NOT NULL) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS traits (model TEXT PRIMARY KEY, traits TEXT NOT NULL) WITHOUT ROWID",
)
_AT_ONCE = 500  # keys in one query
_PATIENCE = 60.0  # seconds to wait while another process writes or creates the same file


class Cache:
    """Safe to use from several threads, and its file from several processes."""

    def __init__(self, path: str) -> None:
        """Opens or creates it; "" is a cache in memory. Raises UserError where the file is not a cache."""
        self.path, self._lock = path, threading.Lock()
        self._unwritten: dict[bytes, tuple[Reply, tuple, tuple]] = {}  # replies that could not be written
        file = Path(path).expanduser() if path else None
        try:
            if file is not None:
                file.parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite.connect(file, _VERSION, _create, _PATIENCE, check_same_thread=False)
            self._db.execute("PRAGMA wal_autocheckpoint = 8000")
        except sqlite.LaterVersionError as error:
            raise UserError(f"{path} is a cache of a later version ({error.version})", "type lm.cache=another/file") from error
        except (sqlite3.Error, OSError) as error:
            raise UserError(f"{path} cannot be opened as a cache of answers ({error})", "type lm.cache=another/file") from error

    def find(self, keys: Iterable[bytes]) -> dict[bytes, Reply]:
        """Returns the stored answers."""
        keys, replies = list(keys), {}
        for i in range(0, len(keys), _AT_ONCE):
            part = keys[i : i + _AT_ONCE]
            for key, text, logprobs, *rest in self._rows(f"SELECT * FROM answers WHERE key IN ({_marks(part)})", part):
                pairs = tuple((token, p) for token, p in json.loads(logprobs)) if logprobs else ()
                replies[key] = Reply(text, pairs, *rest)
        return replies | {key: self._unwritten[key][0] for key in keys if key in self._unwritten}

    def find_failures(self, keys: Iterable[bytes]) -> dict[bytes, Failure]:
        """Returns the final failures; look for answers first, since a later call may have one."""
        return {
            key: Failure(kind, "as recorded")
            for one in keys
            for key, kind in self._rows("SELECT key, kind FROM failures WHERE key = ?", [one])
        }

    def put(self, key: bytes, model: str, request: Request, answer: Reply, response: str, seconds: float) -> None:
        """Stores a reply; once this returns, killing the process does not lose it.

        Args:
            key: of the request.
            model: fingerprint of the model.
            request: as it was sent.
            answer: as it was read.
            response: the whole body.
            seconds: from the first attempt to the answer.

        Raises:
            UserError: it cannot be written to disk; it stays in memory, and ``find`` returns it.
        """
        logprobs = json.dumps(answer.logprobs) if answer.logprobs else ""
        row = (key, answer.text, logprobs, answer.tokens_in, answer.tokens_out, answer.money, answer.finish)
        record = (key, request.role, model, json.dumps(request.body), response, seconds, time.time())
        with self._lock:
            self._unwritten[key] = answer, row, record
        self.flush()

    def flush(self) -> None:
        """Writes the replies that are only in memory. Raises UserError where that fails; they stay in memory."""
        with self._lock:
            if not self._unwritten:
                return
            with self._writing(), sqlite.transaction(self._db):
                for _, row, record in self._unwritten.values():
                    self._db.execute("REPLACE INTO answers VALUES (?, ?, ?, ?, ?, ?, ?)", row)
                    self._db.execute("REPLACE INTO records VALUES (?, ?, ?, ?, ?, ?, ?)", record)
            self._unwritten.clear()

    def put_failure(self, key: bytes, failure: Failure) -> None:
        """Stores a final failure.

        Args:
            key: of the request.
            failure: the last one.

        Raises:
            UserError: it cannot be written to disk.
        """
        with self._lock, self._writing():
            self._db.execute("REPLACE INTO failures VALUES (?, ?)", (key, failure.kind))

    def traits(self, model: str) -> dict | None:
        """Returns the stored traits of a model, or None."""
        rows = self._rows("SELECT traits FROM traits WHERE model = ?", [model])
        return json.loads(rows[0][0]) if rows else None

    def put_traits(self, model: str, traits: dict) -> None:
        """Stores the traits that the start-up probe found.

        Args:
            model: fingerprint of the model.
            traits: names and values.

        Raises:
            UserError: they cannot be written to disk.
        """
        with self._lock, self._writing():
            self._db.execute("REPLACE INTO traits VALUES (?, ?)", (model, json.dumps(traits)))

    def close(self) -> None:
        with self._lock:
            self._db.close()

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise UserError(
                f"{self.path or 'the cache in memory'} takes no more answers ({error}), so no more calls are sent; "
                f"{len(self._unwritten)} answers are in memory until this program ends",
                "free space on its disk, then give the same command; or type lm.cache=another/file",
            ) from error

    def _rows(self, query: str, values: list) -> list[tuple]:
        with self._lock:
            try:
                return self._db.execute(query, values).fetchall()
            except sqlite3.DatabaseError as error:
                raise UserError(
                    f"{self.path or 'the cache in memory'} cannot be read, or is damaged ({error})",
                    "move it away, or type lm.cache=another/file",
                ) from error


def _create(db: sqlite3.Connection) -> None:
    for table in _TABLES:
        db.execute(table)


def _marks(keys: list) -> str:
    return ",".join("?" * len(keys))
