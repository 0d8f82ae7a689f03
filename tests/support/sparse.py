"""A plain domain of sparse rewards for tests, and a descriptor that turns at each fit and gives a surprise.

B batch, D genes.
"""

from dataclasses import dataclass

import numpy as np

from feedback.descriptors.select import Select
from qd import keys
from qd.archives import Grid
from qd.emitters.novelty import NoveltySearch
from qd.emitters.selection import EvaluatedSolutions
from qd.emitters.sparse.serene import Serene
from qd.types import Array, Evaluation, Features, Fresh, Params, Rows, Search

SQUARE = ((-1.0, 1.0), (-1.0, 1.0))


@dataclass(frozen=True)
class Spots:
    """A place [B, 2] by the first two genes; paid near two spots that lie away from the start, 0 elsewhere."""

    dim: int = 4
    spots: tuple[tuple[float, float], ...] = ((0.7, 0.7), (-0.7, 0.2))
    radius: float = 0.12
    fails_above: float = 2.0  # of the first coordinate: such solutions fail
    below: float = 0.0  # what is paid away from the spots
    pure: bool = False

    def sample(self, key: Array, n: int) -> Array:
        return keys.uniform(key, (n, self.dim), -0.5, 0.5)

    def evaluate(self, keys: Array, solutions: Array) -> Evaluation:
        place = np.tanh(np.asarray(solutions)[:, :2] / 2)
        gaps = [np.hypot(*(place - spot).T) for spot in np.array(self.spots)]
        objective = np.maximum(1 - np.min(gaps, axis=0) / self.radius, self.below).astype(np.float32)
        return Evaluation(np.where(place[:, 0] > self.fails_above, np.nan, objective), {"where": place})


@dataclass(frozen=True)
class Turning:
    """The place, turned by as many right angles as there were fits; surprise is the distance from the middle, times that."""

    reads: tuple[str, ...] = ("where",)
    bounds: tuple[tuple[float, float], ...] = SQUARE
    pure: bool = False
    learns: bool = True

    def init(self, key: Array, rows: Rows, fresh: Fresh) -> Params:
        return 1

    def fit(self, key: Array, params: Params, rows: Rows, fresh: Fresh) -> Params:
        return params + 1

    def __call__(self, params: Params, features: Features) -> Array:
        x, y = features["where"].T
        for _ in range(params):
            x, y = -y, x
        return np.stack([x, y], axis=1).astype(np.float32)

    def signals(self, params: Params, features: Features) -> Features:
        return {"surprise": params * np.hypot(*features["where"].T)}


EXPLORER = NoveltySearch(population=20, neighbours=5, sigma=0.2)


SERENE = Search(Spots(), Select("where", SQUARE), Grid((10, 10)), Serene(EXPLORER, chunk=200))


def row(solution, objective=0.1) -> EvaluatedSolutions:
    x = np.array([solution], np.float32)
    return EvaluatedSolutions(np.array([7]), x, np.array([objective], np.float32), x[:, :2], {"where": x[:, :2]}, {})


def rows_with(rewards, first=100) -> EvaluatedSolutions:
    n = len(rewards)
    x = np.zeros((n, 4), np.float32)
    return EvaluatedSolutions(np.arange(first, first + n), x, np.array(rewards, np.float32), x[:, :2], {"where": x[:, :2]}, {})
