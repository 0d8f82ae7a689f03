"""Rounding inside a traced forward pass: of a layer's inputs, plain or turned, and of the keys and values that are stored.

H heads, T tokens, d numbers of a head, A input options, K inputs of a layer.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from domains.quant.networks.layers import Layer
from domains.quant.quantize import rounding
from domains.quant.quantize.quantizers import FULL_BITS, SCALE_BITS, ActivationOption, WeightOption
from domains.quant.quantize.turns import ROTATES
from qd.types import Array

# of a layer: token, gaussian, rotate [A + 1], factors [A + 1, K], whole matrices and their inverses [A + 1, 2, K, K] and
# which options have one; what no option asks for is left out
Turns = dict[str, Any]


def fake_quantize(x: Array, scale: Array) -> Array:
    """Rounds inputs to the grid of (scale, zero, levels) and back; where levels is 0 they stay.

    Args:
        x: inputs of one layer, of any shape.
        scale: [3] scale, zero point, and the largest code.

    Returns:
        (clip(round(x / scale) + zero, 0, levels) - zero) * scale, shaped as x; x itself where levels is 0.
    """
    code = jnp.clip(jnp.round(x / scale[0]) + scale[1], 0, scale[2])
    return jnp.where(scale[2] > 0, (code - scale[1]) * scale[0], x)


def by_token(x: Array, scale: Array) -> Array:
    """Returns the same with a range of its own for each token, found as it comes (ZeroQuant, Yao et al. 2022).

    Args:
        x: [..., K], each last axis a token.
        scale: [3], of which the zero point says whether ranges are symmetric (above 0), and the last is the largest code.

    Returns:
        (scale, zero) of each token, [..., 1].
    """
    high, low = jnp.maximum(x.max(-1, keepdims=True), 0), jnp.minimum(x.min(-1, keepdims=True), 0)
    symmetric, levels = scale[1] > 0, jnp.maximum(scale[2], 1)
    step = jnp.maximum(jnp.where(symmetric, 2 * jnp.maximum(high, -low), high - low) / levels, 1e-9)
    return step, jnp.where(symmetric, scale[1], jnp.round(-low / step))


def turned(x: Array, scale: Array, turns: Turns, option: Array) -> Array:
    """Rounds inputs as an option says: divided by factors, rotated, by a range of each token; and turned back.

    Args:
        x: inputs [..., K].
        scale: [3], of the turned inputs.
        turns: of the layer.
        option: its number.

    Returns:
        Shaped as x.
    """
    factors = turns["factors"][option] if "factors" in turns else 1.0
    y = _whole(_rotate(x / factors, turns, option), turns, option, 0)
    step, zero, half = scale[0], scale[1], 0.0
    if "token" in turns:
        is_own, own = turns["token"][option], by_token(y, scale)
        step, zero = jnp.where(is_own, own[0], step), jnp.where(is_own, own[1], zero)
    if "gaussian" in turns:  # values lie half a step beside 0
        is_gaussian, size = turns["gaussian"][option], jnp.sqrt((y**2).mean(-1, keepdims=True) + 1e-12)
        step, half = jnp.where(is_gaussian, scale[0] * size, step), jnp.where(is_gaussian, 0.5, 0.0)
        zero = jnp.where(is_gaussian, scale[1], zero)
    codes = jnp.round(y / step - half) + (zero + half)
    rounded = _whole((jnp.clip(codes, 0, scale[2]) - zero) * step, turns, option, 1)
    return jnp.where(scale[2] > 0, _rotate(rounded, turns, option) * factors, x)


def _whole(x: Array, turns: Turns, option: Array, way: int) -> Array:
    """Multiplies by an option's matrix (way 0) or its inverse (way 1), where it has one."""
    if "whole" not in turns:
        return x
    return jax.lax.cond(turns["is_whole"][option], lambda y: y @ turns["whole"][option, way], lambda y: y, x)


def _rotate(x: Array, turns: Turns, option: Array) -> Array:
    """Multiplies by Hadamard's matrix, which is its own inverse, where the option asks for it."""
    if "rotate" not in turns:
        return x
    matrix = rounding.hadamard(x.shape[-1]).astype(np.float32)
    return jax.lax.cond(turns["rotate"][option], lambda y: y @ matrix, lambda y: y, x)


def turns(options: tuple[ActivationOption, ...], factors: dict[str, np.ndarray]) -> Turns:
    """Returns how each option of a layer turns its inputs; the last, full precision, leaves them.

    Args:
        options: A input options.
        factors: name of a turn -> factors [K], or a matrix [K, K]; those that are missing are 1.

    Returns:
        Only what some option asks for; empty: every option is a range of the whole tensor.
    """
    parts: Turns = {
        "token": np.array([*(option.per == "token" for option in options), False]),
        "gaussian": np.array([*(option.per == "gaussian" for option in options), False]),
        "rotate": np.array([*(option.turn in ROTATES for option in options), False]),
    }
    parts = {name: column for name, column in parts.items() if column.any()}
    vectors = {name: each for name, each in factors.items() if each.ndim == 1}
    if any(option.turn in vectors for option in options):
        ones = np.ones(len(next(iter(vectors.values()))))
        rows = [*(vectors.get(option.turn, ones) for option in options), ones]
        parts["factors"] = np.array(rows, np.float32)
    whole = [option.turn in factors and factors[option.turn].ndim == 2 for option in options]
    if any(whole):
        one = np.eye(len(next(iter(factors.values()))))
        pairs = [factors[option.turn] if is_whole else one for option, is_whole in zip(options, whole, strict=True)]
        parts["whole"] = np.array([(each, np.linalg.inv(each)) for each in (*pairs, one)], np.float32)
        parts["is_whole"] = np.array([*whole, False])
    return parts


def cache_row(option: WeightOption | None, stored: np.ndarray, kind: str) -> np.ndarray:
    """Returns how keys or values are stored: levels, whether each head is rotated, and factors.

    SmoothAttention (QServe, section 4.2): keys are divided by max|K_i|^0.5, the larger of the two numbers that rotary places
    turn together, and queries are multiplied by it.

    Args:
        option: of the layer's "weights"; None: full precision. ``smooth`` and ``learned`` are SmoothAttention, ``hadamard``
            and ``learned`` rotate, and all other formats are plain rounding of so many bits.
        stored: keys or values on calibration data, [N, H, T, d].
        kind: keys or values; of values nothing is smoothed.

    Returns:
        float32 [2 + H * d].
    """
    far = np.abs(stored).max((0, 2))  # [H, d]
    half = far.shape[1] // 2
    far = np.maximum(np.tile(np.maximum(far[:, :half], far[:, half:]), 2), 1e-5)
    smooths = option is not None and option.format in ("smooth", "learned") and kind == "keys"
    factors = (far**0.5 if smooths else np.ones_like(far)).ravel()
    levels = 0 if option is None else 2**option.bits - 1
    return np.array([levels, option is not None and option.format in ROTATES, *factors], np.float32)


def fake_store(stored: Array, row: Array) -> Array:
    """Rounds keys or values, each token of each head by its own range, with a zero point (QServe, Lin et al. 2024), and back.

    Args:
        stored: [..., H, T, d].
        row: [2 + H * d], of ``cache_row``.
    """
    heads, _, width = stored.shape[-3:]
    factors, rotates = row[2:].reshape(heads, 1, width), {"rotate": row[1:2] > 0}
    y = _rotate(stored / factors, rotates, 0)
    step, zero = by_token(y, jnp.stack([jnp.ones(()), jnp.zeros(()), row[0]]))
    rounded = _rotate((jnp.clip(jnp.round(y / step) + zero, 0, row[0]) - zero) * step, rotates, 0) * factors
    return jnp.where(row[0] > 0, rounded, stored)


def cache_bits(option: WeightOption | None, layer: Layer) -> int:
    """Returns the bits of a cache of T tokens: codes, and a scale and a zero point for each token of each head.

    Args:
        option: of the layer's "weights"; None: full precision.
        layer: keys or values.
    """
    if option is None:
        return layer.parameters * FULL_BITS
    return layer.parameters * option.bits + layer.scales * (SCALE_BITS + option.bits)
