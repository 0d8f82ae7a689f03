"""Linear projections of sphere and Rastrigin (CMA-ME, Fontaine et al. 2020; as in the code of CMA-MAE's paper).

    d = x - 2.048                                     the optimum lies at 0.4 x 5.12 in every gene
    cost = sum d^2,   or 10 D + sum(d^2 - 10 cos 2 pi d)
    objective = 100 (1 - cost / cost at the corner x = -5.12)
    projection = sums of the two halves of x, each gene beyond +-5.12 replaced by 5.12 / gene: the far cells are rare

B batch, D genes.
"""

from dataclasses import dataclass

import jax.numpy as jnp

from qd import keys
from qd.support.errors import UserError
from qd.support.spelling import unknown
from qd.types import Array, Evaluation

_REACH = 5.12
_SHIFT = 0.4 * _REACH  # where the optimum lies, in every gene


@dataclass(frozen=True)
class LinearProjection:
    """Features: projection [B, 2]. Its bounds are +- 5.12 D / 2 in each measure."""

    function: str = "sphere"
    dim: int = 100
    pure: bool = True

    def __post_init__(self) -> None:
        if self.function not in ("sphere", "rastrigin"):
            raise unknown("function", self.function, ("sphere", "rastrigin"))
        if self.dim < 2 or self.dim % 2:
            raise UserError(f"dim {self.dim} has no two equal halves", "type an even dim of 2 or more")

    @property
    def space(self) -> tuple[float, float]:
        """The range of a gene: (low, high)."""
        return (-_REACH, _REACH)

    @property
    def objective_range(self) -> tuple[float, float]:
        """The papers' scale. 100 is the optimum; beyond +-5.12, and on single waves of Rastrigin within, it may be below 0."""
        return (0.0, 100.0)

    @property
    def bounds(self) -> tuple[tuple[float, float], tuple[float, float]]:
        """Bounds of the measures, for a descriptor."""
        reach = _REACH * self.dim / 2
        return ((-reach, reach), (-reach, reach))

    def sample(self, key: Array, n: int) -> Array:
        """Draws x ~ N(0, 0.5² I), as the papers' evolution strategies start; their MAP-Elites starts from N(0, I).

        Arguments as in ``Domain``.

        Returns:
            [n, D].
        """
        return 0.5 * keys.normal(key, (n, self.dim))

    def evaluate(self, keys: Array, solutions: Array) -> Evaluation:
        """Computes cost and projection, by the equations at the top of the file.

        Args:
            keys: unused: nothing is random.
            solutions: x, [B, D].

        Returns:
            Objective 100 or less, and the feature projection.
        """
        worst = self._cost(jnp.full((1, self.dim), -_REACH, solutions.dtype))
        objective = 100 * (1 - self._cost(solutions) / worst)
        inside = jnp.abs(solutions) <= _REACH
        projection = jnp.where(inside, solutions, _REACH / jnp.where(inside, 1.0, solutions))  # its gradient at 0 is no NaN
        halves = projection.reshape(len(solutions), 2, self.dim // 2).sum(axis=2)
        return Evaluation(objective, {"projection": halves})

    def _cost(self, x: Array) -> Array:
        d = x - _SHIFT
        if self.function == "sphere":
            return (d**2).sum(axis=1)
        return 10 * self.dim + (d**2 - 10 * jnp.cos(2 * jnp.pi * d)).sum(axis=1)
