"""What `qd doctor` predicts of ten recipes, beside what a run of each then does: seconds, and the share of cells filled.

Seconds are those without compilation, which doctor names apart. A range is right where the run falls inside it. Each recipe is
tried and run in a process of its own. No claim is made of other budgets or machines.

    qd study doctor budget=first
"""

import json
import subprocess
import sys
import tempfile
from typing import Annotated

from experiments import command, study
from qd.report.table import Row, Runs, summary

CASES = {  # name -> words of qd run
    "arm": ["domain=arm", "budget=20000"],
    "arm, on the host": ["domain=arm", "driver=host", "budget=5000"],
    "arm, CVT": ["domain=arm", "archive=cvt", "archive.cells=500", "archive.samples=5000", "budget=20000"],
    "arm, learned by PCA": ["recipe=arm_pca", "refit=[2000]", "budget=10000"],
    "sphere": ["domain=sphere", "budget=20000"],
    "sphere, CMA-ME": ["domain=sphere", "emitter=cma_me", "budget=10000"],
    "rastrigin": ["domain=rastrigin", "budget=20000"],
    "maze": ["domain=maze", "budget=2000"],
    "curling": ["domain=curling", "budget=2000"],
    "text, toy": ["domain=text", "lm=toy", "budget=400"],
}
BUDGETS = {"quick": 1, "first": 1, "full": 5}  # rounds
METHODS = ("seconds", "coverage")
_CHILD = "import sys; from experiments.doctor import child; child(sys.argv[1:])"


def main(budget: Annotated[str, BUDGETS] = "quick", cases: str = "", out: str = "") -> None:
    """Does the missing rounds, then writes and prints the table; arguments as in ``study``."""
    folder = study.folder("doctor", budget, out)
    runs = study.runs(folder)
    for i in range(BUDGETS[budget]):
        for case in study.beginning(CASES, cases):
            todo = list(study.missing(runs, [(case, method, i) for method in METHODS]))
            measured = predict_and_run(CASES[case]) if todo else {}
            for key in todo:
                study.add(runs, *key, measured[key[1]])
    study.report(folder, rows(runs), ("low", "run", "high", "inside"), 1)


def rows(runs: Runs) -> list[Row]:
    """Returns each range beside the run, and how many of the runs lie inside.

    Args:
        runs: the finished runs.
    """
    shares = [Row("all", method, "inside", *_inside(runs, method)) for method in METHODS]
    return [*summary(runs), *shares]


def _inside(runs: Runs, method: str) -> tuple[float, float, float, int]:
    found = [value for case in study.cases(runs) for value in runs.column(case, method, "inside").values()]
    return sum(found), float("nan"), float("nan"), len(found)


def predict_and_run(words: list[str]) -> dict[str, dict[str, float]]:
    """Lets doctor look at a recipe and runs it.

    Args:
        words: after ``qd run``.

    Returns:
        "seconds" and "coverage" (percent) -> low, run, high and inside, which is 1 or 0.
    """
    with tempfile.TemporaryDirectory() as folder:
        answer = subprocess.run(
            [sys.executable, "-c", _CHILD, *words, f"runs={folder}/runs"], check=True, capture_output=True, text=True
        )
    return json.loads(answer.stdout.splitlines()[-1])


def child(words: list[str]) -> None:
    """Prints what ``predict_and_run`` returns, for a process of its own; arguments as in ``predict_and_run``."""
    from pathlib import Path

    from qd import load_run
    from qd.cli.main import main as qd
    from qd.doctor.examine import examine

    report = examine(words)
    if qd(["run", *words, "renderings=0", "console=off"]):
        raise SystemExit(1)
    (place,) = Path(words[-1].removeprefix("runs=")).glob("*/*/result.json")
    last = load_run(place.parent).metrics.iloc[-1]
    found = {"seconds": last["wall_s"] - last["compile_s"], "coverage": last["coverage"]}
    ranges = {"seconds": report.seconds, "coverage": report.coverage}
    answer = {}
    for name, run in found.items():
        low, high = ranges[name] or (float("nan"), float("nan"))
        answer[name] = {"low": low, "run": float(run), "high": high, "inside": float(low <= run <= high)}
    print(json.dumps(answer))


if __name__ == "__main__":
    command.run()
