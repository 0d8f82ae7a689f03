"""The elites of a run as a table, or as files that others run, written by a domain's own exporter."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from qd.config.build import build, locate
from qd.config.plugins import TABLES, exporters
from qd.report import summary
from qd.report.query import MARKS, query
from qd.report.query import reports as reports_of
from qd.store import archive_file, runs, trusted
from qd.store.tables import WRITERS
from qd.support import atomic, run_files
from qd.support.errors import UserError

_FIRST = ("id", "objective", "measures", "solution")


def write(columns: dict[str, np.ndarray], form: str, out: Path) -> Path:
    """Writes a table and returns its file; csv and parquet have columns as pyribs names them (measures_0, solution_0, ...).

    Args:
        columns: name -> [N] or [N, ...], a row for each elite.
        form: csv, parquet or jsonl.
        out: the file; its folder is made.

    Returns:
        ``out``.

    Raises:
        UserError: pyarrow is not installed, two columns would have one name, or the file cannot be written.
    """
    data = WRITERS[form](columns)
    atomic.make_folder(out.parent)
    atomic.write(out, data)
    return out


def export_table(
    run: Path, form: str | None, out: Path | None, columns: str | None = None, whole: bool = False, lm: Sequence[str] = ()
) -> tuple[Path, dict[str, float] | None]:
    """Writes the elites of a run as a table. Returns its file, and numbers of the whole set where they are wanted.

    Args:
        form: one of TABLES; None: as ``out`` ends, else csv.
        out: None: RUN/archive.FORMAT.
        columns: a choice of conf/columns.yaml; None: the one that the run's domain names.
        whole: numbers of the whole set are wanted even where no columns are added.
        lm: what a language model is built from, for columns that want one.

    Raises:
        UserError: the folder is no run, or there are no such columns.
    """
    runs.check(run, "qd export {}")
    ending = out.suffix[1:] if out else ""
    form = form or (ending if ending in TABLES else "csv")
    by = summary.adder(columns or columns_of(run), lm)
    elites, out = table(run, by), out or run / f"archive.{form}"
    write(elites, form, out)
    if by is None and not whole:
        return out, None
    return out, keep(summary.summary(elites, archive_file.load(run).about, by), out.with_suffix(".summary.json"))


def export_cells(
    run: Path,
    form: str,
    cells: Sequence[int],
    where: Sequence[str],
    top: int = 1,
    out: Path | None = None,
    words: Sequence[str] = (),
) -> list[dict[str, Any]]:
    """Writes chosen elites as files that others run, and returns a report on each, which says whether it is "deployable".

    Args:
        form: one of ``plugins.exporters()``.
        cells: of which the elites are exported.
        where: conditions of ``query``; the ``top`` best that meet them are exported too.
        out: folder; None: RUN/deployable.
        words: settings of a foreign run's domain that are trusted, e.g. "domain.network=mine".

    Raises:
        UserError: the run's domain has no such export or is not trusted, a cell is empty, or the exporter refuses.
    """
    runs.check(run, "qd export {}")
    return export(run, choose(run, cells, where, top), form, out or run / run_files.EXPORTS, words)


def table(run: Path, by: Any = None) -> dict[str, np.ndarray]:
    """Returns the columns of a run's elites, oldest first, as they are exported.

    Args:
        by: adds columns of its own (qd/report/summary.py).

    Raises:
        ValueError: the folder is no run, or its archive is damaged.
    """
    runs.check(run)
    return summary.with_added_columns(oldest_first(archive_file.load(run).columns), by)


def oldest_first(columns: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Returns the columns of an archive in the order in which they are exported, rows by id."""
    rows = np.argsort(columns["id"], kind="stable")
    order = [*_FIRST, *(name for name in columns if name not in _FIRST)]
    return {name: columns[name][rows] for name in order}


def columns_of(run: Path) -> str | None:
    """The choice of columns that a run's domain named."""
    name = archive_file.load(run).about.get("config", {}).get("columns")
    return name if isinstance(name, str) else None


def keep(numbers: dict[str, float], out: Path) -> dict[str, float]:
    """Writes the numbers of a whole set beside its table, and returns them.

    Args:
        numbers: name -> value; NaN and infinity are written as null.
        out: the json file.

    Returns:
        ``numbers``, unchanged.

    Raises:
        UserError: the file cannot be written.
    """
    plain = {name: value if np.isfinite(value) else None for name, value in numbers.items()}
    atomic.write(out, (json.dumps(plain, indent=1) + "\n").encode())
    return numbers


def export(run: Path, ids: Sequence[int], form: str, folder: Path, words: Sequence[str] = ()) -> list[dict[str, Any]]:
    """Exports elites by id and keeps their reports in RUN/deployable.json.

    Args:
        run: folder of the run.
        ids: of elites that its archive holds.
        form: one of ``plugins.exporters()``.
        folder: of the exported files.
        words: settings of a foreign run's domain that are trusted.

    Returns:
        The exporter's reports on these elites; in deployable.json they replace earlier ones of the same id and format.

    Raises:
        UserError: the format is for another domain, the domain is not trusted, the archive cannot be read or has no elite
            with one of the ids, or the exporter refuses.
    """
    choice, archive = exporters()[form], archive_file.load(run)
    node = archive.about.get("config", {}).get("domain") or {}
    if node.get("_target_") != choice["domain"]:
        raise UserError(
            f"--format {form} is for runs of {choice['domain']}, and this one is of {node.get('_target_', 'no domain')}; "
            "type --format csv, jsonl or parquet"
        )
    trusted.check(run, archive.about["config"], ("domain",), words)
    rows = archive_file.rows_by_id(archive, ids)
    domain = build(node, {}, "domain")
    exporter = locate(choice["_target_"], f"conf/exports.yaml: {form}")
    cells = [int(archive.columns["index"][i]) for i in rows]
    reports = exporter(domain, list(ids), cells, archive.columns["solution"][rows], folder)
    fresh = {(report["id"], report["format"]) for report in reports}
    earlier = [report for report in reports_of(run) if (report["id"], report["format"]) not in fresh]
    atomic.write(run / MARKS, (json.dumps(earlier + reports, indent=1) + "\n").encode())
    return reports


def choose(run: Path, cells: Sequence[int], where: Sequence[str], top: int) -> list[int]:
    """Returns ids of elites, by cell and by conditions.

    Args:
        run: folder of the run.
        cells: indices of filled cells.
        where: conditions of ``query``, all of which must be met.
        top: how many of the elites that meet them are taken, by objective.

    Returns:
        Each id once: those of the cells, then those that meet the conditions, the best first.

    Raises:
        UserError: a cell is empty, a condition cannot be read, no elite meets them all, or neither cells nor
            conditions are given.
    """
    columns = archive_file.load(run).columns
    id_of_cell = dict(zip(columns["index"].tolist(), columns["id"].tolist(), strict=True))
    for cell in cells:
        if cell not in id_of_cell:
            nearest_cells = sorted(sorted(id_of_cell, key=lambda filled: abs(filled - cell))[:3])
            raise UserError(f"cell {cell} is empty; the nearest that are not: {', '.join(map(str, nearest_cells))}")
    ids = [id_of_cell[cell] for cell in cells]
    if where:
        answer = query(run, where, top)
        if not answer.met:
            near = answer.rows[0]["cell"]
            raise UserError(f"no elite meets {' and '.join(where)}; the nearest is cell {near}: type --cell {near}")
        ids += [row["id"] for row in answer.rows]
    if not ids:
        raise UserError('which elites? type --cell N (qd query names cells), or --where "size<=30KB"')
    return list(dict.fromkeys(ids))
