"""The archive as a map: each cell in the colour of its elite's objective.

N elites, M measures, C cells.
"""

from collections.abc import Sequence
from itertools import combinations
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.cm import ScalarMappable
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from qd.plots.records import EMPTY, STYLE, Map, bar, colours, filled_cells_text, set_title
from qd.plots.voronoi import voronoi

_BINS = 50  # a side, where elites are binned to be visible
_PAIRED = 4  # more measures than this would give more than six panels


def heatmap(record: Map) -> Figure:
    """Draws one measure as a strip, two as a map, more as one map for each pair of them.

    Above two measures each cell shows the best elite over all measures that are not on its axes.
    """
    m = len(record.bounds)
    with rc_context(STYLE):
        if m > 2:
            return _pairs(record)
        figure = Figure(figsize=(5.0, 4.3) if m == 2 else (5.0, 1.5), layout="constrained")
        axes, mappable = figure.add_subplot(), colours(record)
        if m == 1:
            _strip(axes, record, mappable)
            axes.set(xlabel=record.names[0], yticks=[], xlim=record.bounds[0])
            _ticks(axes.xaxis, record, 0)
        else:
            _plane(axes, record, mappable)
            _frame(axes, record, 0, 1)
        set_title(axes, record, filled_cells_text(record))
        bar(figure, mappable, record, axes)
    return figure


def _plane(axes: Any, record: Map, mappable: ScalarMappable) -> None:
    if record.dims is not None:
        _mesh(axes, record, mappable, 0, 1)
    elif record.centroids is not None:
        faces = np.tile([0.937, 0.937, 0.937, 1.0], (len(record.centroids), 1))  # EMPTY
        faces[record.cell] = mappable.to_rgba(record.objective)
        width = min(0.4, 40 / len(faces))
        polygons = voronoi(np.asarray(record.centroids), record.bounds)
        axes.add_collection(PolyCollection(polygons, facecolors=faces, edgecolors="white", linewidths=width))
    else:
        order = np.argsort(record.objective, kind="stable")  # the best on top
        points, shade = np.asarray(record.measures)[order].T, np.asarray(record.objective)[order]
        axes.scatter(*points, c=shade, cmap=mappable.cmap, norm=mappable.norm, s=7, linewidths=0)


def _mesh(axes: Any, record: Map, mappable: ScalarMappable, across: int, up: int) -> Any:
    """Draws, and returns, the best objective over all measures that are not on the axes."""
    image = projection(record, (across, up))
    edges = [np.linspace(*record.bounds[axis], cells + 1) for axis, cells in zip((across, up), image.shape, strict=True)]
    axes.set_facecolor(EMPTY)
    return axes.pcolormesh(*edges, np.ma.masked_invalid(image).T, cmap=mappable.cmap, norm=mappable.norm, rasterized=True)


def projection(record: Map, axes: Sequence[int]) -> np.ndarray:
    """Returns the best objective over all measures that are not among ``axes``; -inf where there is no elite.

    Args:
        record: of a grid; of another archive its elites are binned, 50 bins a side.
        axes: some of the M measures.

    Returns:
        As many axes as there are in ``axes``, as long as the grid's or 50.
    """
    chosen = list(axes)
    if record.dims is not None:
        place = np.stack(np.unravel_index(record.cell, tuple(record.dims)))[chosen]
        shape = [record.dims[axis] for axis in chosen]
    else:
        low, high = np.asarray(record.bounds, float)[chosen].T
        share = (np.asarray(record.measures)[:, chosen] - low) / (high - low)
        place, shape = (share * _BINS).astype(int).clip(0, _BINS - 1).T, [_BINS] * len(chosen)
    image = np.full(shape, -np.inf)
    np.maximum.at(image, tuple(place), record.objective)
    return image


def _strip(axes: Any, record: Map, mappable: ScalarMappable) -> None:
    axes.set_facecolor(EMPTY)
    if record.cells is None:
        axes.vlines(record.measures[:, 0], 0, 1, colors=mappable.to_rgba(record.objective), linewidth=1)
        return
    values = np.full(record.cells, np.nan)
    values[record.cell] = record.objective
    low, high = record.bounds[0]
    edges = np.linspace(low, high, len(values) + 1)
    if record.centroids is not None:
        order = np.argsort(np.asarray(record.centroids)[:, 0])
        inner = np.asarray(record.centroids)[order, 0]
        values, edges = values[order], np.concatenate([[low], (inner[1:] + inner[:-1]) / 2, [high]])
    axes.pcolormesh(edges, [0, 1], np.ma.masked_invalid(values)[None], cmap=mappable.cmap, norm=mappable.norm, rasterized=True)


def _pairs(record: Map) -> Figure:
    m = len(record.bounds)
    pairs = list(combinations(range(min(m, _PAIRED)), 2))
    figure = Figure(figsize=(2.7 * 3, 2.35 * -(-len(pairs) // 3) + 0.5), layout="constrained")
    panels, mappable = figure.subplots(-(-len(pairs) // 3), 3, squeeze=False), colours(record)
    meshes = []
    for axes in panels.flat[len(pairs) :]:
        axes.set_visible(False)
    for axes, (across, up) in zip(panels.flat, pairs, strict=False):
        meshes.append(_mesh(axes, record, mappable, across, up))
        _frame(axes, record, across, up)
    if record.scale is None:  # over what is shown: the worst elites lie behind the best
        shades = np.ma.concatenate([mesh.get_array().ravel() for mesh in meshes])
        mappable.set_clim(float(shades.min()), float(shades.max()))
    which = f", pairs of the first {_PAIRED} of {m} measures" if m > _PAIRED else ""
    text = f"{record.title}\n{filled_cells_text(record)}; each point: the best over the other measures{which}"
    figure.suptitle(text, x=0.01, ha="left", fontsize=9)
    bar(figure, mappable, record, panels)
    return figure


def _frame(axes: Any, record: Map, across: int, up: int) -> None:
    axes.set(xlim=record.bounds[across], ylim=record.bounds[up], xlabel=record.names[across], ylabel=record.names[up])
    axes.set_box_aspect(1)
    _ticks(axes.xaxis, record, across)
    _ticks(axes.yaxis, record, up)


def _ticks(axis: Any, record: Map, measure: int) -> None:
    """Writes the name of each cell along a measure, where all have one; else numbers."""
    cells = record.dims[measure] if record.dims is not None else 0
    if not (cells and record.axis_labels and len(record.axis_labels[measure]) == 1 + cells):
        axis.set_major_locator(MaxNLocator(5))
        return
    low, high = record.bounds[measure]
    axis.set_ticks(low + (np.arange(cells) + 0.5) * (high - low) / cells, record.axis_labels[measure][1:])
