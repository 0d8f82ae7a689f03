"""A domain that another program evaluates: solutions leave by ``qd ask`` and results come back by ``qd tell``.

A yaml states what that program gets and what it returns. B batch, D numbers of a solution, K objectives.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from qd import keys
from qd.support.errors import UserError
from qd.types import Array, Evaluation

Range = tuple[float, float]
_LARGEST = float(np.finfo(np.float32).max)
_SHOWN = 60  # characters of a result that a message shows


@dataclass(frozen=True)
class External:
    """Solutions are D numbers, sampled evenly between low and high, or one of 0..options-1 each."""

    dim: int
    features: tuple[tuple[str, tuple[int, ...]], ...]  # name -> shape of one solution's; a yaml says {end: 2, speed: []}
    low: float = -1.0
    high: float = 1.0
    options: int | None = None  # whole numbers 0..options-1 instead
    objective_range: Range | tuple[Range, ...] | None = None  # scale of the QD score; K pairs: there are K objectives
    objective_names: tuple[str, ...] | None = None  # of K objectives, for pages
    pure: bool = False
    answers: Callable[[Array, Array], Evaluation] | None = field(default=None, compare=False, repr=False)  # of qd tell

    def __post_init__(self) -> None:
        if self.dim < 1 or not self.low < self.high or (self.options is not None and self.options < 2):
            raise UserError(
                f"dim {self.dim}, low {self.low}, high {self.high}, options {self.options}: there is nothing to search; "
                "type dim=1 or more, low below high, options of 2 or more"
            )
        object.__setattr__(self, "features", tuple((name, _shape(name, shape)) for name, shape in _pairs(self.features)))
        if self.objective_names is not None and len(self.objective_names) != max(self.objectives, 1):
            raise UserError(
                f"objective_names={self.objective_names} are {len(self.objective_names)}, and objective_range has "
                f"{max(self.objectives, 1)} pairs (low, high)",
                "state a name and a pair for each objective",
            )

    @property
    def external(self) -> bool:
        """Another program evaluates it."""
        return True

    @property
    def objectives(self) -> int:
        """K, where each solution has several objectives; 0 where it has one, a number by itself."""
        pairs = self.objective_range if isinstance(self.objective_range, tuple | list) else ()
        return len(pairs) if len(pairs) > 1 and all(isinstance(pair, tuple | list) for pair in pairs) else 0

    @property
    def space(self) -> tuple[float, ...]:
        """(low, high), or the options of every gene."""
        return (self.low, self.high) if self.options is None else (self.options,)

    def sample(self, key: Array, n: int) -> Array:
        """Draws evenly between low and high, or of the options; arguments as in ``Domain``.

        Returns:
            Solutions [n, D], float32 or int32.
        """
        if self.options is not None:
            return keys.integers(key, (n, self.dim), 0, self.options)
        return keys.uniform(key, (n, self.dim), self.low, self.high)

    def evaluate(self, keys: Array, solutions: Array) -> Evaluation:
        """Returns the results that another program has reported.

        Args:
            keys: handed on.
            solutions: [B, D].

        Returns:
            Objective and features as reported.

        Raises:
            UserError: there are none: only `qd tell` has them.
        """
        if self.answers is None:
            raise UserError(
                "this domain is evaluated by another program, not in this process",
                "type qd ask with the same words instead of "
                "qd run, evaluate the batch that it prints, and type qd tell RUN results.jsonl",
            )
        return self.answers(keys, solutions)

    def blank(self, n: int) -> Evaluation:
        """Returns n failures in the shape and dtype of all evaluations: objectives in float64, features in float32."""
        features = {name: np.zeros((n, *shape), np.float32) for name, shape in self.features}
        return Evaluation(np.full((n, self.objectives) if self.objectives else n, np.nan), features)

    def objective_of(self, value: object) -> Any:
        """Reads the objective of one result.

        Args:
            value: of JSON: a number, or a list of K; null and NaN: the solution failed, also where it is one of the K.

        Returns:
            A number or K of them; NaN where the solution failed.

        Raises:
            UserError: it is something else.
        """
        count = self.objectives
        if value is None or not (count or isinstance(value, list)):
            return _number(value)
        if not isinstance(value, list):
            raise UserError(f"objective {_shown(value)} is one number, and objective_range has {count} pairs; give [{count}]")
        if len(value) != count:
            pairs = f"{count} pairs" if count else "no pair for each: [[low, high], ...]"
            raise UserError(f"objective {_shown(value)} has {len(value)} numbers, and objective_range {pairs}")
        numbers = [_number(each) for each in value]
        return math.nan if any(map(math.isnan, numbers)) else numbers


def _number(value: object) -> float:
    """Reads a finite number; null and NaN are NaN."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return math.nan
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= _LARGEST:
        raise UserError(f"objective {_shown(value)} is no finite number (null: it failed)")
    return float(value)


def _shown(value: object) -> str:
    text = ascii(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def _pairs(features: object) -> list:
    return list(features.items()) if isinstance(features, dict) else list(features)  # type: ignore[call-overload]


def _shape(name: str, shape: object) -> tuple[int, ...]:
    lengths = (shape,) if isinstance(shape, int) else shape
    if not isinstance(lengths, list | tuple) or any(isinstance(n, bool) or not isinstance(n, int) or n < 1 for n in lengths):
        raise UserError(
            f"the feature {name!r} has shape {shape!r}", "type a length of 1 or more, [rows, columns], or [] for one number"
        )
    return tuple(lengths)
