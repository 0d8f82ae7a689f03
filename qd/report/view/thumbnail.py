"""The map of a run as a small picture: of its archive, or, while it runs, of that at its last checkpoint."""

import io
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import colormaps
from PIL import Image

from qd.store import archive_file
from qd.support import links, run_files

_SIDE = 128  # pixels at most, of a grid of more cells and of a map without cells
_POINTS = 40  # pixels of a side, where elites have no cells


def draw(run: Path) -> bytes | None:
    """Returns a png with a pixel for each cell; None where nothing is stored that a map can be drawn from.

    Args:
        run: the folder.

    Raises:
        UserError: a file is damaged or a link.
    """
    links.check(run, (run_files.ARCHIVE, run_files.ARCHIVE_HEADER, run_files.LIVE))
    place = archive_file.newest(run)
    return None if place is None else _of_archive(archive_file.load(place))


def _of_archive(archive: archive_file.StoredArchive) -> bytes | None:
    columns, about = archive.columns, archive.about
    low, high = np.asarray(about["bounds"], float)[:2].T
    spots = ((columns["measures"][:, :2] - low) / (high - low)).astype(float)
    usable = np.isfinite(spots).all(1) & np.isfinite(columns["objective"])
    spots, objective = spots[usable].clip(0, 1), np.asarray(columns["objective"])[usable].astype(float)
    scale, dims = about.get("objective_range"), about.get("dims")
    if archive.centroids is not None and archive.centroids.shape[1] == 2:
        return _of_cvt((archive.centroids - low) / (high - low), columns["index"][usable], objective, scale)
    sides = [min(side, _SIDE) for side in dims[:2]] if dims and about["kind"].endswith("grid") else [_POINTS] * len(low)
    return _png(_best(spots, objective, sides), scale)


def _of_cvt(centroids: np.ndarray, cells: np.ndarray, objective: np.ndarray, scale: Any) -> bytes | None:
    """Draws each pixel in the colour of the nearest centroid's elite."""
    steps = (np.arange(_SIDE) + 0.5) / _SIDE
    pixels = np.stack(np.meshgrid(steps, steps, indexing="ij"), -1)
    values = np.full(len(centroids), np.nan)
    values[cells] = objective
    from scipy.spatial import KDTree  # a third of a second, for a CVT only

    return _png(values[KDTree(centroids).query(pixels)[1]], scale)


def _best(spots: np.ndarray, objective: np.ndarray, sides: list[int]) -> np.ndarray:
    """Returns the best objective of each pixel, NaN where there is none; of one measure all rows are the same.

    Args:
        spots: [N, M], M = 1 or 2, in 0..1.
        objective: [N].
        sides: pixels along each measure.
    """
    pixels = np.minimum((spots * sides).astype(int), np.array(sides) - 1)
    values = np.full(sides, -np.inf)
    np.maximum.at(values, tuple(pixels.T), objective)
    values[np.isneginf(values)] = np.nan
    return values if len(sides) == 2 else np.repeat(values[:, None], max(1, sides[0] // 4), 1)


def _png(values: np.ndarray, scale: Any) -> bytes | None:
    """Returns values [W, H], the second measure upwards, as a picture that is transparent where they are NaN."""
    filled = np.isfinite(values)
    if not filled.any():
        return None
    low, high = scale or (values[filled].min(), values[filled].max())
    shares = np.nan_to_num((values - low) / ((high - low) or 1.0)).clip(0, 1)
    colours = (colormaps["viridis"](shares) * 255).round().astype(np.uint8)
    colours[..., 3] = np.where(filled, 255, 0)
    buffer = io.BytesIO()
    Image.fromarray(colours.transpose(1, 0, 2)[::-1]).save(buffer, "PNG")
    return buffer.getvalue()
