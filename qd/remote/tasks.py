"""What is sent to a worker and what comes back, and what an engine of workers must do.

B batch, b rows of one chunk.
"""

from typing import Any, NamedTuple, Protocol

from qd.types import Array, Evaluation

NAN, RUBBISH, RAISED, TIMED_OUT, MEMORY, EXITED, KILLED = (
    "nan", "rubbish", "raised", "timed_out", "memory", "exited", "killed"
)  # fmt: skip
REASONS = {
    NAN: "the objective is NaN or infinite",
    RUBBISH: "the result is no evaluation: a wrong type, shape or name",
    RAISED: "evaluate raised an error",
    TIMED_OUT: "it took longer than remote.timeout",
    MEMORY: "it needed more memory than remote.memory, or than there is",
    EXITED: "it ended the worker process (sys.exit in a library, os._exit)",
    KILLED: "the worker was killed: by a signal, or its machine is gone",
}  # why an evaluation failed
SPENT, UNFIT = "spent", "unfit"  # not failures of one solution: a budget is used up; this worker can evaluate nothing


class Task(NamedTuple):
    """Solutions that one call of evaluate gets."""

    number: int
    keys: Array  # uint32 [b, 2]
    solutions: Array  # [b, ...]


class Outcome(NamedTuple):
    """The result of a task."""

    number: int
    evaluation: Evaluation | None = None  # None where it failed
    seconds: float = 0.0  # that the worker took
    reason: str = ""  # one of REASONS, SPENT or UNFIT, where it failed
    detail: str = ""


class RowFailure(NamedTuple):
    """An evaluation that failed."""

    row: int  # of its chunk, or of its batch
    reason: str  # one of REASONS
    detail: str


class Status(NamedTuple):
    """The workers at this moment."""

    alive: int
    busy: int
    lost: int  # since the start
    in_flight: int  # solutions that are submitted and not back

    def __str__(self) -> str:
        lost = f", {self.lost:,} lost" if self.lost else ""
        return f"workers {self.busy}/{self.alive} busy{lost}, {self.in_flight:,} in flight"


class WorkerEngine(Protocol):
    """Workers that are open."""

    def submit(self, task: Task) -> None:
        """Hands a task to the next free worker; returns at once."""
        ...

    def wait(self, seconds: float) -> list[Outcome]:
        """Returns what has come back, after so many seconds perhaps nothing."""
        ...

    def status(self) -> Status:
        """Returns how many workers there are."""
        ...

    def pids(self) -> list[int]:
        """Returns the process ids of workers that this process started itself."""
        ...

    def close(self) -> None:
        """Ends the workers; what is in flight is given up."""
        ...


class EngineSettings(Protocol):
    """Settings of an engine: where a domain is evaluated."""

    @property
    def capacity(self) -> int:
        """How many tasks keep all workers busy."""
        ...

    @property
    def how_to_start(self) -> str:
        """What to type where no worker comes."""
        ...

    def open(self, domain: Any) -> WorkerEngine:
        """Starts the workers, each with its copy of the domain. Raises UserError where that cannot be."""
        ...
