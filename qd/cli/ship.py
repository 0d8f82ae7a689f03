"""`qd export RUN --format onnx --cell N`: elites as files that others run, written by a domain's own exporter.

Which exporters there are, and for which domain, is said in conf/exports.yaml: none is imported by name here.
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from qd.cli import plot
from qd.cli.query import MARKS, query
from qd.spelling import nearest
from qd.store import archive_file, files


def forms() -> dict[str, dict[str, str]]:
    """Returns format -> what to call, for which domain, and what it is."""
    import yaml

    from qd.cli.choices import conf

    return yaml.safe_load((conf() / "exports.yaml").read_text(encoding="utf-8"))


def main(args: Sequence[str]) -> int:
    """Exports cells, says what was found, and returns 0 where every one is deployable, else 3.

    Raises:
        ValueError: the run's domain has no such export, a cell is empty, or the exporter refuses.
    """
    parser = argparse.ArgumentParser("qd export", description="Writes elites as files that others run, and checks each.")
    parser.add_argument("run", metavar="RUN", type=Path, help="folder of a run")
    parser.add_argument("--format", required=True, choices=list(forms()))
    parser.add_argument("--cell", type=int, action="append", default=[], metavar="N", help="a cell, as qd query names it")
    parser.add_argument("--where", action="append", default=[], metavar="CONDITION", help='or the best that meets "size<=30KB"')
    parser.add_argument("--top", type=int, default=1, metavar="N", help="how many of those that meet --where")
    parser.add_argument("--out", type=Path, metavar="F", help="folder; by default RUN/deployable")
    asked = parser.parse_args(args)
    plot.check(asked.run, "qd export")
    ids = _chosen(asked.run, asked.cell, asked.where, asked.top)
    reports = export(asked.run, ids, asked.format, asked.out or asked.run / "deployable")
    return 0 if all(report["deployable"] for report in reports) else 3


def export(run: Path, ids: Sequence[int], form: str, folder: Path) -> list[dict[str, Any]]:
    """Exports elites by id and keeps their reports in RUN/deployable.json."""
    from qd.cli.build import build, locate

    choice, stored = forms()[form], archive_file.load(run)
    node = stored.about.get("config", {}).get("domain") or {}
    if node.get("_target_") != choice["domain"]:  # nothing is built that a stranger's archive.json names
        raise ValueError(
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
    files.write(marks, (json.dumps(kept, indent=1) + "\n").encode())
    return reports


def _chosen(run: Path, cells: Sequence[int], where: Sequence[str], top: int) -> list[int]:
    """Returns ids of elites. Raises ValueError where a cell is empty, or no elite meets the conditions."""
    columns = archive_file.load(run).columns
    held = dict(zip(columns["index"].tolist(), columns["id"].tolist(), strict=True))
    for cell in cells:
        if cell not in held:
            known = nearest(str(cell), map(str, sorted(held)), 5)
            raise ValueError(f"cell {cell} is empty; filled are {known} and others: type qd query {run} to find one")
    ids = [held[cell] for cell in cells]
    if where:
        answer = query(run, where, top)
        if not answer.met:
            near = answer.rows[0]["cell"]
            raise ValueError(f"no elite meets {' and '.join(where)}; the nearest is cell {near}: type --cell {near}")
        ids += [row["id"] for row in answer.rows]
    if not ids:
        raise ValueError('which elites? type --cell N (qd query names cells), or --where "size<=30KB"')
    return list(dict.fromkeys(ids))
