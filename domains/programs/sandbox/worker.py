"""Warm workers: a process in the sandbox that has imported what programs need, and forks a fresh child for each of them.

Between programs a worker holds no program's files, processes or memory; where the machine does not let it wall programs
off from itself, or a program took too long or printed too much, it is used once.
"""

import atexit
import contextlib
import json
import os
import queue
import selectors
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from pathlib import Path
from typing import Any, NamedTuple

from domains.programs.sandbox.limits import Execution, ExecutionLimits

_READY = (b"walls", b"none")  # what it says at its start
PATIENCE = 60.0  # seconds that a worker may take to start and to import
_FILES = 64  # that a program may have open


class End(NamedTuple):
    """How a program ended."""

    status: int  # exit status; 128 + n after signal n
    out: bytes  # its answers
    err: bytes  # what it printed
    cut: str  # why it was ended from outside; empty: it ended by itself


class Setup(NamedTuple):
    """What a worker is started for; workers of equal setups are the same."""

    sandbox: str  # its settings in words
    folders: tuple[str, ...]
    packages: tuple[str, ...]


class Worker:
    """One process that runs one program at a time."""

    def __init__(self, command_of: Callable[[Path, Mapping[str, Any]], list[str]], settings: Mapping[str, Any]) -> None:
        """Starts it.

        Args:
            command_of: (folder of the jobs, settings of the script ``inside``) -> the command.
            settings: of that script, without the descriptor of the answers.
        """
        self.folder = Path(tempfile.mkdtemp(prefix="qd-program-"))
        self.folder.chmod(0o755)
        mine, its = os.pipe()
        command = command_of(self.folder, {**settings, "answers": its})
        env = {"PATH": "/usr/bin:/bin", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        pipe: Any = subprocess.PIPE
        self._child = subprocess.Popen(
            command, stdin=pipe, stdout=pipe, stderr=pipe, cwd=self.folder, env=env, start_new_session=True, pass_fds=(its,)
        )
        os.close(its)
        assert self._child.stdout and self._child.stderr
        self._status, self._output, self._answers = self._child.stdout.fileno(), self._child.stderr.fileno(), mine
        for stream in (self._output, self._answers):
            os.set_blocking(stream, False)
        said, _, output, cut = self._watch(ExecutionLimits(wall=PATIENCE))
        self.fault = "" if said in _READY else f"{cut or said}; {output.decode(errors='replace')[-400:]}"
        self.reusable = said == _READY[0] or not settings["walls"]

    def run(self, job: Execution, limits: ExecutionLimits, token: str) -> End:
        """Runs one program; a worker that returns a ``cut`` is at its end.

        Args:
            job: Python, or a command with its files.
            limits: of the run.
            token: that its answer repeats.
        """
        text = {"source": job.source, "harness": job.harness, "inputs": dict(job.inputs), "command": list(job.command)}
        self._empty()
        for name, content in job.files.items():
            (self.folder / name).write_text(content, encoding="utf-8")
        (self.folder / "job.json").write_text(json.dumps(text | {"token": token}), encoding="utf-8")
        assert self._child.stdin
        try:
            self._child.stdin.write(json.dumps(rlimits(limits)).encode() + b"\n")
            self._child.stdin.flush()
        except BrokenPipeError:
            return End(-1, b"", b"", "its worker has ended")
        said, answers, output, cut = self._watch(limits)
        self._empty()
        return End(int(said) if said.isdigit() else -1, answers, output, cut)

    def close(self, running: bool = False) -> None:
        """Ends it and all that it started.

        Args:
            running: whether a program may still run; else it is idle, and ends by itself where nothing more is asked of it.
        """
        assert self._child.stdin
        with contextlib.suppress(OSError):
            self._child.stdin.close()
        for end in (self._child.terminate, lambda: os.killpg(self._child.pid, signal.SIGKILL)):
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._child.wait(0 if running else 2)
                break
            running = False
            with contextlib.suppress(ProcessLookupError):
                end()
        self._child.wait()
        for stream in (self._child.stdout, self._child.stderr):
            with contextlib.suppress(OSError):
                stream.close()  # type: ignore[union-attr]
        os.close(self._answers)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _empty(self) -> None:
        for path in self.folder.iterdir():
            shutil.rmtree(path, ignore_errors=True) if path.is_dir() and not path.is_symlink() else path.unlink()

    def _watch(self, limits: ExecutionLimits) -> tuple[bytes, bytes, bytes, str]:
        """Reads until the worker says something, or a limit is passed; returns what it said, answers, output, which limit."""
        parts: dict[int, bytearray] = {self._status: bytearray(), self._answers: bytearray(), self._output: bytearray()}
        deadline, cut = time.monotonic() + limits.wall, ""
        with selectors.DefaultSelector() as selector:
            for stream in parts:
                selector.register(stream, selectors.EVENT_READ)
            while not cut and not parts[self._status].endswith(b"\n"):
                for key, _ in selector.select(max(0.0, deadline - time.monotonic())):
                    parts[key.fd] += (data := _read(key.fd))
                    if not data:
                        selector.unregister(key.fd)
                        cut = "it ended the interpreter that it runs in" if key.fd == self._status else cut
                cut = cut or self._passed(limits, parts, deadline)
        for stream in (self._answers, self._output):  # all who wrote are gone: what is left lies in the pipes
            while not cut and (data := _read(stream)):
                parts[stream] += data
                cut = self._passed(limits, parts, float("inf"))
        most = int(limits.output * 1e6)
        said, answers, output = (bytes(part) for part in parts.values())
        return said.strip(), answers[:most], output[:most], cut

    def _passed(self, limits: ExecutionLimits, parts: Mapping[int, bytearray], deadline: float) -> str:
        if len(parts[self._answers]) + len(parts[self._output]) > limits.output * 1e6:
            return f"it printed over {limits.output:g} MB"
        return f"it took over {limits.wall:g} s by the clock" if time.monotonic() > deadline else ""


def rlimits(limits: ExecutionLimits) -> dict[str, tuple[int, int]]:
    """Returns limits as setrlimit(2) takes them: name -> (soft, hard)."""
    seconds, files, memory = max(1, round(limits.seconds)), int(limits.files * 1e6), int(limits.memory * 2**20)
    return {
        "RLIMIT_CPU": (seconds, seconds + 1),
        "RLIMIT_AS": (memory, memory),
        "RLIMIT_FSIZE": (files, files),
        "RLIMIT_NOFILE": (_FILES, _FILES),
        "RLIMIT_CORE": (0, 0),
        "RLIMIT_NPROC": (limits.processes, limits.processes),
    }


class _Pool:
    """The workers of a setup in this process."""

    def __init__(self) -> None:
        self.idle: list[tuple[int, Worker]] = []  # with their numbers
        self.busy = 0  # programs that run, or worker that starts
        self.is_starting = False
        self.start = 0.0  # seconds that the last start took; 0 where a worker runs one program only


def borrow(setup: Setup, start: Callable[[int], Worker]) -> tuple[int, Worker]:
    """Returns an idle worker and its number, or starts one.

    Where all are busy it waits for one as long as a start takes, and only then starts another: programs of some milliseconds
    share one worker, and longer ones wait at most twice as long as if the future were known.

    Args:
        setup: what it is for.
        start: number -> a new worker; numbers of workers that run at the same time differ.
    """
    with _CHANGED:
        pool, until = _POOLS.setdefault((os.getpid(), setup), _Pool()), None
        while not pool.idle and pool.busy:
            until = None if pool.is_starting else until or time.monotonic() + pool.start
            left = None if until is None else until - time.monotonic()
            if left is not None and left <= 0:
                break
            _CHANGED.wait(left)
        pool.busy += 1
        if pool.idle:
            return pool.idle.pop()
        number = min(set(range(len(_BUSY) + 1)) - _BUSY)
        _BUSY.add(number)
        pool.is_starting = True
    began, worker = time.monotonic(), None
    try:
        worker = _start_elsewhere(lambda: start(number))
        return number, worker
    finally:
        with _CHANGED:
            pool.is_starting, pool.start = False, time.monotonic() - began if worker and worker.reusable else 0.0
            if worker is None:
                pool.busy -= 1
                _BUSY.discard(number)
            _CHANGED.notify_all()


def put_back(setup: Setup, number: int, worker: Worker, usable: bool) -> None:
    """Keeps a worker for the next program, or ends it.

    Args:
        setup: what it is for.
        number: as it was borrowed.
        worker: that ran a program.
        usable: whether it may run another one.
    """
    if not usable:
        worker.close(running=True)
    with _CHANGED:
        pool = _POOLS[os.getpid(), setup]
        pool.busy -= 1
        pool.idle += [(number, worker)] if usable else []
        _BUSY.difference_update(() if usable else (number,))
        _CHANGED.notify_all()


def stop() -> None:
    """Ends all idle workers that this process started."""
    with _CHANGED:
        pools = [pool for (process, _), pool in _POOLS.items() if process == os.getpid()]
        idle = [pair for pool in pools for pair in pool.idle]
        for pool in pools:
            pool.idle.clear()
        _BUSY.difference_update(number for number, _ in idle)
    for _, worker in idle:
        worker.close()


_CHANGED = threading.Condition()
_POOLS: dict[tuple[int, Setup], _Pool] = {}
_BUSY: set[int] = set()  # numbers of workers, idle ones included
_STARTS: "queue.SimpleQueue[tuple[Future, Callable[[], Worker]]]" = queue.SimpleQueue()
atexit.register(stop)


def _start_elsewhere(start: Callable[[], Worker]) -> Worker:
    """Starts a worker in a thread that stays: bubblewrap ends with the thread that started it."""
    with _CHANGED:
        if os.getpid() not in _STARTERS:
            _STARTERS[os.getpid()] = threading.Thread(target=_keep_starting, name="sandbox", daemon=True)
            _STARTERS[os.getpid()].start()
    future: Future = Future()
    _STARTS.put((future, start))
    return future.result()


def _keep_starting() -> None:
    while True:
        future, start = _STARTS.get()
        try:
            future.set_result(start())
        except BaseException as error:  # noqa: BLE001  # whoever waits for it gets it
            future.set_exception(error)


_STARTERS: dict[int, threading.Thread] = {}


def _read(fd: int) -> bytes:
    try:
        return os.read(fd, 65_536)
    except BlockingIOError:
        return b""
