"""A diverse and good subset: the best elites that lie at least a given distance apart.

The distance is a share of what farthest-first traversal (Gonzalez 1985, https://doi.org/10.1016/0304-3975(85)90224-5) reaches
with as many elites, which is at least half of the largest possible one. N elites, V numbers of one.
"""

from typing import NamedTuple

import numpy as np

from qd import keys
from qd.diversity import gaussian, nearest, vendi, vendi_of_kernel

_DRAWS, _FEW, _LARGE = 200, 20, 200  # random subsets that a chosen one is compared with; of a larger one so few
_MOST = 1_000  # elites from which the width of the kernel is taken; rows compared at a time
_TRIALS = (0.5, 0.6, 0.7, 0.8, 0.9, 0.99)  # diversities, of which the first that beats random subsets is the default
_ROUNDING = 1e-9  # of means: relative
Numbers = dict[str, float]


class Likeness(NamedTuple):
    """How two elites are compared: by the cosine of unit vectors, or by a Gaussian of their distance."""

    vectors: np.ndarray  # [N, V]
    width: float | None  # of the Gaussian; None: cosine

    def vendi(self, indices: np.ndarray) -> float:
        """The Vendi score of order 1 of some of them; of 1,000 at even steps where they are more."""
        rows = self.vectors[indices[np.linspace(0, len(indices), min(len(indices), _MOST), endpoint=False).astype(int)]]
        return vendi(rows) if self.width is None else vendi_of_kernel(gaussian(rows, self.width))


def likeness(vectors: np.ndarray) -> Likeness:
    """Cosine where all vectors have length 1, as embeddings of texts have; else a Gaussian of half the median distance."""
    x = np.asarray(vectors, np.float64).reshape(len(vectors), -1)
    if x.shape[1] > 1 and np.allclose(np.linalg.norm(x, axis=1), 1, atol=1e-3):
        return Likeness(x, None)
    some = x[np.linspace(0, len(x), min(len(x), _MOST), endpoint=False).astype(int)]
    apart = np.sqrt(_squared_distances(some, some))[np.triu_indices(len(some), 1)]
    median = float(np.median(apart[apart > 0])) if (apart > 0).any() else 1.0
    return Likeness(x, median / 2)


def choose_subset(vectors: np.ndarray, objective: np.ndarray, n: int, diversity: float) -> np.ndarray:
    """Chooses elites, the best first, each at least ``diversity`` times d from all chosen before.

    d is the distance that the n elites of farthest-first traversal keep from each other. Up to a diversity of 1/2 there are
    always n such elites: an elite nearer than d / 2 to two of the traversal would bring these nearer than d to each other.
    Beyond, where there are fewer, those farthest from all chosen are added.

    Args:
        vectors: [N, V] in which distances count.
        objective: [N]
        n: from 1 to N.
        diversity: 0: the n best; 1: farthest-first traversal from the best one, without regard to the objective.

    Returns:
        [n] rows, the first chosen first.
    """
    best_first = np.argsort(-objective, kind="stable")
    traversal, apart = _farthest_first(vectors, [best_first[0]], n)
    if diversity == 1:
        return np.array(traversal)
    distance, subset = np.full(len(vectors), np.inf), []
    for row in best_first:
        if len(subset) < n and distance[row] >= diversity * apart:
            subset.append(row)
            _take(row, vectors, distance)
    return np.array(_farthest_first(vectors, subset, n)[0])


def choose_balanced(
    like: Likeness, objective: np.ndarray, n: int, random: Numbers, trials: tuple[float, ...] = _TRIALS
) -> tuple[float, np.ndarray]:
    """Chooses a subset with a higher Vendi score, elites farther apart and a higher mean objective than random subsets have.

    Args:
        like: how two of the N elites are compared.
        objective: [N]
        n: from 1 to N.
        random: of ``random_subsets``, their means.
        trials: diversities to try, in this order.

    Returns:
        The first diversity that does so, and the rows [n]; where none does, those of the highest Vendi score among the
        trials that beat random subsets in the objective, or else of the highest objective.
    """
    subsets = [choose_subset(like.vectors, objective, n, diversity) for diversity in trials]
    figures = [numbers(like, objective, subset) for subset in subsets]
    for diversity, subset, each in zip(trials, subsets, figures, strict=True):
        if not shortfalls(each, random):
            return diversity, subset
    rank = [(min(each["objective"], random["objective"]), each["vendi"]) for each in figures]
    best = max(range(len(trials)), key=lambda i: rank[i])
    return trials[best], subsets[best]


def shortfalls(figures: Numbers, random: Numbers) -> list[str]:
    """Returns which of vendi, nearest and objective are lower than random subsets have on average.

    Args:
        figures: of ``numbers``.
        random: of ``random_subsets``.
    """
    return [name for name in ("vendi", "nearest", "objective") if figures[name] < random[name] - _ROUNDING * abs(random[name])]


def random_subsets(like: Likeness, objective: np.ndarray, n: int, seed: int) -> Numbers:
    """Returns the means of ``numbers`` over random subsets, with NAME_low and NAME_high, the 2.5 % and 97.5 % quantiles.

    Args:
        like: how two of the N elites are compared.
        objective: [N]
        n: elites of a subset.
        seed: of the subsets: 200 of them, or 20 where n is above 200.
    """
    draw = np.random.default_rng(keys.new(seed))
    times = _DRAWS if n <= _LARGE else _FEW
    several = [numbers(like, objective, draw.choice(len(objective), n, replace=False)) for _ in range(times)]
    random = {}
    for name in several[0]:
        values = np.array([each[name] for each in several])
        low, high = np.quantile(values, (0.025, 0.975))
        random |= {name: float(values.mean()), f"{name}_low": float(low), f"{name}_high": float(high)}
    return random


def numbers(like: Likeness, objective: np.ndarray, rows: np.ndarray) -> Numbers:
    """Returns what subsets are compared by.

    Args:
        like: how two of the N elites are compared.
        objective: [N]
        rows: [n] of the subset.

    Returns:
        The Vendi score (vendi), the mean distance to the nearest other elite of the subset (nearest; NaN where n is 1), the
        mean objective (objective) and the lowest (worst).
    """
    kind = "cosine" if like.width is None else "euclidean"
    return {
        "vendi": like.vendi(rows),
        "nearest": float(nearest(like.vectors[rows], kind).mean()) if len(rows) > 1 else float("nan"),
        "objective": float(objective[rows].mean()),
        "worst": float(objective[rows].min()),
    }


def _farthest_first(x: np.ndarray, rows: list[int], n: int) -> tuple[list[int], float]:
    """Adds to rows, up to n, the one farthest from all; returns also how far the last one was from all others."""
    distance, rows, apart = np.full(len(x), np.inf), list(rows), 0.0
    for row in rows:
        _take(row, x, distance)
    while len(rows) < n:
        row = int(distance.argmax())
        apart = float(distance[row])
        rows.append(row)
        _take(row, x, distance)
    return rows, apart


def _take(row: int, x: np.ndarray, distance: np.ndarray) -> None:
    """Updates the distances [N] to the nearest chosen row; that of a chosen row is -1."""
    np.minimum(distance, np.linalg.norm(x - x[row], axis=1), out=distance)
    distance[row] = -1.0


def _squared_distances(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return np.maximum((x**2).sum(axis=1)[:, None] + (y**2).sum(axis=1) - 2 * x @ y.T, 0)
