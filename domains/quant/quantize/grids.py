"""Sets of values that a few bits can stand for: small floats, normal quantiles, powers of two.

Each grid is sorted, symmetric around 0 or nearly so, and ends at 1: a scale stretches it over a row of weights.
"""

from functools import lru_cache

import numpy as np
from scipy.special import ndtri

from qd.support.spelling import unknown

FLOATS = {"fp4": (2, 1), "fp6": (3, 2), "fp8": (4, 3)}  # exponent and mantissa bits; OCP Microscaling formats v1.0
FORMATS = (*FLOATS, "nf4", "log2")


@lru_cache(maxsize=32)
def grid(name: str, bits: int) -> np.ndarray:
    """Returns the values of a format, the largest 1.

    Args:
        name: one of FORMATS.
        bits: of one code; only `log2` depends on it, the others have theirs in the name.

    Returns:
        float64 [values], sorted.

    Raises:
        ValueError: there is no such format.
    """
    if name in FLOATS:
        positive = _floats(*FLOATS[name])
    elif name == "nf4":
        return _normal()
    elif name == "log2":
        positive = np.concatenate([[0.0], 2.0 ** -np.arange(2 ** (bits - 1) - 1)])
    else:
        raise unknown("format", name, FORMATS)
    values = np.unique(np.concatenate([-positive, positive]))
    return values / values[-1]


def nearest(grid: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Returns the index of the grid's nearest value for each x.

    Args:
        grid: [values], sorted.
        x: of any shape.

    Returns:
        Integers shaped as x; halfway between two values the lower one.
    """
    return np.searchsorted((grid[1:] + grid[:-1]) / 2, x)


def _floats(exponent: int, mantissa: int) -> np.ndarray:
    """2^(e - bias) (1 + m / 2^M), and where e = 0, 2^(1 - bias) m / 2^M."""
    bias, parts = 2 ** (exponent - 1) - 1, np.arange(2**mantissa) / 2**mantissa
    normal = [2.0 ** (e - bias) * (1 + parts) for e in range(1, 2**exponent)]
    values = np.concatenate([2.0 ** (1 - bias) * parts, *normal])
    return values[:-1] if exponent == 4 else values  # e4m3's largest code is not a number


def _normal() -> np.ndarray:
    """NF4: quantiles of a normal distribution, one of them exactly 0 (Dettmers et al. 2023, section 3)."""
    edge = (1 - 1 / 30 + 1 - 1 / 32) / 2
    high, low = ndtri(np.linspace(edge, 0.5, 9)[:-1]), -ndtri(np.linspace(edge, 0.5, 8)[:-1])
    values = np.sort(np.concatenate([low, [0.0], high]))
    return values / values[-1]
