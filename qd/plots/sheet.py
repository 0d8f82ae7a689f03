"""What the elites look like, laid out by their measures: one sheet, as a figure and as an svg.

N elites, M measures.
"""

from collections.abc import Sequence
from html import escape
from typing import Any, NamedTuple

import numpy as np
from matplotlib import patches, rc_context
from matplotlib.figure import Figure

from qd.plots import drawing
from qd.plots.records import STYLE, Map, bar, colours, set_title
from qd.types import Array, Rendering

_SIDE = 10  # pictures a side: as many as a page shows
_EDGE = 96  # of one picture in the svg


class SheetCell(NamedTuple):
    """One place on the sheet and the elite that sits in it."""

    column: int
    row: int  # from the bottom
    elite: int  # 0..N-1


def seats(record: Map, has_picture: Array, side: int = _SIDE) -> tuple[int, int, list[SheetCell]]:
    """Lays a coarse grid over the first two measures; in each of its cells the best elite with a picture sits.

    Args:
        record: of N elites.
        has_picture: [N] bool, which elites have a rendering.
        side: how many cells there are at most along each measure.

    Returns:
        Columns, rows, and a cell for each elite that sits.
    """
    flat = len(record.bounds) == 1
    shape = [min(side, d) for d in (record.dims or (side, side))[:2]]
    columns, rows = shape[0], 1 if flat else shape[1]
    low, high = np.asarray(record.bounds, float)[:2].T
    share = (np.asarray(record.measures, float)[:, :2] - low) / (high - low)
    chosen_seats: dict[tuple[int, int], int] = {}
    for elite in np.argsort(record.objective, kind="stable"):  # the best last
        if has_picture[elite]:
            across, up = share[elite, 0], 0.0 if flat else share[elite, 1]
            where = int(np.clip(across * columns, 0, columns - 1)), int(np.clip(up * rows, 0, rows - 1))
            chosen_seats[where] = int(elite)
    return columns, rows, [SheetCell(*where, elite) for where, elite in sorted(chosen_seats.items())]


def sheet(record: Map, renderings: Sequence[Rendering | None], side: int = _SIDE) -> Figure:
    """Draws the sheet; each picture is framed in the colour of its objective.

    Args:
        renderings: [N] of the elites of the record; None where one has no rendering.
    """
    columns, rows, chosen_seats = seats(record, _render(renderings), side)
    with rc_context(STYLE):
        figure, axes, beside = _page(columns, rows)
        mappable = colours(record)
        pictures = [rendering for seat in chosen_seats if (rendering := renderings[seat.elite]) is not None]
        drawing.draw(axes, pictures, [(seat.column + 0.07, seat.row + 0.07, 0.86) for seat in chosen_seats])
        for seat in chosen_seats:
            colour = mappable.to_rgba(record.objective[seat.elite])
            frame = patches.Rectangle(
                (seat.column + 0.04, seat.row + 0.04), 0.92, 0.92, fill=False, edgecolor=colour, linewidth=1.4
            )
            axes.add_patch(frame)
        _ticks(axes, "x", record, columns)
        if len(record.bounds) > 1:
            _ticks(axes, "y", record, rows)
        set_title(axes, record, _caption(record, chosen_seats))
        bar(figure, mappable, record, axes, cax=beside)
    return figure


def sheet_svg(record: Map, renderings: Sequence[Rendering | None], side: int = _SIDE) -> str:
    """Returns the same sheet as one svg that holds the renderings themselves and opens in any browser, offline.

    Args:
        record: of N elites.
        renderings: [N] of the elites of the record; None where one has no rendering.
        side: how many pictures there are at most along each measure.

    Returns:
        The svg's source; a picture's tooltip names its objective and measures.
    """
    columns, rows, chosen_seats = seats(record, _render(renderings), side)
    mappable, head = colours(record), 2 * 22
    width, height = columns * _EDGE, head + rows * _EDGE + 30
    up = f"; upwards: {record.names[1]}" if len(record.bounds) > 1 else ""
    words = (record.title, _caption(record, chosen_seats), f"to the right: {record.names[0]}{up}")
    texts = "".join([f'<text x="4" y="{y}">{escape(w)}</text>' for y, w in zip((16, 36, height - 10), words, strict=True)])
    parts = []
    pictures = [rendering for seat in chosen_seats if (rendering := renderings[seat.elite]) is not None]
    corners = [(seat.column * _EDGE + 3, head + (rows - 1 - seat.row) * _EDGE + 3) for seat in chosen_seats]
    images = drawing.embed(pictures, [(x + 2, y + 2, _EDGE - 10) for x, y in corners])
    for seat, (x, y), image in zip(chosen_seats, corners, images, strict=True):
        red, green, blue, _ = mappable.to_rgba(float(record.objective[seat.elite]), bytes=True)  # type: ignore[misc]
        frame = f'<rect x="{x}" y="{y}" width="{_EDGE - 6}" height="{_EDGE - 6}" fill="none" stroke="rgb({red},{green},{blue})"'
        where = ", ".join(f"{n} {v:.3g}" for n, v in zip(record.names, record.measures[seat.elite], strict=True))
        label = f"<title>objective {record.objective[seat.elite]:.4g}; {escape(where)}</title>"
        parts.append(f"<g>{label}{image}{frame} stroke-width='2'/></g>")
    opening = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
    paper = '<rect width="100%" height="100%" fill="white"/>'
    return f'{opening} font-family="sans-serif" font-size="14">{paper}{texts}{"".join(parts)}</svg>'


def _page(columns: int, rows: int) -> tuple[Figure, Any, Any]:
    """Returns a figure, its axes in units of one picture, and the axes of its colour bar."""
    inch, left, right, below, above = 0.7, 0.65, 0.95, 0.55, 0.6
    across, up = inch * columns, inch * rows
    width, height = left + max(across, 3.5) + right, below + up + above
    figure = Figure(figsize=(width, height))
    axes = figure.add_axes((left / width, below / height, across / width, up / height))
    axes.set(xlim=(0, columns), ylim=(0, rows), yticks=[])
    beside = figure.add_axes(((left + across + 0.15) / width, below / height, 0.12 / width, up / height))
    return figure, axes, beside


def _render(renderings: Sequence[Rendering | None]) -> np.ndarray:
    return np.array([rendering is not None for rendering in renderings], bool)


def _caption(record: Map, chosen_seats: Sequence[SheetCell]) -> str:
    which = " by its first two measures" if len(record.bounds) > 2 else ""
    return f"{len(chosen_seats)} of {len(record.objective):,} elites: the best rendered one of each part of the map{which}"


def _ticks(axes: Any, name: str, record: Map, places: int) -> None:
    axis = "xy".index(name)
    low, high = record.bounds[axis]
    values = np.linspace(low, high, 5)
    axes.set(**{f"{name}ticks": (values - low) / (high - low) * places, f"{name}ticklabels": [f"{v:.3g}" for v in values]})
    axes.set(**{f"{name}label": record.names[axis]})
