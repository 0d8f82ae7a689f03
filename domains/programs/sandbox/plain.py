"""An ordinary child process: no sandbox. A program in it can do whatever the user can."""

import shutil
import sys
import sysconfig
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from domains.programs.sandbox.limits import INSIDE, LIMITS, Execution, ExecutionLimits, ExecutionResult, limits_for, limits_of
from domains.programs.sandbox.process import run_job
from qd.support.errors import UserError


@dataclass(frozen=True)
class Plain:
    """Limits of time, memory, files and output hold where prlimit is installed; nothing is hidden from the program."""

    limits: ExecutionLimits = LIMITS
    name: str = "none"
    warning: str = "sandbox=none: programs of the language model run as you, with your files and your network"

    def __post_init__(self) -> None:
        object.__setattr__(self, "limits", limits_of(self.limits))

    def check(self) -> None:
        """Raises UserError where there is no prlimit to hold a program to its limits."""
        if not shutil.which("prlimit"):
            raise UserError("sandbox=none needs the program prlimit for its limits", "type apt install util-linux")

    def run(self, job: Execution) -> ExecutionResult:
        """Runs one program.

        Args:
            job: Python, or a command with its files.

        Returns:
            The outcome.
        """

        limits = limits_for(self.limits, job)

        def whole(folder: Path, command: Sequence[str]) -> list[str]:
            return [*prlimit(limits, processes=False), *(word.replace(JOB, str(folder)) for word in command)]

        return run_job(job, limits, whole, [sys.executable, "-I", str(INSIDE), f"{JOB}/job.json"])


JOB = "{job}"  # in a command: the folder with the files of the job


def prlimit(limits: ExecutionLimits, processes: bool = True) -> list[str]:
    """Returns the words that begin a command and give it its limits.

    Args:
        limits: of the run.
        processes: whether their number is limited too; for an ordinary user that would count all of the user's processes.
    """
    seconds, files = max(1, round(limits.seconds)), int(limits.files * 1e6)
    words = [
        f"--cpu={seconds}:{seconds + 1}",
        f"--as={int(limits.memory * 2**20)}",
        f"--fsize={files}",
        "--nofile=64",
        "--core=0",
    ]
    return ["prlimit", *words, *([f"--nproc={limits.processes}"] if processes else []), "--"]


def package_folders() -> list[str]:
    """Returns the folders of this interpreter's installed packages."""
    return list(dict.fromkeys(sysconfig.get_path(name) for name in ("purelib", "platlib")))
