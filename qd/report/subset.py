"""A diverse and good subset: k-means with iterative re-weighting (Yu et al. 2024, https://arxiv.org/abs/2409.11378).

Places are given to clusters in rounds, each to the cluster that has the most weight for what it has already; after a round
the weight of a cluster is multiplied by how good its chosen ones are beside those of others. Yu et al. train a model
after each round to know that; an archive knows the objective. N elites, V numbers of one, K clusters.
"""

import warnings
from typing import NamedTuple

import numpy as np
from scipy.cluster.vq import kmeans2

from qd import keys
from qd.diversity import gaussian, nearest, vendi, vendi_of_kernel

_DRAWS, _FEW, _LARGE = 200, 20, 200  # random subsets that a chosen one is compared with; of a larger one so few
_STEPS = 25  # of k-means
_MOST = 1_000  # elites from which the width of the kernel is taken; rows compared at a time


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


def choose_subset(vectors: np.ndarray, objective: np.ndarray, n: int, clusters: int, rounds: int, seed: int) -> np.ndarray:
    """Returns the ranks of n elites, the first chosen first. The same seed chooses the same.

    Args:
        vectors: [N, V] in which distances count; objective: [N].
    """
    label = _cluster(vectors, clusters, seed)
    better_first = np.argsort(-objective, kind="stable")
    waiting = [list(better_first[label[better_first] == k]) for k in range(label.max() + 1)]
    good = (objective - objective.min()) / max(float(np.ptp(objective)), 1e-30)
    weight, taken = np.ones(len(waiting)), [[] for _ in waiting]
    order: list[int] = []
    for places in np.diff(np.linspace(0, n, rounds + 1).round().astype(int)):
        for _ in range(places):
            open_to = [k for k in range(len(waiting)) if waiting[k]]
            best = max(open_to, key=lambda k: (weight[k] / (len(taken[k]) + 1), good[waiting[k][0]]))
            order.append(waiting[best].pop(0))
            taken[best].append(order[-1])
        weight = _reweight(weight, taken, good) if order else weight
    return np.array(order)


def compare_sets(like: Likeness, objective: np.ndarray, indices: np.ndarray, seed: int) -> dict[str, dict[str, float]]:
    """Returns set -> number -> value for the subset, the best n, and random ones of that size with a 95 % range.

    Args:
        like: how two of the N elites are compared.
        objective: [N].
        indices: [n] of the subset, in 0..N-1.
        seed: of the random subsets: 200 of them, or 20 where n is above 200.

    Returns:
        "selected", "random" and "best", each with the Vendi score (vendi), the mean distance to the nearest other one
        (nearest; NaN where n is 1), the mean objective (objective) and the lowest (worst). Those of "random" are means over
        its subsets, with NAME_low and NAME_high, the 2.5 % and 97.5 % quantiles.
    """
    n, draw = len(indices), np.random.default_rng(keys.new(seed))
    top = np.argsort(-objective, kind="stable")[:n]
    times = _DRAWS if n <= _LARGE else _FEW
    several = [_numbers(like, objective, draw.choice(len(objective), n, replace=False)) for _ in range(times)]
    random = {}
    for name in several[0]:
        values = np.array([each[name] for each in several])
        low, high = np.quantile(values, (0.025, 0.975))
        random |= {name: float(values.mean()), f"{name}_low": float(low), f"{name}_high": float(high)}
    return {"selected": _numbers(like, objective, indices), "random": random, "best": _numbers(like, objective, top)}


def _numbers(like: Likeness, objective: np.ndarray, rows: np.ndarray) -> dict[str, float]:
    kind = "cosine" if like.width is None else "euclidean"
    return {
        "vendi": like.vendi(rows),
        "nearest": float(nearest(like.vectors[rows], kind).mean()) if len(rows) > 1 else float("nan"),
        "objective": float(objective[rows].mean()),
        "worst": float(objective[rows].min()),
    }


def _cluster(x: np.ndarray, clusters: int, seed: int) -> np.ndarray:
    """k-means from k-means++ (Arthur and Vassilvitskii 2007): [N] in 0..K-1; equal vectors make fewer clusters."""
    clusters = min(clusters, len(np.unique(x, axis=0)))
    with warnings.catch_warnings(action="ignore"):  # a cluster may lose its last vector: then there is one less
        _, label = kmeans2(x, clusters, _STEPS, minit="++", rng=np.random.default_rng(keys.new(seed)))
    return np.unique(label, return_inverse=True)[1]


def _reweight(weight: np.ndarray, taken: list[list[int]], good: np.ndarray) -> np.ndarray:
    """w_k times the mean quality of what was taken from k, beside that of all; a cluster without any keeps its weight."""
    scores = np.array([good[rows].mean() if rows else np.nan for rows in taken])
    relative = scores / max(float(np.nanmean(scores)), 1e-12)
    return weight * np.where(np.isnan(scores), 1.0, np.maximum(relative, 0.05))


def _squared_distances(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return np.maximum((x**2).sum(axis=1)[:, None] + (y**2).sum(axis=1) - 2 * x @ y.T, 0)
