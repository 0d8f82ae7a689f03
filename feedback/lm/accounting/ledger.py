"""A record of all calls and their cost, a JSON line each, written before and after a call: from it the spending is rebuilt.

    {"event": "sent", "ticket": 7, "role": "judge", "key": "09ab...", "in": 212, "out": 1, "money": 0.00003}  reserved
    {"event": "answered", "ticket": 7, "in": 85, "out": 1, "money": 0.00001}  or "failed", "lost"
    {"event": "gave up", "role": "judge", "key": "09ab...", "why": "500"}  a row that has no answer
    {"event": "cached", "role": "judge", "rows": 64, "in": 5440, "out": 64, "money": 0.0009}

A call that was in flight when the process died has only a line "sent". When the ledger is opened again it counts as lost and
is charged with its reservation, since the bill is unknown.
"""

import errno
import json
import os
import threading
import time
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any

from filelock import BaseFileLock

from feedback.lm.accounting.budget import Cost
from qd.support import locks
from qd.support.errors import UserError


@dataclass
class Account:
    """The calls of one role and their cost; the fields are the columns of the report."""

    calls: int = 0  # sent, each attempt
    cached: int = 0  # rows answered by the cache
    failed: int = 0  # rows without an answer
    lost: int = 0  # calls in flight when a process died
    tokens_in: int = 0
    tokens_out: int = 0
    money: float = 0.0
    saved: float = 0.0  # money, by the cache
    saved_tokens: int = 0
    why: Counter = field(default_factory=Counter)  # of attempts that failed


class Ledger:
    """The ledger of a client; without a path it stays in memory."""

    def __init__(self, path: Path | None = None) -> None:
        """Raises UserError where another process writes to it: there is one client and one budget."""
        self.roles: dict[str, Account] = {}
        self.lost_calls: list[dict[str, Any]] = []  # the calls in flight when an earlier process died
        self.keys: set[str] = set()  # of the questions that have an answer in this run
        self._open: dict[int, dict[str, Any]] = {}  # calls in flight
        self._next, self._lock = 0, threading.RLock()
        self._file: IO[bytes] | None = None
        self._lock_file: BaseFileLock | None = None
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._lock_file = _take(path)
            self._file = path.open("a+b", buffering=0)
            try:
                self._rebuild(path)
            except ValueError:
                self.close()
                raise

    @property
    def total(self) -> Cost:
        """The cost of all roles, without calls in flight."""
        total = Cost()
        for account in self.roles.values():
            total = total.plus(Cost(account.calls, account.tokens_in, account.tokens_out, account.money))
        return total

    def open_call(self, role: str, key: bytes, worst: Cost) -> int:
        """Records a call before it is sent.

        Args:
            role: the component that calls.
            key: of the request.
            worst: what it may cost; charged if this process dies before the answer.

        Returns:
            A ticket for ``close_call``.

        Raises:
            UserError: the line cannot be written to disk.
        """
        with self._lock:
            ticket = self._next
            row = {"ticket": ticket, "role": role, "key": key.hex(), "at": round(time.time(), 3)}
            self._note({"event": "sent"} | row | _costs(worst))
        return ticket

    def close_call(self, ticket: int, cost: Cost, why: str = "") -> None:
        """Records the end of a call.

        Args:
            ticket: from ``open_call``.
            cost: what is charged.
            why: the kind of failure, "" for a reply.

        Raises:
            UserError: the line cannot be written to disk; the cost still counts in this process.
        """
        self._note({"event": "failed", "why": why, "ticket": ticket} | _costs(cost) if why else
                   {"event": "answered", "ticket": ticket} | _costs(cost))  # fmt: skip

    def note_failure(self, role: str, key: bytes, why: str) -> None:
        """Records a row without an answer.

        Args:
            role: the component that calls.
            key: of the request.
            why: the kind of failure.
        """
        self._note({"event": "gave up", "role": role, "key": key.hex(), "why": why})

    def note_cached(self, role: str, rows: int, cost: Cost) -> None:
        """Records rows that the cache answers.

        Args:
            role: the component that calls.
            rows: how many.
            cost: of the original calls.
        """
        self._note({"event": "cached", "role": role, "rows": rows} | _costs(cost))

    def report(self) -> list[dict[str, Any]]:
        """Returns a row for each role."""
        with self._lock:
            return [{"role": role} | asdict(account) | {"why": dict(account.why)} for role, account in self.roles.items()]

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
        if self._lock_file is not None:
            self._lock_file.release()

    def _rebuild(self, path: Path) -> None:
        assert self._file is not None
        self._file.seek(0)
        lines = self._file.read().split(b"\n")
        for number, line in enumerate(lines, 1):
            try:
                if line:
                    self._apply(json.loads(line))
            except (ValueError, KeyError, TypeError) as error:
                if number == len(lines):  # cut off by a kill before the call was sent, since the line is written first
                    self._file.truncate(self._file.tell() - len(line))
                    continue
                raise UserError(
                    f"line {number} of {path} is damaged ({error}); the spending is not known: move the file"
                ) from error
        for ticket, row in list(self._open.items()):
            self.lost_calls.append(row)
            self._note({"event": "lost", "ticket": ticket} | {name: row[name] for name in ("in", "out", "money")})

    def _note(self, line: dict[str, Any]) -> None:
        with self._lock:
            if line["event"] == "sent":  # no call is sent before it is recorded
                self._append(line)
                self._apply(line)
            else:
                self._apply(line)
                self._append(line)

    def _append(self, line: dict[str, Any]) -> None:
        """Writes a whole line or nothing. Raises UserError where the disk is full or cannot be written."""
        if self._file is None:
            return
        end, data = os.fstat(self._file.fileno()).st_size, json.dumps(line).encode() + b"\n"
        try:
            if self._file.write(data) < len(data):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError as error:
            self._file.truncate(end)
            raise UserError(
                f"{self._file.name} cannot be written ({error.strerror}), so no more calls are sent",
                "free space on its disk, then give the same command",
            ) from error

    def _apply(self, line: dict[str, Any]) -> None:
        event = line["event"]
        if event == "sent":
            self._open[line["ticket"]] = line
            self._next = max(self._next, line["ticket"] + 1)
            return
        row = self._open.pop(line["ticket"]) if event in ("answered", "failed", "lost") else line
        account = self.roles.setdefault(row["role"], Account())
        if event == "gave up":
            account.failed += 1
        elif event == "cached":
            account.cached += line["rows"]
            account.saved += line["money"]
            account.saved_tokens += line["in"] + line["out"]
        else:
            account.calls += 1
            account.tokens_in += line["in"]
            account.tokens_out += line["out"]
            account.money += line["money"]
            account.lost += event == "lost"
            account.why.update([line["why"]] if event == "failed" else [])
            self.keys.update([row["key"]] if event == "answered" else [])


def _costs(cost: Cost) -> dict[str, Any]:
    return {"in": cost.tokens_in, "out": cost.tokens_out, "money": cost.money}


def _take(path: Path) -> BaseFileLock:
    try:
        return locks.acquire(path.with_suffix(".lock"))
    except locks.InUseError as error:
        raise UserError(
            f"{path} is in use by another client of the same model, so that there would be two budgets",
            "use one client for both (for judges leave lm@judge_lm=... out), or wait until the other run ends",
        ) from error
