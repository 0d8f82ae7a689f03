"""A language model on this machine: any GGUF file, served by xllamacpp in a child process on the loopback address.

The client speaks to it as to any paid endpoint. It starts at the first call that no cache answers, is shared by all that
have the same settings, and ends with this process.
"""

import atexit
import hashlib
import importlib.util
import os
import queue
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import IO

from feedback.lm.local import weights
from qd.support.errors import UserError


@dataclass(frozen=True)
class Local:
    """Settings of a local server; ``weights`` is a name that `qd fetch` knows, or the path of a GGUF file."""

    weights: str = "local"
    threads: int = 1  # two threads on two busy cores wait for each other: measured 10 times slower
    context: int = 2048  # tokens
    slots: int = (
        1  # calls answered at the same time; 4 take two thirds of the processor for each, but repeat no longer bit for bit
    )
    patience: float = 300.0  # seconds to load: 2 of a core when idle

    def start(self) -> str:
        """Returns the base URL of the running server. Raises ValueError on what is missing, with the line to type."""
        key = (os.getpid(), self)
        with _LOCK:
            running = _RUNNING.get(key)
            if running is None or running[0].poll() is not None:
                running = _RUNNING[key] = _launch(self)
        return running[1]

    def close(self) -> None:
        """Ends the server for all its users; the next call starts it again."""
        _end((os.getpid(), self))

    @property
    def pid(self) -> int | None:
        """The process that serves, once it runs."""
        running = _RUNNING.get((os.getpid(), self))
        return running[0].pid if running else None

    @property
    def extra(self) -> dict[str, bool]:
        """What each call sends: else llama.cpp reuses tokens of earlier prompts, and log-probabilities depend on them."""
        return {"cache_prompt": False}

    @property
    def fingerprint(self) -> str:
        """What tells its answers from another model's: the checksum of the weights."""
        if self.weights in weights.CATALOGUE:
            return weights.CATALOGUE[self.weights].files[0].sha256
        return _checksum(str(weights.gguf(self.weights).resolve()))


def stop() -> None:
    """Ends every server that this process started."""
    with _LOCK:
        here = [key for key in _RUNNING if key[0] == os.getpid()]
    for key in here:
        _end(key)


_RUNNING: dict[tuple[int, Local], tuple[subprocess.Popen, str]] = {}
_LOCK = threading.Lock()
atexit.register(stop)


def _end(key: tuple[int, Local]) -> None:
    with _LOCK:
        running = _RUNNING.pop(key, None)
    if running is not None:
        running[0].terminate()
        running[0].wait()


def _launch(server: Local) -> tuple[subprocess.Popen, str]:
    path = weights.gguf(server.weights)
    if importlib.util.find_spec("xllamacpp") is None:
        raise UserError(
            "a local language model needs xllamacpp, which is not installed", "type pip install 'qd-atlas[local-lm]'"
        )
    log = tempfile.TemporaryFile(mode="w+b")  # noqa: SIM115 - the child writes to it as long as it lives
    child = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "feedback.lm.local.serve",
            str(path),
            str(server.threads),
            str(server.context),
            str(server.slots),
            str(os.getpid()),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=log,
        text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(p for p in sys.path if p)},  # the packages that we ourselves found
    )
    until = time.monotonic() + server.patience
    address = _first_line(child, until)
    if address is None or not _healthy(address, until):
        child.kill()
        child.wait()
        raise UserError(
            f"the language model in {path} did not start within {server.patience:g} s: {_tail(log)}; "
            "is the file whole, and is there memory for it?"
        )
    return child, f"{address}/v1"


def _first_line(child: subprocess.Popen, until: float) -> str | None:
    """Returns what the child says first, or None where it says nothing in time."""
    lines: queue.Queue[str] = queue.Queue()
    assert child.stdout is not None
    threading.Thread(target=lambda out: lines.put(out.readline()), args=(child.stdout,), daemon=True).start()
    try:
        return lines.get(timeout=max(until - time.monotonic(), 0)).strip() or None
    except queue.Empty:
        return None


def _healthy(address: str, until: float) -> bool:
    """Waits on /health, which is 503 while the model loads."""
    while time.monotonic() < until:
        try:
            with urllib.request.urlopen(f"{address}/health", timeout=5) as answer:
                if answer.status == 200:
                    return True
        except OSError:
            time.sleep(0.1)
    return False


def _tail(log: IO[bytes]) -> str:
    log.seek(0)
    lines = [line for line in log.read().decode(errors="replace").splitlines() if line.strip()]
    return " | ".join(lines[-3:]) or "its log is empty"


@lru_cache(maxsize=8)
def _checksum(path: str) -> str:
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
