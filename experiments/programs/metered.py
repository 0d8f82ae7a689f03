"""What a command and all that it starts use: seconds by the clock and of the processor.

    python -m experiments.programs.metered FILE COMMAND ...

writes {"status", "wall_s", "cpu_s"} to FILE. Processes that outlive their parents, as the programs of a sandbox that is
ended, are adopted (prctl(2), PR_SET_CHILD_SUBREAPER) and counted.
"""

import contextlib
import ctypes
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, NamedTuple

_CHILD_SUBREAPER = 36  # prctl(2)


class Meter(NamedTuple):
    """What a command used."""

    status: int  # its exit status
    wall: float  # seconds by the clock
    cpu: float  # seconds of the processor, of the command and all that it started


def metered(command: Sequence[str], folder: Path, log: IO[str] | int, env: Mapping[str, str] | None = None) -> Meter:
    """Runs a command under a process of its own, which counts.

    Args:
        command: to run.
        folder: where a file may be written.
        log: where its output goes.
        env: its environment; None: this one's.

    Returns:
        What it used, without the process that counts.
    """
    words = [sys.executable, __file__, str(folder / "meter.json"), *command]
    subprocess.run(words, stdout=log, stderr=log, env=env, check=True)
    return Meter(*json.loads((folder / "meter.json").read_text(encoding="utf-8")).values())


def cpu_below(pid: int) -> float:
    """Returns seconds of the processor that the processes below one have used, those that they have waited for included.

    Args:
        pid: of the process; its own are left out. The clock has steps of 10 ms.
    """
    parents, seconds = {}, {}
    for file in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # it has ended
            words = file.read_text().rpartition(")")[2].split()  # from field 3 of proc(5) on
            number = int(file.parent.name)
            parents[number], seconds[number] = int(words[1]), sum(map(int, words[11:15])) / os.sysconf("SC_CLK_TCK")

    def is_below(number: int) -> bool:
        while number in parents:
            number = parents[number]
            if number == pid:
                return True
        return False

    return sum(value for number, value in seconds.items() if is_below(number))


def count(file: str, command: Sequence[str]) -> None:
    """Runs a command and writes what it used.

    Args:
        file: that is written.
        command: to run.
    """
    ctypes.CDLL(None).prctl(_CHILD_SUBREAPER, 1, 0, 0, 0)
    start = time.perf_counter()
    status = subprocess.call(command)
    wall = time.perf_counter() - start
    while _waited():
        pass
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    meter = Meter(status, wall, usage.ru_utime + usage.ru_stime)
    Path(file).write_text(json.dumps(meter._asdict()), encoding="utf-8")


def _waited() -> bool:
    try:
        os.wait()
    except ChildProcessError:
        return False
    return True


if __name__ == "__main__":
    count(sys.argv[1], sys.argv[2:])
