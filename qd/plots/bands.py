"""Methods against each other: the median over seeds and its interval, against evaluations; one colour a method.

G points of evaluations.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from qd.plots.curves import against_evaluations, mark_undefined
from qd.plots.panels import PANELS, CurvePanel
from qd.plots.records import STYLE
from qd.types import Array

# Okabe and Ito's colours, which colour-blind readers tell apart; without yellow, which white paper swallows
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
_DASHES = ("-", "--", ":", "-.")  # a second round of the colours is dashed
_ACROSS = 3  # panels in a row
_WIDE = 60  # letters of names that fit below the panels in one row


class Band(NamedTuple):
    """One number of one method."""

    evaluations: Array  # [G]
    middle: Array  # [G] median over seeds
    low: Array  # [G] its interval; NaN where there is none
    high: Array  # [G]


def bands(methods: Mapping[str, Mapping[str, Band]], title: str, panels: Sequence[CurvePanel] = PANELS) -> Figure:
    """Draws one panel for each column.

    Args:
        methods: name -> column -> Band.
    """
    with rc_context(STYLE | {"axes.spines.top": False, "axes.spines.right": False}):
        across = min(_ACROSS, len(panels))
        down, legend = -(-len(panels) // across), _columns(list(methods))
        rows = -(-len(methods) // legend)
        figure = Figure(figsize=(2.6 * across, 0.4 + 2.2 * down + 0.18 * rows), layout="constrained")
        figure.suptitle(title, x=0.01, ha="left", fontsize=9)
        looks = {name: line_style(i) for i, name in enumerate(methods)}
        places = figure.subplots(down, across, squeeze=False).flat
        for axes, panel in zip(places, panels, strict=False):
            _draw(
                axes,
                {name: columns[panel.column] for name, columns in methods.items() if panel.column in columns},
                panel,
                looks,
            )
        for axes in places[len(panels) :]:
            axes.set_visible(False)
        lines = [Line2D([], [], label=name, **look) for name, look in looks.items()]
        figure.legend(handles=lines, loc="outside lower left", ncols=legend, frameon=False, fontsize=8)
    return figure


def _draw(axes: Any, bands_by_method: dict[str, Band], panel: CurvePanel, looks: dict[str, dict]) -> None:
    axes.set_title(panel.label, loc="left")
    finite = {name: band for name, band in bands_by_method.items() if np.isfinite(band.middle).any()}
    if not finite:
        mark_undefined(axes, panel.why if bands_by_method else "it was not recorded")
        return
    for name, band in finite.items():
        axes.fill_between(band.evaluations, band.low, band.high, color=looks[name]["color"], alpha=0.2, linewidth=0)
        axes.plot(band.evaluations, band.middle, marker="o" if len(band.middle) == 1 else None, markersize=4, **looks[name])
    against_evaluations(axes, max(float(np.max(band.evaluations)) for band in finite.values()))


def line_style(rank: int) -> dict[str, Any]:
    """Returns colour, dashes and width of the rank-th line of a figure."""
    again, colour = divmod(rank, len(COLOURS))
    return {"color": COLOURS[colour], "linestyle": _DASHES[again % len(_DASHES)], "linewidth": 1.5}


def _columns(names: list[str]) -> int:
    longest = max(len(name) for name in names) + 6  # the line before each
    return max(1, min(len(names), 2 * _WIDE // longest))
