"""A toy of mixed genes: a real number, an angle, two whole numbers and two choices, with one best value each."""

import math
from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np

from qd import genes, keys
from qd.types import Evaluation

BEST = np.array([0.3, 3.0, 17, -2, 2, 0], np.float32)
SPACE = (
    genes.real(-1, 1),
    genes.angle(),
    genes.whole(0, 40),
    genes.whole(-3, 3),
    genes.choice(5),
    genes.choice(3),
)


@dataclass(frozen=True)
class MixedToy:
    """0 is best. Feature: spot [B, 2], the first whole number and the first choice."""

    pure: bool = True
    objective_range: tuple[float, float] = (-6.0, 0.0)

    @property
    def space(self):
        return SPACE

    def sample(self, key, n):
        low, high = np.array([gene[1:] for gene in SPACE]).T
        x = keys.uniform(key, (n, len(SPACE)), low, high)
        return np.where([gene.kind in ("whole", "choice") for gene in SPACE], np.round(np.asarray(x)), x).astype(np.float32)

    def evaluate(self, keys, solutions):
        d = solutions - BEST
        real, angle, whole, other = d[:, 0] ** 2, 1 - jnp.cos(d[:, 1]), (d[:, 2] / 20) ** 2, (d[:, 3] / 3) ** 2
        wrong = (jnp.abs(d[:, 4:]) > 0.5).sum(1)
        return Evaluation(-(real + angle + whole + other + wrong), {"spot": solutions[:, [2, 4]]})


assert math.isclose(SPACE[1].high, math.pi)
