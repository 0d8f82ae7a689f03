"""Maps of several methods on one colour scale, or differences of maps.

C cells.
"""

import textwrap
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib import rc_context
from matplotlib.cm import ScalarMappable
from matplotlib.collections import PolyCollection
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from qd.plots.records import COLOURS, EMPTY, STYLE
from qd.types import Array

DIVERGING = "PuOr"  # two hues that colour-blind readers tell apart; both ends are dark in grey print
_ACROSS = 4  # maps in a row


class MapPanel(NamedTuple):
    title: str
    values: Array  # [a, b] of a grid, [a] of a strip, [C] where there are polygons; NaN: no elite
    bounds: Sequence[tuple[float, float]]  # of the one or two axes
    names: Sequence[str]  # of the axes
    polygons: Sequence[Array] | None = None  # C of them, each [corners, 2]


def side_by_side(
    panels: Sequence[MapPanel], title: str, label: str, scale: tuple[float, float], colours: str = COLOURS
) -> Figure:
    """Draws panels in rows of four at most, with one colour bar.

    Args:
        panels: at least one.
        title: of the figure.
        label: of the colour bar.
        scale: values at its ends.
        colours: a palette of matplotlib: COLOURS, or DIVERGING where the scale's middle is zero.
    """
    flat = all(len(panel.bounds) == 1 for panel in panels)
    with rc_context(STYLE):
        across = min(_ACROSS, len(panels))
        down = -(-len(panels) // across)
        lines = max(len(_title(panel).split("\n")) for panel in panels)
        height = 0.5 + (1.2 if flat else 2.6) * down + 0.15 * max(0, lines - 2) * down
        figure = Figure(figsize=(2.5 * across + 0.9, height), layout="constrained")
        figure.suptitle(_wrapped(title, 14 * figure.get_figwidth()), x=0.01, ha="left", fontsize=9)
        places = figure.subplots(down, across, squeeze=False)
        low, high = scale
        mappable = ScalarMappable(Normalize(low, high if high > low else low + 1), colours)
        for axes, panel in zip(places.flat, panels, strict=False):
            _draw(axes, panel, mappable)
        for axes in list(places.flat)[len(panels) :]:
            axes.set_visible(False)
        values = np.concatenate([np.ravel(panel.values) for panel in panels])
        below, above = bool((values < low).any()), bool((values > high).any())
        extend = {(0, 0): "neither", (1, 0): "min", (0, 1): "max", (1, 1): "both"}[int(below), int(above)]
        figure.colorbar(mappable, ax=places, label=label, aspect=28, pad=0.02, extend=extend)
    return figure


def _title(panel: MapPanel) -> str:
    return "\n".join(_wrapped(line, 26) for line in panel.title.split("\n"))


def _wrapped(text: str, letters: float) -> str:
    """Returns a text in lines of about so many letters; an escaped dollar is never cut from its backslash."""
    return textwrap.fill(text, int(letters), break_long_words="$" not in text, break_on_hyphens=False)


def _draw(axes: Any, panel: MapPanel, mappable: ScalarMappable) -> None:
    axes.set_title(_title(panel), loc="left")
    axes.set_facecolor(EMPTY)
    values = np.ma.masked_invalid(np.asarray(panel.values, float))
    if panel.polygons is not None:
        filled = ~np.ma.getmaskarray(values)
        shapes = [panel.polygons[int(i)] for i in np.flatnonzero(filled)]
        axes.add_collection(
            PolyCollection(shapes, facecolors=mappable.to_rgba(values[filled]), edgecolors="face", linewidths=0.2)
        )
        axes.set(xlim=panel.bounds[0], ylim=panel.bounds[1], xlabel=panel.names[0], ylabel=panel.names[1])
        axes.set_box_aspect(1)
    elif len(panel.bounds) == 1:
        edges = np.linspace(*panel.bounds[0], len(values) + 1)
        axes.pcolormesh(edges, [0, 1], values[None], cmap=mappable.cmap, norm=mappable.norm, rasterized=True)
        axes.set(yticks=[], xlabel=panel.names[0])
    else:
        edges = [np.linspace(*bound, n + 1) for bound, n in zip(panel.bounds, values.shape, strict=True)]
        axes.pcolormesh(*edges, values.T, cmap=mappable.cmap, norm=mappable.norm, rasterized=True)
        axes.set(xlabel=panel.names[0], ylabel=panel.names[1])
        axes.set_box_aspect(1)
    axes.locator_params(nbins=4)
