"""How diverse a set is: Vendi scores of any order and distances, on any vectors or kernel.

    vendi(vectors)                    # 1 where all are the same .. N where each is at right angles to all others
    vendi_of_kernel(gaussian(measures, width=0.1), order=2)
    nearest(vectors)                  # [N] distance of each to its nearest neighbour

N items, V numbers of one. All of them grow with N: compare sets of one size.
"""

import math
from collections.abc import Sequence

import numpy as np

from qd.support.errors import UserError
from qd.support.spelling import unknown
from qd.types import Array

ORDERS = (0.1, 0.5, 1.0, 2.0, math.inf)  # small: rare items count; large: what is common, or there twice
_NOISE = 1e-10  # a share of all eigenvalues: what is below it was left there by rounding
_BLOCK = 2048  # rows of which the distances to all others are held at a time


def vendi(vectors: Array, order: float = 1.0, weights: Array | None = None) -> float:
    """Returns the Vendi score of vectors [N, V] under the cosine kernel; of a vector of zeros that is like no other.

    Args:
        order: q of Pasarkar and Dieng (2023), 0 (rank) to infinity.
        weights: how often each is there, [N]; evenly where None.

    Raises:
        ValueError: nothing to compare, an order below 0, or numbers that are not finite.
    """
    return profile(vectors, (order,), weights)[order]


def profile(vectors: Array, orders: Sequence[float] = ORDERS, weights: Array | None = None) -> dict[float, float]:
    """Returns order -> Vendi score, from one decomposition.

    Args:
        vectors: [N, V], compared by the cosine kernel; a vector of zeros is like no other.
        orders: each q of Pasarkar and Dieng (2023), 0 (rank) to infinity.
        weights: how often each is there, [N]; evenly where None.

    Returns:
        Order -> score, from 1 to N.

    Raises:
        UserError: nothing to compare, an order below 0, numbers that are not finite, or weights that are not N of 0 or more.
    """
    x, p = _matrix(vectors), None if weights is None else _shares(weights, len(vectors))
    lengths = np.linalg.norm(x, axis=1, keepdims=True)
    blank = np.flatnonzero(lengths[:, 0] == 0)
    p = np.full(len(x), 1 / len(x)) if p is None else p
    rows = x / np.where(lengths == 0, 1, lengths) * np.sqrt(p)[:, None]  # K_ij sqrt(p_i p_j) = rows rowsᵀ
    eigenvalues = np.linalg.svd(rows, compute_uv=False) ** 2 if min(x.shape) else np.zeros(0)
    return {order: _score(np.concatenate([eigenvalues, p[blank]]), order) for order in orders}


def vendi_of_kernel(kernel: Array, order: float = 1.0, weights: Array | None = None) -> float:
    """Returns exp of the order-q entropy of the eigenvalues of a similarity matrix [N, N] (Friedman and Dieng 2023).

    Args:
        kernel: [N, N], symmetric, 1 on its diagonal, no eigenvalue below 0.
        order: q of Pasarkar and Dieng (2023), 0 (rank) to infinity.
        weights: how often each item is there, [N]; evenly where None.

    Returns:
        The Vendi score, from 1 to N.

    Raises:
        UserError: the matrix is no kernel: not square, not symmetric, not 1 on its diagonal, or with an eigenvalue plainly
            below 0; or it is empty or not finite; or the order or the weights are below 0.
    """
    k = _matrix(kernel)
    n, rounding = len(k), max(1e-8, 8 * float(np.finfo(_float(kernel)).eps))
    if k.shape != (n, n) or np.abs(k - k.T).max() > rounding or np.abs(np.diag(k) - 1).max() > rounding:
        raise UserError(
            f"a matrix of shape {list(k.shape)} that is not symmetric with ones on its diagonal is no kernel; "
            "type vendi(vectors) for vectors, or divide by the roots of the diagonal"
        )
    p = np.full(n, 1 / n) if weights is None else _shares(weights, n)
    eigenvalues = np.linalg.eigvalsh((k + k.T) / 2 * np.sqrt(np.outer(p, p)))
    noise = max(_NOISE, n * float(np.finfo(_float(kernel)).eps))
    if eigenvalues[0] < -max(1e-6, noise):
        raise UserError(
            f"the kernel has an eigenvalue of {eigenvalues[0]:.2g}, and none of a kernel is below 0", "type gaussian(vectors)"
        )
    return _score(eigenvalues, order, noise)


def gaussian(vectors: Array, width: float) -> np.ndarray:
    """Returns the kernel exp(-d² / 2 width²), [N, N], for vectors that are compared by distance, not by angle.

    Args:
        vectors: [N, V].
        width: the kernel's standard deviation, in the units of the vectors.

    Returns:
        The kernel [N, N], float64.

    Raises:
        UserError: a width of 0 or less, nothing to compare, or numbers that are not finite.
    """
    if not width > 0:
        raise UserError(f"a width of {width} cannot be", "type a distance above 0 at which two are still similar")
    x = _matrix(vectors)
    return np.exp(-(_distances(x, x) ** 2) / (2 * width**2))


def pairwise_mean(vectors: Array, kind: str = "euclidean") -> float:
    """Returns the mean distance between two different items; NaN where there are not two.

    Args:
        kind: euclidean, or cosine (1 - cos; 1 from a vector of zeros to any).
    """
    x = _ready(vectors, kind)
    n = len(x)
    if n < 2:
        return math.nan
    if kind == "cosine":  # the sum over all pairs is the squared length of the sum of all
        return float(1 - (np.square(x.sum(axis=0)).sum() - np.square(x).sum()) / (n * (n - 1)))
    return sum(float(_distances(x[i : i + _BLOCK], x, i).sum()) for i in range(0, n, _BLOCK)) / (n * (n - 1))


def nearest(vectors: Array, kind: str = "euclidean") -> np.ndarray:
    """Returns the distance of each item to its nearest other, [N]; NaN where there are not two.

    Args:
        vectors: [N, V].
        kind: euclidean, or cosine (1 - cos; 1 from a vector of zeros to any).

    Returns:
        Distances [N], in the units of the vectors where they are euclidean.

    Raises:
        UserError: nothing to compare, numbers that are not finite, or no such kind.
    """
    x = _ready(vectors, kind)
    if len(x) < 2:
        return np.full(len(x), math.nan)
    distances = [_others_nearest(x, i, kind) for i in range(0, len(x), _BLOCK)]
    return np.concatenate(distances)


def _score(eigenvalues: np.ndarray, order: float, noise: float = _NOISE) -> float:
    """exp of the Rényi entropy of eigenvalues that sum to 1, what rounding left taken away."""
    if not order >= 0:
        raise UserError(
            f"there is no Vendi score of order {order}", f"type an order of 0 or more, e.g. {', '.join(map(str, ORDERS))}"
        )
    share = eigenvalues[eigenvalues > noise * eigenvalues.sum()]
    share = share / share.sum()
    if order == 1:
        return float(np.exp(-(share * np.log(share)).sum()))
    if math.isinf(order):
        return float(1 / share.max())
    return float((share**order).sum() ** (1 / (1 - order)))


def _others_nearest(x: np.ndarray, begin: int, kind: str) -> np.ndarray:
    rows = x[begin : begin + _BLOCK]
    far = 1 - rows @ x.T if kind == "cosine" else _distances(rows, x, begin)
    far[np.arange(len(rows)), begin + np.arange(len(rows))] = np.inf
    return np.maximum(far.min(axis=1), 0.0)


def _distances(a: np.ndarray, b: np.ndarray, own: int = 0) -> np.ndarray:
    """[A, B], row i being row ``own + i`` of b: exactly 0 from there to itself."""
    lengths = (a**2).sum(axis=1)[:, None] + (b**2).sum(axis=1)
    squares = lengths - 2 * a @ b.T
    squares[np.arange(len(a)), own + np.arange(len(a))] = 0
    return np.sqrt(np.where(squares > 8 * np.finfo(np.float64).eps * lengths, squares, 0))  # twins are at 0, not near it


def _ready(vectors: Array, kind: str) -> np.ndarray:
    x = _matrix(vectors)
    if kind not in ("euclidean", "cosine"):
        raise unknown("distance", kind, ("euclidean", "cosine"))
    if kind == "euclidean":
        return x - x.mean(axis=0)  # squares of small numbers lose fewer digits
    lengths = np.linalg.norm(x, axis=1, keepdims=True)
    return x / np.where(lengths == 0, 1, lengths)


def _matrix(vectors: Array) -> np.ndarray:
    x = np.asarray(vectors, np.float64)
    x = x.reshape(len(x), -1) if x.ndim and x.size else x
    if x.ndim != 2 or not len(x):
        raise UserError("there is nothing to compare", "give vectors [N, V] of one item or more")
    if not np.isfinite(x).all():
        raise UserError(f"{int((~np.isfinite(x)).any(axis=1).sum())} of {len(x)} vectors are not finite", "leave those out")
    return x


def _shares(weights: Array, n: int) -> np.ndarray:
    w = np.asarray(weights, np.float64)
    if w.shape != (n,) or not np.isfinite(w).all() or (w < 0).any() or not w.any():
        raise UserError(f"weights of shape {list(w.shape)} for {n} items", "give a number of 0 or more for each, not all 0")
    return w / w.sum()


def _float(array: Array) -> np.dtype:
    dtype = np.asarray(array).dtype
    return dtype if dtype.kind == "f" else np.dtype(np.float64)
