"""Functions of two objectives with optima apart (as in MOME, Pierrot et al. 2022).

    d_k = x - lag_k
    objective_k = -(10 D + sum(d_k^2 - 10 cos 2 pi d_k))         0 at x = lag_k

B batch, D genes.
"""

from dataclasses import dataclass

import jax.numpy as jnp

from qd import keys
from qd.support.errors import UserError
from qd.types import Array, Evaluation

_LOW, _HIGH = -2.0, 4.0  # of a gene
_WORST = 20.0  # times D: minus the lower end of an objective's range, below almost all of what is sampled


@dataclass(frozen=True)
class Rastrigins:
    """Two Rastrigin functions. Feature: corner [B, 2], the first two genes, in [-2, 4]."""

    dim: int = 10
    lags: tuple[float, float] = (0.0, 2.2)
    pure: bool = True

    def __post_init__(self) -> None:
        if self.dim < 2:
            raise UserError(f"dim {self.dim} has no two genes", "type a dim of 2 or more")

    @property
    def space(self) -> tuple[float, float]:
        """The range of a gene: (low, high)."""
        return (_LOW, _HIGH)

    @property
    def objective_range(self) -> tuple[tuple[float, float], ...]:
        """(low, high) of each objective; low is the reference point of hypervolumes."""
        return ((-_WORST * self.dim, 0.0),) * len(self.lags)

    def sample(self, key: Array, n: int) -> Array:
        """Draws x evenly in the range of a gene; arguments as in ``Domain``.

        Returns:
            [n, D].
        """
        return keys.uniform(key, (n, self.dim), _LOW, _HIGH)

    def evaluate(self, keys: Array, solutions: Array) -> Evaluation:
        """Computes the objectives, by the equations at the top of the file; genes out of range count as at its end.

        Arguments as in ``LinearProjection``.

        Returns:
            Objectives [B, 2], and the feature corner.
        """
        x = jnp.clip(solutions, _LOW, _HIGH)
        d = x[:, None] - jnp.asarray(self.lags, x.dtype)[:, None]
        objectives = -(10 * self.dim + (d**2 - 10 * jnp.cos(2 * jnp.pi * d)).sum(axis=2))
        return Evaluation(objectives, {"corner": x[:, :2]})
