"""Rows of several objectives that are hard on fronts, archives that hold them, and what the fronts should be."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from qd import archives, keys
from qd.archives import Fronts
from qd.types import Evaluation, Rows

BOUNDS = ((0.0, 1.0), (0.0, 1.0))


def opened(k: int, size: int, dims=(3, 2), improvement=False):
    goals = np.zeros((2, k), np.float32)
    example = Rows(np.arange(2), np.zeros((2, 2), np.float32), goals[:, 0], {"objectives": goals}, np.ones(2, bool))
    return Fronts(dims, ((-1.0, 10.0),) * k, size, improvement).open(example, BOUNDS, ("objectives",), 0)


def adversarial(rng, n: int, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Measures on borders and beyond, and objectives with ties, duplicates and failures, near and on a common front."""
    measures = rng.choice([-0.1, 0.0, 0.1, 1 / 6, 0.2, 1 / 3, 0.4, 0.5, 2 / 3, 0.8, 1.0, 1.2], (n, 2)).astype(np.float32)
    share = rng.dirichlet(np.ones(k), n)
    smooth = 8 * share * (1 - 0.5 * rng.random((n, 1)) ** 2)  # below the plane of sum 8, mostly close to it
    lattice = np.floor(8 * share + 0.5)
    goals = np.where(rng.random((n, 1)) < 0.5, lattice, smooth).astype(np.float32)
    goals[rng.random(n) < 0.02] = np.nan
    return measures, goals


def offer(archive, first: int, measures, goals, order=None) -> dict:
    order = np.arange(len(goals)) if order is None else order
    own = np.where(np.isfinite(goals).all(1), np.float32(1) + goals.sum(1), np.nan)[order]
    ids = first + order
    return archives.insert(archive, ids, np.zeros((len(order), 2)), own, measures[order], {"objectives": goals[order]})


def contents(archive) -> dict[int, set]:
    data = archive.data()
    return {cell: {tuple(row) for row in data["objectives"][data["index"] == cell]} for cell in np.unique(data["index"])}


def brute_force(goals: np.ndarray) -> set:
    """The distinct rows that no other dominates, each compared with every other."""
    goals = np.unique(goals, axis=0)
    no_worse = (goals[:, None] >= goals[None]).all(axis=2)
    np.fill_diagonal(no_worse, False)
    return {tuple(row) for row in goals[~no_worse.any(axis=0)]}


@dataclass(frozen=True)
class Rehearsed:
    """K objectives, two measures and a number stand in the solution [B, K + 3]."""

    count: int = 2
    pure: bool = True

    @property
    def objective_range(self) -> Any:
        return ((-1.0, 10.0),) * self.count

    def sample(self, key, n):
        return keys.uniform(key, (n, self.count + 3))

    def evaluate(self, keys, solutions):
        k = self.count
        return Evaluation(solutions[:, :k], {"xy": solutions[:, k : k + 2], "row": solutions[:, -1].astype("int32")})
