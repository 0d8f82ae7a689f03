"""Figures of a run from what its folder holds; no component of it is built, and no code in it is run."""

import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from qd.plots.curves import curves
from qd.plots.heatmap import heatmap
from qd.plots.many_measures import nested, parallel
from qd.plots.page import page
from qd.plots.panels import OPTIONAL, PANELS, CurvePanel
from qd.plots.sheet import sheet, sheet_svg
from qd.report.map_record import record
from qd.store import archive_file, folder
from qd.store.metrics_file import metrics
from qd.store.renderings import renderings
from qd.store.runs import check
from qd.support import atomic, growing, read_files, run_files
from qd.support.errors import UserError


def draw_heatmap(run: Path) -> list[Path]:
    """Draws only the map, as a png: the figure that a run ends with.

    Args:
        run: folder of the run.

    Returns:
        Its one file, RUN/figures/heatmap.png.

    Raises:
        ValueError: the archive cannot be read.
    """
    check(run)
    atomic.make_folder(run / run_files.FIGURES)
    return save(heatmap(record(archive_file.load(run))), run / run_files.HEATMAP, "png")


def draw(run: Path, say: Callable[[Path], None] = lambda path: None, scale: tuple[float, float] | None = None) -> list[Path]:
    """Draws all figures of a run from its stored records, and returns their files.

    Args:
        run: folder of the run.
        say: called with each file that was written, also where the curves then fail.
        scale: objectives at the ends of the colours; None: the domain's range, or that of the elites.

    Returns:
        Files in RUN/figures: the heatmap; of three measures and more also maps within a map and parallel
        coordinates; a page of texts or a sheet of renderings, where there are any; the curves.

    Raises:
        ValueError: the archive cannot be read; or metrics.csv cannot, then all figures but the curves are drawn.
    """
    check(run)
    archive = archive_file.load(run)
    map_record = record(archive) if scale is None else record(archive)._replace(scale=scale)
    pictures = renderings(run / run_files.RENDERINGS, archive.columns["id"])
    has_pictures = any(picture is not None for picture in pictures)
    figures = run / run_files.FIGURES
    atomic.make_folder(figures)
    paths = save(heatmap(map_record), (run / run_files.HEATMAP).with_suffix(""), "png", "pdf")
    if len(map_record.bounds) > 2 and len(map_record.objective):
        paths += save(nested(map_record), figures / "nested", "png", "pdf")
        paths += save(parallel(map_record), figures / "parallel", "png", "pdf")
    if archive.about["encodings"].get("solution") == "text":
        texts = page(map_record, archive.columns["solution"], archive.columns["id"])
        atomic.write(figures / "texts.html", texts.encode())
        paths.append(figures / "texts.html")
    elif has_pictures:
        paths += save(sheet(map_record, pictures), (run / run_files.SHEET).with_suffix(""), "png")
        atomic.write(figures / "sheet.svg", sheet_svg(map_record, pictures).encode())
        paths.append(figures / "sheet.svg")
    try:
        paths += _curves(run, map_record.title, archive.about)
    finally:
        for path in paths:
            say(path)
    return paths


def _curves(run: Path, title: str, about: dict[str, Any]) -> list[Path]:
    """Draws the curves. Raises ValueError where metrics.csv is damaged; then no older curves are left as if they were its."""
    file, target = run / run_files.METRICS, run / run_files.FIGURES / "curves"
    try:
        rows = metrics(file)
        if folder.result(run) is not None and (not rows or rows["evals"][-1] != about.get("evaluations")):
            raise UserError(f"{file} is damaged ({'its last rows are gone' if file.exists() else 'it is gone'})")
    except ValueError as error:
        aside = [old.replace(old.with_stem("curves-before")) for old in sorted(target.parent.glob("curves.*"))]
        note = f"; those drawn before are now {', '.join(map(str, aside))}" if aside else ""
        raise UserError(
            f"{error}: curves not drawn{note}. Put metrics.csv back, or give the run's command with again=true"
        ) from error
    return save(_figure_of_curves(run, rows, title), target, "png", "pdf") if rows else []


def curves_of(run: Path, title: str) -> Figure:
    """Draws the metrics of a run, finished or not, against evaluations.

    Args:
        run: folder of the run.
        title: of the figure.

    Returns:
        A panel for each number; those of the ground-truth archive where they were recorded; a dotted line at each refit.

    Raises:
        UserError: there are no metrics yet, or metrics.csv is damaged.
    """
    rows = metrics(run / run_files.METRICS)
    if not rows:
        raise UserError(f"{run} has no metrics yet", "give its command again")
    return _figure_of_curves(run, rows, title)


def _figure_of_curves(run: Path, rows: Any, title: str) -> Figure:
    own = [name for name in _own_metrics(run) if name in rows]
    panels = (
        *PANELS,
        *(panel for panel in OPTIONAL if panel.column in rows),
        *(CurvePanel(name, name.replace("_", " "), "no number is defined") for name in own),
    )
    return curves(rows, title, panels, _refits(run))


def _own_metrics(run: Path) -> list[str]:
    """Names the metrics that the run's own config adds."""
    file = run / run_files.CONFIG
    nodes = read_files.yaml_mapping(file, "put it back").get("metrics") if file.is_file() else None
    return [str(name) for name in nodes] if isinstance(nodes, dict) else []


def shared_scale(folders: Sequence[Path]) -> tuple[float, float]:
    """Returns the lowest and the highest objective of all elites of some runs. Raises UserError where one has no archive."""
    for run in folders:
        check(run)
    objectives = [np.asarray(archive_file.load(run).columns["objective"], float) for run in folders]
    whole = np.concatenate(objectives)
    return (float(whole.min()), float(whole.max())) if len(whole) else (0.0, 1.0)


def _refits(run: Path) -> list[int]:
    """Returns the evaluations at which the descriptor was fitted again."""
    events = [event for event in growing.events(run) if event.get("event") in ("refit", "relearn")]
    return [event["evaluations"] for event in events if isinstance(event.get("evaluations"), int)]


def save(figure: Any, path: Path, *endings: str) -> list[Path]:
    """Writes a figure with each of the endings.

    Args:
        figure: of matplotlib; written at 200 dots an inch.
        path: the file; its own ending, if any, is replaced.
        endings: without a dot, e.g. "png", "pdf"; a pdf has no date in it.

    Returns:
        The files, one for each ending.
    """
    buffers = {ending: io.BytesIO() for ending in endings}
    for ending, buffer in buffers.items():
        figure.savefig(buffer, format=ending, dpi=200, metadata={"CreationDate": None} if ending == "pdf" else None)
    paths = [path.with_suffix(f".{ending}") for ending in endings]
    for file, buffer in zip(paths, buffers.values(), strict=True):
        atomic.write(file, buffer.getvalue())
    return paths
