"""Archives of three measures and more: maps within a map, and parallel coordinates.

N elites, M measures.
"""

from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from qd.plots.heatmap import projection
from qd.plots.records import EMPTY, STYLE, Map, bar, colours, filled_cells_text

_LINES = 20_000  # elites that are drawn, the best ones


def nested(record: Map) -> Figure:
    """Draws a grid of small maps: within each the first two measures, across and up the third and the fourth.

    Each point shows the best elite over all measures after the fourth.

    Args:
        record: of M > 2 measures; of a grid, for others are binned as in ``qd.plots.heatmap``.
    """
    shown = list(range(min(4, len(record.bounds))))
    image = _thinned(projection(record, shown))
    image = image[..., None] if image.ndim == 3 else image
    columns, rows = image.shape[2:]
    mappable = colours(record)
    with rc_context(STYLE):
        side = min(1.1, 9 / max(columns, rows))
        figure = Figure(figsize=(side * columns + 1.9, side * rows + 1.2), layout="constrained")
        panels = figure.subplots(rows, columns, squeeze=False)
        for i in range(columns):
            for j in range(rows):
                axes = panels[rows - 1 - j][i]
                axes.set_facecolor(EMPTY)
                axes.set(xticks=[], yticks=[])
                values = np.ma.masked_invalid(image[:, :, i, j]).T
                axes.imshow(
                    values, origin="lower", cmap=mappable.cmap, norm=mappable.norm, aspect="auto", interpolation="nearest"
                )
        up = f", upwards {record.names[3]}" if len(shown) > 3 else ""
        inner = f"within each map: {record.names[0]} to the right, {record.names[1]} upwards"
        more = "; the best over the other measures" if len(record.bounds) > 4 else ""
        figure.supxlabel(f"{record.names[2]} to the right{up}\n{inner}{more}", fontsize=8)
        figure.suptitle(f"{record.title}\n{filled_cells_text(record)}", x=0.01, ha="left", fontsize=9)
        bar(figure, mappable, record, panels, ax=panels, aspect=28, pad=0.02)
    return figure


def _thinned(image: np.ndarray, most: int = 10) -> np.ndarray:
    """Joins neighbours along the outer axes to ten at most; the best of them is shown."""
    for axis in range(2, image.ndim):
        length = image.shape[axis]
        if length > most:
            starts = np.linspace(0, length, most, endpoint=False).astype(int)
            image = np.maximum.reduceat(image, starts, axis=axis)
    return image


def parallel(record: Map) -> Figure:
    """Draws each elite as a line through its measures and its objective, the best on top.

    Args:
        record: of any archive; of more than 20,000 elites the best are drawn.
    """
    order = np.argsort(record.objective, kind="stable")[-_LINES:]
    objective = np.asarray(record.objective, float)[order]
    low, high = np.asarray(record.bounds, float).T
    heights = ((np.asarray(record.measures, float)[order] - low) / (high - low)).clip(0, 1)
    mappable = colours(record)
    last = np.asarray(mappable.norm(objective), float)
    heights = np.column_stack([heights, last.clip(0, 1)])
    count = heights.shape[1]
    across = np.broadcast_to(np.arange(count), heights.shape)
    with rc_context(STYLE):
        figure = Figure(figsize=(max(5.0, 1.1 * count + 1), 3.4), layout="constrained")
        axes: Any = figure.add_subplot()
        lines = LineCollection(list(np.stack([across, heights], axis=-1)), colors=mappable.to_rgba(objective), rasterized=True)
        lines.set(linewidth=0.6, alpha=max(0.08, min(0.8, 300 / max(1, len(order)))))
        axes.add_collection(lines)
        for i in range(count):
            axes.axvline(i, color="#555555", linewidth=0.8)
        ends = [*zip(low, high, strict=True), (mappable.norm.vmin, mappable.norm.vmax)]
        names = [*record.names, "objective"]
        axes.set_xticks(range(count), [f"{name}\n{a:.3g} to {b:.3g}" for name, (a, b) in zip(names, ends, strict=True)])
        axes.set(xlim=(-0.1, count - 0.9), ylim=(-0.02, 1.02), yticks=[])
        axes.spines[["top", "right", "left"]].set_visible(False)
        axes.set_title(f"{record.title}\n{filled_cells_text(record)}; each line is an elite", loc="left")
        bar(figure, mappable, record, axes)
    return figure
