"""Rows in which a compiled evaluation differs from the same one as it stands, by more than rounding explains.

Compilation reorders and fuses sums, so that results differ in their last digits. A rollout may amplify that: then it amplifies
a small change of its solution as well. A row counts only where compilation changes it by more than small changes do.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from qd.doctor.trial import Trial
from qd.types import Array, Evaluation

_TOLERANCE = 1e-3  # of a column's spread
_NEARBY, _SCALE = 8, 1e-5  # changes of each solution, and their size: some hundred times a float32's last digit
_FACTOR = 10  # times as much as the largest of these


class Disagreement(NamedTuple):
    """One column of an evaluation."""

    name: str
    share: float  # of rows
    largest: float  # difference, as a share of the column's spread; infinite where one of both is not finite

    def __str__(self) -> str:
        return f"{self.name} in {100 * self.share:.2g} % of rows (by up to {100 * self.largest:.2g} % of its spread)"


def disagreements(trial: Trial) -> list[Disagreement]:
    """Returns the columns in which compiled and plain evaluation of a pure domain differ in any row."""
    if trial.plain is None or trial.evaluation is None:
        return []
    differences = {name: difference(column(trial.evaluation), column(trial.plain)) for name, column in _columns(trial).items()}
    suspects = {name: each for name, each in differences.items() if (each > _TOLERANCE).any()}
    if not suspects:
        return []
    rounding = {name: np.zeros(len(each)) for name, each in suspects.items()}
    for neighbours in trial.nearby(_NEARBY, _SCALE):
        for name in suspects:
            column = _columns(trial)[name]
            rounding[name] = np.maximum(rounding[name], difference(column(trial.evaluation), column(neighbours)))
    wrong = {
        name: np.where((each > _TOLERANCE) & (each > _FACTOR * rounding[name]), each, 0) for name, each in suspects.items()
    }
    return [Disagreement(name, float((each > 0).mean()), float(each.max())) for name, each in wrong.items() if each.any()]


def difference(one: Array, two: Array) -> np.ndarray:
    """Returns how much each row differs, [R], as a share of the spread of its column.

    Args:
        one: [R, ...]
        two: [R, ...]

    Returns:
        The largest difference in each row; infinity where one value is finite and the other is not.
    """
    one, two = (np.asarray(column, float).reshape(len(column), -1) for column in (one, two))
    if not one.size:
        return np.zeros(len(one))
    finite = np.isfinite(one) & np.isfinite(two)
    a, b = np.where(finite, one, 0), np.where(finite, two, 0)
    spread = np.ptp(a, axis=0) + np.abs(a).max(axis=0) + 1e-12
    share = np.where(np.isfinite(one) == np.isfinite(two), np.abs(a - b) / spread, np.inf)
    return share.max(axis=1)


def _columns(trial: Trial) -> dict[str, Callable[[Evaluation], Array]]:
    """Returns name -> what takes this column from an evaluation."""
    assert trial.evaluation is not None
    names = {name: lambda evaluation, name=name: evaluation.features[name] for name in trial.evaluation.features}
    return {"objective": lambda evaluation: evaluation.objective, **names}
