"""Whole matrices that turn inputs before they are rounded: orthogonal with a scaling (OstQuant), or any (AffineQuant).

X W = (X T) (T^-1 W), and what is rounded is X T and T^-1 W. K inputs of a layer, O outputs, N rows.
"""

from functools import lru_cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from domains.quant.quantize import rounding
from domains.quant.quantize.turns import round_through, rows_of, smooth
from qd.types import Array

WHOLE = ("orthogonal", "affine")
STEPS = 40  # of Adam; for all numbers of bits the matrices that are learned at 4 serve
_OFF_DIAGONAL = 0.1  # AffineQuant's stability factor: so much counts what stands beside the diagonal
_RATE = {"logs": 0.05, "angles": 0.005, "beside": 0.01}


def orthogonal(x: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Learns T = S^-1 R by the error of the layer's results at 4 bits (OstQuant, Hu et al. 2025, section 3).

    R = R0 (I - A)^-1 (I + A) with A = B - B' is orthogonal for every B (Cayley), so that Adam on B stays on the manifold, where
    OstQuant takes Riemannian Adam. R0 is the identity or Hadamard's rotation, whichever ends with the smaller error.

    Args:
        x: a layer's inputs on calibration data, [..., K].
        weight: [K, O].

    Returns:
        T, float64 [K, K].
    """
    k = len(weight)
    ends = [_learn("orthogonal", x, weight, begin) for begin in (np.eye(k), rounding.hadamard(k))]
    return min(ends, key=lambda end: end[0])[1]


def affine(x: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Learns T^-1 = S (I + a M * B), a matrix near a diagonal one, by the same error (AffineQuant, Ma et al. 2024, section 3).

    The mask M lets in a wider band around the diagonal with every step, and a is small, so that the matrix stays dominated by
    its diagonal, and with it invertible (Levy and Desplanques).

    Args:
        x: a layer's inputs on calibration data, [..., K].
        weight: [K, O].

    Returns:
        T, float64 [K, K].
    """
    return _learn("affine", x, weight, np.eye(len(weight)))[1]


LEARN = {"orthogonal": orthogonal, "affine": affine}


def _learn(kind: str, x: np.ndarray, weight: np.ndarray, begin: np.ndarray) -> tuple[float, np.ndarray]:
    """Returns the least error, and the T that has it."""
    rows = rows_of(x).astype(np.float32)
    logs = np.log(smooth(x, weight)).astype(np.float32)
    matrix = {"orthogonal": "angles", "affine": "beside"}[kind]
    starts = {"logs": logs, matrix: np.zeros((len(logs), len(logs)), np.float32)}
    error, params, mask = _descent(kind)(rows, weight.astype(np.float32), begin.astype(np.float32), starts)
    turn, _ = _pair(kind, {name: np.asarray(x, np.float64) for name, x in params.items()}, begin, np.asarray(mask), np)
    return float(error), turn


def _pair(kind: str, params: dict[str, Any], begin: Any, mask: Any, xp: Any) -> tuple[Any, Any]:
    """T and its inverse, by NumPy or JAX."""
    scale, one = xp.exp(params["logs"]), xp.eye(len(begin))
    if kind == "orthogonal":
        skew = params["angles"] - params["angles"].T
        rotation = begin @ xp.linalg.solve(one - skew, one + skew)
        return rotation / scale[:, None], rotation.T * scale
    back = scale[:, None] * (one + _OFF_DIAGONAL * mask * params["beside"])
    return xp.linalg.inv(back), back


@lru_cache(maxsize=2)
def _descent(kind: str) -> Any:
    """The compiled descent: (rows [N, K], weight, where the rotation begins, parameters) -> least error, parameters, mask."""
    import optax  # here: not all who quantize learn

    def run(x: Array, weight: Array, begin: Array, starts: dict[str, Array]) -> tuple[Array, dict[str, Array], Array]:
        apart = jnp.abs(jnp.arange(len(weight))[:, None] - jnp.arange(len(weight)))
        results = x @ weight

        def error(params: dict[str, Array], mask: Array) -> Array:
            turn, back = _pair(kind, params, begin, mask, jnp)
            return ((round_through(x @ turn, 1) @ round_through(back @ weight, 0) - results) ** 2).mean() / results.var()

        rule = optax.scale_by_adam()
        rate = optax.cosine_decay_schedule(1.0, STEPS)

        def step(state: tuple, i: Array) -> tuple[tuple, Array]:
            params, memory, least, best, best_mask = state
            mask = ((apart > 0) & (apart <= (i + 1) / STEPS * len(weight))).astype(jnp.float32)
            value, gradient = jax.value_and_grad(error)(params, mask)
            better = value < least  # NaN is not
            best = jax.tree.map(lambda new, old: jnp.where(better, new, old), params, best)
            best_mask, least = jnp.where(better, mask, best_mask), jnp.where(better, value, least)
            update, memory = rule.update(gradient, memory)
            moved = {name: x - rate(i) * _RATE[name] * update[name] for name, x in params.items()}
            return (moved, memory, least, best, best_mask), value

        state = (starts, rule.init(starts), jnp.inf, starts, jnp.zeros(apart.shape))
        (_, _, least, best, mask), _ = jax.lax.scan(step, state, jnp.arange(STEPS))
        return least, best, mask

    return jax.jit(run)
