"""The labelling page as a process of its own, as `qd label` starts it."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

HOUSE = Path(__file__).resolve().parents[3]

for _package in ("starlette", "uvicorn", "jinja2"):
    pytest.importorskip(_package, reason=f"{_package} lacks: pip install 'qd-atlas[web]'")


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


def start(run: Path, port: int, *more: str) -> subprocess.Popen:
    """Starts the server and waits until it listens."""
    env = os.environ | {"PYTHONPATH": str(HOUSE)}
    words = [sys.executable, "-m", "qd", "label", str(run), "--port", str(port), *more]
    server = subprocess.Popen(words, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    for _ in range(200):
        if server.poll() is not None:
            raise AssertionError(server.communicate()[0])
        with socket.socket() as there:
            if there.connect_ex(("127.0.0.1", port)) == 0:
                return server
        time.sleep(0.05)
    server.kill()
    raise AssertionError("the server does not listen")


@contextmanager
def served(run: Path, *more: str) -> Iterator[int]:
    """Serves a run's page while the body lasts; yields its port."""
    port = free_port()
    server = start(run, port, *more)
    try:
        yield port
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(20)
