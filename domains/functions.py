"""Linear-projection benchmarks: sphere and Rastrigin of CMA-ME's papers (Fontaine et al. 2020, section 4.1).

The objective is scaled so that the optimum is 100 and the corner x = -5.12 is 0; measures are the sums of the two
halves of x after a clip that folds values beyond 5.12 back (x -> 5.12 / x), which makes the far cells rare.

B batch, D genes.
"""

from dataclasses import dataclass

import jax.numpy as jnp

from qd import keys
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
            raise ValueError(f"there is no function {self.function!r}; type function=sphere or function=rastrigin")
        if self.dim < 2 or self.dim % 2:
            raise ValueError(f"dim {self.dim} has no two equal halves; type an even dim of 2 or more")

    @property
    def space(self) -> tuple[float, float]:
        return (-_REACH, _REACH)

    @property
    def objective_range(self) -> tuple[float, float]:
        return (0.0, 100.0)

    @property
    def bounds(self) -> tuple[tuple[float, float], tuple[float, float]]:
        """Bounds of the measures, for a descriptor."""
        reach = _REACH * self.dim / 2
        return ((-reach, reach), (-reach, reach))

    def sample(self, key: Array, n: int) -> Array:
        """x ~ N(0, 0.5² I), the papers' start around 0, [n, D]."""
        return 0.5 * keys.normal(key, (n, self.dim))

    def evaluate(self, keys: Array, solutions: Array) -> Evaluation:
        """Scores x, linearly from 0 (all genes at -5.12) to 100 (the optimum)."""
        worst = self._cost(jnp.full((1, self.dim), -_REACH, solutions.dtype))
        objective = 100 * (1 - self._cost(solutions) / worst)
        inside = jnp.abs(solutions) <= _REACH
        folded = jnp.where(inside, solutions, _REACH / jnp.where(inside, 1.0, solutions))  # its gradient at 0 is no NaN
        halves = folded.reshape(len(solutions), 2, self.dim // 2).sum(axis=2)
        return Evaluation(objective, {"projection": halves})

    def _cost(self, x: Array) -> Array:
        d = x - _SHIFT
        if self.function == "sphere":
            return (d**2).sum(axis=1)
        return 10 * self.dim + (d**2 - 10 * jnp.cos(2 * jnp.pi * d)).sum(axis=1)
