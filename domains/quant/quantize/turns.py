"""Inputs turned before they are rounded, and weights turned back: by factors, the Hadamard rotation, or whole learned matrices.

X W = (X S^-1 H) (H' S W): what is rounded is X S^-1 H and H' S W (SmoothQuant, Xiao et al. 2023, eq. 3; QuaRot, Ashkboos et al.
2024; OstQuant, Hu et al. 2025). A whole matrix T: X W = (X T) (T^-1 W). K inputs of a layer, O outputs, N rows.
"""

from functools import lru_cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from domains.quant.quantize import rounding
from qd.types import Array

TURNS = ("", "hadamard", "smooth", "learned")
ROTATES = ("hadamard", "learned")
_STEPS, _ROWS, _BITS = 80, 512, 4  # of learning; for more bits the same factors serve

WHOLE = ("orthogonal", "affine")
_WHOLE_STEPS = 40  # of Adam; for all numbers of bits the matrices that are learned at 4 serve
_OFF_DIAGONAL = 0.1  # AffineQuant's stability factor: so much counts what stands beside the diagonal
_RATE = {"logs": 0.05, "angles": 0.005, "beside": 0.01}


def smooth(x: np.ndarray, weight: np.ndarray, alpha: float = 0.5) -> np.ndarray:
    """Returns each input's factor s_j = max|X_j|^a / max|W_j|^(1 - a) (SmoothQuant, eq. 4).

    Args:
        x: a layer's inputs on calibration data, [..., K].
        weight: [K, O].
        alpha: a, how much of the difficulty moves from inputs to weights.

    Returns:
        float64 [K], above 0.
    """
    of_inputs = np.maximum(np.abs(x.reshape(-1, x.shape[-1])).max(0), 1e-5)
    of_weights = np.maximum(np.abs(weight).max(1), 1e-5)
    return of_inputs**alpha / of_weights ** (1 - alpha)


def learn(x: np.ndarray, weight: np.ndarray, seed: int = 0) -> np.ndarray:
    """Learns factors under the rotation: the least |X W - Q(X S^-1 H) Q(H' S W)|^2 at 4 bits, the gradient straight through Q.

    OstQuant learns a rotation and a scaling, AffineQuant (Ma et al. 2024) a whole matrix by this loss; here the rotation
    is Hadamard's and the scaling is learned, from SmoothQuant's on, by 80 steps of Adam.

    Args:
        x: a layer's inputs on calibration data, [..., K].
        weight: [K, O].
        seed: of the rows that are drawn.

    Returns:
        float64 [K], above 0.
    """
    rows = rows_of(x, seed)
    begin = np.log(smooth(x, weight))
    turn = rounding.hadamard(len(weight)).astype(np.float32)
    return np.exp(np.asarray(_descend(rows.astype(np.float32), weight.astype(np.float32), turn, begin.astype(np.float32))))


def turn(x: np.ndarray, name: str, factors: dict[str, np.ndarray]) -> np.ndarray:
    """Turns inputs as an option does before it rounds them.

    Args:
        x: inputs [..., K].
        name: one of TURNS, or of a whole matrix.
        factors: name of a turn -> factors [K], or a whole matrix T [K, K]; those that are missing are 1.

    Returns:
        X S^-1 H, or what of it the name says, or X T, shaped as x.
    """
    if name in factors and factors[name].ndim == 2:
        return x @ factors[name]
    x = x / factors[name] if name in factors else x
    return x @ rounding.hadamard(x.shape[-1]) if name in ROTATES else x


def rows_of(x: np.ndarray, seed: int = 0) -> np.ndarray:
    """Draws the rows by which matrices and factors are learned.

    Args:
        x: a layer's inputs, [..., K].
        seed: of the draw.

    Returns:
        At most 512 rows, [N, K].
    """
    flat = x.reshape(-1, x.shape[-1])
    return flat[np.random.default_rng(seed).permutation(len(flat))[:_ROWS]]


@jax.jit
def _descend(x: Array, weight: Array, turn: Array, begin: Array) -> Array:
    import optax  # here: not all who quantize learn

    def loss(logs: Array) -> Array:
        inputs, kernel = (x / jnp.exp(logs)) @ turn, turn.T @ (weight * jnp.exp(logs)[:, None])
        error = round_through(inputs, 1) @ round_through(kernel, 0) - x @ weight
        return (error**2).mean() / (x @ weight).var()

    rule = optax.adam(optax.cosine_decay_schedule(0.05, _STEPS))

    def step(state: tuple, _: None) -> tuple[tuple, Array]:
        logs, memory, best, least = state
        value, gradient = jax.value_and_grad(loss)(logs)
        best, least = jnp.where(value < least, logs, best), jnp.minimum(value, least)
        update, memory = rule.update(gradient, memory, logs)
        return (optax.apply_updates(logs, update), memory, best, least), value

    state, _ = jax.lax.scan(step, (begin, rule.init(begin), begin, jnp.inf), length=_STEPS)
    return state[2]


def round_through(x: Array, axis: int) -> Array:
    """Rounds to 4 bits, symmetric; the gradient goes straight through.

    Args:
        x: [N, K].
        axis: 1: each row has a scale; 0: each column.
    """
    scale = jnp.maximum(jnp.abs(x).max(axis, keepdims=True), 1e-9) / (2 ** (_BITS - 1) - 1)
    return x + jax.lax.stop_gradient(jnp.round(x / scale) * scale - x)


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
        rate = optax.cosine_decay_schedule(1.0, _WHOLE_STEPS)

        def step(state: tuple, i: Array) -> tuple[tuple, Array]:
            params, memory, least, best, best_mask = state
            mask = ((apart > 0) & (apart <= (i + 1) / _WHOLE_STEPS * len(weight))).astype(jnp.float32)
            value, gradient = jax.value_and_grad(error)(params, mask)
            better = value < least  # NaN is not
            best = jax.tree.map(lambda new, old: jnp.where(better, new, old), params, best)
            best_mask, least = jnp.where(better, mask, best_mask), jnp.where(better, value, least)
            update: Any
            update, memory = rule.update(gradient, memory)
            moved = {name: x - rate(i) * _RATE[name] * update[name] for name, x in params.items()}
            return (moved, memory, least, best, best_mask), value

        state = (starts, rule.init(starts), jnp.inf, starts, jnp.zeros(apart.shape))
        (_, _, least, best, mask), _ = jax.lax.scan(step, state, jnp.arange(_WHOLE_STEPS))
        return least, best, mask

    return jax.jit(run)
