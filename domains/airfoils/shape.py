"""Outlines of airfoils in Kulfan's form (class and shape functions, 2008), their camber and thickness, and their picture.

B batch, P points of a surface, from the leading edge to the trailing edge.
"""

from math import comb

import jax.numpy as jnp
import numpy as np

from qd.types import Array

_DEGREE = 7  # of Bernstein's polynomials: eight weights a surface
STATIONS = (1 - np.cos(np.linspace(0, np.pi, 77))) / 2  # x of the points: close together at both edges


def surfaces(weights: Array, x: np.ndarray) -> tuple[Array, Array]:
    """Returns y of the upper and of the lower surface, in chords.

    Args:
        weights: eight of the upper surface, eight of the lower, the leading edge's, the trailing edge's thickness: [B, 18].
        x: places on the chord, 0 to 1, [P].

    Returns:
        Two arrays [B, P].
    """
    polynomials = np.stack([comb(_DEGREE, i) * x**i * (1 - x) ** (_DEGREE - i) for i in range(_DEGREE + 1)])
    basis = np.asarray(np.sqrt(x) * (1 - x) * polynomials, np.float32)
    edge = np.asarray(x * np.maximum(1 - x, 0) ** (_DEGREE + 1.5), np.float32)
    lead, half = weights[:, 16:17] * edge, weights[:, 17:18] / 2 * np.asarray(x, np.float32)
    return weights[:, :8] @ basis + lead + half, weights[:, 8:16] @ basis + lead - half


def camber_and_thickness(upper: Array, lower: Array) -> tuple[Array, Array]:
    """Returns the camber line's largest height (negative where it lies farther below) and the largest thickness.

    Args:
        upper: y of the upper surface, [B, P].
        lower: y of the lower surface, [B, P].

    Returns:
        Per cent of the chord, [B] each.
    """
    line = (upper + lower) / 2
    high, low = line.max(axis=1), line.min(axis=1)
    return 100 * jnp.where(high >= -low, high, low), 100 * (upper - lower).max(axis=1)


def loop(upper: np.ndarray, lower: np.ndarray) -> np.ndarray:
    """Returns the outline of one airfoil [P] from the trailing edge over the upper surface and back below, [2P-1, 2]."""
    top, bottom = np.stack([STATIONS, upper], 1), np.stack([STATIONS, lower], 1)
    return np.concatenate([top[::-1], bottom[1:]])


def svg(upper: np.ndarray, lower: np.ndarray, angle: float) -> str:
    """Returns a picture of one airfoil.

    Args:
        upper: y of the upper surface, [P].
        lower: y of the lower surface, [P].
        angle: of attack, in degrees.
    """
    a = np.deg2rad(angle)
    turned = (loop(upper, lower) - (0.25, 0)) @ np.array([[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]])
    points = " ".join(f"{20 + 160 * (x + 0.25):.1f},{60 - 160 * y:.1f}" for x, y in turned)
    wind = "".join(f'<path d="M2 {y}h14m-4 -3l4 3l-4 3" fill="none" stroke="#9aa5b1"/>' for y in (30, 60, 90))
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 200 120" width="200" height="120">'
        f'<rect width="200" height="120" fill="#f6f6f2"/>{wind}'
        f'<polygon points="{points}" fill="#cfe0ee" stroke="#1f4e79" stroke-width="1.5" stroke-linejoin="round"/></svg>'
    )
