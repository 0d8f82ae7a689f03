"""Workers on this machine: a pool of processes, each with its own copy of the domain.

Neither loky nor concurrent.futures: there all workers read one queue, one that is killed breaks the pool and loses all that is
in flight, and none can be ended for a hung task. Here each worker has a pipe of its own, so that one that dies loses one chunk.
"""

import time
from collections import deque
from dataclasses import dataclass
from multiprocessing.connection import wait
from typing import Any

from qd.remote import memory, pickling
from qd.remote.child import Child, Died
from qd.remote.tasks import EXITED, KILLED, Outcome, Status, Task
from qd.remote.worker import Ready
from qd.support.errors import UserError

_START = 120.0  # seconds that a worker may take to import the domain
_TRIES = {EXITED: 3, KILLED: 20}  # starts in a row that may fail; a kill may be chance


@dataclass(frozen=True)
class Processes:
    """Settings of a pool."""

    workers: int
    timeout: float | None = None  # seconds an evaluation
    memory: float | None = None  # megabytes an evaluation

    def __post_init__(self) -> None:
        if self.workers < 1:
            raise UserError(
                f"workers={self.workers} evaluates nothing",
                "type workers=1 or more, or leave it out to evaluate in this process",
            )
        check_timeout(self.timeout)
        memory.check(self.memory)

    @property
    def capacity(self) -> int:
        return self.workers

    @property
    def how_to_start(self) -> str:
        return "read what the workers printed above"

    def open(self, domain: Any) -> "ProcessPool":
        return ProcessPool(self, pickling.dumps(domain))


def check_timeout(seconds: float | None) -> None:
    """Raises UserError where a time limit is none."""
    if seconds is not None and not seconds > 0:
        raise UserError(
            f"remote.timeout={seconds:g} ends every evaluation", "type remote.timeout=60 (seconds), or leave it out"
        )


class ProcessPool:
    """A pool that is open."""

    def __init__(self, settings: Processes, payload: bytes) -> None:
        """Starts the first worker, and the others once it is known that they fit into memory."""
        self._settings, self._payload = settings, payload
        self._waiting: deque[Task] = deque()
        self._lost = self._failed_starts = 0
        self._children = [self._child()]
        began = time.monotonic()
        while not self._children[0].ready:
            self.wait(0.5)
            if time.monotonic() - began > _START:
                self.close()
                raise UserError(f"a worker did not start within {_START:g} s", "import less when the domain's module is loaded")
        try:
            memory.check_workers(settings.workers - 1, self._children[0].resident)
        except UserError:
            self.close()
            raise
        self._children += [self._child() for _ in range(settings.workers - 1)]

    def submit(self, task: Task) -> None:
        self._waiting.append(task)
        self._assign()

    def wait(self, seconds: float) -> list[Outcome]:
        self._assign()
        deadline = min(child.deadline for child in self._children)
        patience = max(0.0, min(seconds, deadline - time.monotonic()))
        by_connection = {child.connection: child for child in self._children}
        outcomes = []
        for connection in wait(list(by_connection), patience):
            outcomes += self._receive(by_connection[connection])  # type: ignore[index]
        for child in list(self._children):
            outcome = child.overdue()
            if outcome is not None:
                outcomes.append(outcome)
                self._replace(child)
        self._assign()
        return outcomes

    def status(self) -> Status:
        busy = [child.task for child in self._children if child.task is not None]
        in_flight = sum(len(task.solutions) for task in (*busy, *self._waiting))
        return Status(sum(child.ready for child in self._children), len(busy), self._lost, in_flight)

    def close(self) -> None:
        for child in self._children:
            child.kill()
        self._children = []

    def pids(self) -> list[int]:
        """Returns the process ids of the workers."""
        return [child.process.pid for child in self._children]

    def _child(self) -> Child:
        bytes_each = None if self._settings.memory is None else self._settings.memory * 2**20
        return Child(self._payload, bytes_each, self._settings.timeout)

    def _assign(self) -> None:
        for child in [child for child in self._children if child.ready and child.task is None]:
            if not self._waiting:
                return
            task = self._waiting.popleft()
            try:
                child.send(task)
            except Died:  # it comes out of wait as one that died with this task
                continue

    def _receive(self, child: Child) -> list[Outcome]:
        try:
            message = child.receive()
        except Died:
            return self._bury(child)
        if isinstance(message, Outcome):
            return [message]
        if message.error:
            self.close()
            raise UserError(f"a worker cannot load the domain: {message.error}", _importable(message))
        self._failed_starts = 0
        return []

    def _bury(self, child: Child) -> list[Outcome]:
        outcome = child.obituary()
        if not child.ready:
            self._failed_starts += 1
            if self._failed_starts >= _TRIES[outcome.reason]:
                self.close()
                raise UserError(f"workers die while they start ({outcome.detail})", "read what they printed above")
        self._replace(child)
        return [outcome] if outcome.number >= 0 else []

    def _replace(self, child: Child) -> None:
        self._lost += 1
        self._children[self._children.index(child)] = self._child()


def _importable(message: Ready) -> str:
    if "UserError" in message.error:  # it says what to type
        return ""
    return "a worker imports the module of the domain's class: it must be a file that can be imported, also from this folder"
