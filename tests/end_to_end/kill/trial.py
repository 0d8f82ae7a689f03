"""One case: run whole, killed twice, run on, compared."""

import multiprocessing
import os
import random
import shutil
import signal
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from tests.end_to_end.kill import cases
from tests.end_to_end.kill.cases import Case
from tests.end_to_end.kill.compare import compare

PRELOADED = ["tests.end_to_end.kill.trial"]  # what the process that all others are forked from imports
_TRIES = 6


def trial(case: Case, folder: Path, key_home: str, dice: random.Random) -> tuple[float, str]:
    """Runs a case whole, then kills it inside a write and again at a random moment, and compares.

    Returns:
        The seconds of the whole run, and what was done.
    """
    whole, cut = folder / f"{case}-whole", folder / f"{case}-killed"
    _check(not run_and_kill(case, whole, key_home), "the run that is not killed did not end")
    writes, seconds = measured(whole)
    for _ in range(_TRIES):
        shutil.rmtree(cut, ignore_errors=True)
        write, moment = dice.randrange(1, max(2, int(writes))), dice.uniform(0, seconds)
        if run_and_kill(case, cut, key_home, in_write=write) and run_and_kill(case, cut, key_home, after=moment):
            break
        writes, seconds = measured(cut)  # fewer than those of the whole run, which made the key and filled the caches
    else:
        raise RuntimeError(f"{case} was never caught before its end")
    _check(not run_and_kill(case, cut, key_home), "the last run did not end")
    compare(whole, cut)
    return seconds, f"killed in step {write} of {writes:.0f} of its writes, then after {moment:.2f} s"


def measured(path: Path) -> tuple[float, float]:
    """Returns the steps of all writes, and the seconds, of the process that ended the run at this path."""
    writes, seconds = map(float, (path / "measured").read_text().split())
    return writes, seconds


def run_and_kill(case: Case, path: Path, key_home: str, after: float | None = None, in_write: int | None = None) -> bool:
    """Gives the command in a process of its own and kills it; returns whether that came before its end."""
    context = _context()
    ours, theirs = context.Pipe()
    process = context.Process(target=_child, args=(case, path, key_home, theirs, in_write))
    process.start()
    ours.recv()  # it has imported everything and begins
    if after is not None:
        time.sleep(after)
        with suppress(ProcessLookupError):  # it may have ended by itself
            if process.pid is not None and process.is_alive():
                os.kill(process.pid, signal.SIGKILL)
    process.join()
    if process.exitcode not in (0, -signal.SIGKILL):
        raise RuntimeError(f"the process of {case} ended with {process.exitcode}")
    return process.exitcode != 0


def _context() -> Any:
    """Processes forked from a clean one that has only imported this room: each starts at once."""
    os.environ["OPENBLAS_NUM_THREADS"] = "1"
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    return context


def _child(case: Case, path: Path, key_home: str, pipe: Any, in_write: int | None) -> None:
    os.environ["XDG_CONFIG_HOME"] = key_home
    steps = _die_in_write(in_write)
    pipe.send("ready")
    began = time.perf_counter()
    cases.run(case, path)
    (path / "measured").write_text(f"{steps[0]} {time.perf_counter() - began}")


def _die_in_write(at: int | None) -> list[int]:
    """Counts the steps of all writes (half the bytes, synced, renamed), and dies at step ``at``."""
    steps = [0]
    fdopen, replace, sync = os.fdopen, Path.replace, os.fsync

    def step() -> None:
        steps[0] += 1
        if steps[0] == at:
            os.kill(os.getpid(), signal.SIGKILL)

    def torn(handle: int, mode: str = "r", *more: Any, **others: Any) -> Any:
        file = fdopen(handle, mode, *more, **others)
        if mode not in ("wb", "ab"):
            return file
        write = file.write

        class Torn:
            def write(self, data: bytes) -> None:
                write(data[: len(data) // 2])
                file.flush()
                step()
                write(data[len(data) // 2 :])

            def __getattr__(self, name: str) -> Any:
                return getattr(file, name)

            def __enter__(self) -> "Torn":
                return self

            def __exit__(self, *error: Any) -> None:
                file.close()

        return Torn()

    os.fdopen = torn  # type: ignore[assignment]
    Path.replace = lambda *names: (step(), replace(*names), step())  # type: ignore[assignment]
    os.fsync = lambda handle: (step(), sync(handle))  # type: ignore[assignment]
    return steps


def _check(condition: bool, what: str) -> None:
    if not condition:
        raise RuntimeError(what)
