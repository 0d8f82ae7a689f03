"""Links in a run folder are never followed: a foreign folder could point them at any file of the user.

The folder itself may be reached through a link that the user typed.
"""

import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

from qd.support import run_files
from qd.support.errors import UserError

_NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0)


def check(run: Path, names: Iterable[str] = run_files.ENTRIES) -> None:
    """Raises UserError where an entry of a run folder, at any depth, is a link, a pipe or a device; names it.

    The folders of experiment trackers below trackers/ are not looked into: wandb makes links there, nothing of ours reads them.

    Args:
        run: the folder; it need not exist.
        names: the entries that are looked at.
    """
    for path, mode in _walk([run / name for name in names], run / run_files.TRACKERS):
        if stat.S_ISLNK(mode):
            raise _refusal(path)
        if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
            raise UserError(f"{path} is neither a file nor a folder, and is not opened", "remove it")


def open_file(path: Path, flags: int, mode: int = 0o666) -> int:
    """Opens a file as ``os.open`` does, and returns its handle.

    Args:
        path: the file.
        flags: of ``os.open``.
        mode: of a file that is made.

    Raises:
        UserError: it is a link.
        OSError: as the file system says.
    """
    if path.is_symlink():  # a clear message, also where the system has no O_NOFOLLOW
        raise _refusal(path)
    return os.open(path, flags | _NO_FOLLOW | getattr(os, "O_CLOEXEC", 0), mode)


def is_inside(run: Path, path: Path) -> bool:
    """Whether a file lies in a run folder and no step from the folder to it is a link.

    Args:
        run: the folder.
        path: the file, as ``run / ...``; it need not exist.
    """
    try:
        inner = path.relative_to(run)
    except ValueError:
        return False
    steps = [run.joinpath(*inner.parts[: depth + 1]) for depth in range(len(inner.parts))]
    return ".." not in inner.parts and not any(step.is_symlink() for step in steps)


def _walk(paths: Iterable[Path], trackers: Path) -> Iterator[tuple[Path, int]]:
    """Yields all entries below some paths, themselves first, each with its mode; of the folder of trackers not its folders'."""
    for path in paths:
        try:
            mode = path.lstat().st_mode
            inner = sorted(path.iterdir()) if stat.S_ISDIR(mode) and path.parent != trackers else []
        except OSError:  # not there, or gone since it was listed
            continue
        yield path, mode
        yield from _walk(inner, trackers)


def _refusal(link: Path) -> UserError:
    return UserError(
        f"{link} is a link to {os.readlink(link)}, and links inside a run folder are not followed",
        "put the file itself there, or remove the link",
    )
