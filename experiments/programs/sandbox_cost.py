"""What a sandbox costs: a run of a trivial program, of the first 12 problems of HumanEval, of an import of NumPy.

    qd study programs.sandbox_cost [repeats=20] [seeds=3]

A seed is a repetition of the whole measurement. Times are by the clock, in this process, one program after another.
"""

import time
from typing import Annotated

import numpy as np

from domains.programs.problems.human_eval import HumanEval, read
from domains.programs.sandbox.bubblewrap import Bubblewrap
from domains.programs.sandbox.limits import Execution, Sandbox
from domains.programs.sandbox.monty import Monty
from domains.programs.sandbox.plain import Plain
from experiments import command, study
from experiments.command import Names
from qd.report.table import Row, Runs, summary

SANDBOXES: dict[str, Sandbox] = {"monty": Monty(), "bubblewrap": Bubblewrap(), "none": Plain()}
BUDGETS = {"quick": (5, 1), "first": (20, 3), "full": (100, 10)}  # repeats, seeds
METRICS = ("run_ms", "human_eval_ms", "numpy_ms", "passed")


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
    sandbox.check()
    job = Execution("def f(x):\n    return x + 1\n", "result = f(n)", {"n": 1})
    times = [_milliseconds(sandbox, job)[0] for _ in range(repeats)]
    metrics, passed = {"run_ms": float(np.median(times))}, 0
    rows, spent = read(), []
    for name in list(rows)[:12]:
        problem = HumanEval(name, share=1.0)
        took, value = _milliseconds(sandbox, problem.job(rows[name]["prompt"] + rows[name]["canonical_solution"]))
        spent.append(took)
        passed += problem.score(value).objective == 1
    metrics |= {"human_eval_ms": float(np.mean(spent)), "passed": float(passed)}
    if sandbox.name != "monty":
        metrics["numpy_ms"] = _milliseconds(sandbox, Execution("import numpy", "result = 1"))[0]
    return metrics


def _milliseconds(sandbox: Sandbox, job: Execution) -> tuple[float, object]:
    start = time.perf_counter()
    outcome = sandbox.run(job)
    return 1000 * (time.perf_counter() - start), outcome.value


def rows(runs: Runs) -> list[Row]:
    """Returns medians over seeds."""
    return summary(runs, "median")


if __name__ == "__main__":
    command.run()
