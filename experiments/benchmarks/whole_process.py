"""Times a command as a whole: wall, CPU and memory of all its processes, and when a terminal shows a line of it."""

import os
import pty
import subprocess
import sys
import threading
import time
from pathlib import Path

_EVERY = 0.01  # seconds between two looks at the memory
_PAGE = os.sysconf("SC_PAGE_SIZE")


def run(words: list[str], folder: str, env: dict[str, str]) -> dict[str, float]:
    """Runs a command and waits for it.

    Args:
        words: of the command.
        folder: where it runs.
        env: variables beside those of this process.

    Returns:
        wall_s; cpu_s of it and its children; peak_mb, the most memory resident at one time in all its processes together (what
        they share counts in each), in 10^6 bytes; where there is no /proc, of its largest process.

    Raises:
        CalledProcessError: it ended with a status other than 0.
    """
    began = time.perf_counter()
    with open(Path(folder, "output.txt"), "w") as output:
        child = subprocess.Popen(words, cwd=folder, env=_environment(env), stdout=output, stderr=output)
        memory = _Memory(child.pid)
        _, status, usage = os.wait4(child.pid, 0)
    wall = time.perf_counter() - began
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise subprocess.CalledProcessError(child.returncode, words, Path(folder, "output.txt").read_text())
    largest = usage.ru_maxrss * (
        1 if sys.platform == "darwin" else 1024
    )  # on Linux at least that of the process that started it
    return {"wall_s": wall, "cpu_s": usage.ru_utime + usage.ru_stime, "peak_mb": (memory.peak() or largest) / 1e6}


def on_terminal(words: list[str], folder: str, env: dict[str, str], texts: dict[str, str]) -> dict[str, float]:
    """Runs a command on a terminal of its own and notes when it first shows something.

    Args:
        words: of the command.
        folder: where it runs.
        env: variables beside those of this process.
        texts: name -> what to wait for; an empty text: any output.

    Returns:
        Name -> seconds from the start, and wall_s.

    Raises:
        CalledProcessError: it ended with a status other than 0.
        KeyError: it never showed one of the texts.
    """
    ours, theirs = pty.openpty()
    began, output, seconds = time.perf_counter(), "", dict[str, float]()
    terminal = {"TERM": "xterm", "COLUMNS": "150", "LINES": "40"}
    child = subprocess.Popen(words, cwd=folder, env=_environment(env | terminal), stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    while some := _read(ours):
        output += some.decode(errors="replace")
        for name, text in texts.items():
            if name not in seconds and text in output:
                seconds[name] = time.perf_counter() - began
    os.close(ours)
    if child.wait():
        raise subprocess.CalledProcessError(child.returncode, words, output)
    return {name: seconds[name] for name in texts} | {"wall_s": time.perf_counter() - began}


def _environment(more: dict[str, str]) -> dict[str, str]:
    return os.environ | {"OPENBLAS_NUM_THREADS": "1"} | more


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 1 << 16)
    except OSError:  # the last process that had it open has ended
        return b""


class _Memory:
    """Looks at the memory of a process and its descendants until it has ended."""

    def __init__(self, process: int) -> None:
        self._largest, self._over = 0, threading.Event()
        self._thread = threading.Thread(target=self._watch, args=(process,), daemon=True)
        self._thread.start()

    def peak(self) -> int:
        """Ends looking; returns the most bytes."""
        self._over.set()
        self._thread.join()
        return self._largest

    def _watch(self, process: int) -> None:
        while not self._over.wait(_EVERY):
            self._largest = max(self._largest, _resident(process))


def _resident(process: int, parent: bytes = b"") -> int:
    """Bytes of a process and its descendants. One with its parent's command line is about to start a program, and shows
    its parent's memory meanwhile."""
    try:
        command = Path(f"/proc/{process}/cmdline").read_bytes()
        pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
        children = [file.read_text().split() for file in Path(f"/proc/{process}/task").glob("*/children")]
    except (OSError, IndexError):  # it has ended, or there is no /proc
        return 0
    if command == parent:
        return 0
    return pages * _PAGE + sum(_resident(int(child), command) for each in children for child in each)
