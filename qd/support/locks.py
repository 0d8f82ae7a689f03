"""Locks between processes, released by the operating system when their holder dies."""

import os
from pathlib import Path

from filelock import BaseFileLock, FileLock, Timeout

from qd.support import links


class InUseError(Exception):
    """Another process, or another thread, holds the lock.

    Args:
        holder: its process id, or "unknown".
    """

    def __init__(self, holder: str) -> None:
        super().__init__(f"in use by process {holder}")
        self.holder = holder


def acquire(path: Path) -> BaseFileLock:
    """Takes a lock file without waiting, and writes into it which process holds it; ``release()`` gives it back.

    Raises:
        InUseError: it is taken.
        UserError: the lock file is a link.
        OSError: the file cannot be made, or its file system has no locks.
    """
    os.close(links.open_file(path, os.O_RDWR | os.O_CREAT))
    lock = FileLock(path, timeout=0, thread_local=False, preserve_lock_file=True, on_acquired=_sign)
    try:
        lock.acquire()
    except Timeout:
        raise InUseError(_holder(path)) from None
    return lock


def _sign(handle: int) -> None:
    os.ftruncate(handle, 0)
    os.write(handle, f"{os.getpid()}\n".encode())


def _holder(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii").strip() or "unknown"
    except OSError:  # Windows: what is locked cannot be read
        return "unknown"
