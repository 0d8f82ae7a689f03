"""Debian's bubblewrap: a program sees a read-only /usr, this Python and an empty folder; no network, no other process.

bwrap itself limits neither time nor memory nor processes: prlimit does, and for root setpriv changes the user first, since
the limit on processes does not bind root.
"""

import os
import shutil
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from domains.programs.sandbox.limits import INSIDE, LIMITS, Execution, ExecutionLimits, ExecutionResult, limits_for, limits_of
from domains.programs.sandbox.plain import JOB, package_folders, prlimit
from domains.programs.sandbox.process import run_job
from qd.support.errors import UserError

_NOBODY = 65534
_TOOLS = {"bwrap": "bubblewrap", "prlimit": "util-linux", "setpriv": "util-linux"}  # program -> Debian's package
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
            raise UserError(problem, "type apt install bubblewrap util-linux, sandbox=monty, or sandbox=none for no protection")

    def run(self, job: Execution) -> ExecutionResult:
        """Runs one program.

        Args:
            job: Python, or a command with its files.

        Returns:
            The outcome.
        """

        limits = limits_for(self.limits, job)

        def whole(folder: Path, command: Sequence[str]) -> list[str]:
            return [*self._walls(folder, job.folders), *prlimit(limits), *(word.replace(JOB, _HERE) for word in command)]

        words = [self.python, "-I", "-S", _SCRIPT, f"{JOB}/job.json", *package_folders()]
        return run_job(job, limits, whole, words)

    def _walls(self, folder: Path, folders: Sequence[str]) -> list[str]:
        size = str(int(self.limits.files * 1e6))
        words = ["bwrap", "--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try"]
        words += ["--die-with-parent", "--new-session", "--clearenv", "--cap-drop", "ALL"]
        for name, value in _ENVIRONMENT.items():
            words += ["--setenv", name, value]
        words += _system()
        words += ["--proc", "/proc", "--dev", "/dev", "--size", size, "--perms", "1777", "--tmpfs", "/tmp"]
        paths = dict.fromkeys((sys.base_prefix, sys.prefix, *package_folders(), *folders))
        words += _parents(paths)
        for path in paths:
            words += [] if path == "/usr" or path.startswith("/usr/") else ["--ro-bind", path, path]
        words += ["--ro-bind", str(folder), _HERE, "--ro-bind", str(INSIDE), _SCRIPT]
        words += ["--size", size, "--perms", "1777", "--tmpfs", "/work", "--chdir", "/work"]
        words += ["--remount-ro", "/dev", "--remount-ro", "/"]  # what bwrap made for itself, memory without a limit
        if os.getuid():
            return [*words, "--unshare-user", "--disable-userns", "--"]
        drop = ["setpriv", f"--reuid={_NOBODY}", f"--regid={_NOBODY}", "--clear-groups", "--inh-caps=-all", "--no-new-privs"]
        return [*words, "--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID", "--", *drop]


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


def _parents(paths: Iterable[str]) -> list[str]:
    """The folders above what is shown, which an unprivileged user must be able to pass; bwrap itself makes them private."""
    parents = {str(parent) for path in paths for parent in Path(path).parents} - {"/", "/tmp", "/usr"}
    return [
        word for parent in sorted(parents) if not parent.startswith("/usr/") for word in ("--perms", "0755", "--dir", parent)
    ]


@cache
def _problem(python: str) -> str:
    """Returns why it does not work on this machine; empty where it does: one program is run."""
    for tool, package in _TOOLS.items():
        if not shutil.which(tool):
            return f"the sandbox needs the program {tool}, of the package {package}, which is not installed"
    outcome = Bubblewrap(python=python).run(Execution("", "result = 6 * 7"))
    return "" if outcome.value == 42 else f"bubblewrap cannot start a program on this machine: {outcome.fault}"
