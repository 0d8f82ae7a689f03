"""Locks between processes, released by the operating system when their holder dies."""

import os
import sys
from pathlib import Path

from filelock import BaseFileLock, FileLock, Timeout

from qd.support import links
from qd.support.errors import UserError

_PATIENCE = 0.2  # seconds: ``is_taken`` holds a lock for a moment


class InUseError(Exception):
    """Another process, or another thread, holds the lock.

    Args:
        holder: its process id, or "unknown".
    """

    def __init__(self, holder: str) -> None:
        super().__init__(f"in use by process {holder}")
        self.holder = holder


def acquire(path: Path) -> BaseFileLock:
    """Takes a lock file, and writes into it which process holds it; ``release()`` gives it back.

    Raises:
        InUseError: it is taken.
        UserError: the lock file is a link.
        OSError: the file cannot be made, or its file system has no locks.
    """
    os.close(links.open_file(path, os.O_RDWR | os.O_CREAT))
    lock = FileLock(
        path, timeout=_PATIENCE, poll_interval=_PATIENCE / 4, thread_local=False, preserve_lock_file=True, on_acquired=_sign
    )
    try:
        lock.acquire()
    except Timeout:
        raise InUseError(_holder(path)) from None
    return lock


def is_taken(path: Path) -> bool:
    """Whether a process holds the lock of a file; False where there is no such file, or it cannot be opened."""
    try:
        handle = links.open_file(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    except (OSError, UserError):
        return False
    try:
        return _is_locked(handle)
    finally:
        os.close(handle)


if sys.platform == "win32":

    def _is_locked(handle: int) -> bool:
        try:
            os.read(handle, 1)
        except PermissionError:
            return True
        return False

else:
    import fcntl

    def _is_locked(handle: int) -> bool:
        try:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)  # given back when the file is closed
        except BlockingIOError:
            return True
        except OSError:  # a file system without locks
            return False
        return False


def _sign(handle: int) -> None:
    os.ftruncate(handle, 0)
    os.write(handle, f"{os.getpid()}\n".encode())


def _holder(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii").strip() or "unknown"
    except OSError:  # Windows: what is locked cannot be read
        return "unknown"
