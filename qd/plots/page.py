"""The elites of an archive of texts as one page of HTML: each text in its cell, escaped, with its objective.

N elites, M measures.
"""

from html import escape

import numpy as np

from qd.plots.records import Map, cell_names, colours, filled_cells_text
from qd.types import Array

_STYLE = """body{font:15px/1.45 sans-serif;max-width:76em;margin:2em auto;padding:0 1em;color:#222}
table{border-collapse:collapse;width:100%}td,th{border:1px solid #ddd;padding:.45em .6em;vertical-align:top;text-align:left}
th{font-weight:normal;color:#666;white-space:nowrap}.q{display:inline-block;width:.8em;height:.8em;margin-right:.4em}
.t{white-space:pre-wrap;overflow-wrap:anywhere}.e{background:#f4f4f4}small{color:#666}"""


def page(record: Map, texts: Array, ids: Array) -> str:
    """Returns the page: a line for each cell of one measure, a table of two; of more, or without cells, a list by measure.

    Args:
        texts: [N] the solutions; their markup is shown as text.
        ids: [N] of the elites.
    """
    mappable = colours(record)
    order = np.lexsort(np.asarray(record.measures, float).T[::-1])
    entries, axes = {}, _axes(record)
    for i in order:
        red, green, blue, _ = mappable.to_rgba(float(record.objective[i]), bytes=True)  # type: ignore[misc]
        at = "" if axes else f", at {', '.join(f'{value:.2f}' for value in np.asarray(record.measures[i], float))}"
        swatch = f'<span class="q" style="background:rgb({red},{green},{blue})"></span>'
        caption = f"objective {float(record.objective[i]):.3f}{at}, solution {int(ids[i])}"
        entries[int(i)] = f'{swatch}<span class="t">{escape(str(texts[i]))}</span><br><small>{caption}</small>'
    title = escape(record.title)
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title><style>{_STYLE}</style>'
        f"<h1>{title}</h1><p>{escape(filled_cells_text(record))}; the best text of each cell.</p>{axes}"
        f"{_table(record, entries)}</html>\n"
    )


def _axes(record: Map) -> str:
    """Names each measure, where it has a name in words."""
    if not record.axis_labels or record.dims is None or len(record.dims) > 2:
        return ""
    sides = ("Downwards",) if len(record.dims) == 1 else ("To the right", "Upwards")
    return "".join(f"<p>{side}: {escape(title)}</p>" for side, (title, *_) in zip(sides, record.axis_labels, strict=True))


def _table(record: Map, entries: dict[int, str]) -> str:
    if record.dims is None or len(record.dims) > 2:
        return f"<table>{''.join(f'<tr><td>{text}</td></tr>' for text in entries.values())}</table>"
    places = _places(record)
    here = {tuple(places[i]): f"<td>{text}</td>" for i, text in entries.items()}
    empty = '<td class="e"></td>'
    names = [[escape(name) for name in cell_names(record, axis)] for axis in range(len(record.dims))]
    if len(record.dims) == 1:
        rows = [f"<tr><th>{name}</th>{here.get((i,), empty)}</tr>" for i, name in enumerate(names[0])]
        return f"<table>{''.join(rows)}</table>"
    head = "".join(f"<th>{name}</th>" for name in names[0])
    rows = [
        f"<tr><th>{name}</th>{''.join(here.get((i, j), empty) for i in range(record.dims[0]))}</tr>"
        for j, name in reversed(list(enumerate(names[1])))
    ]
    return f"<table><tr><th></th>{head}</tr>{''.join(rows)}</table>"


def _places(record: Map) -> np.ndarray:
    """Returns the cell of each elite along each measure, [N, M]."""
    low, high = np.asarray(record.bounds, float).T
    dims = np.array(record.dims)
    share = (np.asarray(record.measures, float) - low) / (high - low)
    return (share * dims).astype(int).clip(0, dims - 1)
