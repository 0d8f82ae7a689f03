"""What a sandbox costs: its start, a run of a trivial program, of the first 12 problems of HumanEval, of an import of NumPy.

    qd study programs.sandbox_cost [repeats=20] [seeds=3]

A seed is a repetition of the whole measurement, from a fresh start. *start_ms*: the first program, which starts the worker,
by the clock; *run_ms*: the median of the next ones, likewise; *run_cpu_ms*: the mean of the processor's time, of this process
and all below it; *human_eval_ms*, *human_eval_cpu_ms*, *numpy_ms*, *numpy_cpu_ms* likewise. One program after another.
"""

import os
import time
from collections.abc import Sequence
from typing import Annotated

import numpy as np

from domains.programs.problems.human_eval import HumanEval, read
from domains.programs.sandbox import monty, worker
from domains.programs.sandbox.bubblewrap import Bubblewrap
from domains.programs.sandbox.limits import Execution, Sandbox
from domains.programs.sandbox.monty import Monty
from domains.programs.sandbox.plain import Plain
from experiments import command, study
from experiments.command import Names
from experiments.programs.metered import cpu_below
from qd.report.table import Row, Runs, summary

SANDBOXES: dict[str, Sandbox] = {"monty": Monty(), "bubblewrap": Bubblewrap(), "none": Plain()}
BUDGETS = {"quick": (5, 1), "first": (20, 3), "full": (100, 10)}  # repeats, seeds
METRICS = ("start_ms", "run_ms", "run_cpu_ms", "human_eval_ms", "human_eval_cpu_ms", "numpy_ms", "numpy_cpu_ms", "passed")


def main(
    budget: Annotated[str, BUDGETS] = "first",
    repeats: int = 0,
    seeds: int = 0,
    methods: Annotated[Names, SANDBOXES] = (),
    out: str = "",
) -> None:
    """Measures, then writes and prints the table.

    Args:
        budget: a name in BUDGETS.
        repeats: runs of the trivial program; 0: as the budget says.
        seeds: repetitions; 0: as the budget says.
        methods: names of sandboxes; empty: all.
        out: folder of the results; empty: the default one.
    """
    n, several = repeats or BUDGETS[budget][0], seeds or BUDGETS[budget][1]
    folder = study.folder("programs_sandbox_cost", budget, out)
    runs = study.runs(folder)
    todo = (("one program", method, seed) for seed in range(several) for method in methods or SANDBOXES)
    for case, method, seed in study.missing(runs, todo):
        study.add(runs, case, method, seed, measure(SANDBOXES[method], n), METRICS)
    study.report(folder, rows(runs), METRICS, 2, ("numpy", "pydantic-monty", "human-eval"))


def measure(sandbox: Sandbox, repeats: int) -> dict[str, float]:
    """Returns milliseconds of a run.

    Args:
        sandbox: where it runs.
        repeats: runs of the trivial program.
    """
    worker.stop()
    monty.stop()
    job = Execution("def f(x):\n    return x + 1\n", "result = f(n)", {"n": 1})
    metrics = {"start_ms": _timed(sandbox, [job])[0][0]} | _named("run", *_timed(sandbox, [job] * repeats))
    rows = read()
    problems = [HumanEval(name, share=1.0) for name in list(rows)[:12]]
    jobs = [each.job(rows[each.task]["prompt"] + rows[each.task]["canonical_solution"]) for each in problems]
    times, cpu, values = _timed(sandbox, jobs)
    metrics |= {"human_eval_ms": float(np.mean(times)), "human_eval_cpu_ms": cpu}
    metrics["passed"] = float(sum(each.score(value).objective == 1 for each, value in zip(problems, values, strict=True)))
    if sandbox.name != "monty":
        metrics |= _named("numpy", *_timed(sandbox, [Execution("import numpy", "result = 1")] * repeats))
    return metrics


def _named(name: str, times: list[float], cpu: float, values: list[object]) -> dict[str, float]:
    return {f"{name}_ms": float(np.median(times)), f"{name}_cpu_ms": cpu}


def _timed(sandbox: Sandbox, jobs: Sequence[Execution]) -> tuple[list[float], float, list[object]]:
    """Returns milliseconds of each run by the clock, of the processor in the mean, and the values."""
    times, values, cpu = [], [], _cpu()
    for job in jobs:
        start = time.perf_counter()
        values.append(sandbox.run(job).value)
        times.append(1000 * (time.perf_counter() - start))
    return times, 1000 * (_cpu() - cpu) / len(jobs), values


def _cpu() -> float:
    return time.process_time() + cpu_below(os.getpid())


def rows(runs: Runs) -> list[Row]:
    """Returns medians over seeds."""
    return summary(runs, "median")


if __name__ == "__main__":
    command.run()
