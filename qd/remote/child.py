"""One worker process under supervision: it is ended when it hangs, and whatever becomes of it is an Outcome."""

import os
import pickle
import signal
import subprocess
import sys
import time
from contextlib import suppress
from multiprocessing import Pipe, spawn
from typing import Any

from qd.remote.tasks import EXITED, KILLED, TIMED_OUT, Outcome, Task
from qd.remote.worker import Loading, Ready, Start
from qd.support.errors import UserError

_COMMAND = "import sys; sys.path[:] = {!r}; from qd.remote.worker import main; main({}, {}, {})"
Died = (EOFError, ConnectionError)  # what sending and receiving raise once the process is gone


class Child:
    """A worker process; ``ready`` once it has its domain.

    The process is started by subprocess, not by multiprocessing: it leads a process group of its own, so that Ctrl-C reaches
    the driver alone and the programs of a hung evaluation end with it; and a Dask worker, which is a daemon and may have no
    children of multiprocessing, can have one.
    """

    def __init__(self, payload: bytes, memory: float | None, timeout: float | None, idle: float | None = None) -> None:
        """Starts the process.

        Args:
            payload: the pickled domain.
            memory: bytes that an evaluation may need; None: no limit.
            timeout: seconds that one evaluation may take; None: no limit.
            idle: seconds without a task after which it ends by itself; None: never.

        Raises:
            UserError: this process is itself a worker that imports the user's script, or the system is Windows.
        """
        if sys.platform == "win32":
            raise UserError("workers need Linux or macOS", "leave out workers, or use the Windows Subsystem for Linux")
        if Loading.active:
            raise UserError(
                "this script opens workers while a worker imports it",
                'put all but imports, classes and functions below the line if __name__ == "__main__":',
            )
        self.timeout, self.ready, self.task, self.resident = timeout, False, None, 0
        self.task: Task | None
        self.deadline = float("inf")
        self.connection, theirs = Pipe()
        lifeline, self._lifeline = os.pipe()
        command = [sys.executable, "-c", _COMMAND.format(sys.path, theirs.fileno(), lifeline, idle)]
        self.process = subprocess.Popen(
            command,
            pass_fds=(theirs.fileno(), lifeline),
            stdin=subprocess.DEVNULL,
            stdout=2,  # what a domain prints stays out of the driver's output
            start_new_session=True,
        )
        theirs.close()
        os.close(lifeline)
        with suppress(*Died):
            self._send(Start(_preparation(with_script=idle is None), payload, memory))

    def send(self, task: Task) -> None:
        """Gives the idle worker a task. Raises one of ``Died`` where the process is gone."""
        self.task = task
        self.deadline = time.monotonic() + self.timeout * len(task.solutions) if self.timeout else float("inf")
        self._send(task)

    def receive(self) -> Ready | Outcome:
        """Returns its next message. Raises one of ``Died`` where the process is gone."""
        message = pickle.loads(self.connection.recv_bytes())
        if isinstance(message, Ready):
            self.ready, self.resident = True, message.resident
        else:
            self.task, self.deadline = None, float("inf")
        return message

    def overdue(self) -> Outcome | None:
        """Ends the process where its task has taken too long, and returns the outcome."""
        if self.task is None or time.monotonic() < self.deadline:
            return None
        task = self.task
        self.kill()
        limit = f"{len(task.solutions)} x " * (len(task.solutions) > 1) + f"{self.timeout:g} s"
        return Outcome(task.number, None, (self.timeout or 0) * len(task.solutions), TIMED_OUT, f"ended after {limit}")

    def obituary(self) -> Outcome:
        """Returns the outcome of the task that a dead process had; its number is -1 where it had none."""
        code, number = self.kill(), -1 if self.task is None else self.task.number
        if code < 0:
            return Outcome(number, None, 0.0, KILLED, f"killed by {_signal(-code)}")
        return Outcome(number, None, 0.0, EXITED, f"exit status {code}")

    def kill(self) -> int:
        """Ends the process and the programs that it started, and returns its exit status, negative for a signal."""
        code = self.process.poll()
        if code is None:
            with suppress(subprocess.TimeoutExpired):
                if self.connection.closed or self.connection.poll(0):  # it has ended, though the system does not report it yet
                    code = self.process.wait(0.2)
        self.signal()
        code = self.process.wait() if code is None else code
        self.connection.close()
        if self._lifeline >= 0:
            os.close(self._lifeline)
            self._lifeline = -1
        return code

    def signal(self) -> None:
        """Sends SIGKILL to the process and to the programs that it started, and waits for nothing."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)

    def _send(self, message: Any) -> None:
        try:
            content = pickle.dumps(message, 5)
        except (TypeError, AttributeError, pickle.PicklingError) as error:
            raise UserError(
                f"solutions cannot be sent to a worker: {error}", "make them of numbers, text and plain classes"
            ) from error
        self.connection.send_bytes(content)


def _preparation(with_script: bool) -> dict[str, Any]:
    """What a new process must know to find the user's modules, and the classes of the script that runs."""
    script = ("init_main_from_name", "init_main_from_path") if with_script else ()
    data = {name: value for name, value in spawn.get_preparation_data("worker").items() if name in ("sys_path", "dir", *script)}
    if not with_script:  # `dask worker` is a script of its own, so that Python does not look in the folder where it was started
        data["sys_path"] = [*data["sys_path"], os.getcwd()]
    return data


def _signal(number: int) -> str:
    with suppress(ValueError):
        return f"signal {number} ({signal.Signals(number).name})"
    return f"signal {number}"
