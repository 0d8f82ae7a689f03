"""What the page shows of a run, from its folder alone: no component is built, and no code that it names is run.

N elites, M measures, D genes, F frames of the timeline.
"""

import base64
import json
import re
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from qd.plots.panels import OPTIONAL, PANELS
from qd.plots.records import Map
from qd.plots.voronoi import voronoi
from qd.report import headline, map_record
from qd.report.page import lineage, timeline
from qd.store import archive_file, folder, history, metrics_file, renderings
from qd.support import growing, provenance, run_files
from qd.support.errors import UserError

_OWN = ("id", "solution", "objective", "measures", "index", "threshold")  # columns that are no features
_PICTURES = 3_500_000  # bytes of renderings at most
_SOLUTIONS = 1_500_000  # bytes of solutions at most
_FRAMES, _CHANGES = 120, 400_000  # of the timeline, at most
_CURVES = 2_000  # rows of metrics at most
_CURVE_TITLES = {panel.column: panel.label for panel in (*PANELS, *OPTIONAL)} | {
    "mean": "mean objective",
    "failed": "failed evaluations",
    "evals_per_s": "evaluations per second",
    "new": "cells filled for the first time",
    "improved": "elites improved",
}
_COLOURS = Path(__file__).parent / "static/palettes.json"  # name -> 256 colours in hexadecimal digits
_PALETTES = ("viridis", "cividis", "gray")  # the second for colour-blind eyes, the third for print


class Contents(NamedTuple):
    facts: dict[str, Any]  # what JSON can hold
    arrays: dict[str, np.ndarray]


def collect(path: Path) -> Contents:
    """Reads everything that the page shows.

    Args:
        path: the folder of a run, finished or not.

    Raises:
        UserError: it is no run, or nothing of it can be read.
    """
    notes: list[str] = []
    archive = _archive(path, notes)
    facts: dict[str, Any] = _about_run(path, archive, notes)
    arrays: dict[str, np.ndarray] = {f"palette {name}": _palette(name) for name in _PALETTES}
    metrics = _read(lambda: metrics_file.metrics(path / run_files.METRICS), {}, notes)
    if not growing.has_sums(path) and (path / run_files.METRICS).is_file():
        notes.append(
            "metrics.csv and events.jsonl have no checksums: an earlier version wrote them, and they are read as they are."
        )
    _add_curves(metrics, facts, arrays, notes)
    if archive is not None and len(archive.columns["id"]):
        archive = _in_cell_order(_with_repeats(path, archive, notes))
        record = map_record.record(archive)
        _add_elites(archive, record, facts, arrays, notes)
        _add_map(record, facts, arrays)
        _add_pictures(path, archive, facts, arrays, notes)
        _add_history(path, archive, record, _clock(metrics), facts, arrays, notes)
    else:
        notes.append("The archive holds no elites yet.")
    return Contents(facts, arrays)


def _archive(path: Path, notes: list[str]) -> archive_file.StoredArchive | None:
    """Returns the archive of a finished run; or the last one that was stored while it runs."""
    place = archive_file.newest(path)
    if place is None:
        return None
    if place != path:
        notes.append("The run is not finished: this is its map of the last checkpoint.")
    try:
        return _load(place)
    except UserError as error:
        notes.append(f"The archive cannot be read: {error}")
        return None


def _load(place: Path) -> archive_file.StoredArchive:
    """Loads an archive; once more where a run replaced one of its two files in between."""
    header = place / run_files.ARCHIVE_HEADER
    before = header.stat().st_mtime_ns
    try:
        return archive_file.load(place)
    except UserError:
        time.sleep(0.1)
        if header.stat().st_mtime_ns == before:
            raise
    return archive_file.load(place)


def _with_repeats(path: Path, archive: archive_file.StoredArchive, notes: list[str]) -> archive_file.StoredArchive:
    """Adds what `qd reevaluate` found of each elite: mean objective and loss; NaN where it has not seen the elite."""
    elites = _read(lambda: headline.reevaluated(path), {}, notes).get("elites")
    names = ("objective", "loss")
    if not isinstance(elites, dict) or not all(isinstance(elites.get(name), list) for name in ("id", *names)):
        return archive
    row_of_id = {number: row for row, number in enumerate(elites["id"]) if isinstance(number, int)}
    added = {}
    for name in names:
        column = [elites[name][row] if row < len(elites[name]) else None for row in range(len(elites["id"]))]
        values = np.array([x if isinstance(x, int | float) else np.nan for x in column] + [np.nan], np.float64)
        added[f"evaluated again: {name}"] = values[[row_of_id.get(int(i), -1) for i in archive.columns["id"]]]
    return archive._replace(columns=archive.columns | added)


def _in_cell_order(archive: archive_file.StoredArchive) -> archive_file.StoredArchive:
    order = np.argsort(archive.columns["index"], kind="stable")
    return archive._replace(columns={name: column[order] for name, column in archive.columns.items()})


def _about_run(run: Path, archive: archive_file.StoredArchive | None, notes: list[str]) -> dict[str, Any]:
    about = archive.about if archive else {}
    path = run / run_files.CONFIG
    config = (_read(lambda: folder.config(run), None, notes) if path.is_file() else None) or about.get("config", {})
    result = _read(lambda: folder.result(run), None, notes) or {}
    events = _read(lambda: growing.events(run), [], notes)
    given = (event["warnings"] for event in events if isinstance(event.get("warnings"), list))
    notes += dict.fromkeys(str(warning) for warnings in given for warning in warnings)  # e.g. that a toy answered
    return {
        "name": str(config.get("name", run.name)),
        "folder": str(run),
        "seed": config.get("seed", about.get("seed")),
        "config": config,
        "status": result.get("status", "not finished"),
        "evaluations": about.get("evaluations", result.get("evaluations")),
        "budget": config.get("budget"),
        "figures": [list(each) for each in _read(lambda: headline.figures(run, about.get("evaluations")), [], notes)],
        "wall_s": result.get("wall_s"),
        "compile_s": result.get("compile_s"),
        "versions": about.get("versions", {}),
        "commit": about.get("commit"),
        "config_hash": about.get("config_hash"),
        "domain_code": _domain_code(config.get("domain")),
        "cite": provenance.citation("qd-atlas"),
        "events": events,
        "notes": notes,
    }


def _domain_code(node: Any) -> list[str] | None:
    """Returns two lines of Python that build a domain of plain settings: an import and a call; None for others."""
    if not isinstance(node, dict) or not re.fullmatch(r"[\w.]+\.\w+", str(node.get("_target_"))):
        return None
    module, _, name = str(node["_target_"]).rpartition(".")
    settings = {key: value for key, value in node.items() if key != "_target_"}
    if not all(
        key.isidentifier() and (value is None or isinstance(value, (int, float, str))) for key, value in settings.items()
    ):
        return None
    return [f"from {module} import {name}", f"{name}({', '.join(f'{key}={value!r}' for key, value in settings.items())})"]


def _add_curves(metrics: dict[str, np.ndarray], facts: dict[str, Any], arrays: dict[str, np.ndarray], notes: list[str]) -> None:
    """Adds the columns of metrics.csv, thinned where they are long."""
    count = len(metrics.get("evals", ()))
    step = max(1, count // _CURVES)
    selection = np.unique(np.append(np.arange(0, count, step), count - 1)) if count else np.zeros(0, int)
    facts["curve_titles"] = _CURVE_TITLES
    facts["curves"] = [name for name, column in metrics.items() if np.isfinite(column).any()]
    if step > 1:
        notes.append(f"Curves show each {step}th of {count:,} rows.")
    for name in facts["curves"]:
        arrays[f"curve {name}"] = metrics[name][selection]


def _add_elites(
    archive: archive_file.StoredArchive, record: Map, facts: dict[str, Any], arrays: dict[str, np.ndarray], notes: list[str]
) -> None:
    columns = archive.columns
    arrays |= {name: columns[name] for name in ("id", "objective", "measures")} | {"cell": columns["index"]}
    facts["measures"] = [str(name) for name in record.names]
    facts["axis_labels"] = record.axis_labels
    facts["features"], facts["objective_names"] = [], archive.about.get("objective_names", [])
    for name, column in columns.items():
        wide = column.reshape(len(column), -1) if column.dtype.kind in "fiub" else np.zeros((0, 0))
        if name in _OWN or not 0 < wide.shape[1] <= 8 or np.array_equal(wide, columns["measures"]):
            continue
        for i in range(wide.shape[1]):
            title = name if wide.shape[1] == 1 else f"{name}[{i}]"
            facts["features"].append(title)
            arrays[f"feature {title}"] = wide[:, i].astype(np.float32)
    solutions = columns["solution"]
    if solutions.dtype.kind in "fiub":
        if solutions.nbytes <= _SOLUTIONS:
            arrays["solution"] = solutions.reshape(len(solutions), -1)
    else:
        texts = [each if isinstance(each, str) else json.dumps(each, ensure_ascii=False) for each in solutions.tolist()]
        if sum(map(len, texts)) <= _SOLUTIONS:
            facts["solutions"] = texts
    if "solution" not in arrays and "solutions" not in facts:
        notes.append("Solutions are too large for this page: qd export writes them.")


def _add_map(record: Map, facts: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
    """Adds what cells look like: their number along each measure, or polygons, or neither."""
    scale = record.scale
    facts["bounds"] = [[float(low), float(high)] for low, high in record.bounds]
    facts["dims"] = None if record.dims is None else list(record.dims)
    facts["cells"] = record.cells
    facts["scale"] = None if scale is None else list(scale)
    if record.dims is None and record.centroids is not None and len(record.bounds) == 2:
        polygons = voronoi(record.centroids, record.bounds)
        arrays["polygon start"] = np.append(0, np.cumsum([len(polygon) for polygon in polygons]))
        arrays["polygon"] = np.concatenate(polygons).astype(np.float32)


def _add_pictures(
    path: Path, archive: archive_file.StoredArchive, facts: dict[str, Any], arrays: dict[str, np.ndarray], notes: list[str]
) -> None:
    """Adds renderings, the best elites first, as long as there is room."""
    pictures = _read(lambda: renderings.renderings(path / run_files.RENDERINGS, archive.columns["id"]), [], notes)
    best_first = np.argsort(-archive.columns["objective"], kind="stable")
    content_of_id, used, left_out = {}, 0, 0
    for row in best_first if pictures else ():
        picture = pictures[row]
        if picture is None:
            continue
        data = picture.content
        if used + len(data) > _PICTURES:
            left_out += 1
            continue
        used += len(data)
        is_text = picture.kind in ("svg", "text", "html")
        content_of_id[str(archive.columns["id"][row])] = [
            picture.kind,
            data.decode("utf-8", "replace") if is_text else base64.b64encode(data).decode(),
        ]
    facts["pictures"] = content_of_id
    if left_out:
        notes.append(f"{left_out:,} pictures of elites are left out: they would make this page too large.")


def _add_history(
    path: Path,
    archive: archive_file.StoredArchive,
    record: Map,
    clock: timeline.Clock | None,
    facts: dict[str, Any],
    arrays: dict[str, np.ndarray],
    notes: list[str],
) -> None:
    """Adds the timeline and the ancestors."""
    columns, total = archive.columns, int(facts["evaluations"] or 0)
    rows = _read(lambda: history.load(path), None, notes)
    film = None
    if rows is not None and len(rows["id"]) and record.cells is not None and not _refits(facts["events"]):
        film = _short(rows, total, clock)
        if timeline.last_frame(film) != dict(zip(columns["index"].tolist(), columns["id"].tolist(), strict=True)):
            film = None
    if film is None:
        film = timeline.by_birth(columns["id"], columns["index"], columns["objective"], total, _FRAMES)
        facts["film"] = "births"
    else:
        facts["film"] = "replay"
    film.evaluations[-1] = max(film.evaluations[-1], total)  # nothing changed after the last frame
    for name in ("evaluations", "start", "cell", "id", "objective"):
        arrays[f"film {name}"] = getattr(film, name)
    if rows is None:
        return
    family = lineage.trace(rows, columns["id"])
    for name in ("id", "generation", "objective", "parents"):
        arrays[f"family {name}"] = getattr(family, name)
    if family.left_out:
        notes.append("Older ancestors are left out: they would make this page too large.")


def _short(rows: history.Columns, total: int, clock: timeline.Clock | None = None) -> timeline.Timeline:
    """Replays in as many frames as there is room for."""
    film = timeline.replay(rows, total, _FRAMES, clock)
    changes = len(film.cell)
    return film if changes <= _CHANGES else timeline.replay(rows, total, max(20, _FRAMES * _CHANGES // changes), clock)


def _clock(metrics: dict[str, np.ndarray]) -> timeline.Clock | None:
    """Returns when generations ended, where metrics.csv says it."""
    return (metrics["generation"], metrics["evals"]) if {"generation", "evals"} <= metrics.keys() else None


def _refits(events: list[dict[str, Any]]) -> bool:
    return any(event.get("event") in ("refit", "relearn") for event in events)


def _read(reader: Any, default: Any, notes: list[str]) -> Any:
    """Returns what a reader returns; what cannot be read is named on the page."""
    try:
        return reader()
    except (UserError, OSError) as error:
        notes.append(str(error))
        return default


def _palette(name: str) -> np.ndarray:
    """Returns 256 colours, uint8 [256, 3]: those of matplotlib, which takes 0.1 seconds to import."""
    digits = json.loads(_COLOURS.read_text(encoding="utf-8"))[name]
    return np.frombuffer(bytes.fromhex(digits), np.uint8).reshape(256, 3)
