"""Memory of workers: a limit where the system has one, and how much there is."""

import os
import sys
from pathlib import Path

from qd.support.errors import UserError

_LIMITED = sys.platform == "linux"
_CGROUP = Path("/sys/fs/cgroup")  # of a container; absent elsewhere


def check(megabytes: float | None) -> None:
    """Raises UserError where a limit is impossible, or where this system cannot set one."""
    if megabytes is None:
        return
    if not megabytes > 0:
        raise UserError(f"remote.memory={megabytes} is no limit", "type remote.memory=500 (megabytes), or leave it out")
    if not _LIMITED:
        raise UserError(f"remote.memory needs Linux; {sys.platform} does not limit one process", "leave it out")


def limit(more: float) -> None:
    """Limits this process to so many bytes of address space beyond those that it has; programs it starts inherit the limit."""
    import resource  # not on Windows

    whole = _pages(0) * resource.getpagesize() + int(more)
    resource.setrlimit(resource.RLIMIT_AS, (whole, whole))


def resident() -> int:
    """Returns the bytes of memory that this process occupies, 0 where the system does not say."""
    return _pages(1) * os.sysconf("SC_PAGE_SIZE") if _LIMITED else 0


def available() -> int | None:
    """Returns the bytes that new processes can have, None where the system does not say."""
    if not _LIMITED:
        return None
    lines = dict(line.split(":", 1) for line in Path("/proc/meminfo").read_text().splitlines())
    free = int(lines["MemAvailable"].split()[0]) * 1024
    limits = [_number(_CGROUP / name) for name in ("memory.max", "memory.current")]
    return free if limits[0] is None else min(free, max(limits[0] - (limits[1] or 0), 0))


def check_workers(count: int, each: int) -> None:
    """Raises UserError where so many workers do not fit into memory.

    Args:
        count: workers that are still to be started.
        each: bytes that the first occupies after its start; 0: not known.

    Raises:
        UserError: names how many fit.
    """
    free = available()
    if not each or free is None or count * each <= free:
        return
    raise UserError(
        f"{count + 1} workers of about {each / 2**20:,.0f} MB each after their start need {(count + 1) * each / 2**30:,.1f} "
        f"GB, and {free / 2**30:,.1f} GB are free",
        f"type workers={max(1, 1 + free // each)} or fewer",
    )


def _pages(column: int) -> int:
    """Pages of this process: 0 address space, 1 resident."""
    return int(Path("/proc/self/statm").read_text().split()[column])


def _number(path: Path) -> int | None:
    try:
        text = path.read_text().strip()
    except OSError:
        return None
    return int(text) if text.isdecimal() else None
