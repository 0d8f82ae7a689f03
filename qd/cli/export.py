"""`qd export RUN`: the elites of a run as a table, one row each."""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from qd.cli import plot
from qd.store import archive_file, files

_FIRST = ("id", "objective", "measures", "solution")
FORMATS = ("csv", "parquet", "jsonl")


def main(args: Sequence[str]) -> int:
    """Writes the table and says where it lies. Raises ValueError where a folder is no run."""
    parser = argparse.ArgumentParser("qd export", description="Writes the elites of a run as a table, one row each: "
                                     "id, objective, measures, solution, features.")  # fmt: skip
    parser.add_argument("run", metavar="RUN", type=Path, help="folder of a run")
    parser.add_argument("--format", choices=FORMATS, help="by default as --out ends, else csv; parquet needs pyarrow")
    parser.add_argument("--out", metavar="F", type=Path, help="file; by default RUN/archive.FORMAT")
    asked = parser.parse_args(args)
    ending = asked.out.suffix[1:] if asked.out else ""
    form = asked.format or (ending if ending in FORMATS else "csv")
    print(export(asked.run, form, asked.out or asked.run / f"archive.{form}"))
    return 0


def export(run: Path, form: str, out: Path) -> Path:
    """Writes the elites of a run, oldest first, and returns the file.

    csv and parquet have columns as pyribs names them (measures_0, solution_0, ...); jsonl nests them.

    Raises:
        ValueError: the folder is no run, its archive is damaged, or pyarrow lacks.
    """
    from qd.cli.tables import WRITERS

    plot.check(run)
    columns = archive_file.load(run).columns
    oldest_first = np.argsort(columns["id"], kind="stable")
    order = [*_FIRST, *(name for name in columns if name not in _FIRST)]
    data = WRITERS[form]({name: columns[name][oldest_first] for name in order})
    files.make_folder(out.parent)
    files.write(out, data)
    return out
