"""Where a result came from: the commit, the versions of packages, the processor."""

import hashlib
import platform
import subprocess
from functools import cache
from pathlib import Path
from typing import NamedTuple

_WRITTEN = ("experiments/results", "docs")  # by studies, from the root of the checkout


class Processor(NamedTuple):
    name: str
    flags: frozenset[str]  # instruction sets; empty where the system does not list them
    fingerprint: str  # 12 hex digits: programs compiled for one of these run on no other


@cache
def processor() -> Processor:
    """Returns this machine's processor, as the system describes it."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.exists() else []
    name = _field(lines, "model name") or platform.processor() or platform.machine()
    kinds = dict.fromkeys(line for line in lines if line.startswith(("model name", "flags", "Features")))
    fingerprint = hashlib.sha256("\n".join(kinds).encode() if lines else name.encode()).hexdigest()[:12]
    return Processor(name, frozenset(_field(lines, "flags").split()), fingerprint)


@cache
def version(package: str) -> str | None:
    """Returns the installed version of a package; None where it is not installed."""
    from importlib import metadata  # with the package email

    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def citation(package: str) -> str | None:
    """Returns a BibTeX entry of an installed package, from its metadata (name, authors, version); None without metadata."""
    from importlib import metadata

    if version(package) is None:
        return None
    about = metadata.metadata(package)
    entries = {"title": about["Name"], "author": about["Author"] or about["Author-email"], "version": about["Version"]}
    lines = [f"  {name} = {{{text}}}," for name, text in entries.items() if text]
    return "\n".join([f"@software{{{about['Name']},", *lines, "}"])


def commit(mark_changes: bool = True) -> str | None:
    """Returns the commit that this package is run from; None where it is not run from a checkout of its own.

    Args:
        mark_changes: append "+dirty" where tracked files differ from the commit, but for kept tables and pages, which studies
            write themselves.
    """
    package = Path(__file__).parents[1]
    if _git(package, "ls-files", "--error-unmatch", "types.py") is None:
        return None  # installed, perhaps inside another project's checkout
    head = _git(package, "rev-parse", "HEAD")
    code = (":(top)", *(f":(top,exclude){folder}" for folder in _WRITTEN))
    changed = mark_changes and head and _git(package, "status", "--porcelain", "--untracked-files=no", "--", *code)
    return f"{head}+dirty" if changed else head


def _field(lines: list[str], name: str) -> str:
    """Returns the last value of a field of /proc/cpuinfo, or an empty text."""
    return next((line.partition(":")[2].strip() for line in reversed(lines) if line.startswith(name)), "")


def _git(folder: Path, *words: str) -> str | None:
    try:
        result = subprocess.run(["git", "-C", str(folder), *words], capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return result.stdout.strip() if result.returncode == 0 else None
