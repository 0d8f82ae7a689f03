"""Two tasks after Multi-Objective GFlowNets (Jain et al. 2023, https://arxiv.org/abs/2210.12765), small enough to enumerate.

    grid     x in [-1, 1]^2 on 32 x 32 points; objectives of Branin, Currin and Shubert, each scaled to 0..1 over the grid
    n-grams  strings of 8 letters of A to D; objectives count the bigrams AB, BC and CA in units of the most that are possible

S solutions in all, B batch, D genes, K objectives.
"""

from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from typing import Any

import numpy as np

from qd import keys
from qd.types import Array, Evaluation

POINTS, LENGTH, LETTERS = 32, 8, 4
BIGRAMS = ((0, 1), (1, 2), (2, 0))


@dataclass(frozen=True)
class Enumerated:
    """A domain of which all solutions can be listed. Feature: point [B, 2], in [0, 1]."""

    task: str  # grid or n-grams
    pure: bool = False

    @property
    def options(self) -> tuple[int, ...]:
        """Options of each gene."""
        return (POINTS, POINTS) if self.task == "grid" else (LETTERS,) * LENGTH

    @property
    def objective_range(self) -> tuple[tuple[float, float], ...]:
        return ((-0.01, 1.0),) * 3  # an objective of 0 still counts

    def sample(self, key: Array, n: int) -> Array:
        """Draws evenly; arguments as in ``Domain``."""
        return np.asarray(keys.integers(key, (n, len(self.options)), 0, self.options[0])).astype(np.int32)

    def evaluate(self, keys: Any, solutions: Array) -> Evaluation:
        """Looks the objectives up.

        Args:
            keys: unused.
            solutions: int [B, D].
        """
        objectives, place = table(self.task)
        index = self.index(solutions)
        return Evaluation(objectives[index], {"point": place[index]})

    def index(self, solutions: Array) -> np.ndarray:
        """Returns the number [B] of each solution among all."""
        return np.asarray(np.ravel_multi_index(tuple(np.asarray(solutions).T), self.options))


@lru_cache(maxsize=2)
def everything(options: tuple[int, ...]) -> np.ndarray:
    """Returns all solutions, [S, D].

    Args:
        options: of each gene.
    """
    return np.array(list(product(*map(range, options))), np.int32)


@lru_cache(maxsize=2)
def table(task: str) -> tuple[np.ndarray, np.ndarray]:
    """Returns the objectives [S, K] and places [S, 2] of all solutions of a task.

    Args:
        task: grid or n-grams.
    """
    if task == "grid":
        x = everything((POINTS, POINTS)) / (POINTS - 1)
        return np.stack([_scaled(f(*x.T)) for f in (_branin, _currin, _shubert)], 1).astype(np.float32), x.astype(np.float32)
    strings = everything((LETTERS,) * LENGTH)
    counts = np.stack([((strings[:, :-1] == a) & (strings[:, 1:] == b)).sum(1) for a, b in BIGRAMS], axis=1)
    letters = (strings[..., None] == np.arange(LETTERS)).mean(axis=1)
    return (counts / (LENGTH // 2)).astype(np.float32), letters[:, [0, 3]].astype(np.float32)


def _scaled(values: np.ndarray) -> np.ndarray:
    return (values - values.min()) / np.ptp(values)


def _branin(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    a, b = 15 * u - 5, 15 * v
    return -((b - 5.1 / (4 * np.pi**2) * a**2 + 5 / np.pi * a - 6) ** 2 + 10 * (1 - 1 / (8 * np.pi)) * np.cos(a))


def _currin(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    rational = (2300 * u**3 + 1900 * u**2 + 2092 * u + 60) / (100 * u**3 + 500 * u**2 + 4 * u + 20)
    return (1 - np.exp(-1 / (2 * np.maximum(v, 1e-10)))) * rational


def _shubert(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    waves = [np.sum([i * np.cos((i + 1) * (3 * t - 1.5) + i) for i in range(1, 6)], axis=0) for t in (u, v)]
    return waves[0] * waves[1]
