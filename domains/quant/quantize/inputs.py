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

_PER_TOKEN, _ROTATED = 1, 2  # modes add up


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
    """The same with a range of its own for each token, found as it comes (ZeroQuant, Yao et al. 2022; ViDiT-Q).

    Args:
        x: [..., K], each last axis a token.
        scale: [3], of which the zero point says whether ranges are symmetric (above 0), and the last is the largest code.
    """
    high, low = jnp.maximum(x.max(-1, keepdims=True), 0), jnp.minimum(x.min(-1, keepdims=True), 0)
    far = jnp.maximum(high, -low)
    symmetric, levels = scale[1] > 0, jnp.maximum(scale[2], 1)
    step = jnp.maximum(jnp.where(symmetric, 2 * far, high - low) / levels, 1e-9)
    zero = jnp.where(symmetric, scale[1], jnp.round(-low / step))
    return (jnp.clip(jnp.round(x / step) + zero, 0, levels) - zero) * step


def turned(x: Array, scale: Array, turn: Array) -> Array:
    """Rounds inputs as the option's turn says, and turns them back.

    Args:
        x: inputs [..., K].
        scale: [3], of the turned inputs.
        turn: [1 + K] the mode, then the factors that inputs are divided by.

    Returns:
        Shaped as x.
    """

    def rotated(round_: Any) -> Any:
        matrix = rounding.hadamard(x.shape[-1]).astype(np.float32)
        return lambda y: round_(y @ matrix, scale) @ matrix.T

    plain = [lambda y: fake_quantize(y, scale), lambda y: by_token(y, scale)]
    ways = [*plain, rotated(fake_quantize), rotated(by_token)]
    return jax.lax.switch(turn[0].astype(jnp.int32), ways, x / turn[1:]) * turn[1:]


def turns(options: tuple[ActivationOption, ...], factors: dict[str, np.ndarray], k: int) -> np.ndarray:
    """Returns how each option of a layer turns its inputs, the last as they are.

    Args:
        options: A input options.
        factors: name of a turn -> factors [K]; those that are missing are 1.
        k: K, or 1 where all inputs are turned alike.

    Returns:
        float32 [A + 1, 1 + K].
    """
    rows = [
        [_PER_TOKEN * (option.per == "token") + _ROTATED * (option.turn in ROTATES), *factors.get(option.turn, np.ones(k))]
        for option in options
    ]
    return np.array([*rows, [0, *np.ones(k)]], np.float32)


def cache_row(option: WeightOption | None, stored: np.ndarray, kind: str) -> np.ndarray:
    """Returns how keys or values are stored: levels, whether each head is rotated, and factors.

    SmoothAttention (QServe, eq. 8-9): keys are divided by max|K_i|^0.5, the larger of the two numbers that rotary places turn
    together, and queries are multiplied by it.

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
    """Rounds keys or values, each token of each head by its own range, with a zero point (QServe, section 4.2), and back.

    Args:
        stored: [..., H, T, d].
        row: [2 + H * d], of ``cache_row``.
    """
    heads, _, width = stored.shape[-3:]
    factors = row[2:].reshape(heads, 1, width)
    matrix = rounding.hadamard(width).astype(np.float32)
    scale = jnp.stack([jnp.ones(()), jnp.zeros(()), row[0]])
    ways = [lambda y: by_token(y, scale), lambda y: by_token(y @ matrix, scale) @ matrix.T]
    rounded = jax.lax.switch(row[1].astype(jnp.int32), ways, stored / factors) * factors
    return jnp.where(row[0] > 0, rounded, stored)


def cache_bits(option: WeightOption | None, layer: Layer, heads: int) -> int:
    """Returns the bits of a cache of T tokens: codes, and a scale and a zero point for each token of each head.

    Args:
        option: of the layer's "weights"; None: full precision.
        layer: keys or values.
        heads: H.
    """
    tokens, _ = layer.shape
    if option is None:
        return layer.parameters * FULL_BITS
    return layer.parameters * option.bits + tokens * heads * (SCALE_BITS + option.bits)
