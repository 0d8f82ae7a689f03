"""Long-form result tables: one measured number a row, with its interval over seeds; as csv, as text, in LaTeX.

    runs = Runs(folder / "runs.jsonl")                   # keyed (case, method, seed): what is there is not run again
    if not runs.has("arm", "ours", 0):
        runs.add("arm", "ours", 0, {"qd_score": 56.4})
    rows = summary(runs, np.median)
    write(folder / "table.csv", rows)

n seeds, R rows.
"""

import csv
import io
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from qd.support import atomic, json_lines
from qd.support.errors import UserError

_RESAMPLES = 4000


class Row(NamedTuple):
    """One number of a table: a statistic over n seeds with its 95 % interval."""

    case: str
    method: str
    metric: str
    value: float
    low: float
    high: float
    n: int


class Runs:
    """What single runs measured, a JSON line each; a line cut off by a kill is left out and its run done again."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.records: dict[tuple[str, str, int], dict[str, float]] = {}
        for record in json_lines.read(path):
            self.records[record["case"], record["method"], record["seed"]] = record["metrics"]

    def has(self, case: str, method: str, seed: int) -> bool:
        """Whether a run is stored.

        Args:
            case: what was searched.
            method: by which it was searched.
            seed: of the run.
        """
        return (case, method, seed) in self.records

    def add(self, case: str, method: str, seed: int, metrics: dict[str, float]) -> None:
        """Appends a run.

        Args:
            case: what was searched.
            method: by which it was searched.
            seed: of the run.
            metrics: name -> value.

        Raises:
            UserError: it is there already.
        """
        if self.has(case, method, seed):
            raise UserError(f"{case}, {method}, seed {seed} is in {self.path} already", "delete its line to run it again")
        plain = {name: float(value) for name, value in metrics.items()}
        self.records[case, method, seed] = plain
        json_lines.append(self.path, [{"case": case, "method": method, "seed": seed, "metrics": plain}])

    def column(self, case: str, method: str, metric: str) -> dict[int, float]:
        """Returns seed -> value of the runs that measured it.

        Args:
            case: what was searched.
            method: by which it was searched.
            metric: name of the value.
        """
        records = ((key, metrics) for key, metrics in self.records.items() if key[:2] == (case, method))
        return {key[2]: metrics[metric] for key, metrics in sorted(records) if metric in metrics}


def summary(runs: Runs, statistic: Callable[..., np.ndarray] = np.median) -> list[Row]:
    """Returns a row for each case, method and metric, in the order in which they first ran.

    Args:
        runs: what single runs measured.
        statistic: over the seeds; takes ``axis``, as np.median and np.mean do.

    Returns:
        Rows with the statistic, its 95 % interval (of ``interval``) and the number of seeds.
    """
    names = dict.fromkeys((case, method, metric) for (case, method, _), metrics in runs.records.items() for metric in metrics)
    rows = []
    for case, method, metric in names:
        values = np.array(list(runs.column(case, method, metric).values()))
        rows.append(Row(case, method, metric, float(statistic(values)), *interval(values, statistic), len(values)))
    return rows


def interval(values: np.ndarray, statistic: Callable[..., np.ndarray] = np.median) -> tuple[float, float]:
    """Returns the 95 % bootstrap percentile interval (Efron 1979) of a statistic that takes ``axis``; NaN below 2 values.

    Args:
        values: [n] of independent runs.
    """
    values = np.asarray(values, np.float64)
    if len(values) < 2 or not np.isfinite(values).all():
        return float("nan"), float("nan")
    samples = np.random.default_rng(0).integers(0, len(values), (_RESAMPLES, len(values)))
    low, high = np.quantile(statistic(values[samples], axis=1), (0.025, 0.975))
    return float(low), float(high)


def difference(
    runs: Runs, case: str, method: str, other: str, metric: str, statistic: Callable[..., np.ndarray] = np.median
) -> Row:
    """Returns ``method`` minus ``other``, paired by seed, with the interval of the paired differences.

    Args:
        runs: what single runs measured.
        case: on which both methods ran.
        method: the minuend.
        other: the subtrahend.
        metric: of which the difference is taken.
        statistic: over the differences; takes ``axis``, as np.median and np.mean do.

    Returns:
        A row of the method "METHOD - OTHER", over the n seeds that both have.

    Raises:
        ValueError: they share no seed.
    """
    ours, theirs = runs.column(case, method, metric), runs.column(case, other, metric)
    shared = sorted(ours.keys() & theirs.keys())
    if not shared:
        raise UserError(f"{method} and {other} share no seed of {metric} in {case}", "run both on the same seeds")
    values = np.array([ours[seed] - theirs[seed] for seed in shared])
    return Row(case, f"{method} - {other}", metric, float(statistic(values)), *interval(values, statistic), len(values))


class Comparison(NamedTuple):
    """One sample against another, ours minus theirs."""

    difference: float  # of the means
    error: float  # its pooled standard error
    p: float  # two-sided, of Mann and Whitney's U (1947): small where one sample is mostly above the other
    n: int  # of ours
    m: int  # of theirs

    def within(self, errors: float = 2.0) -> bool:
        """Whether the means differ by at most so many pooled standard errors."""
        return abs(self.difference) <= errors * self.error


def compare(ours: Sequence[float], theirs: Sequence[float]) -> Comparison:
    """Compares two independent samples, which need not be of one size.

    Args:
        ours: [n] values of independent runs.
        theirs: [m] values of independent runs.

    Returns:
        Difference of the means, its standard error from the pooled variance, and p of the two-sided test of Mann and Whitney
        (1947).

    Raises:
        ValueError: a sample has fewer than two values, or one that is not finite.
    """
    from scipy.stats import mannwhitneyu  # half a second, which no command needs

    a, b = (np.asarray(sample, np.float64) for sample in (ours, theirs))
    n, m = len(a), len(b)
    if min(n, m) < 2 or not (np.isfinite(a).all() and np.isfinite(b).all()):
        raise UserError(f"{n} and {m} values cannot be compared: each side needs two or more, all finite", "run more seeds")
    variance = ((n - 1) * a.var(ddof=1) + (m - 1) * b.var(ddof=1)) / (n + m - 2)  # s_p²
    error = float(np.sqrt(variance * (1 / n + 1 / m)))
    return Comparison(float(a.mean() - b.mean()), error, float(mannwhitneyu(a, b).pvalue), n, m)


def write(path: Path, rows: Iterable[Row]) -> None:
    """Writes a csv of six significant digits, whole or not at all.

    Args:
        path: the file; its folder is made.
        rows: [R], one line each below the head.

    Raises:
        UserError: the file cannot be written.
    """
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(Row._fields)
    for row in rows:
        writer.writerow([f"{cell:.6g}" if isinstance(cell, float) else cell for cell in row])
    atomic.make_folder(path.parent)
    atomic.write(path, buffer.getvalue().encode())


def read(path: Path) -> list[Row]:
    """Reads what ``write`` wrote."""
    with path.open(newline="") as file:
        numbers = ("value", "low", "high")
        return [
            Row(r["case"], r["method"], r["metric"], *(float(r[name]) for name in numbers), n=int(r["n"]))  # type: ignore[call-arg]
            for r in csv.DictReader(file)
        ]


def text(rows: list[Row], metrics: tuple[str, ...], digits: int = 1) -> str:
    """Lays rows out for a terminal: a line for each case and method, "value [low, high]" for each metric.

    Args:
        rows: [R] of ``summary``.
        metrics: the columns, in order; "-" where a method has none.
        digits: decimals.

    Returns:
        The lines, the head first; n is the largest of a method's rows.
    """
    lines = [["case", "method", "n", *metrics]]
    for (case, method), row_of_metric in _by_method(rows).items():
        n = max((row.n for row in row_of_metric.values()), default=0)
        lines.append([case, method, str(n), *(_cell(row_of_metric.get(metric), digits) for metric in metrics)])
    return "\n".join(align(lines))


def align(rows: Sequence[Sequence[str]], side: str = "<") -> list[str]:
    """Returns a line for each row, its cells padded to the width of their column.

    Args:
        rows: [R] of equally many cells.
        side: "<" pads on the right, ">" on the left.

    Returns:
        [R] lines, two spaces between cells and none at the end.

    Raises:
        ValueError: the rows are not of equally many cells.
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(f"{cell:{side}{width}}" for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def latex(rows: list[Row], metrics: tuple[str, ...], digits: int = 1) -> str:
    """Lays rows out as a LaTeX tabular (booktabs).

    Args:
        rows: [R] of ``summary``.
        metrics: the columns, in order; "-" where a method has none.
        digits: decimals.

    Returns:
        LaTeX source; in the names of cases, methods and metrics special characters are escaped.
    """
    head = " & ".join(["case", "method", "$n$", *map(tex, metrics)])
    lines = [r"\begin{tabular}{ll" + "r" * (len(metrics) + 1) + "}", r"\toprule", head + r" \\", r"\midrule"]
    for (case, method), row_of_metric in _by_method(rows).items():
        n = max((row.n for row in row_of_metric.values()), default=0)
        cells = [case, method, str(n), *(_cell(row_of_metric.get(metric), digits) for metric in metrics)]
        lines.append(" & ".join([*map(tex, cells[:2]), *cells[2:]]) + r" \\")
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}"])


def _by_method(rows: list[Row]) -> dict[tuple[str, str], dict[str, Row]]:
    rows_of_method: dict[tuple[str, str], dict[str, Row]] = {}
    for row in rows:
        rows_of_method.setdefault((row.case, row.method), {})[row.metric] = row
    return rows_of_method


def _cell(row: Row | None, digits: int) -> str:
    if row is None:
        return "-"
    if np.isnan(row.low):
        return f"{row.value:.{digits}f}"
    return f"{row.value:.{digits}f} [{row.low:.{digits}f}, {row.high:.{digits}f}]"


def tex(words: str) -> str:
    """Returns words in which LaTeX reads no commands."""
    return re.sub(r"[&%$#_{}]", r"\\\g<0>", words).replace("~", r"\textasciitilde{}").replace("^", r"\textasciicircum{}")
