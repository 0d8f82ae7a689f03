"""Numbers of a recipe's own: functions of (state, batch) that become columns of metrics.csv.

metrics: {spread: {_target_: my_metrics.spread}}        # def spread(state, batch) -> float
"""

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from qd.support.errors import UserError
from qd.types import Batch, State

Metric = Callable[[State, Batch], Any]


class OwnMetrics:
    """Calls the functions once for each row; a checkpoint has the last numbers, for a row that is written right after it."""

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
            self._row = {name: _number(name, function, state, batch) for name, function in self.functions.items()}
            self._evaluations = state.evaluations
        return self._row


def _number(name: str, function: Metric, state: State, batch: Batch) -> float:
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
