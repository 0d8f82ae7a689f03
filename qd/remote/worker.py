"""A worker process: reads tasks from its driver, evaluates them, and ends with its driver.

python -c "from qd.remote.worker import main; main(connection_fd, lifeline_fd)"
"""

import os
import pickle
import select
import signal
import sys
import threading
from multiprocessing import spawn
from multiprocessing.connection import Connection
from typing import Any, NamedTuple

from qd.remote import evaluating, memory


class Start(NamedTuple):
    """The first message to a worker."""

    preparation: dict[str, Any]  # of multiprocessing.spawn: sys.path, working directory, the script
    payload: bytes  # the pickled domain
    memory: float | None  # bytes that it may need beyond those after its start


class Ready(NamedTuple):
    """The first message of a worker."""

    error: str = ""  # why it cannot start
    resident: int = 0  # bytes


def main(descriptor: int, lifeline: int, idle: float | None = None) -> None:
    """Serves a driver until it closes the connection.

    Args:
        descriptor: of the connection.
        lifeline: a pipe on which nothing is ever sent: it closes when the driver dies.
        idle: seconds without a task after which the worker ends; None: never.
    """
    _end_with_driver(lifeline)
    connection = Connection(descriptor)
    call = _start(connection)
    while call is not None and connection.poll(idle):
        try:
            task = pickle.loads(connection.recv_bytes())
        except EOFError:
            break
        connection.send_bytes(pickle.dumps(evaluating.evaluate(call, task), 5))
    sys.stdout.flush()
    os._exit(0)  # threads of a library do not hold it up


def _start(connection: Connection) -> evaluating.Call | None:
    """Makes the domain and reports; None where it cannot."""
    start: Start = pickle.loads(connection.recv_bytes())
    call, loading = None, Loading()
    with loading:
        spawn.prepare(start.preparation)
        domain = pickle.loads(start.payload)
        if start.memory is not None:
            memory.limit(start.memory)
        call = evaluating.call_of(domain)
    connection.send_bytes(pickle.dumps(Ready(loading.error, memory.resident())))
    return call


class Loading:
    """Turns whatever a start raises into a line."""

    error = ""
    active = False  # in this process: the script is imported, and must not open workers itself

    def __enter__(self) -> None:
        Loading.active = True

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> bool:
        Loading.active = False
        self.error = "" if error is None else evaluating.describe(error)
        return True


def _end_with_driver(lifeline: int) -> None:
    """Ends this process and the programs it started when the driver dies.

    The signal ends it even where an evaluation in C does not let go of Python; the thread also ends its programs.
    """
    if sys.platform == "linux":
        import fcntl  # not on Windows

        fcntl.fcntl(lifeline, fcntl.F_SETOWN, os.getpid())
        fcntl.fcntl(lifeline, fcntl.F_SETFL, fcntl.fcntl(lifeline, fcntl.F_GETFL) | os.O_ASYNC)

    def watch() -> None:
        poll = select.poll()
        poll.register(lifeline, select.POLLIN | select.POLLHUP)
        poll.poll()
        os.killpg(0, signal.SIGKILL)  # this process leads its own group

    threading.Thread(target=watch, daemon=True).start()
