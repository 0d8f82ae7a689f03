"""Sine and cosine together, for domains that evaluate many of them.

On a CPU, XLA computes each by itself: of 2.6 us that an arm of 100 joints took, 2.1 were its sines and cosines.
"""

import jax.numpy as jnp
import numpy as np

from qd.types import Array

_HALF_PI = (1.5703125, 4.837512969970703e-4, 7.549789948768648e-8)  # in three parts, of which k times the first is exact
_SIN = (-1.6666654611e-1, 8.3321608736e-3, -1.9515295891e-4)  # minimax polynomials on +- pi / 4 (Cephes, sinf and cosf)
_COS = (4.166664568298827e-2, -1.388731625493765e-3, 2.443315711809948e-5)


def sincos(angles: Array) -> tuple[Array, Array]:
    """Returns sine and cosine from one reduction to +- pi / 4, with an error of at most 1e-7 up to +- 100,000 radians.

    Args:
        angles: in radians, of any shape, float32.

    Returns:
        Both, of that shape; NaN where an angle is not finite.

    Example:

    >>> sin, cos = sincos(np.float32([0.0, np.pi / 2, 100.0]))
    >>> np.asarray(sin).round(3) + 0.0
    array([ 0.   ,  1.   , -0.506], dtype=float32)
    """
    angles = jnp.asarray(angles, jnp.float32)
    quarters = jnp.round(angles * np.float32(2 / np.pi))
    rest = angles
    for part in _HALF_PI:  # Cody and Waite (1980)
        rest = rest - quarters * np.float32(part)
    square = rest * rest
    sin = rest + rest * square * _polynomial(square, _SIN)
    cos = 1 - square / 2 + square * square * _polynomial(square, _COS)
    turn = quarters.astype(jnp.int32)
    odd = (turn & 1) != 0
    sin, cos = jnp.where(odd, cos, sin), jnp.where(odd, sin, cos)
    return jnp.where((turn & 2) != 0, -sin, sin), jnp.where(((turn + 1) & 2) != 0, -cos, cos)


def _polynomial(x: Array, coefficients: tuple[float, ...]) -> Array:
    value = np.float32(coefficients[-1])
    for coefficient in reversed(coefficients[:-1]):
        value = value * x + np.float32(coefficient)
    return value
