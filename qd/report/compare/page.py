"""`compare.html`: methods side by side, as one file that needs no network.

C cells, G points of a curve.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from matplotlib import colormaps

from qd.plots.bands import COLOURS as LINES
from qd.plots.panels import CurvePanel
from qd.plots.records import COLOURS
from qd.plots.side_by_side import DIVERGING
from qd.report.collect import Method
from qd.report.compare import maps, tables
from qd.report.compare.contrasts import COSTS, Contrast
from qd.report.compare.curves import Bands
from qd.report.compare.maps import MethodMap
from qd.report.page import bundle
from qd.report.page import write as page
from qd.report.table import Row
from qd.support import provenance

_STATIC, _OF_A_RUN = Path(__file__).parent / "static", Path(page.__file__).parent / "static"


class ComparedCase(NamedTuple):
    """All that the page shows of the methods that searched one domain."""

    name: str
    evaluations: int  # at which the numbers are read
    methods: Sequence[Method]
    metrics: Sequence[str]  # that are compared
    rows: Sequence[Row]
    contrasts: Sequence[Contrast]
    panels: Sequence[CurvePanel]
    bands: Bands
    maps: Sequence[MethodMap]


def html(cases: Sequence[ComparedCase], notes: Sequence[str]) -> bytes:
    """Returns the page in UTF-8. Whatever the runs say is data in it, never markup.

    Args:
        cases: at least one.
        notes: sentences shown at the top.
    """
    arrays = {"palette maps": _palette(COLOURS), "palette differences": _palette(DIVERGING)}
    shown = [_case(case, f"case {i}", arrays) for i, case in enumerate(cases)]
    facts = {"cases": shown, "notes": list(notes), "lines": list(LINES), "cite": provenance.citation("qd-atlas")}
    title, style = f"{', '.join(case.name for case in cases)}: methods compared", page.style(_STATIC / "compare.css")
    return page.assemble(_STATIC / "compare.html", title, style, bundle.pack(facts, arrays), script())


def script() -> str:
    """Returns the page's one script."""
    files = (_OF_A_RUN / "data.js", *(_STATIC / name for name in ("maps.js", "curves.js", "compare.js")))
    return "\n".join(file.read_text(encoding="utf-8") for file in files)


def _case(case: ComparedCase, key: str, arrays: dict[str, np.ndarray]) -> dict[str, Any]:
    """Returns the facts of a case, and adds its arrays under names that begin with ``key``."""
    rows = {(row.method, row.metric): row for row in case.rows}
    recorded = [name for name in (*case.metrics, *COSTS) if any((m.name, f"{name}_mean") in rows for m in case.methods)]
    for i, method in enumerate(case.methods):
        for column, band in case.bands.get(method.name, {}).items():
            for name, values in zip(("evaluations", "middle", "low", "high"), band, strict=True):
                arrays[f"{key} curve {i} {column} {name}"] = np.asarray(values, np.float32)
    return {
        "key": key,
        "name": case.name,
        "evaluations": case.evaluations,
        "metrics": recorded,
        "methods": [
            {
                "name": method.name,
                "seeds": method.seeds,
                "folders": [str(run.folder) for run in method.runs],
                "means": [_cells(rows.get((method.name, f"{name}_mean"))) for name in recorded],
                "medians": [_cells(rows.get((method.name, f"{name}_median"))) for name in recorded],
            }
            for method in case.methods
        ],
        "texts": _texts(case),
        "contrasts": [each._asdict() | {"words": each.words} for each in case.contrasts],
        "curves": [{"column": panel.column, "label": panel.label} for panel in case.panels],
        "maps": [_map(average, f"{key} map {i}", arrays) for i, average in enumerate(case.maps)],
        "pairs": [
            [_index(case.maps, a), _index(case.maps, b), maps.reach([maps.difference(a, b)])] for a, b in maps.pairs(case.maps)
        ],
        "scale": list(maps.scale(case.maps)) if case.maps else None,
    }


def _texts(case: ComparedCase) -> dict[str, str]:
    """Returns both tables of a case as they go into a paper."""
    own = [name for name in case.metrics if name not in tables.SHOWN]
    return {
        "contrasts LaTeX": tables.latex(case.contrasts),
        "contrasts CSV": tables.csv_text(Contrast, case.contrasts),
        "final LaTeX": tables.latex_of_rows(case.rows, own),
        "final CSV": tables.csv_text(Row, case.rows),
    }


def _index(averages: Sequence[MethodMap], average: MethodMap) -> int:
    return [each.name for each in averages].index(average.name)


def _cells(row: Row | None) -> list[float] | None:
    return None if row is None else [row.value, row.low, row.high, row.n]


def _map(average: MethodMap, key: str, arrays: dict[str, np.ndarray]) -> dict[str, Any]:
    panel = average.panel
    arrays[f"{key} values"] = np.asarray(panel.values, np.float32)
    arrays[f"{key} share"] = np.asarray(average.share, np.float32)
    if panel.polygons is not None:
        arrays[f"{key} start"] = np.append(0, np.cumsum([len(polygon) for polygon in panel.polygons]))
        arrays[f"{key} corners"] = np.concatenate(list(panel.polygons)).astype(np.float32)
    return {
        "key": key,
        "name": average.name,
        "bounds": [list(map(float, pair)) for pair in panel.bounds],
        "axes": list(panel.names),
    }


def _palette(name: str) -> np.ndarray:
    """Returns 256 colours, uint8 [256, 3]."""
    return (colormaps[name](np.arange(256))[:, :3] * 255).round().astype(np.uint8)
