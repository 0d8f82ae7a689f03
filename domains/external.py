"""A domain that another program evaluates: solutions leave by ``qd ask`` and results come back by ``qd tell``.

A yaml states what that program gets and what it returns. B batch, D numbers of a solution.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from qd import keys
from qd.support.errors import UserError
from qd.types import Array, Evaluation


@dataclass(frozen=True)
class External:
    """Solutions are D numbers, sampled evenly between low and high, or one of 0..options-1 each."""

    dim: int
    features: tuple[tuple[str, tuple[int, ...]], ...]  # name -> shape of one solution's; a yaml says {end: 2, speed: []}
    low: float = -1.0
    high: float = 1.0
    options: int | None = None  # whole numbers 0..options-1 instead
    objective_range: tuple[float, float] | None = None  # scale of the QD score
    pure: bool = False
    answers: Callable[[Array, Array], Evaluation] | None = field(default=None, compare=False, repr=False)  # of qd tell

    def __post_init__(self) -> None:
        if self.dim < 1 or not self.low < self.high or (self.options is not None and self.options < 2):
            raise UserError(
                f"dim {self.dim}, low {self.low}, high {self.high}, options {self.options}: there is nothing to search; "
                "type dim=1 or more, low below high, options of 2 or more"
            )
        object.__setattr__(self, "features", tuple((name, _shape(name, shape)) for name, shape in _pairs(self.features)))

    @property
    def external(self) -> bool:
        """Another program evaluates it."""
        return True

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
        return Evaluation(np.full(n, np.nan), features)


def _pairs(features: object) -> list:
    return list(features.items()) if isinstance(features, dict) else list(features)  # type: ignore[call-overload]


def _shape(name: str, shape: object) -> tuple[int, ...]:
    lengths = (shape,) if isinstance(shape, int) else shape
    if not isinstance(lengths, list | tuple) or any(isinstance(n, bool) or not isinstance(n, int) or n < 1 for n in lengths):
        raise UserError(
            f"the feature {name!r} has shape {shape!r}", "type a length of 1 or more, [rows, columns], or [] for one number"
        )
    return tuple(lengths)
