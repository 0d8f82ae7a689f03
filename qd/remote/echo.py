"""A domain whose evaluations take no time: the cost of the workers themselves is measured with it."""

from dataclasses import dataclass

import numpy as np

from qd.types import Array, Evaluation


@dataclass(frozen=True)
class Echo:
    """Answers zeros at once, features in the shapes of another domain."""

    features: tuple[tuple[str, tuple[int, ...], str], ...]  # name, shape of a row, dtype
    pure: bool = False

    def sample(self, key: Array, n: int) -> Array:
        """Returns solutions [n, 1]."""
        return np.zeros((n, 1), np.float32)

    def evaluate(self, keys: Array, solutions: Array) -> Evaluation:
        """Returns objective [B] and features, name -> [B, ...], all zeros."""
        n = len(solutions)
        return Evaluation(np.zeros(n, np.float32), {name: np.zeros((n, *shape), dtype) for name, shape, dtype in self.features})
