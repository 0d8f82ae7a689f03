"""The elites of a run as a table, or as files that others run, written by a domain's own exporter."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from qd.report import summary
from qd.report.query import MARKS, query
from qd.store import archive_file, runs
from qd.support import atomic
from qd.support.errors import UserError
from qd.support.spelling import nearest

_FIRST = ("id", "objective", "measures", "solution")
FORMATS = ("csv", "parquet", "jsonl")


def write(columns: dict[str, np.ndarray], form: str, out: Path) -> Path:
    """Writes a table and returns its file; csv and parquet have columns as pyribs names them (measures_0, solution_0, ...).

    Raises:
        ValueError: pyarrow lacks, or two columns would have one name.
    """
    from qd.store.tables import WRITERS

    data = WRITERS[form](columns)
    atomic.make_folder(out.parent)
    atomic.write(out, data)
    return out


def table(run: Path, by: Any = None) -> dict[str, np.ndarray]:
    """Returns the columns of a run's elites, oldest first, as they are exported.

    Args:
        by: adds columns of its own (qd/report/summary.py).

    Raises:
        ValueError: the folder is no run, or its archive is damaged.
    """
    runs.check(run)
    columns = archive_file.load(run).columns
    oldest_first = np.argsort(columns["id"], kind="stable")
    order = [*_FIRST, *(name for name in columns if name not in _FIRST)]
    return summary.extended({name: columns[name][oldest_first] for name in order}, by)


def columns_of(run: Path) -> str | None:
    """The choice of columns that a run's domain named."""
    name = archive_file.load(run).about.get("config", {}).get("columns")
    return name if isinstance(name, str) else None


def keep(numbers: dict[str, float], out: Path) -> dict[str, float]:
    """Writes the numbers of a whole set beside its table, and returns them."""
    plain = {name: value if np.isfinite(value) else None for name, value in numbers.items()}
    atomic.write(out, (json.dumps(plain, indent=1) + "\n").encode())
    return numbers


def forms() -> dict[str, dict[str, str]]:
    """Returns format -> what to call, for which domain, and what it is."""
    import yaml

    from qd.support.conf import conf

    return yaml.safe_load((conf() / "exports.yaml").read_text(encoding="utf-8"))


def export(run: Path, ids: Sequence[int], form: str, folder: Path) -> list[dict[str, Any]]:
    """Exports elites by id and keeps their reports in RUN/deployable.json."""
    from qd.config.build import build, locate

    choice, stored = forms()[form], archive_file.load(run)
    node = stored.about.get("config", {}).get("domain") or {}
    if node.get("_target_") != choice["domain"]:  # nothing is built that a stranger's archive.json names
        raise UserError(
            f"--format {form} is for runs of {choice['domain']}, and this one is of {node.get('_target_', 'no domain')}; "
            "type --format csv, jsonl or parquet"
        )
    rows = [int((stored.columns["id"] == number).argmax()) for number in ids]
    domain = build(node, {}, "domain")
    make = locate(choice["_target_"], f"conf/exports.yaml: {form}")
    cells = [int(stored.columns["index"][i]) for i in rows]
    reports = make(domain, list(ids), cells, stored.columns["solution"][rows], folder, form)
    marks = run / MARKS
    kept = json.loads(marks.read_text(encoding="utf-8")) if marks.exists() else []
    fresh = {(report["id"], report["format"]) for report in reports}
    kept = [report for report in kept if (report["id"], report["format"]) not in fresh] + reports
    atomic.write(marks, (json.dumps(kept, indent=1) + "\n").encode())
    return reports


def choose(run: Path, cells: Sequence[int], where: Sequence[str], top: int) -> list[int]:
    """Returns ids of elites. Raises ValueError where a cell is empty, or no elite meets the conditions."""
    columns = archive_file.load(run).columns
    held = dict(zip(columns["index"].tolist(), columns["id"].tolist(), strict=True))
    for cell in cells:
        if cell not in held:
            known = nearest(str(cell), map(str, sorted(held)), 5)
            raise UserError(f"cell {cell} is empty; filled are {known} and others: type qd query {run} to find one")
    ids = [held[cell] for cell in cells]
    if where:
        answer = query(run, where, top)
        if not answer.met:
            near = answer.rows[0]["cell"]
            raise UserError(f"no elite meets {' and '.join(where)}; the nearest is cell {near}: type --cell {near}")
        ids += [row["id"] for row in answer.rows]
    if not ids:
        raise UserError('which elites? type --cell N (qd query names cells), or --where "size<=30KB"')
    return list(dict.fromkeys(ids))
