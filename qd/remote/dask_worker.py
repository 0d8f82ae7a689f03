"""What runs on a Dask worker: each evaluation in a supervised process of its own, so that nothing it does harms the worker."""

import sys
import threading
import time
from contextlib import suppress
from multiprocessing.connection import wait
from typing import Any

from distributed import WorkerPlugin

from qd.remote.child import Child, Died
from qd.remote.tasks import KILLED, UNFIT, Outcome, Task
from qd.remote.worker import Ready

_IDLE = 300.0  # seconds after which a process without tasks ends, where a driver has gone without a word
_START = 120.0
_served: dict[str, "_Served"] = {}  # name -> the domain, on this worker


class ServeDomain(WorkerPlugin):
    """Brings a domain to all workers of a cluster, also to those that come later."""

    def __init__(self, name: str, payload: bytes, timeout: float | None, memory: float | None, version: str) -> None:
        self.name, self.settings, self.version = name, (payload, timeout, memory), version

    def setup(self, worker: Any) -> None:
        _served[self.name] = _Served(*self.settings, unfit=_difference(self.version, worker.address))

    def teardown(self, worker: Any) -> None:
        if self.name in _served:
            _served.pop(self.name).close()


def evaluate(name: str, task: Task) -> Outcome:
    """Evaluates a task of a domain that this worker serves.

    Args:
        name: of the domain.
        task: b solutions.
    """
    served = _served.get(name)
    if served is None:
        return Outcome(task.number, None, 0.0, KILLED, "the worker no longer has the domain")
    return served.evaluate(task)


def version_here() -> str:
    """Returns the version of qd-atlas in this process."""
    return sys.modules["qd"].__version__


class _Served:
    """A domain and the processes that evaluate it, one for each thread that is busy."""

    def __init__(self, payload: bytes, timeout: float | None, memory: float | None, unfit: str) -> None:
        self._settings, self._unfit = (payload, memory, timeout, _IDLE), unfit
        self._free: list[Child] = []
        self._busy: list[Child] = []
        self._lock = threading.Lock()

    def evaluate(self, task: Task) -> Outcome:
        if self._unfit:
            return Outcome(task.number, None, 0.0, UNFIT, self._unfit)
        with self._lock:
            child = self._take() or Child(*self._settings)
            self._busy.append(child)
        outcome = _work(child, task)
        with self._lock:
            self._busy.remove(child)
            if not child.connection.closed:
                self._free.append(child)
        return outcome

    def _take(self) -> Child | None:
        """Returns a process that is free; one that ended in a long pause is let go."""
        while self._free:
            child = self._free.pop()
            if child.process.poll() is None:
                return child
            child.kill()
        return None

    def close(self) -> None:
        with self._lock:
            self._unfit = "the driver has gone"
            for child in self._free:
                child.kill()
            self._free = []
            for child in self._busy:  # their threads see the end of them
                child.signal()


def _difference(version: str, address: str) -> str:
    """Says how this worker's qd-atlas differs from the driver's; empty where it does not."""
    here = version_here()
    same = here == version
    return "" if same else f"the worker {address} has qd-atlas {here} (here {version}); install the same version there"


def _work(child: Child, task: Task) -> Outcome:
    """Gives a task to a process, waits, and ends the process where the task takes too long."""
    deadline = time.monotonic() + _START
    try:
        while not child.ready:
            wait([child.connection], max(0.0, deadline - time.monotonic()))
            message = child.receive() if child.connection.poll(0) else Ready(f"not started within {_START:g} s")
            if isinstance(message, Ready) and message.error:
                child.kill()
                return Outcome(task.number, None, 0.0, UNFIT, f"a worker cannot load the domain: {message.error}")
        child.send(task)
        while True:
            wait([child.connection], None if child.timeout is None else max(0.0, child.deadline - time.monotonic()))
            if child.connection.poll(0):
                outcome = child.receive()
                assert isinstance(outcome, Outcome)
                return outcome
            if (late := child.overdue()) is not None:
                return late
    except Died:
        with suppress(OSError):
            return child.obituary()._replace(number=task.number)
        return Outcome(task.number, None, 0.0, KILLED, "the process is gone")
