"""A run's numbers against evaluations.

G rows of metrics.csv.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from qd.plots.panels import PANELS, CurvePanel
from qd.plots.records import STYLE
from qd.types import Array

_ACROSS = 3  # panels in a row


def curves(
    metrics: Mapping[str, Array], title: str, panels: Sequence[CurvePanel] = PANELS, refits: Sequence[int] = ()
) -> Figure:
    """Draws one panel for each column; undefined values are explained in words.

    Args:
        metrics: name -> [G], among them evals.
        refits: the evaluations at which the descriptor was refitted; each is a dotted line.
    """
    with rc_context(STYLE | {"axes.spines.top": False, "axes.spines.right": False}):
        across = min(_ACROSS, len(panels))
        down = -(-len(panels) // across)
        figure = Figure(figsize=(2.6 * across, 0.3 + 2.2 * down), layout="constrained")
        figure.suptitle(title + ("; dotted: the descriptor learned" if refits else ""), x=0.01, ha="left", fontsize=9)
        places = figure.subplots(down, across, squeeze=False).flat
        for axes, panel in zip(places, panels, strict=False):
            _draw(axes, np.asarray(metrics["evals"], float), metrics.get(panel.column), panel)
            for when in refits:
                axes.axvline(when, color="#999999", linewidth=1, linestyle=":")
        for axes in places[len(panels) :]:
            axes.set_visible(False)
    return figure


def _draw(axes: Any, evaluations: np.ndarray, column: Array | None, panel: CurvePanel) -> None:
    axes.set_title(panel.label, loc="left")
    value = np.full(len(evaluations), np.nan) if column is None else np.asarray(column, float)
    if not np.isfinite(value).any():
        mark_undefined(axes, panel.why if column is not None else "it was not recorded")
        return
    axes.plot(evaluations, value, color="#1f4e79", linewidth=1.5, marker="o" if len(value) == 1 else None)
    against_evaluations(axes, evaluations.max())


def mark_undefined(axes: Any, why: str) -> None:
    """Writes why a panel is empty, and removes its ticks.

    Args:
        axes: of matplotlib.
        why: follows "not defined:", on a line of its own.
    """
    axes.set(xticks=[], yticks=[])
    axes.text(0.5, 0.5, f"not defined:\n{why}", ha="center", va="center", color="#555555", transform=axes.transAxes)


def against_evaluations(axes: Any, most: float) -> None:
    """Gives a panel its grid and its axis of evaluations, from 0 to ``most``.

    Args:
        axes: of matplotlib.
        most: evaluations at the right end; where it is below 1, the axis ends at 1.
    """
    axes.grid(color="#e6e6e6", linewidth=0.6)
    axes.set(xlabel="evaluations", xlim=(0, max(1.0, most)), axisbelow=True)
    axes.margins(y=0.08)
    axes.locator_params(axis="x", nbins=5)
    axes.xaxis.set_major_formatter(FuncFormatter(_short))


def _short(value: float, _: Any = None) -> str:
    for unit, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= unit:
            return f"{value / unit:g} {letter}"
    return f"{value:g}"
