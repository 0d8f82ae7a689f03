"""The map over time, one picture a frame, on one colour scale.

F frames, C cells, M measures.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.colors import to_rgb
from PIL import Image, ImageDraw

from qd.plots.records import EMPTY, Map, colours
from qd.support.errors import UserError
from qd.types import Array

_SIDE, _HEAD, _EDGE = 360, 34, 12  # pixels of the map, of the lines over it, and around


class Change(NamedTuple):
    """What a frame changes in the one before it."""

    evaluations: int
    cell: Array  # [n] cells that get a new elite
    objective: Array  # [n] of these


def map_film(record: Map, changes: Sequence[Change]) -> list[Image.Image]:
    """Draws the map of a grid of any number of measures, or of a CVT of two, after each change.

    Above two measures a pixel shows the best elite over all measures but the first two.

    Args:
        record: of the final archive; its range of objectives is the colour scale of all frames.
        changes: F of them, in order.

    Returns:
        F images of 384 x 418 pixels.

    Raises:
        UserError: the archive has no cells that lie in a plane, or there are no changes.
    """
    if not changes:
        raise UserError("the history holds no accepted solutions", "give the run a larger budget")
    places, place_of_cell = _places(record)
    mappable, empty = colours(record), np.array(to_rgb(EMPTY)) * 255
    objective = np.full(record.cells or 0, -np.inf)
    images = []
    for change in changes:
        objective[np.asarray(change.cell)] = change.objective
        best = np.full(int(place_of_cell.max()) + 1, -np.inf)
        np.maximum.at(best, place_of_cell, objective)
        shades = np.where(
            np.isfinite(best)[:, None], mappable.to_rgba(np.where(np.isfinite(best), best, 0), bytes=True)[:, :3], empty
        )
        images.append(_frame(shades.astype(np.uint8)[places], record, change.evaluations, int(np.isfinite(objective).sum())))
    return images


def _frame(pixels: np.ndarray, record: Map, evaluations: int, elites: int) -> Image.Image:
    image = Image.new("RGB", (_SIDE + 2 * _EDGE, _SIDE + 2 * _EDGE + _HEAD), "white")
    image.paste(Image.fromarray(pixels), (_EDGE, _EDGE + _HEAD))
    share = f" ({100 * elites / record.cells:.1f} %)" if record.cells else ""
    ImageDraw.Draw(image).text(
        (_EDGE, 6), f"{record.title}\n{evaluations:,} evaluations, {elites:,} elites{share}", fill="black"
    )
    return image


def _places(record: Map) -> tuple[np.ndarray, np.ndarray]:
    """Returns the place that each pixel shows [side, side], and the place of each cell [C]."""
    across = (np.arange(_SIDE) + 0.5) / _SIDE
    x, y = np.meshgrid(across, across[::-1])
    if record.dims is not None:
        dims = tuple(record.dims)
        index = np.stack(np.unravel_index(np.arange(record.cells or 0), dims))
        columns, rows = dims[0], dims[1] if len(dims) > 1 else 1
        place_of_cell = index[0] * rows + (index[1] if len(dims) > 1 else 0)
        return (x * columns).astype(int) * rows + (y * rows).astype(int), place_of_cell
    if record.centroids is None or len(record.bounds) != 2:
        raise UserError("a film of the map needs a grid, or a CVT of two measures", "leave out --film")
    from scipy.spatial import KDTree  # a third of a second, for a CVT only

    low, high = np.asarray(record.bounds, float).T
    centroids = np.asarray(record.centroids)
    nearest: np.ndarray = np.asarray(KDTree(centroids).query(low + np.stack([x, y], axis=-1) * (high - low))[1])
    return nearest, np.arange(len(centroids))
