"""Cells of measures inside a program, the same as on the host.

Grid: a float32 guess, corrected by a table of each axis' borders: for each cell the smallest float32 in it.
CVT: a table of all centroids that may be the nearest to a point of a bin, compared in float64; what lies far outside
is compared with every centroid.

B batch, M measures, N cells, G bins of one axis, W centroids listed for a bin.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from qd import archives
from qd.archives import SAME
from qd.fused.numbers import HIGHEST, LOWEST, clamp, ordered, unordered
from qd.support.errors import UserError
from qd.types import Array

_BINS = 4  # bins per centroid: more cost memory, fewer lengthen the lists
_MARGIN = 0.1  # of the bounds' width, on each side, that the bins cover too
_ENTRIES = 8_000_000  # centroids that a table may list; beyond, every centroid is looked at


class GridTable(NamedTuple):
    lower: Array  # [M]
    rate: Array  # [M] cells per unit of a measure: the guess multiplies, for XLA rounds quotients otherwise than NumPy
    dims: Array  # [M] int32
    low: Array  # [M] measures are clamped to low..high
    high: Array  # [M]
    borders: tuple[Array, ...]  # M of [dims + 1]: cell k holds borders[k] <= ordered(measure) < borders[k + 1]


class CVTTable(NamedTuple):
    low: Array  # [M] measures are clamped to low..high
    high: Array  # [M]
    corner: Array  # [M] of the bins
    bin: Array  # [M] width of a bin
    strides: Array  # [M] int32; all zero where there are no bins
    ids: Array  # [G^M, W] int32
    near: Array  # [G^M, W, M] float32, their coordinates
    centroids: Array  # [N, M] float32
    sides: Array  # [M] int32 G


Table = GridTable | CVTTable


def table(archive: Any) -> Table:
    """Builds the table of an open grid or CVT archive. Raises ValueError where it cannot be exact."""
    return _cvt(archive) if archives.is_cvt(archive) else _grid(archive)


def cells(lookup: Table, measures: Array) -> tuple[Array, Array]:
    """Returns the cells [B] of measures [B, M] float32, and the measures clamped as the host does; NaN falls anywhere.

    Args:
        lookup: the table of the archive, of ``table``.
        measures: [B, M] float32, traced.

    Returns:
        Cells [B] int32, in 0..N-1 for finite measures, and the clamped measures [B, M].
    """
    measures = clamp(measures, lookup.low, lookup.high)
    cell = _in_grid(lookup, measures) if isinstance(lookup, GridTable) else _in_cvt(lookup, measures)
    return cell, measures


def _grid(archive: Any) -> GridTable:
    dims, (low, high) = np.asarray(archive.dims, np.int32), archives.reach(archive)
    borders = tuple(_smallest(each) for each in archive.borders)
    rate = (dims / archive.interval_size.astype(np.float64)).astype(np.float32)
    lookup = GridTable(archive.lower_bounds, rate, dims, low, high, borders)
    _check(lookup)
    return lookup


def _smallest(borders: np.ndarray) -> np.ndarray:
    """Returns [dims + 1] int32, ordered: of each cell the smallest float32 that is not below its lower border."""
    nearest = borders.astype(np.float32)
    above = np.nextafter(nearest, np.float32(np.inf))
    return np.concatenate([[LOWEST], ordered(np.where(nearest < borders, above, nearest)), [HIGHEST]]).astype(np.int32)


def _check(lookup: GridTable) -> None:
    """Raises ValueError where the guess is off by more than one cell: cells too narrow for float32."""
    for axis, borders in enumerate(lookup.borders):
        for step in (0, -1):
            at = unordered(borders[1:-1] + np.int32(step))
            guess = _guess(np, at, lookup.lower[axis], lookup.rate[axis], lookup.dims[axis])
            if (np.abs(guess - (np.arange(1, len(borders) - 1) + step)) > 1).any():
                n, low, width = lookup.dims[axis], lookup.lower[axis], lookup.dims[axis] / lookup.rate[axis]
                raise UserError(
                    f"{n:,} cells in bounds of width {width:g} at {low:g} are too narrow for float32", "type driver=host"
                )


def _guess(xp: Any, m: Array, lower: Array, rate: Array, n: Array) -> Array:
    return xp.clip((m - lower) * rate, 0, xp.float32(n - 1)).astype(xp.int32)


def _in_grid(grid: GridTable, measures: Array) -> Array:
    cell = jnp.zeros(len(measures), jnp.int32)
    for axis, borders in enumerate(grid.borders):
        m, n = measures[:, axis], grid.dims[axis]
        guess = _guess(jnp, m, grid.lower[axis], grid.rate[axis], n)
        guess -= ordered(m) < borders[guess]
        guess += ordered(m) >= borders[guess + 1]
        cell = cell * n + guess
    return cell


def _cvt(archive: Any) -> CVTTable:
    from scipy.spatial import KDTree  # a third of a second, for a CVT only

    centroids, (low, high) = np.asarray(archive.centroids, np.float32), archives.reach(archive)
    n, m = centroids.shape
    side = max(1, round((_BINS * n) ** (1 / m)))
    margin = _MARGIN * (archive.upper_bounds - archive.lower_bounds)
    corner, width = archive.lower_bounds - margin, archive.upper_bounds - archive.lower_bounds + 2 * margin
    lists = (
        _listed(KDTree(centroids), corner.astype(np.float64), width / np.float64(side), side)
        if side**m * 4 <= _ENTRIES
        else None
    )
    longest = max(map(len, lists)) if lists is not None else 0
    if lists is None or longest * len(lists) > _ENTRIES:
        none, stride = np.zeros((1, 1), np.int32), np.zeros(m, np.int32)
        return CVTTable(low, high, corner, width, stride, none, centroids[none], centroids, np.zeros(m, np.int32))
    ids = np.array([sorted(some) + [some[0]] * (longest - len(some)) for some in lists], np.int32)
    strides = side ** np.arange(m - 1, -1, -1, dtype=np.int32)
    sides = np.full(m, side, np.int32)
    return CVTTable(low, high, corner, (width / side).astype(np.float32), strides, ids, centroids[ids], centroids, sides)


def _listed(tree: Any, corner: np.ndarray, width: np.ndarray, side: int) -> list[list[int]]:
    """For each bin all centroids within d + 2r of its middle, of which d is the nearest's distance and r half a diagonal.

    A point of the bin is within r of the middle, so its nearest centroid within d + r of it, and d + 2r of the middle.
    """
    axes = np.meshgrid(*[np.arange(side)] * len(corner), indexing="ij")
    middles = corner + width * (np.stack(axes, -1).reshape(-1, len(corner)) + 0.5)
    largest = np.abs([corner, corner + side * width]).max()
    radius = np.linalg.norm(width) / 2 * 1.001 + 1e-5 * largest  # a bin is found in float32, by a quotient that XLA rounds
    return list(tree.query_ball_point(middles, tree.query(middles)[0] + 2 * radius))


def _in_cvt(cvt: CVTTable, measures: Array) -> Array:
    if cvt.ids.shape == (1, 1):
        return jax.lax.map(lambda m: _nearest(m, cvt.centroids, jnp.arange(len(cvt.centroids))), measures)
    place = jnp.floor((measures - cvt.corner) / cvt.bin)
    far = ((place < 0) | (place >= cvt.sides)).any(1)
    bins = (jnp.clip(place, 0, cvt.sides - 1).astype(jnp.int32) * cvt.strides).sum(1)
    cell = jax.vmap(_nearest)(measures, cvt.near[bins], cvt.ids[bins])
    return _far_ones(cvt, measures, far, cell)


def _far_ones(cvt: CVTTable, measures: Array, far: Array, cell: Array) -> Array:
    """Looks at every centroid for the rows that no bin holds."""
    (rows,) = jnp.nonzero(far, size=len(far), fill_value=0)

    def one(i: Array, cell: Array) -> Array:
        return cell.at[rows[i]].set(_nearest(measures[rows[i]], cvt.centroids, jnp.arange(len(cvt.centroids))))

    return jax.lax.fori_loop(0, far.sum(), one, cell)


def _nearest(measures: Array, centroids: Array, ids: Array) -> Array:
    """Of the centroids nearest to measures [M] the one of the lowest id, as in qd.archives."""
    with jax.enable_x64(True):
        difference = measures.astype(jnp.float64) - centroids.astype(jnp.float64)
        distance = (difference**2).sum(1)
        same = distance <= distance.min() * np.float64(1 + SAME)
    return jnp.where(same, ids, HIGHEST).min()
