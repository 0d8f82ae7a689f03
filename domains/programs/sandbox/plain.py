"""An ordinary child process: no sandbox. A program in it can do whatever the user can."""

import json
import sys
import sysconfig
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from domains.programs.sandbox.limits import INSIDE, LIMITS, Execution, ExecutionLimits, ExecutionResult, limits_of
from domains.programs.sandbox.process import run_job
from qd.support.errors import UserError


@dataclass(frozen=True)
class Plain:
    """Limits of time, memory, files and output hold; nothing is hidden from the program."""

    limits: ExecutionLimits = LIMITS
    name: str = "none"
    warning: str = "sandbox=none: programs of the language model run as you, with your files and your network"

    def __post_init__(self) -> None:
        object.__setattr__(self, "limits", limits_of(self.limits))

    def check(self) -> None:
        """Raises UserError where limits cannot be set: on another system than Linux."""
        if sys.platform != "linux":
            raise UserError("sandbox=none sets its limits as Linux does, and this is another system", "type sandbox=monty")

    def run(self, job: Execution) -> ExecutionResult:
        """Runs one program.

        Args:
            job: Python, or a command with its files.

        Returns:
            The outcome.
        """
        return run_job(job, self.limits, repr(self), _command, {"walls": False, "job": ".", "paths": [], "size": 0})


def _command(folder: Path, settings: Mapping[str, Any]) -> list[str]:
    return [sys.executable, "-I", str(INSIDE), json.dumps(settings)]


@cache
def package_folders() -> list[str]:
    """Returns the folders of this interpreter's installed packages."""
    return list(dict.fromkeys(sysconfig.get_path(name) for name in ("purelib", "platlib")))
