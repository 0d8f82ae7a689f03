"""What an evaluator of openevolve costs by itself: it is called with programs one after the other, and nothing else is done.

    PYTHON experiments/programs/bare.py < {"driver", "inputs", "programs"} > {"cpu_ms", "wall_ms"}

A script without imports of ours, for the Python of any environment. The first program is run once more before, so that
imports of the evaluator are not counted.
"""

import contextlib
import io
import json
import os
import resource
import sys
import tempfile
import time


def answer() -> None:
    """Reads the task from standard input and prints milliseconds of a program."""
    task = json.load(sys.stdin)
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what programs print
    os.chdir(tempfile.mkdtemp())
    _call(task, task["programs"][0])
    cpu, wall = _cpu(), time.perf_counter()
    for program in task["programs"]:
        _call(task, program)
    spent = {"cpu_ms": _cpu() - cpu, "wall_ms": time.perf_counter() - wall}
    print(json.dumps({name: 1000 * value / len(task["programs"]) for name, value in spent.items()}), file=answers, flush=True)


def _call(task: dict, program: str) -> None:
    names = {"__name__": "harness", **task["inputs"], "program": program}
    with contextlib.suppress(Exception), contextlib.redirect_stdout(io.StringIO()):  # a program that fails costs too
        exec(task["driver"], names)


def _cpu() -> float:
    usages = [resource.getrusage(each) for each in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


if __name__ == "__main__":
    answer()
