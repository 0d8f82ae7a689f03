"""A program that a worker runs: how its end reads as an outcome."""

import json
import signal
import uuid
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from domains.programs.code import imports
from domains.programs.sandbox import worker
from domains.programs.sandbox.limits import Execution, ExecutionLimits, ExecutionResult
from domains.programs.sandbox.worker import End, Setup, Worker

_SHOWN = 400  # characters of output in a fault
_PACKAGES = (
    "numpy",
    "numpy.random",
    "concurrent.futures.thread",
)  # that every worker of Python programs imports; the last is imported late by Python


def run_job(
    job: Execution,
    limits: ExecutionLimits,
    sandbox: str,
    command_of: Callable[[Path, Mapping[str, Any]], list[str]],
    settings: Mapping[str, Any],
) -> ExecutionResult:
    """Runs a job in a warm worker.

    Args:
        job: Python, or a command with its files.
        limits: of the sandbox.
        sandbox: its settings in words; workers of equal ones are shared.
        command_of: (folder of the jobs, settings of the script ``inside``) -> the command that starts a worker.
        settings: of that script: walls, job, paths, size.

    Returns:
        The outcome.
    """
    limits = replace(limits, seconds=job.wall, wall=job.wall) if job.wall else limits
    packages = () if job.command else tuple(dict.fromkeys((*_PACKAGES, *_imports(job.harness), *job.packages)))
    setup = Setup(sandbox, tuple(job.folders), packages)
    number, runner = worker.borrow(
        setup, lambda number: Worker(command_of, {**settings, "packages": setup.packages, "user": _NOBODY - number})
    )
    end, token = End(-1, b"", b"", runner.fault), uuid.uuid4().hex
    try:
        if not runner.fault:
            end = runner.run(job, limits, token)
    finally:
        worker.put_back(setup, number, runner, usable=runner.reusable and not end.cut)
    return _command_outcome(end, limits) if job.command else _python_outcome(end, limits, token)


_imports = lru_cache(maxsize=64)(imports)  # of a harness, which is the same for all programs of a problem
_NOBODY = 65534  # the user of the first worker's programs; of others the numbers below, since limits of processes are per user


def _python_outcome(end: End, limits: ExecutionLimits, token: str) -> ExecutionResult:
    output = end.err.decode(errors="replace")
    lines = end.out.decode(errors="replace").splitlines()
    answers = [line for line in lines if f'"token": "{token}"' in line]
    if end.cut or not answers:
        return ExecutionResult(None, end.cut or _reason(end, limits), output)
    answer, spent = _json(answers[-1]) or {}, _json(lines[-1]) or {}
    numbers = [float(spent.get(name, float("nan"))) for name in ("seconds", "memory")]
    return ExecutionResult(answer.get("value"), str(answer.get("fault", "")), output, *numbers)


def _command_outcome(end: End, limits: ExecutionLimits) -> ExecutionResult:
    """The value of a command is the JSON in the last line that it prints to standard output; the rest is its output."""
    lines = [line for line in end.out.decode(errors="replace").splitlines() if line.strip()]
    value = _json(lines[-1]) if lines else None
    output = "\n".join([*(lines if value is None else lines[:-1]), end.err.decode(errors="replace")])
    if end.cut or end.status:
        return ExecutionResult(None, end.cut or _reason(end, limits), output)
    if value is None:
        return ExecutionResult(None, f"its last line of output is no JSON: {(lines[-1] if lines else '')[:_SHOWN]!r}", output)
    return ExecutionResult(value, "", output)


def _reason(end: End, limits: ExecutionLimits) -> str:
    """Says in words how a process ended that did not return a value."""
    number = end.status - 128
    if number in (signal.SIGXCPU, signal.SIGKILL):
        memory = ", or too much memory" if number == signal.SIGKILL else ""
        return f"it used over {limits.seconds:g} s of the processor{memory} (signal {number})"
    if number == signal.SIGXFSZ:
        return f"it wrote a file of over {limits.files:g} MB"
    tail = end.err.decode(errors="replace").strip()[-_SHOWN:]
    if 0 < number < 65:
        return f"it ended by signal {number} ({signal.Signals(number).name})"
    return f"it ended with status {end.status} and returned nothing; its last output: {tail!r}"


def _json(line: str) -> Any:
    try:
        return json.loads(line)
    except (json.JSONDecodeError, RecursionError):
        return None
