"""Runs that differ only in their seed are one method; a table and curves of all methods over seeds."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from rich.console import Console
from rich.table import Table
from rich.text import Text

from qd.plots.bands import Band, bands
from qd.plots.curves import PANELS, REFEREE
from qd.report import table
from qd.report.figures import save
from qd.report.table import Row, interval
from qd.store import identity
from qd.store.runs import Run, finished_runs
from qd.support import atomic
from qd.support.errors import UserError

SHOWN = ("coverage", "qd_score", "best", "coverage_current", "qd_score_current", "qd_score_all", "wall_s", "compile_s")
_POINTS = 100  # of a curve


class Method(NamedTuple):
    case: str  # NAME of the folder of runs
    name: str
    runs: list[Run]


def collect(folders: Sequence[Path], into: Path | None = None) -> None:
    """Writes table.csv and figures of all finished runs below the folders, prints the table and says where they lie.

    Args:
        folders: where runs are looked for, at any depth; hidden folders are left out.
        into: folder of table.csv, table.tex and figures/; None: the one that all runs lie in.

    Raises:
        ValueError: no finished run, the same run twice, or nowhere to write.
    """
    runs = finished_runs(folders)
    into = into or shared_folder(runs)
    methods = _methods(runs)
    rows = []
    for case, methods_of_case in _by_case(methods).items():
        at = _budget(case, methods_of_case)
        rows += [row for method in methods_of_case for row in _rows(method, at)]
    atomic.make_folder(into / "figures")
    table.write(into / "table.csv", rows)
    columns = tuple(name for metric in SHOWN if (name := f"{metric}_median") in {row.metric for row in rows})
    (into / "table.tex").write_text(table.latex(rows, columns, digits=2) + "\n", encoding="utf-8")
    paths = [into / "table.csv", into / "table.tex"]
    for case, methods_of_case in _by_case(methods).items():
        paths += _draw(case, methods_of_case, into / "figures", alone=len(methods_of_case) == len(methods))
    _show(rows)
    print(
        f"collected {len(runs)} run{'s' * (len(runs) > 1)}: {', '.join(str(path) for path in paths if path.suffix != '.pdf')}"
    )


def shared_folder(runs: list[Run]) -> Path:
    """The folder that all runs lie in. Raises ValueError where that is the root of the disk."""
    shared = Path(os.path.commonpath([run.folder.parent.absolute() for run in runs]))
    if shared == Path(shared.anchor):
        raise UserError("these runs share no folder", "say where the table belongs: qd collect ... into=FOLDER")
    here = Path.cwd()
    return shared.relative_to(here) if shared.is_relative_to(here) else shared


def _methods(runs: list[Run]) -> list[Method]:
    """Groups runs by recipe. Raises ValueError where a method has a seed twice."""
    groups: dict[tuple[str, str], list[Run]] = {}
    for run in runs:
        groups.setdefault((run.config["name"], run.recipe), []).append(run)
    first: dict[tuple[str, str], Run] = {}
    methods = []
    for (case, recipe), runs_of_method in groups.items():
        name = runs_of_method[0].label
        like = first.setdefault((case, name), runs_of_method[0])
        if like.recipe != recipe:  # the same words, another config: defaults have changed in between
            name += f" #{recipe[:4]}"
            print(f"note: {name} is another recipe than {like.folder}: {'; '.join(like.differences(runs_of_method[0]))}")
        _check_seeds(name, runs_of_method)
        methods.append(Method(case, name, runs_of_method))
    return methods


def _check_seeds(name: str, runs: list[Run]) -> None:
    folders: dict[int, Path] = {}
    for run in runs:
        seed = run.config["seed"]
        if seed in folders:
            raise UserError(f"seed {seed} of {name} is there twice: {folders[seed]} and {run.folder}", "collect one of them")
        folders[seed] = run.folder
        modules = identity.changed_modules(runs[0].sources, run.sources)
        if modules:
            print(f"note: the code of {', '.join(modules)} was another in {run.folder} than in {runs[0].folder}")


def _by_case(methods: list[Method]) -> dict[str, list[Method]]:
    cases: dict[str, list[Method]] = {}
    for method in methods:
        cases.setdefault(method.case, []).append(method)
    return cases


def _budget(case: str, methods: list[Method]) -> int:
    """Returns the evaluations at which methods are compared: all that the smallest budget allows. Says budgets that differ."""
    budgets = [run.config["budget"] for method in methods for run in method.runs]
    if len(set(budgets)) > 1:
        counts = ", ".join(f"{budget:,} ({budgets.count(budget)} runs)" for budget in sorted(set(budgets)))
        print(f"note: {case} has runs of different budgets: {counts} evaluations; all are compared at {min(budgets):,}")
    return min(budgets)


def _rows(method: Method, evaluations: int) -> Iterator[Row]:
    """Yields median and mean of each number, over the seeds of which it is defined."""
    ends = [run.at(evaluations) for run in method.runs]
    for column in dict.fromkeys(name for end in ends for name in end):
        values = np.array([end[column] for end in ends if np.isfinite(end.get(column, np.nan))])
        for name, statistic in (("median", np.median), ("mean", np.mean)):
            if len(values):
                low, high = interval(values, statistic)
                yield Row(method.case, method.name, f"{column}_{name}", float(statistic(values)), low, high, len(values))


def _draw(case: str, methods: list[Method], figures: Path, alone: bool) -> list[Path]:
    columns = {name for method in methods for run in method.runs for name in run.curve}
    panels = (*PANELS, *(panel for panel in REFEREE if panel.column in columns))
    curves_by_method = {
        f"{method.name} ({len(method.runs)} seed{'s' * (len(method.runs) > 1)})": {
            panel.column: values for panel in panels if (values := band(method.runs, panel.column)) is not None
        }
        for method in methods
    }
    figure = bands(curves_by_method, f"{case}: median over seeds, and its 95 % interval", panels)
    return save(figure, figures / ("curves" if alone else f"curves-{case.replace('/', '-')}"), "png", "pdf")


def band(runs: list[Run], column: str) -> Band | None:
    """Median and interval of one number where all seeds have it; None where one never recorded it.

    Args:
        runs: of one method, one for each seed.
        column: of metrics.csv.

    Returns:
        Median and 95 % interval over seeds, at no more than 100 counts of evaluations that lie within the records of all
        runs; of each run the last row up to that count.

    Raises:
        UserError: the records of the runs do not overlap.
    """
    if any(column not in run.curve for run in runs):
        return None
    spots = np.unique(np.concatenate([run.curve["evals"] for run in runs]))
    latest, earliest = max(runs, key=lambda run: run.curve["evals"][0]), min(runs, key=lambda run: run.curve["evals"][-1])
    first, last = latest.curve["evals"][0], earliest.curve["evals"][-1]
    if first > last:
        raise UserError(
            f"the records of two runs do not overlap: that of {earliest.folder} ends at {last:,.0f} evaluations, and that of "
            f"{latest.folder} begins at {first:,.0f}",
            "collect them apart, or run one of them again with a smaller log_every",
        )
    spots = spots[(spots >= first) & (spots <= last)]
    spots = spots[np.unique(np.linspace(0, len(spots) - 1, min(len(spots), _POINTS)).round().astype(int))]
    values = np.stack([run.curve[column][np.searchsorted(run.curve["evals"], spots, side="right") - 1] for run in runs])
    low, high = np.array([interval(values[:, spot]) for spot in range(len(spots))]).T
    return Band(spots, np.median(values, axis=0), low, high)


def _show(rows: list[Row]) -> None:
    """Prints coverage, scores and seconds of each method."""
    cells = {(row.case, row.method, row.metric): row for row in rows}
    grid = Table(box=None, pad_edge=False)
    for head in ("case", "method", "metric", "median [95 %]", "mean [95 %]", "seeds"):
        grid.add_column(head, justify="left" if head in ("case", "method", "metric") else "right", no_wrap=head != "method")
    for case, method in dict.fromkeys((row.case, row.method) for row in rows):
        for metric in SHOWN:
            middle, mean = (cells.get((case, method, f"{metric}_{name}")) for name in ("median", "mean"))
            if middle and mean:
                grid.add_row(Text(case), Text(method), metric, Text(_cell(middle)), Text(_cell(mean)), str(middle.n))
    console = Console()
    Console(width=console.width if console.is_terminal else 140).print(grid)


def _cell(row: Row) -> str:
    return f"{row.value:.4g}" + ("" if np.isnan(row.low) else f" [{row.low:.4g}, {row.high:.4g}]")
