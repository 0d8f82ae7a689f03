"""``qd run`` of the default (planar arm, grid, iso+line, batch 256) with both drivers, each time in a process of its own.

*Its evaluations*: the part of the command from the first row of metrics after generation 0 to the last one, with metrics,
history and checkpoints; without the start before it and the figures after it. Also the seconds from the start of the
process to its first generation (imports, initial population, compilation or loading from its cache), and of the whole
command, figures included. The very first start fills the cache and is not counted: these are second starts.

    qd study benchmarks.qd_run budget=quick|first|full
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from functools import partial
from itertools import product
from statistics import median
from typing import Annotated, Any

from experiments import command, study
from experiments.benchmarks import rounds

CASES = {"default, 50,000 evaluations": 50_000, "default, 1,000,000 evaluations": 1_000_000}
DRIVERS = ("fused", "host")
BUDGETS = {"quick": 2, "first": 5, "full": 15}  # rounds; each takes half a minute
PAIRS = {"fused / host": ("fused", "host")}
_CHILD = "import sys; from experiments.benchmarks.qd_run import child; child(float(sys.argv[1]), sys.argv[2:])"


def main(budget: Annotated[str, BUDGETS] = "quick", out: str = "") -> None:
    """Does the missing rounds, then writes and prints the table; arguments as in ``study``."""
    folder = study.folder("qd_run", out=out)
    runs = study.runs(folder)
    todo = list(study.missing(runs, ((c, driver, i) for c in CASES for i in range(BUDGETS[budget]) for driver in DRIVERS)))
    if todo:
        for driver in DRIVERS:
            time_process(driver, min(CASES.values()))
    for case, driver, i in todo:
        study.add(runs, case, driver, i, time_process(driver, CASES[case]))
    rounds.report(folder, rows(runs))
    for case, driver in product(CASES, DRIVERS):
        first, whole = (list(runs.column(case, driver, name).values()) for name in ("first_generation_s", "command_s"))
        times = f"first generation {median(first):.1f} s (at most {max(first):.1f}), all {median(whole):.1f} s"
        print(f"{case}, {driver}: {times}")


rows = partial(rounds.rows, pairs=PAIRS)  # of its table


def time_process(driver: str, evaluations: int) -> dict[str, float]:
    """Times one ``qd run`` in a process of its own.

    Args:
        driver: fused or host.
        evaluations: of the run.

    Returns:
        Seconds and evaluations a second, as ``child`` prints them, and command_s of the whole process.
    """
    with tempfile.TemporaryDirectory() as runs:
        words = [f"driver={driver}", f"budget={evaluations}", f"runs={runs}", "console=off"]
        began = time.time()
        env = os.environ | {"OPENBLAS_NUM_THREADS": "1"}  # as qd sets it
        child = [sys.executable, "-c", _CHILD, str(began), *words]
        process = subprocess.run(child, env=env, check=True, capture_output=True, text=True)
        return json.loads(process.stdout.splitlines()[-1]) | {"command_s": time.time() - began}


def child(began: float, words: list[str]) -> None:
    """Does what ``qd run`` does and prints its times.

    Args:
        began: time in seconds when the process was started.
        words: of the command.
    """
    from qd.config.build import import_users_modules
    from qd.config.compose import assemble, folder, load
    from qd.programs import remember
    from qd.report.figures import draw
    from qd.runner.run import run

    import_users_modules()
    remember()
    settings, clock = load(words), Clock()
    path = folder(settings, words)
    run(settings, assemble(settings, path), path, clock)
    draw(path)
    (then, cpu, before), (now, cpu_now, after) = clock.times[0], clock.times[-1]
    times = {"first_generation_s": then - began, "per_s": (after - before) / (now - then)}
    print(json.dumps(times | {"per_cpu_s": (after - before) / (cpu_now - cpu), "command_cpu_s": time.process_time()}))


class Clock:
    """A console that notes the time, from the first generation on."""

    def __init__(self) -> None:
        self.times: list[tuple[float, float, int]] = []

    def update(self, row: dict[str, Any]) -> None:
        if row["generation"] > 1:
            self.times.append((time.time(), time.process_time(), int(row["evals"])))

    def say(self, text: str) -> None: ...

    def close(self, summary: dict) -> None: ...


if __name__ == "__main__":
    command.run()
