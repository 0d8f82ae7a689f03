"""Floats compared as whole numbers: exact where XLA would flush small numbers to zero, and a maximum that is one.

A float32 read as an int32, its negative half turned round, sorts as the number does; both zeros are 0.
"""

from typing import Any

import jax.numpy as jnp
import numpy as np
from jax.lax import bitcast_convert_type

Array = Any
LOWEST, HIGHEST = np.int32(-(2**31)), np.int32(2**31 - 1)  # below and above all finite numbers


def ordered(x: Array) -> Array:
    """Float32 -> int32 of the same order, in NumPy and in a trace."""
    bits = x.view(np.int32) if isinstance(x, np.ndarray | np.generic) else bitcast_convert_type(x, jnp.int32)
    number = bits ^ ((bits >> 31) & HIGHEST)
    return number + (number == -1)  # -0.0 is 0.0


def unordered(i: Array) -> Array:
    """The inverse of ``ordered``."""
    bits = i ^ ((i >> 31) & HIGHEST)
    return bits.view(np.float32) if isinstance(i, np.ndarray | np.generic) else bitcast_convert_type(bits, jnp.float32)


def clamp(x: Array, low: Array, high: Array) -> Array:
    """Like clip, and exact on subnormal numbers, in a trace.

    Args:
        x: float32, of any shape.
        low: float32, broadcasts with x.
        high: like ``low``, and not below it.

    Returns:
        x, with ``low`` where it is below and ``high`` where it is above.
    """
    i = ordered(x)
    return jnp.where(i < ordered(low), low, jnp.where(i > ordered(high), high, x))
