"""pydantic-monty: an interpreter of plain Python, written in Rust, without files, network, processes and packages.

Not all of Python is there (no generators, no inheritance, no NumPy), and ``round`` and ``sum`` differ from CPython's in last
digits: answers that count are checked once more in CPython.
"""

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from domains.programs.sandbox.limits import LIMITS, Execution, ExecutionLimits, ExecutionResult, limits_of
from qd.support.errors import UserError

_DEPTH = 500  # of recursion
_PROGRAM = "<python-input-0>"  # what a session calls the first text that it is fed


@dataclass(frozen=True)
class Monty:
    """Time is limited by the clock. Programs cannot read a file, so that limits on files and processes have no object."""

    limits: ExecutionLimits = LIMITS
    name: str = "monty"

    def __post_init__(self) -> None:
        object.__setattr__(self, "limits", limits_of(self.limits))

    def check(self) -> None:
        """Raises UserError where the package is not installed, or its program is not found."""
        with _session(self.limits):
            pass

    def run(self, job: Execution) -> ExecutionResult:
        """Runs one program.

        Args:
            job: Python; a command is refused.

        Returns:
            The outcome; its memory is not known.

        Raises:
            UserError: the job is a command, or the package is not installed.
        """
        if job.command or job.files:
            raise UserError("sandbox=monty runs plain Python only, no command", "type sandbox=bubblewrap")
        printed = _Printed(int(self.limits.output * 1e6))
        start = time.perf_counter()
        value, fault = None, ""
        with _session(self.limits) as session:
            import pydantic_monty as monty  # pyright: ignore[reportMissingImports]

            try:
                session.feed_run(job.source, print_callback=printed)
                session.feed_run(f"{job.harness}\n", inputs=dict(job.inputs), print_callback=printed)
                value = plain(session.feed_run("result", print_callback=printed))
            except monty.MontyError as error:
                fault = _describe(error)
        return ExecutionResult(value, printed.fault or fault, printed.text, time.perf_counter() - start)


class _Printed:
    """Collects what a program prints; too much of it ends the program."""

    def __init__(self, most: int) -> None:
        self.parts: list[str] = []
        self.room, self.fault, self._most = most, "", most

    def __call__(self, stream: str, text: str) -> None:
        self.room -= len(text)
        if self.room < 0:
            self.fault = f"it printed over {self._most / 1e6:g} MB"
            raise RuntimeError(self.fault)
        self.parts.append(text)

    @property
    def text(self) -> str:
        return "".join(self.parts)


@contextmanager
def _session(limits: ExecutionLimits) -> Iterator[Any]:
    """A session of a worker process, fresh for each program."""
    pool = _POOLS.pop() if _POOLS else _pool(limits)
    settings: Any = {
        "max_feed_duration_secs": limits.seconds,
        "max_memory": int(limits.memory * 2**20),
        "max_recursion_depth": _DEPTH,
        "max_total_sleep_secs": min(limits.wall, limits.seconds),
    }
    try:
        with pool.checkout(limits=settings) as session:
            yield session
    finally:
        _POOLS.append(pool)


def _pool(limits: ExecutionLimits) -> Any:
    try:
        import pydantic_monty as monty  # pyright: ignore[reportMissingImports]

        return monty.Monty(request_timeout=max(60.0, 3 * limits.wall)).__enter__()
    except (ImportError, FileNotFoundError) as error:  # the package, or the program that it starts
        what = "package" if isinstance(error, ImportError) else "program of the package"
        raise UserError(
            f"sandbox=monty needs the {what} pydantic-monty, which is not installed",
            "type pip install '.[programs]', sandbox=bubblewrap, or sandbox=none for no protection",
        ) from error


def stop() -> None:
    """Ends all idle interpreters of this process."""
    while _POOLS:
        _POOLS.pop().__exit__(None, None, None)


_POOLS: list[Any] = []  # one for each thread that runs programs at the same time; appending and popping are atomic


def _describe(error: Any) -> str:
    inner = error.exception()
    text = f"{type(inner).__name__}: {inner}".strip().rstrip(":")[:400]
    frames = error.traceback() if hasattr(error, "traceback") else ()  # none where the interpreter itself ended
    lines = [frame.line for frame in frames if frame.filename == _PROGRAM]
    return f"{text} (line {lines[-1]} of the program)" if lines else text


def plain(value: Any) -> Any:
    """Returns a value as JSON would hold it: tuples and sets as lists, keys as texts; else its text."""
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, dict):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(each) for each in value]
    return str(value)
