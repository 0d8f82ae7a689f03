"""Numbers from State and Batch: what a search found, and what it cost.

All scores are exact sums over the archive in float64, not pyribs' running sums.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from qd import abilities, archives
from qd.archives import HostElites
from qd.support.errors import UserError
from qd.types import Batch, State

Range = tuple[float, float]
Metric = Callable[[State, Batch], Any]


class Tally(NamedTuple):
    """Running counts of a search; stored in each checkpoint."""

    evaluations: int = 0
    failed: int = 0
    new: int = 0
    improved: int = 0
    outside: int = 0  # valid rows with measures outside the bounds: they crowd the border cells
    best: float = float("-inf")  # highest objective ever, also where the archive has lost it


def count(tally: Tally, batch: Batch, bounds: tuple[tuple[float, float], ...]) -> Tally:
    """Adds a batch to the counts.

    Args:
        tally: the counts so far.
        batch: B rows.
        bounds: M pairs (low, high) of the descriptor.

    Returns:
        The counts after the batch.
    """
    return counts(tally, batch, bounds, [len(batch.ids)])[0]


def counts(tally: Tally, batch: Batch, bounds: tuple[tuple[float, float], ...], ends: list[int]) -> list[Tally]:
    """Returns the counts after each of some numbers of a batch's rows.

    Args:
        tally: the counts before the batch.
        batch: B rows.
        bounds: M pairs (low, high) of the descriptor.
        ends: numbers of rows, 1 or more, each larger than the one before; the last is B.

    Returns:
        One tally for each end, of all rows before it.
    """
    low, high = np.asarray(bounds, np.float32).T
    valid = batch.status >= 0
    outside = valid & ((batch.measures < low) | (batch.measures > high)).any(axis=1)
    objective = np.where(valid, np.asarray(batch.evaluation.objective), -np.inf)
    starts = [0, *ends[:-1]]
    per_segment = [
        np.add.reduceat(flags, starts, dtype=np.int64) for flags in (~valid, batch.status == 2, batch.status == 1, outside)
    ]
    failed, new, improved, beyond = (np.cumsum(numbers).tolist() for numbers in per_segment)
    best = np.maximum.accumulate(np.maximum.reduceat(objective, starts)).tolist()
    return [
        Tally(
            evaluations=tally.evaluations + end,
            failed=tally.failed + failed[i],
            new=tally.new + new[i],
            improved=tally.improved + improved[i],
            outside=tally.outside + beyond[i],
            best=max(tally.best, best[i]),
        )
        for i, end in enumerate(ends)
    ]


def of_archive(archive: Any, scale: Range | None) -> dict[str, float]:
    """Returns elites, coverage (%), qd_score, best and mean of an archive.

    coverage and qd_score are NaN for archives without cells: theirs are those of a referee's grid. qd_score is NaN
    ("not defined") too where no range is given and an objective is negative.

    Args:
        archive: an opened pyribs archive.
        scale: (low, high), the domain's objective range; None: not stated.

    Returns:
        Name -> number; best and mean are NaN where there are no elites.
    """
    own_scores = abilities.of_opened(archive).own_scores
    if own_scores is not None:
        return own_scores()
    (objective,) = HostElites(archive).take(np.arange(len(archive)), "objective")
    return of_objective(objective, archives.count_cells(archive), scale)


def of_objective(objective: np.ndarray, cells: int | None, scale: Range | None) -> dict[str, float]:
    """Like ``of_archive``, of the elites' objectives in the order in which their cells were first filled.

    Args:
        objective: [N], one for each elite.
        cells: how many cells the archive has, empty ones too; None: it has none.
        scale: (low, high), the domain's objective range; None: not stated.

    Returns:
        Elites, coverage (%), qd_score, best and mean, as ``of_archive`` does.
    """
    objective, n = objective.astype(np.float64), len(objective)
    return {
        "elites": n,
        "coverage": 100 * n / cells if cells else float("nan"),
        "qd_score": qd_score(objective, cells, scale) if cells else float("nan"),
        "best": float(objective.max()) if n else float("nan"),
        "mean": float(objective.mean()) if n else float("nan"),
    }


def qd_score(objective: np.ndarray, cells: int, scale: Range | None) -> float:
    """100 x sum((objective - low) / (high - low)) / cells, negative terms kept.

    Without a range it is sum(objective) / cells, and NaN where an objective is negative.

    Args:
        objective: [N], one for each elite.
        cells: how many cells the archive has, empty ones too.
        scale: (low, high), the domain's objective range; None: not stated.

    Returns:
        The QD score; 0 where there are no elites.

    Raises:
        UserError: the range is reversed, of zero width or not finite.
    """
    if scale is not None:
        archives.check_pair("the objective range", scale)
    if len(objective) == 0:
        return 0.0
    if scale is None:
        return float("nan") if objective.min() < 0 else float(objective.sum() / cells)
    low, high = scale
    return float(100 * ((objective - low) / (high - low)).sum() / cells)


def scores(row: dict[str, Any]) -> list[str]:
    """Words for coverage, QD score and best of a row; NaN and None are "not defined"."""
    return [
        "coverage " + number(row.get("coverage"), "{:.1f} %"),
        "QD score " + number(row.get("qd_score"), "{:.2f}"),
        "best " + number(row.get("best"), "{:.4g}"),
    ]


def number(value: float | None, form: str) -> str:
    """Formats a number of a row; NaN and None are not defined.

    Args:
        value: the number.
        form: a format string, e.g. "{:.1f} %".

    Returns:
        The formatted number, or "not defined".
    """
    return "not defined" if value is None or value != value else form.format(value or 0)  # -0.0 is 0


class OwnMetrics:
    """Numbers of a recipe's own: functions of (state, batch), called once for each row of metrics.

    A checkpoint has the last numbers, for a row that is written right after it.
    """

    def __init__(self, functions: Mapping[str, Metric], saved: Mapping[str, float] | None) -> None:
        """Takes name -> function, and the numbers of the checkpoint."""
        self.functions = functions
        self._row = dict(saved or {})
        self._evaluations: int | None = None  # of ``_row``; None: of the checkpoint

    def added_to(self, row: dict[str, float], state: State, batch: Batch | None) -> dict[str, float]:
        """Returns a row of metrics with the numbers of ``row(state, batch)`` after the others.

        Args:
            row: of the columns that all runs have.
            state: of the search.
            batch: the evaluations last made, or None.

        Raises:
            UserError: a function fails, or its name is that of another column.
        """
        for name in self.functions.keys() & row.keys():
            raise UserError(f"metrics.{name} has the name of another column of metrics.csv", "choose another name")
        return row | self.row(state, batch)

    def row(self, state: State, batch: Batch | None) -> dict[str, float]:
        """Returns name -> number; NaN where it is not defined.

        Args:
            state: of the search, which the functions must not change.
            batch: the evaluations last made; None right after a checkpoint was loaded: then the numbers are those of it.

        Raises:
            UserError: a function raises, or returns no number; names it.
        """
        if batch is not None and self._evaluations != state.evaluations:
            self._row = {name: _own_number(name, function, state, batch) for name, function in self.functions.items()}
            self._evaluations = state.evaluations
        return self._row


def _own_number(name: str, function: Metric, state: State, batch: Batch) -> float:
    words = f"metrics.{name} ({getattr(function, '__name__', type(function).__name__)})"
    try:
        value = function(state, batch)
    except (
        ArithmeticError,
        AssertionError,
        AttributeError,
        LookupError,
        NameError,
        RuntimeError,
        TypeError,
        ValueError,
    ) as error:
        raise UserError(
            f"{words} raised {type(error).__name__}: {error} after {state.evaluations:,} evaluations",
            "correct it, and give the same command: the run goes on from its last checkpoint",
        ) from error
    array = np.asarray(value)
    if array.size != 1 or array.dtype.kind not in "biuf":
        raise UserError(
            f"{words} returned {str(value)[:60]}, which is no number", "return one number; NaN where it is not defined"
        )
    number = float(array.reshape(()))
    return number if math.isfinite(number) else math.nan
