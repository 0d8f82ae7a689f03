"""Final figures of methods, and all pairs of methods against each other, corrected for their number.

n seeds of one method, m of the other.
"""

from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np

from qd.report import statistics
from qd.report.collect import Method
from qd.report.table import Row, over_seeds
from qd.support.errors import UserError
from qd.support.spelling import unknown

OUTCOMES = (
    "coverage",
    "qd_score",
    "hypervolume",
    "best",
    "coverage_current",
    "qd_score_current",
    "qd_score_all",
)  # what is compared
COSTS = ("wall_s", "compile_s")  # shown beside them; times say more about the machine than about a method


class Contrast(NamedTuple):
    """Method a minus method b in one number."""

    case: str
    a: str
    b: str
    metric: str
    difference: float  # of the means over seeds
    low: float  # its 95 % interval; NaN where none can be given
    high: float
    p: float
    p_holm: float  # corrected for the number of contrasts of the case
    effect: float  # Hedges' g
    superiority: float  # share of pairs of runs in which a is higher
    seeds_needed: float  # of each method, to find this difference with 80 % probability; NaN: more than 10,000
    n: int
    m: int
    paired: bool  # by seed

    @property
    def words(self) -> str:
        """The finding in words."""
        if min(self.n, self.m) < 2:
            return "one seed only: no interval can be given"
        if np.isnan(self.p):
            return "no difference in any seed" if self.difference == 0 else "no spread over seeds: no interval can be given"
        if self.p_holm < statistics.ALPHA:
            return f"{self.a if self.difference > 0 else self.b} is higher"
        if np.isnan(self.seeds_needed):
            return "no difference found"
        return f"no difference found; {self.seeds_needed:,.0f} seeds each would tell them apart if it is as large as here"


def final_values(method: Method, metric: str, evaluations: int) -> dict[int, float]:
    """Returns seed -> value of the runs in which it is defined.

    Args:
        method: one run for each seed.
        metric: a column of metrics.csv.
        evaluations: at which it is read.
    """
    ends = {run.config["seed"]: run.at(evaluations).get(metric, np.nan) for run in method.runs}
    return {seed: value for seed, value in ends.items() if np.isfinite(value)}


def metrics_of(methods: Sequence[Method], only: Sequence[str] = ()) -> list[str]:
    """Returns the numbers that are compared: the outcomes that were recorded and the recipes' own metrics.

    Args:
        methods: of one case.
        only: names to choose; none: all.

    Raises:
        UserError: no run recorded one of them.
    """
    runs = [run for method in methods for run in method.runs]
    recorded = list(dict.fromkeys(name for run in runs for name in run.at(0)))
    for name in only:
        if name not in recorded:
            raise unknown("metric", name, recorded)
    own = dict.fromkeys(name for run in runs for name in run.config.get("metrics") or {})
    return list(only) or [name for name in (*OUTCOMES, *own) if name in recorded]


def rows(method: Method, evaluations: int) -> Iterator[Row]:
    """Yields median and mean of each number, over the seeds in which it is defined.

    Args:
        method: one run for each seed.
        evaluations: at which the numbers are read.
    """
    for column in dict.fromkeys(name for run in method.runs for name in run.at(evaluations)):
        values = list(final_values(method, column, evaluations).values())
        if values:
            for statistic in ("median", "mean"):
                row = over_seeds(method.case, method.name, column, values, statistic)
                yield row._replace(metric=f"{column}_{statistic}")


def contrasts(
    methods: Sequence[Method], metrics: Sequence[str], evaluations: int, against: str | None = None
) -> list[Contrast]:
    """Compares each pair of methods in each number, by seed where both have the same seeds.

    Args:
        methods: of one case.
        metrics: the numbers.
        evaluations: at which they are read.
        against: compare only with this method; None: all pairs.

    Returns:
        A contrast for each pair and number in which both have a value.

    Raises:
        UserError: no method is called ``against``.
    """
    names = [method.name for method in methods]
    if against is not None and against not in names:
        raise UserError(f"no method is called {against}", f"type --against with one of {', '.join(names)}")
    pairs = [pair for pair in combinations(methods, 2) if against is None or against in (pair[0].name, pair[1].name)]
    pairs = [(b, a) if against == a.name else (a, b) for a, b in pairs]
    values = {(m.name, metric): final_values(m, metric, evaluations) for m in methods for metric in metrics}
    samples = [(a, b, metric, values[a.name, metric], values[b.name, metric]) for metric in metrics for a, b in pairs]
    samples = [sample for sample in samples if sample[3] and sample[4]]
    alpha = statistics.ALPHA / max(1, len(samples))  # what Holm asks of the smallest p
    plain = [_contrast(a, b, metric, ours, theirs, alpha) for a, b, metric, ours, theirs in samples]
    corrected = statistics.holm([contrast.p for contrast in plain]) if plain else []
    return [contrast._replace(p_holm=float(p)) for contrast, p in zip(plain, corrected, strict=True)]


def _contrast(a: Method, b: Method, metric: str, ours: dict[int, float], theirs: dict[int, float], alpha: float) -> Contrast:
    paired = ours.keys() == theirs.keys()
    x = np.array([ours[seed] for seed in sorted(ours)])
    y = np.array([theirs[seed] for seed in sorted(theirs)])
    value, low, high, p, effect, superiority, seeds = map(float, statistics.difference(x, y, paired, alpha))
    return Contrast(a.case, a.name, b.name, metric, value, low, high, p, p, effect, superiority, seeds, len(x), len(y), paired)
