"""`qd export RUN`: the elites of a run as a table, one row each, and what the whole set is like."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from qd.report import export, summary
from qd.store import archive_file, runs
from qd.support.errors import UserError


def main(args: Sequence[str]) -> int:
    """Writes the table and says where it lies. Raises ValueError where a folder is no run."""
    if any(word.removeprefix("--format=") in export.forms() for word in args):
        return _export_files(args)
    if cells := [word for word in args if word.split("=")[0] in ("--cell", "--where", "--top")]:
        raise UserError(
            f"{cells[0]} chooses cells to make files of", f"type --format {' or --format '.join(export.forms())} too"
        )
    parser = argparse.ArgumentParser("qd export", description="Writes the elites of a run as a table, one row each: "
                                     "id, objective, measures, solution, features.")  # fmt: skip
    parser.add_argument("run", metavar="RUN", type=Path, help="folder of a run")
    parser.add_argument("lm", metavar="KEY=VALUE", nargs="*", help="a language model for columns that want one: lm=vllm")
    parser.add_argument(
        "--format",
        choices=(*export.FORMATS, *export.forms()),
        help="by default as --out ends, else csv; parquet needs pyarrow. Files that others run: " + ", ".join(export.forms()),
    )
    parser.add_argument("--out", metavar="F", type=Path, help="file; by default RUN/archive.FORMAT")
    parser.add_argument("--columns", metavar="NAME", help="more columns, a choice of conf/columns.yaml; none for none")
    parser.add_argument(
        "--summary", action="store_true", help="also write and print numbers of the whole set, as texts always do"
    )
    asked = parser.parse_intermixed_args(args)
    ending = asked.out.suffix[1:] if asked.out else ""
    form = asked.format or (ending if ending in export.FORMATS else "csv")
    runs.check(asked.run, "qd export")
    by = summary.adder(asked.columns or export.columns_of(asked.run), asked.lm)
    columns, out = export.table(asked.run, by), asked.out or asked.run / f"archive.{form}"
    print(export.write(columns, form, out))
    if by is not None or asked.summary:
        about = archive_file.load(asked.run).about
        print(summary.lines(export.keep(summary.summary(columns, about, by), out.with_suffix(".summary.json"))))
    return 0


def _export_files(args: Sequence[str]) -> int:
    """Exports cells, says what was found, and returns 0 where every one is deployable, else 3.

    Raises:
        ValueError: the run's domain has no such export, a cell is empty, or the exporter refuses.
    """
    parser = argparse.ArgumentParser("qd export", description="Writes elites as files that others run, and checks each.")
    parser.add_argument("run", metavar="RUN", type=Path, help="folder of a run")
    parser.add_argument("--format", required=True, choices=list(export.forms()))
    parser.add_argument("--cell", type=int, action="append", default=[], metavar="N", help="a cell, as qd query names it")
    parser.add_argument("--where", action="append", default=[], metavar="CONDITION", help='or the best that meets "size<=30KB"')
    parser.add_argument("--top", type=int, default=1, metavar="N", help="how many of those that meet --where")
    parser.add_argument("--out", type=Path, metavar="F", help="folder; by default RUN/deployable")
    asked = parser.parse_args(args)
    runs.check(asked.run, "qd export")
    ids = export.choose(asked.run, asked.cell, asked.where, asked.top)
    reports = export.export(asked.run, ids, asked.format, asked.out or asked.run / "deployable")
    return 0 if all(report["deployable"] for report in reports) else 3
