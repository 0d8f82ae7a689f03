"""Test functions of K objectives with known fronts (Deb, Thiele, Laumanns and Zitzler 2005: DTLZ1, DTLZ2, DTLZ7), negated.

    x in [0, 1]^D, of which the first K - 1 genes say where on the front, and the others, at distance g from it, how far
    DTLZ1   f_k = (1 + g) / 2  x_1 .. x_(K-k) (1 - x_(K-k+1))                    sum f = 1/2 on the front; many local fronts
    DTLZ2   f_k = (1 + g) cos(x_1 pi/2) .. cos(x_(K-k) pi/2) sin(x_(K-k+1) pi/2)   sum f^2 = 1 on the front
    DTLZ7   f_k = x_k, f_K = (1 + g) (K - sum f_k / (1 + g) (1 + sin(3 pi f_k)))   2^(K-1) patches

B batch, D genes, K objectives.
"""

from dataclasses import dataclass

import jax.numpy as jnp

from qd import keys
from qd.support.errors import UserError
from qd.support.spelling import unknown
from qd.types import Array, Evaluation

FUNCTIONS = ("dtlz1", "dtlz2", "dtlz7")
# beyond this, times K for DTLZ7 and only for its last objective, a row has no hypervolume
_WORST = {
    "dtlz1": 500.0,
    "dtlz2": 2.5,
    "dtlz7": 11.0,
}


@dataclass(frozen=True)
class DTLZ:
    """One of them. Feature: genes [B, 2], the first (where on the front) and the last (how far)."""

    function: str = "dtlz2"
    objectives: int = 2
    dim: int = 10
    pure: bool = True

    def __post_init__(self) -> None:
        if self.function not in FUNCTIONS:
            raise unknown("function", self.function, FUNCTIONS)
        if self.objectives < 2:
            raise UserError(f"objectives={self.objectives} makes no front", "type objectives=2 or more")
        if self.dim <= self.objectives:
            raise UserError(
                f"{self.objectives} objectives need more than {self.dim} genes", f"type a dim of {self.objectives + 1} or more"
            )

    @property
    def space(self) -> tuple[float, float]:
        """The range of a gene: (low, high)."""
        return (0.0, 1.0)

    @property
    def objective_range(self) -> tuple[tuple[float, float], ...]:
        """(low, high) of each objective; low is the reference point of hypervolumes."""
        worst, count = _WORST[self.function], self.objectives
        if self.function != "dtlz7":
            return ((-worst, 0.0),) * count
        return (*((-1.0, 0.0),) * (count - 1), (-worst * count, 0.0))

    def sample(self, key: Array, n: int) -> Array:
        """Draws x evenly in the range of a gene; arguments as in ``Domain``.

        Returns:
            [n, D].
        """
        return keys.uniform(key, (n, self.dim), 0, 1)

    def evaluate(self, keys: Array, solutions: Array) -> Evaluation:
        """Computes the objectives, by the equations at the top of the file; genes out of range count as at its end.

        Args:
            keys: not used.
            solutions: [B, D].

        Returns:
            Objectives [B, K], and the feature genes.
        """
        x = jnp.clip(solutions, 0, 1)
        where, rest = x[:, : self.objectives - 1], x[:, self.objectives - 1 :]
        values = {"dtlz1": _one, "dtlz2": _two, "dtlz7": _seven}[self.function](where, rest)
        return Evaluation(-jnp.stack(values, axis=1), {"genes": x[:, jnp.array([0, self.dim - 1])]})


def _one(where: Array, rest: Array) -> list[Array]:
    d = rest - 0.5
    g = 100 * (rest.shape[1] + (d**2 - jnp.cos(20 * jnp.pi * d)).sum(axis=1))
    return _product(0.5 * (1 + g), where, 1 - where)


def _two(where: Array, rest: Array) -> list[Array]:
    angle = where * jnp.pi / 2
    return _product(1 + ((rest - 0.5) ** 2).sum(axis=1), jnp.cos(angle), jnp.sin(angle))


def _seven(where: Array, rest: Array) -> list[Array]:
    g = 1 + 9 * rest.mean(axis=1)
    height = where.shape[1] + 1 - (where / (1 + g)[:, None] * (1 + jnp.sin(3 * jnp.pi * where))).sum(axis=1)
    return [*where.T, (1 + g) * height]


def _product(scale: Array, inner: Array, outer: Array) -> list[Array]:
    """scale inner_1 .. inner_(K-k) outer_(K-k+1), for k = 1 .. K."""
    count = inner.shape[1] + 1
    values = []
    for k in range(count):
        part = scale * inner[:, : count - 1 - k].prod(axis=1)
        values.append(part * outer[:, count - 1 - k] if k else part)
    return values
