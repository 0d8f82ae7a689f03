"""Long-form result tables: one measured number a row, with its interval over seeds; as csv, as text, in LaTeX.

    runs = Runs(folder / "runs.jsonl")                   # keyed (case, method, seed): what is there is not run again
    if not runs.has("arm", "ours", 0):
        runs.add("arm", "ours", 0, {"qd_score": 56.4})
    rows = summary(runs, "median")
    rows += corrected([difference(runs, "arm", "ours", other, "qd_score") for other in others])
    write(folder / "table.csv", rows)

Intervals and tests are those of ``qd.report.statistics``, as in `qd compare`. n seeds, R rows.
"""

import csv
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np

from qd.support import atomic, growing
from qd.support.errors import UserError

Statistic = Literal["median", "mean"]  # over seeds, each with its interval
_TRUTHS = {"True": 1.0, "False": 0.0}
_COST = re.compile(r"(_s|_ms|_mb|seconds)$|^ms an evaluation$")  # names of times, rates (per_s) and memory


class Row(NamedTuple):
    """One number of a table: a statistic over n seeds with its 95 % interval."""

    case: str
    method: str
    metric: str
    value: float
    low: float
    high: float
    n: int
    values: tuple[float, ...] = ()  # of the seeds, in order, where they are fewer than five
    p: float = float("nan")  # of a difference: of its t-test, corrected for all differences of the case by ``corrected``


class Runs:
    """What single runs measured, a JSON line each; a line cut off by a kill is left out and its run done again.

    Raises:
        UserError: a line is not what was written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.records: dict[tuple[str, str, int], dict[str, float]] = {}
        self.codes: dict[tuple[str, str, int], set[str]] = {}  # fingerprints of code that makes a run; absent: not recorded
        for record in growing.read(path):
            if not {"case", "method", "seed", "metrics"} <= record.keys():
                raise UserError(
                    f"a line of {path} is no run: {str(record)[:60]}", "put it back from a copy, or remove the line"
                )
            key = record["case"], record["method"], record["seed"]
            self.records[key] = record["metrics"]
            if "code" in record:
                self.codes[key] = {record["code"]}

    def has(self, case: str, method: str, seed: int) -> bool:
        """Whether a run is stored.

        Args:
            case: what was searched.
            method: by which it was searched.
            seed: of the run.
        """
        return (case, method, seed) in self.records

    def add(
        self, case: str, method: str, seed: int, metrics: dict[str, float], origin: Mapping[str, str] | None = None
    ) -> None:
        """Appends a run.

        Args:
            case: what was searched.
            method: by which it was searched.
            seed: of the run.
            metrics: name -> value.
            origin: what made it: "code", a fingerprint, and "commit".

        Raises:
            UserError: it is there already.
        """
        if self.has(case, method, seed):
            raise UserError(f"{case}, {method}, seed {seed} is in {self.path} already", "delete its line to run it again")
        plain = {name: float(value) for name, value in metrics.items()}
        self.records[case, method, seed] = plain
        if origin and "code" in origin:
            self.codes[case, method, seed] = {origin["code"]}
        line = {"case": case, "method": method, "seed": seed, "metrics": plain} | dict(origin or {})
        growing.append(self.path, [line])

    def pairs(self, case: str, method: str, other: str, metric: str) -> list[tuple[float, float]]:
        """Returns the values of both methods at each seed that both have; runs of different code are no pair.

        Args:
            case: what was searched.
            method: by which it was searched.
            other: the other method.
            metric: name of the value.
        """
        ours, theirs = self.column(case, method, metric), self.column(case, other, metric)
        codes = lambda name, seed: self.codes.get((case, name, seed), {""})
        shared = sorted(ours.keys() & theirs.keys())
        return [(ours[seed], theirs[seed]) for seed in shared if codes(method, seed) & codes(other, seed)]

    def column(self, case: str, method: str, metric: str) -> dict[int, float]:
        """Returns seed -> value of the runs that measured it.

        Args:
            case: what was searched.
            method: by which it was searched.
            metric: name of the value.
        """
        records = ((key, metrics) for key, metrics in self.records.items() if key[:2] == (case, method))
        return {key[2]: metrics[metric] for key, metrics in sorted(records) if metric in metrics}


def summary(runs: Runs, statistic: Statistic = "median") -> list[Row]:
    """Returns a row for each case, method and metric, in the order in which they first ran.

    Args:
        runs: what single runs measured.
        statistic: over the seeds.

    Returns:
        Rows with the statistic, its 95 % interval and the number of seeds.
    """
    names = dict.fromkeys((case, method, metric) for (case, method, _), metrics in runs.records.items() for metric in metrics)
    return [over_seeds(*name, list(runs.column(*name).values()), statistic) for name in names]


def over_seeds(case: str, method: str, metric: str, values: Sequence[float], statistic: Statistic = "median") -> Row:
    """Returns the row of one number: median or mean over seeds, with its 95 % interval; NaN where there is none.

    Intervals of times, rates and memory, which cannot be negative, are cut at 0: that takes away nothing that could be true.

    Args:
        case: what was searched.
        method: by which it was searched.
        metric: name of the number.
        values: [n], one for each seed.
        statistic: over the seeds.
    """
    row = _over_seeds(case, method, metric, values, statistic)
    return row._replace(low=max(row.low, 0.0)) if _COST.search(metric) and min(values, default=0) >= 0 else row


def _over_seeds(case: str, method: str, metric: str, values: Sequence[float], statistic: Statistic = "median") -> Row:
    from qd.report import statistics  # scipy takes half a second, which no command needs

    column = np.asarray(values, np.float64)
    middle, low, high = getattr(statistics, statistic)(column)
    few = tuple(map(float, values)) if 1 < len(column) < statistics.FEW else ()
    return Row(case, method, metric, float(middle), float(low), float(high), len(column), few)


def of_ratios(case: str, method: str, metric: str, values: Sequence[float]) -> Row:
    """Returns the row of ratios over seeds: their median, and the interval of their logarithms, so that none reaches 0.

    Args:
        case: what was searched.
        method: names of both sides.
        metric: name of the number.
        values: [n] ratios above 0, one for each seed.
    """
    row = _over_seeds(case, method, metric, np.log(values).tolist())
    low, high = np.exp(row[4:6]).tolist()
    few = tuple(map(float, values)) if row.values else ()
    return row._replace(value=float(np.median(values)), low=low, high=high, values=few)


def difference(runs: Runs, case: str, method: str, other: str, metric: str) -> Row:
    """Returns the mean of ``method`` minus ``other``, paired by seed, with Student's interval and the p of its test.

    Args:
        runs: what single runs measured.
        case: on which both methods ran.
        method: the minuend.
        other: the subtrahend.
        metric: of which the difference is taken.

    Returns:
        A row of the method "METHOD - OTHER", over the n seeds that both have from the same code; ``corrected`` corrects the
        p of several.

    Raises:
        UserError: they share no seed.
    """
    from qd.report import statistics

    pairs = runs.pairs(case, method, other, metric)
    if not pairs:
        raise UserError(f"{method} and {other} share no seed of {metric} in {case}", "run both on the same seeds")
    a, b = np.array(pairs).T
    between = statistics.difference(a, b, paired=True)
    row = _over_seeds(case, f"{method} - {other}", metric, a - b, "mean")
    return row._replace(low=float(between.low), high=float(between.high), p=float(between.p))


def corrected(rows: Sequence[Row]) -> list[Row]:
    """Corrects p for the number of differences of the same case (Holm 1979).

    Args:
        rows: [R] of ``difference``, all that a study makes.

    Returns:
        [R], in the same order.
    """
    from qd.report import statistics

    table = list(rows)
    for case in dict.fromkeys(row.case for row in rows):
        places = [i for i, row in enumerate(rows) if row.case == case]
        for place, p in zip(places, statistics.holm([rows[i].p for i in places]), strict=True):
            table[place] = rows[place]._replace(p=float(p))
    return table


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
    writer.writerows([*map(_field, row[:-1]), "" if np.isnan(row.p) else _field(row.p)] for row in rows)
    atomic.make_folder(path.parent)
    atomic.write(path, buffer.getvalue().encode())


def _field(cell: str | float | int | tuple[float, ...]) -> str:
    """Returns a cell of a csv file; values are set apart by spaces."""
    if isinstance(cell, tuple):
        return " ".join(map(_field, cell))
    return f"{cell:.6g}" if isinstance(cell, float) else str(cell)


def read(path: Path) -> list[Row]:
    """Reads what ``write`` wrote, and tables of earlier versions, which have no values and no p, and "True" for 1."""
    with path.open(newline="") as file:
        return [
            Row(
                record["case"],
                record["method"],
                record["metric"],
                float(_TRUTHS.get(record["value"], record["value"])),
                float(record["low"]),
                float(record["high"]),
                n=int(record["n"]),
                values=tuple(map(float, (record.get("values") or "").split())),
                p=float(record.get("p") or "nan"),
            )
            for record in csv.DictReader(file)
        ]


def text(rows: list[Row], metrics: tuple[str, ...], digits: int = 1) -> str:
    """Lays rows out for a terminal: a line for each case and method, "value [low, high]" for each metric,
    and behind it the values themselves where they are few.

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
    """Lays rows out as a LaTeX tabular (booktabs); arguments as in ``text``.

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
    few = f" ({', '.join(f'{value:.{digits}f}' for value in row.values)})" if row.values else ""
    return f"{row.value:.{digits}f} [{row.low:.{digits}f}, {row.high:.{digits}f}]{few}"


def tex(words: str) -> str:
    """Returns words in which LaTeX reads no commands."""
    return re.sub(r"[&%$#_{}]", r"\\\g<0>", words).replace("~", r"\textasciitilde{}").replace("^", r"\textasciicircum{}")
