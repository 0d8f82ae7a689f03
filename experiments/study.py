"""What studies share: the folder of their results, which runs are missing, paired differences, and the table at the end.

    folder = study.folder("qdhf", budget, out)
    runs = study.runs(folder)
    for case, method, seed in study.missing(runs, product(CASES, METHODS, range(seeds))):
        study.add(runs, case, method, seed, play(case, method, seed))
    study.report(folder, rows(runs), METRICS)

A run is one (case, method, seed) and a dict of its metrics, a line of ``runs.jsonl``. Finished runs are not run again, so the
same command continues a study that was cut off. ``table.csv`` is in long form, a number a row
(case, method, metric, value, low, high, n); ``about.json`` records how it was made.

Every study is a function ``main``, and these arguments are the same in all of them:

Args:
    budget: a name in BUDGETS.
    seeds: number of seeds; 0: as the budget says.
    cases: beginning of the names of cases; empty: all.
    methods: names of methods; empty: all.
    out: folder of the results; empty: the default one.
"""

import json
import os
import platform
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from experiments import checking, origin
from qd.report import table
from qd.report.table import Row, Runs
from qd.support import atomic, provenance
from qd.support.errors import UserError
from qd.support.spelling import unknown

Key = tuple[str, str, int]  # case, method, seed
_check: list[checking.Check] = []  # the check that goes on, if one does


def folder(name: str, budget: str = "first", out: str = "") -> Path:
    """Returns the folder of a study's results: experiments/results, or runs where the budget is ``quick``.

    Args:
        name: of the study.
        budget: of the command.
        out: another folder; empty: the default one.
    """
    folder = Path("runs", f"{name}-quick") if budget == "quick" else Path("experiments", "results", name)
    folder = Path(out) if out else folder
    return _check[0].folder_of(folder) if _check else folder


def runs(folder: Path) -> Runs:
    """Returns the finished runs of a folder; those that were run again and came out equal count as made by that code."""
    runs = Runs(folder / "runs.jsonl")
    checking.apply(folder, runs)
    return runs


def missing(runs: Runs, keys: Iterable[Key]) -> Iterator[Key]:
    """Yields the keys without a run, in order; each is checked when its turn comes.

    Args:
        runs: the finished runs.
        keys: all runs of the study, in order.
    """
    if _check:
        return iter(_check[0].missing(runs, keys))
    return (key for key in keys if not runs.has(*key))


def add(runs: Runs, case: str, method: str, seed: int, metrics: dict[str, float], names: Sequence[str] = ()) -> None:
    """Stores a run and prints its metrics called ``names`` in a line; all of them where there are no names.

    Args:
        runs: the finished runs.
        case: of the run.
        method: of the run.
        seed: of the run.
        metrics: name -> value.
        names: of the metrics to print.
    """
    if _check:
        _check[0].add((case, method, seed), metrics)
        return
    runs.add(case, method, seed, metrics, origin.of_running())
    values = ", ".join(f"{name} {metrics[name]:.4g}" for name in names or metrics if name in metrics)
    print(f"{case}, {method}, seed {seed}: {values}", flush=True)


def beginning(cases: Iterable[str], prefix: str) -> list[str]:
    """Returns the cases that begin with ``prefix``.

    Args:
        cases: names; repeated ones count once.
        prefix: empty: all cases.

    Returns:
        The names, in order.

    Raises:
        UserError: no case begins with it.
    """
    cases = list(dict.fromkeys(cases))
    matches = [case for case in cases if case.startswith(prefix)]
    if not matches:
        raise unknown("case", prefix, cases)
    return matches


def cases(runs: Runs) -> list[str]:
    """Returns the cases that were run, in the order in which each first ran."""
    return list(dict.fromkeys(case for case, _, _ in runs.records))


def methods(runs: Runs, case: str) -> list[str]:
    """Returns the methods that were run on a case, in the order in which each first ran.

    Args:
        runs: the finished runs.
        case: name of a case.
    """
    return list(dict.fromkeys(method for there, method, _ in runs.records if there == case))


def differences(runs: Runs, pairs: Iterable[tuple[str, str, str]], metrics: Iterable[str]) -> list[Row]:
    """Returns for each (case, method, other) and metric the mean of ``method`` minus ``other``, paired by seed.

    Args:
        runs: the finished runs.
        pairs: (case, method, other), all that the study compares; p is corrected for the number of differences of a case.
            Rows that different code made are no pair.
        metrics: names; those that a pair lacks are left out.
    """
    names = list(metrics)
    return table.corrected(
        [
            table.difference(runs, case, method, other, metric)
            for case, method, other in pairs
            for metric in names
            if runs.pairs(case, method, other, metric)
        ]
    )


def report(
    folder: Path, rows: list[Row], metrics: Sequence[str], digits: int = 2, packages: Sequence[str] = ("jax", "numpy", "ribs")
) -> None:
    """Writes table.csv and about.json, and prints some of its metrics.

    Args:
        folder: of the results.
        rows: of the table.
        metrics: names of those to print.
        digits: after the decimal point, in print; the file has six significant digits.
        packages: the versions of these are written to about.json.
    """
    if _check:
        return
    table.write(folder / "table.csv", rows)
    about(folder / "about.json", packages)
    print(table.text([row for row in rows if row.metric in metrics], tuple(metrics), digits))


def check(main: Callable[..., None], settings: dict[str, Any], n: int) -> None:
    """Runs kept rows of a study again, compares them, and writes what differs to checks.jsonl.

    Args:
        main: of the study.
        settings: of the command, by which the study plans its rows.
        n: how many rows.

    Raises:
        UserError: the plan has no kept rows.
    """
    _check[:] = [plan := checking.Check()]
    try:
        main(**settings)
        if not plan.planned:
            raise UserError("none of the rows that this command plans is kept", "type the command of experiments/README.md")
        _check[:] = [again := checking.Check(checking.draw(plan.planned, n))]
        main(**settings)
    finally:
        _check.clear()
    again.store()


def about(path: Path, packages: Sequence[str] = ("jax", "numpy", "ribs")) -> None:
    """Writes how a table was made: command, commit, versions, cores, processor.

    Args:
        path: of the file, about.json.
        packages: the versions of these are written.
    """
    facts = {
        "command": _command(),
        "commit": provenance.commit(mark_changes=False),
        "python": platform.python_version(),
        **{name: provenance.version(name) for name in packages},
        "cores": os.cpu_count(),
        "processor": provenance.processor().name,
    }
    atomic.make_folder(path.parent)
    atomic.write(path, (json.dumps(facts, indent=2) + "\n").encode())


def _command() -> str:
    """Returns the command as typed, ``qd study ...``, without ``out=``."""
    spec = getattr(sys.modules["__main__"], "__spec__", None)
    module = spec.name if spec else ""
    words = [word for word in sys.argv[1:] if not word.startswith("out=")]
    if module.startswith("experiments."):
        return " ".join(["qd study", module.removeprefix("experiments.").removesuffix(".__main__"), *words])
    return " ".join(["qd", *words])
