"""One child process with what it may print, how long it may take and how its end reads."""

import contextlib
import json
import os
import selectors
import shutil
import signal
import subprocess
import tempfile
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from domains.programs.sandbox.limits import Execution, ExecutionLimits, ExecutionResult

_SHOWN = 400  # characters of output in a fault


class End(NamedTuple):
    """How a process ended."""

    status: int  # exit status; 128 + n, or -n, after signal n
    out: bytes
    err: bytes
    cut: str  # why it was ended from outside; empty: it ended by itself


def run_job(
    job: Execution, limits: ExecutionLimits, command_of: Callable[[Path, Sequence[str]], list[str]], python: Sequence[str]
) -> ExecutionResult:
    """Runs a job in a child process, in a folder of its own that is removed afterwards.

    Args:
        job: Python, or a command with its files.
        limits: of the run.
        command_of: (folder with the job's files, command) -> the whole command that is started.
        python: the interpreter with its options, the script ``inside`` and folders of packages, the job's path missing at 2.

    Returns:
        The outcome.
    """
    folder = Path(tempfile.mkdtemp(prefix="qd-program-"))
    try:
        folder.chmod(0o755)
        for name, text in job.files.items():
            (folder / name).write_text(text, encoding="utf-8")
        if job.command:
            return _command_outcome(watch(command_of(folder, job.command), limits, folder), limits)
        token = uuid.uuid4().hex
        text = {"source": job.source, "harness": job.harness, "inputs": dict(job.inputs), "token": token}
        (folder / "job.json").write_text(json.dumps(text), encoding="utf-8")
        return _python_outcome(watch(command_of(folder, python), limits, folder), limits, token)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def watch(command: Sequence[str], limits: ExecutionLimits, folder: Path, env: Mapping[str, str] | None = None) -> End:
    """Runs a command until it ends, prints too much or takes too long; then its whole process group is ended.

    Args:
        command: an executable and its arguments.
        limits: of output and of time by the clock.
        folder: its working folder.
        env: its environment; None: nearly empty.

    Returns:
        How it ended.
    """
    env = {"PATH": "/usr/bin:/bin", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"} if env is None else env
    child = subprocess.Popen(
        list(command), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=folder, env=dict(env),
        start_new_session=True,
    )  # fmt: skip
    try:
        streams, cut = _read(child, limits)
    finally:
        _end(child)
    return End(child.returncode, streams[0], streams[1], cut)


def _read(child: subprocess.Popen, limits: ExecutionLimits) -> tuple[list[bytes], str]:
    """Reads both streams until they close; returns them and why reading ended before."""
    parts: list[list[bytes]] = [[], []]
    used, most, deadline = 0, int(limits.output * 1e6), time.monotonic() + limits.wall
    with selectors.DefaultSelector() as selector:
        for i, stream in enumerate((child.stdout, child.stderr)):
            selector.register(stream, selectors.EVENT_READ, i)  # type: ignore[arg-type]
        while selector.get_map():
            left = deadline - time.monotonic()
            if left <= 0:
                return [b"".join(each) for each in parts], f"it took over {limits.wall:g} s by the clock"
            for key, _ in selector.select(left):
                data = os.read(key.fd, 65_536)
                if not data:
                    selector.unregister(key.fileobj)
                used += len(data)
                parts[key.data].append(data)
            if used > most:
                return [b"".join(each)[:most] for each in parts], f"it printed over {limits.output:g} MB"
    try:
        child.wait(max(0.0, deadline - time.monotonic()))
    except subprocess.TimeoutExpired:
        return [b"".join(each) for each in parts], f"it took over {limits.wall:g} s by the clock"
    return [b"".join(each) for each in parts], ""


def _end(child: subprocess.Popen) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()
    for stream in (child.stdout, child.stderr):
        if stream is not None:
            stream.close()


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
    number = -end.status if end.status < 0 else end.status - 128
    if number in (signal.SIGXCPU, signal.SIGKILL):
        return f"it used over {limits.seconds:g} s of the processor, or too much memory (signal {number})"
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
