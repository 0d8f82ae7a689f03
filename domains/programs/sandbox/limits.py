"""What a run of a program may use, and what comes out of it: the types that all sandboxes share."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from qd.support.errors import UserError


@dataclass(frozen=True)
class ExecutionLimits:
    """Of one run; a run that goes beyond one of them has failed."""

    seconds: float = 5.0  # of the processor
    wall: float = 20.0  # seconds by the clock: also where a program sleeps
    memory: float = 1024.0  # MB
    processes: int = 32  # threads count too
    files: float = 8.0  # MB that it may write
    output: float = 1.0  # MB that it may print

    def __post_init__(self) -> None:
        for each in fields(self):
            value = getattr(self, each.name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < float("inf"):
                raise UserError(
                    f"sandbox.limits.{each.name}={value!r} is no limit", f"type sandbox.limits.{each.name}={each.default}"
                )


class Execution(NamedTuple):
    """A program to run: Python, or the files of a command."""

    source: str = ""  # Python, executed first
    harness: str = ""  # Python, executed in the same namespace; what it assigns to ``result`` is the value
    inputs: Mapping[str, Any] = {}  # names that the harness finds; what JSON can hold
    files: Mapping[str, str] = {}  # name -> text, in the folder of the run
    command: Sequence[str] = ()  # an executable and its arguments instead; its value: the JSON of its last line
    wall: float = 0.0  # seconds by the clock, and of the processor, instead of the sandbox's; 0: the same
    folders: Sequence[str] = ()  # of this machine, which it can read at the same path
    packages: Sequence[str] = ()  # that are imported once for all programs, where they are installed


class ExecutionResult(NamedTuple):
    """What came out of a run."""

    value: Any = None  # what the harness assigned to ``result``, as JSON holds it
    fault: str = ""  # why it failed; empty: it did not
    output: str = ""  # what it printed, to both streams
    seconds: float = float("nan")  # of the processor, as far as known
    memory: float = float("nan")  # MB at most, as far as known


class Sandbox(Protocol):
    """Runs programs."""

    @property
    def name(self) -> str:
        """For messages and tables."""
        ...

    @property
    def limits(self) -> ExecutionLimits:
        """Of a run."""
        ...

    def check(self) -> None:
        """Raises UserError where it does not work on this machine."""
        ...

    def run(self, job: Execution) -> ExecutionResult:
        """Runs one program; a fault of the program is a fault of the outcome, never an exception."""
        ...


def limits_of(limits: "ExecutionLimits | Mapping[str, Any]") -> ExecutionLimits:
    """Returns limits, also of a plain mapping of a yaml."""
    if isinstance(limits, ExecutionLimits):
        return limits
    names = [each.name for each in fields(ExecutionLimits)]
    for name in limits:
        if name not in names:
            raise UserError(f"sandbox.limits.{name} is no limit", f"type one of {', '.join(names)}")
    return ExecutionLimits(**limits)


INSIDE = Path(__file__).with_name("inside.py")
LIMITS = field(default_factory=ExecutionLimits)
