"""Where cells end: a border belongs to the cell above it, and so does a measure that rounding puts just below it.

One list of borders decides everywhere: in archives on the host, and in the compiled mirror. B batch, M measures.
"""

from collections.abc import Sequence

import numpy as np

from qd.types import Array

_ROUNDING = 4 * float(np.finfo(np.float32).eps)  # x the largest bound: features arrive as float32, whatever an archive stores
_SHARE = 0.05  # of the cell below a border, at most


def even(dims: Array, low: Array, high: Array) -> tuple[np.ndarray, ...]:
    """Returns the inner borders of equal cells.

    Args:
        dims: [M] numbers of cells.
        low: [M] lower bounds.
        high: [M] upper bounds.

    Returns:
        M arrays [dims - 1] of float64, as ``lowered`` returns them.
    """
    low, high = np.asarray(low, np.float64), np.asarray(high, np.float64)
    edges = [a + (b - a) * np.arange(n + 1) / n for n, a, b in zip(dims, low, high, strict=True)]
    return tuple(lowered(each) for each in edges)


def lowered(edges: Array) -> np.ndarray:
    """Returns the inner borders of an axis, each lowered by the rounding of float32 measures.

    A border is lowered by 4 x float32's epsilon x the larger bound, but by a twentieth of the cell below it at most.

    Args:
        edges: [cells + 1] in ascending order; the first and the last are the bounds.

    Returns:
        [cells - 1] float64: cell k holds the measures m with borders[k - 1] <= m < borders[k].
    """
    edges = np.asarray(edges, np.float64)
    rounding = _ROUNDING * max(abs(edges[0]), abs(edges[-1]))
    return edges[1:-1] - np.minimum(rounding, _SHARE * np.diff(edges)[:-1])


def cells(borders: Sequence[np.ndarray], measures: Array) -> np.ndarray:
    """Returns the cells of measures; what lies outside the bounds belongs to the outermost cell.

    Args:
        borders: M arrays, as ``lowered`` returns them.
        measures: [B, M], finite.

    Returns:
        [B] int32, in C order of the M axes.
    """
    index = np.zeros(len(measures), np.int32)
    for each, column in zip(borders, measures.T, strict=True):
        index = index * np.int32(len(each) + 1) + np.searchsorted(each, column, side="right").astype(np.int32)
    return index
