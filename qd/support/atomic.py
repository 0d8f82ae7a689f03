"""Bytes that reach the disk whole: written beside, synced, renamed."""

import errno
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from qd.support.errors import UserError

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_BESIDE = ".new"


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """Opens a file that takes the place of ``path`` when the block ends; where the block raises, ``path`` stays as it is.

    Several processes and threads may replace the same file at once: the last one wins.

    Raises:
        OSError: as the file system says; ``user_facing_os_errors`` turns it into a message.
    """
    beside = path.with_name(f"{path.name}.{os.getpid()}-{threading.get_ident()}{_BESIDE}")
    try:
        beside.unlink(missing_ok=True)  # of a killed process of the same number
        with beside.open("xb") as file:  # a new file: a link that is there is an error, and not followed
            yield file
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        with suppress(OSError):
            beside.unlink()  # gives back the room that it took
        raise
    beside.replace(path)
    _sync_folder(path.parent)


def write(path: Path, data: bytes) -> None:
    """Writes a file of a run whole or not at all.

    Args:
        path: the file, in a folder that exists.
        data: all that it holds afterwards.

    Raises:
        UserError: the disk is full, or the folder cannot be written.
    """
    if not path.name or path.is_dir():
        raise UserError(f"{str(path)!r} is a folder, not a file", "name a file")
    with user_facing_os_errors(path), replacing(path) as file:
        file.write(data)


def make_folder(path: Path) -> None:
    """Makes a folder and its parents. Raises UserError where that is not permitted."""
    with user_facing_os_errors(path):
        path.mkdir(parents=True, exist_ok=True)


def check_folder(path: Path) -> None:
    """Raises UserError where a folder cannot be made or written, as far as that can be told without writing.

    Args:
        path: the folder; it need not exist.
    """
    place = next(place for place in (path, *path.absolute().parents) if os.path.lexists(place))
    if not place.is_dir() or not os.access(place, os.W_OK | os.X_OK):
        number = errno.EACCES if place.is_dir() else errno.ENOTDIR
        with user_facing_os_errors(path):
            raise OSError(number, os.strerror(number))


def check_length(path: Path, length: int) -> None:
    """Raises UserError where a growing file is shorter than at the checkpoint.

    Args:
        path: the file; none has length 0.
        length: bytes at the checkpoint.
    """
    size = path.stat().st_size if path.exists() else 0
    if size < length:
        raise UserError(
            f"{path} has {size} bytes, but {length} at the checkpoint: another program shortened it",
            "put it back, or type again=true to start over",
        )


def tidy(folder: Path) -> None:
    """Removes what a killed process left half-written."""
    for beside in folder.glob(f"*{_BESIDE}"):
        beside.unlink()


@contextmanager
def user_facing_os_errors(path: Path) -> Iterator[None]:
    """Turns an error of the file system into a message with a remedy."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise UserError(
                f"the disk is full: {path} could not be written ({error.strerror}). The last checkpoint is intact; "
                "free some room and give the same command: it goes on from there"
            ) from error
        raise UserError(
            f"{path} cannot be written ({error.strerror})",
            "type runs=FOLDER, or --out FILE, with a folder that you may write in",
        ) from error


def _sync_folder(folder: Path) -> None:
    if os.name == "nt":  # there a folder cannot be opened
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
