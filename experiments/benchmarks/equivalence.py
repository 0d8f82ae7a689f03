"""Whether two methods are equivalent: two one-sided tests over seeds, with a margin stated beforehand.

Equivalent (Schuirmann 1987, at 5 %): the 90 % interval of the difference of means (Welch) lies within +-MARGIN of theirs.
"""

from collections.abc import Iterable

import numpy as np

from qd.report.statistics import difference
from qd.report.table import Row, Runs

MARGIN = 0.05  # of their mean: differences within it count as none


def mean_differences(runs: Runs, cases: Iterable[str], metrics: tuple[str, ...], ours: str, theirs: str) -> list[Row]:
    """Returns a row for each case and metric: the difference over their mean, with its 90 % interval.

    Args:
        runs: the finished runs.
        cases: names of cases.
        metrics: names of metrics.
        ours: name of a method.
        theirs: name of the method that it is compared with.
    """
    rows = []
    for case in cases:
        for metric in metrics:
            a, b = (np.array(list(runs.column(case, method, metric).values())) for method in (ours, theirs))
            if min(len(a), len(b)) < 2:
                continue
            scale = abs(b.mean())
            between = difference(a / scale, b / scale, paired=False, level=0.90)
            numbers = float(between.value), float(between.low), float(between.high)
            rows.append(Row(case, f"{ours} - {theirs}", f"difference of {metric}", *numbers, len(a)))
    return rows


def verdicts(rows: list[Row]) -> str:
    """Returns a line for each row of ``mean_differences``: the difference, and whether the two are equivalent."""
    lines = []
    for row in (row for row in rows if row.metric.startswith("difference of ")):
        within = row.low > -MARGIN and row.high < MARGIN
        verdict = "equivalent" if within else "not worse" if row.low > -MARGIN else "not shown to be equivalent"
        numbers = f"{100 * row.value:+.2f} % [{100 * row.low:+.2f}, {100 * row.high:+.2f}] of the other's mean"
        lines.append(f"{row.case}: {row.metric}, {row.method}: {numbers}, margin {100 * MARGIN:.0f} %, n={row.n}: {verdict}")
    return "\n".join(lines)
