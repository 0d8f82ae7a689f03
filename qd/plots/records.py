"""What all figures share: their record, colours and frame.

N elites, M measures, C cells.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from qd.types import Array

if TYPE_CHECKING:  # pages need the record, and no matplotlib
    from matplotlib.cm import ScalarMappable
    from matplotlib.figure import Figure

COLOURS = "viridis"  # its order survives colour blindness and grey print
EMPTY = "#efefef"
STYLE: Any = {"font.size": 9, "axes.titlesize": 9, "axes.linewidth": 0.6, "axes.titlepad": 8, "savefig.dpi": 200}


class Map(NamedTuple):
    """What a figure needs of an archive."""

    measures: Array  # [N, M]
    objective: Array  # [N]
    cell: Array  # [N] running number; unused where the archive has no cells
    bounds: Sequence[tuple[float, float]]  # M pairs
    names: Sequence[str]  # of the M measures
    title: str  # domain, seed, evaluations
    dims: Sequence[int] | None = None  # cells a side, of a grid
    centroids: Array | None = None  # [C, M], of a CVT
    scale: tuple[float, float] | None = None  # the domain's objective_range
    axis_labels: Sequence[Sequence[str]] | None = (
        None  # of each measure: a title, or that and two ends, or a name for each cell
    )
    elites: int | None = None  # of all fronts, where cells hold several; the record has the best of each cell

    @property
    def cells(self) -> int | None:
        """How many cells there are; None where the archive has none."""
        if self.dims is not None:
            return int(np.prod(self.dims))
        return None if self.centroids is None else len(self.centroids)


def colours(record: Map) -> "ScalarMappable":
    """Colours of objectives: over the domain's range where it states one, else over what was found."""
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    objective = np.asarray(record.objective, float)
    low, high = record.scale or ((objective.min(), objective.max()) if len(objective) else (0.0, 1.0))
    return ScalarMappable(Normalize(low, high if high > low else low + 1), COLOURS)


def cell_names(record: Map, axis: int) -> list[str]:
    """Names the cells along a measure of a grid: their words, or their numbers with the words of both ends.

    Args:
        record: of a grid.
        axis: which measure, 0..M-1.

    Returns:
        A name for each of the measure's cells, the lowest first; numbers begin at 1.
    """
    assert record.dims is not None
    words, cells = list(record.axis_labels[axis][1:]) if record.axis_labels else [], record.dims[axis]
    if len(words) == cells:
        return words
    ends = {0: f": {words[0]}", cells - 1: f": {words[-1]}"} if len(words) == 2 else {}
    name = "" if ends else f"{record.names[axis]} "
    return [f"{name}{i + 1}{ends.get(i, '')}" for i in range(cells)]


def bar(figure: "Figure", mappable: "ScalarMappable", record: Map, axes: Any, **layout: Any) -> None:
    """Adds the colour bar; its ends are pointed where objectives lie beyond it.

    Args:
        figure: that it is added to.
        mappable: of ``colours``; its range is the bar's.
        record: its objectives decide which ends are pointed.
        axes: beside which it stands; not used where ``layout`` is given.
        layout: instead of the usual place: arguments of ``Figure.colorbar``.
    """
    objective, norm = np.asarray(record.objective), mappable.norm
    below, above = bool((objective < norm.vmin).any()), bool((objective > norm.vmax).any())
    extend = {(0, 0): "neither", (1, 0): "min", (0, 1): "max", (1, 1): "both"}[int(below), int(above)]
    layout = layout or {"ax": axes, "aspect": 28, "pad": 0.02}
    colorbar = figure.colorbar(mappable, label="objective", extend=extend, **layout)
    colorbar.outline.set_linewidth(0.4)  # type: ignore[operator]


def filled_cells_text(record: Map) -> str:
    """Words for how much of the archive is filled."""
    n, cells = len(record.objective), record.cells
    if record.elites is not None and cells:
        return f"{record.elites:,} elites in fronts of {n:,} cells ({100 * n / cells:.1f} %), of each the best"
    return f"{n:,} elites" + (f" in {cells:,} cells ({100 * n / cells:.1f} %)" if cells else "")


def set_title(axes: Any, record: Map, text: str) -> None:
    """Writes the title: what was run, and what is shown of it.

    Args:
        axes: of matplotlib.
        record: its title is the first line.
        text: the second line.
    """
    axes.set_title(f"{record.title}\n{text}", loc="left")
