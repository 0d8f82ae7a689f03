"""Debian's bubblewrap: a program sees a read-only /usr, this Python and an empty folder; no network, no other process.

Programs run in warm workers (``worker``), which bubblewrap starts with the right to make namespaces and to change the
user inside of those that it made itself; the program of a worker has neither (``inside``). It limits neither time nor
memory nor processes: the worker does, and for root it changes the user first, since the limit on processes does not bind
root.
"""

import json
import os
import shutil
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from domains.programs.sandbox.limits import INSIDE, LIMITS, Execution, ExecutionLimits, ExecutionResult, limits_of
from domains.programs.sandbox.plain import package_folders
from domains.programs.sandbox.process import run_job
from qd.support.errors import UserError

_HERE, _SCRIPT = "/job", "/inside.py"


@dataclass(frozen=True)
class Bubblewrap:
    """CPython with the packages that are installed here (NumPy), or any executable of /usr."""

    limits: ExecutionLimits = LIMITS
    name: str = "bubblewrap"
    python: str = sys.executable

    def __post_init__(self) -> None:
        object.__setattr__(self, "limits", limits_of(self.limits))

    def check(self) -> None:
        """Raises UserError where bubblewrap is not installed or cannot start on this machine."""
        if problem := _problem(self.python):
            raise UserError(problem, "type apt install bubblewrap, sandbox=monty, or sandbox=none for no protection")

    def run(self, job: Execution) -> ExecutionResult:
        """Runs one program.

        Args:
            job: Python, or a command with its files.

        Returns:
            The outcome.
        """

        if hidden := [folder for folder in job.folders if os.getuid() == 0 and os.stat(folder).st_mode & 0o5 != 0o5]:
            words = f"{hidden[0]} cannot be read by the user without rights that programs run as"
            return ExecutionResult(None, f"{words}: type chmod o+rx {hidden[0]}")

        def command(folder: Path, settings: Mapping[str, Any]) -> list[str]:
            return [*self._walls(folder, job.folders), self.python, "-I", "-S", _SCRIPT, json.dumps(settings)]

        below = [path for path in _shown(job.folders) if path.startswith("/tmp/")]
        kept = [path for path in below if not any(path.startswith(f"{other}/") for other in below)]
        settings = {"walls": True, "job": _HERE, "paths": package_folders(), "kept": kept, "size": int(self.limits.files * 1e6)}
        return run_job(job, self.limits, repr(self), command, settings)

    def _walls(self, folder: Path, folders: Sequence[str]) -> list[str]:
        size = str(int(self.limits.files * 1e6))
        words = ["bwrap", "--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try"]
        words += ["--die-with-parent", "--new-session", "--clearenv", "--cap-drop", "ALL"]
        for name, value in _ENVIRONMENT.items():
            words += ["--setenv", name, value]
        words += _system()
        words += ["--proc", "/proc", "--dev", "/dev", "--size", size, "--perms", "1777", "--tmpfs", "/tmp"]
        paths = _shown(folders)
        words += [*_parents(paths), "--dir", "/old"]
        for path in paths:
            words += ["--ro-bind", path, path]
        words += ["--ro-bind", str(folder), _HERE, "--ro-bind", str(INSIDE), _SCRIPT]
        words += ["--size", size, "--perms", "1777", "--tmpfs", "/work", "--chdir", "/work"]
        words += ["--remount-ro", "/dev", "--remount-ro", "/"]  # what bwrap made for itself, memory without a limit
        words += [] if os.getuid() == 0 else ["--unshare-user", "--disable-userns"]
        rights = ("SYS_ADMIN", "SETUID", "SETGID")  # of the worker, in these namespaces
        return [*words, *(word for right in rights for word in ("--cap-add", f"CAP_{right}")), "--"]


_ENVIRONMENT = {
    "PATH": "/usr/bin:/bin",
    "HOME": "/work",
    "TMPDIR": "/work",
    "LANG": "C.UTF-8",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MPLCONFIGDIR": "/work",
    "PYTHONDONTWRITEBYTECODE": "1",
}


def _system() -> list[str]:
    words = ["--ro-bind", "/usr", "/usr"]
    for name in ("bin", "sbin", "lib", "lib64"):
        path = Path("/", name)
        if path.is_symlink():
            words += ["--symlink", os.readlink(path), f"/{name}"]
        elif path.is_dir():
            words += ["--ro-bind", str(path), str(path)]
    for path in ("/etc/ld.so.cache", "/etc/alternatives"):
        words += ["--ro-bind-try", path, path]
    return words


def _shown(folders: Sequence[str]) -> list[str]:
    """The folders outside of /usr that a program can read: of Python, of its packages, of the job."""
    paths = dict.fromkeys((sys.base_prefix, sys.prefix, *package_folders(), *folders))
    return [path for path in paths if path != "/usr" and not path.startswith("/usr/")]


def _parents(paths: Iterable[str]) -> list[str]:
    """The folders above what is shown, which an unprivileged user must be able to pass; bwrap itself makes them private."""
    parents = {str(parent) for path in paths for parent in Path(path).parents} - {"/", "/tmp", "/usr"}
    return [word for parent in sorted(parents) for word in ("--perms", "0755", "--dir", parent)]


@cache
def _problem(python: str) -> str:
    """Returns why it does not work on this machine; empty where it does: one command is run."""
    if not shutil.which("bwrap"):
        return "the sandbox needs the program bwrap, of the package bubblewrap, which is not installed"
    outcome = Bubblewrap(python=python).run(Execution(command=("echo", "42")))
    return "" if outcome.value == 42 else f"bubblewrap cannot start a program on this machine: {outcome.fault}"
