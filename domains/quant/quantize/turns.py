"""Inputs turned before they are rounded, and weights turned back: factors for each input, the Hadamard rotation, both learned.

X W = (X S^-1 H) (H' S W): what is rounded is X S^-1 H and H' S W (SmoothQuant, Xiao et al. 2023, eq. 3; QuaRot, Ashkboos et al.
2024; OstQuant, Hu et al. 2025). K inputs of a layer, O outputs, N rows.
"""

import jax
import jax.numpy as jnp
import numpy as np

from domains.quant.quantize import rounding
from qd.types import Array

TURNS = ("", "hadamard", "smooth", "learned")
ROTATES = ("hadamard", "learned")
_STEPS, _ROWS, _BITS = 80, 512, 4  # of learning; for more bits the same factors serve


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
