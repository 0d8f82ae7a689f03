"""A variation for solutions whose genes are of different kinds; the domain's ``space`` says which is what (qd.genes).

B batch, P parents of one child, D genes.
"""

from dataclasses import dataclass
from typing import Any

from qd import genes, keys
from qd.support.errors import UserError
from qd.types import Array


@dataclass(frozen=True)
class Mixed:
    """Takes a child from one parent or from two, then changes each gene with probability ``rate``; one gene at least.

    A choice becomes another option, all equally likely. A whole number moves by a normal step, rounded, of 1 at least. A real
    number moves by a normal step and stays in its range; an angle goes round. Steps have the standard deviation ``sigma``, in
    units of the gene's range. With probability ``cross`` a child takes all genes from a random place on from its second parent
    (one-point crossover, Holland 1975).

    >>> from qd import genes, keys
    >>> from qd.emitters import Mixed
    >>> import numpy as np
    >>> vary = Mixed(space=(genes.choice(3), genes.whole(1, 9), genes.angle()))
    >>> children = vary(keys.new(0), np.ones((100, 2, 3), np.float32))
    >>> children.shape, sorted(set(children[:, 0].tolist()))
    ((100, 3), [0.0, 1.0, 2.0])
    """

    space: tuple[Any, ...]  # of the domain; see qd.genes
    rate: float = 0.1  # probability for each gene
    sigma: float = 0.1  # standard deviation of a step, in units of the gene's range
    cross: float = 0.25  # probability for each child
    parents: int = 2  # of each child

    def __post_init__(self) -> None:
        for name in ("rate", "cross"):
            if not 0 <= getattr(self, name) <= 1:
                raise UserError(f"{name}={getattr(self, name)} is no probability", "type a number between 0 and 1")
        if not self.sigma > 0:
            raise UserError(f"sigma={self.sigma} makes no steps", "type a number above 0")

    def __call__(self, key: Array, parents: Array) -> Array:
        """Varies parents.

        Args:
            key: of the draws.
            parents: [B, 2, D].

        Returns:
            Children [B, D], of the parents' dtype.

        Raises:
            UserError: space describes another number of genes.
        """
        cross_key, which_key, value_key, step_key = keys.split(key, 4)
        x = self._crossed(cross_key, parents)
        xp, size = x.__array_namespace__(), x.shape[1]
        of = genes.columns(genes.of_space(self.space, size))
        sure_key, which_key = keys.split(which_key)
        sure = keys.integers(sure_key, (len(x), 1), 0, size) == xp.arange(size)
        change = (keys.uniform(which_key, x.shape) < self.rate) | sure
        options = (of.width + 1).astype("int32")
        other = keys.integers(value_key, x.shape, 0, (options - 1).clip(1)) + (options > 1)
        step = self.sigma * of.width * keys.normal(step_key, x.shape)
        return xp.where(change, _moved(xp, of, x, other, step), x).astype(x.dtype)

    def _crossed(self, key: Array, parents: Array) -> Array:
        """Parents [B, 2, D] -> [B, D]: the first, in some rows with the end of the second."""
        cross_key, place_key = keys.split(key)
        x, y = parents[:, 0], parents[:, 1]
        xp, size = x.__array_namespace__(), x.shape[1]
        cross = keys.uniform(cross_key, (len(x), 1)) < self.cross
        place = keys.integers(place_key, (len(x), 1), 0, size)
        return xp.where(cross & (xp.arange(size) >= place), y, x)


def _moved(xp: Any, of: genes.Columns, x: Array, other: Array, step: Array) -> Array:
    """All genes changed: x [B, D], by ``other`` options further on (choices) or by ``step``."""
    choice = (x + other) % (of.width + 1)
    whole_step = xp.sign(step) * xp.maximum(xp.round(xp.abs(step)), 1)
    outside = (x + whole_step < of.low) | (x + whole_step > of.low + of.width)  # then the other way
    whole = (x + xp.where(outside, -whole_step, whole_step)).clip(of.low, of.low + of.width)
    angle = of.low + (x + step - of.low) % of.width.clip(1e-30)
    real = (x + step).clip(of.low, of.low + of.width)
    return xp.where(of.is_choice, choice, xp.where(of.is_whole, whole, xp.where(of.is_angle, angle, real)))
