"""`qd export RUN`: the elites of a run as a table, one row each, and what the whole set is like."""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from qd.cli import added, plot, ship
from qd.store import archive_file, files

_FIRST = ("id", "objective", "measures", "solution")
FORMATS = ("csv", "parquet", "jsonl")


def main(args: Sequence[str]) -> int:
    """Writes the table and says where it lies. Raises ValueError where a folder is no run."""
    if any(word.removeprefix("--format=") in ship.forms() for word in args):
        return ship.main(args)
    if cells := [word for word in args if word.split("=")[0] in ("--cell", "--where", "--top")]:
        raise ValueError(f"{cells[0]} chooses cells to make files of; type --format {' or --format '.join(ship.forms())} too")
    parser = argparse.ArgumentParser("qd export", description="Writes the elites of a run as a table, one row each: "
                                     "id, objective, measures, solution, features.")  # fmt: skip
    parser.add_argument("run", metavar="RUN", type=Path, help="folder of a run")
    parser.add_argument("lm", metavar="KEY=VALUE", nargs="*", help="a language model for columns that want one: lm=vllm")
    parser.add_argument(
        "--format",
        choices=(*FORMATS, *ship.forms()),
        help="by default as --out ends, else csv; parquet needs pyarrow. Files that others run: " + ", ".join(ship.forms()),
    )
    parser.add_argument("--out", metavar="F", type=Path, help="file; by default RUN/archive.FORMAT")
    parser.add_argument("--columns", metavar="NAME", help="more columns, a choice of conf/columns.yaml; none for none")
    parser.add_argument(
        "--summary", action="store_true", help="also write and print numbers of the whole set, as texts always do"
    )
    asked = parser.parse_intermixed_args(args)
    ending = asked.out.suffix[1:] if asked.out else ""
    form = asked.format or (ending if ending in FORMATS else "csv")
    plot.check(asked.run, "qd export")
    by = added.adder(asked.columns or columns_of(asked.run), asked.lm)
    columns, out = table(asked.run, by), asked.out or asked.run / f"archive.{form}"
    print(write(columns, form, out))
    if by is not None or asked.summary:
        about = archive_file.load(asked.run).about
        print(added.lines(_kept(added.summary(columns, about, by), out.with_suffix(".summary.json"))))
    return 0


def write(columns: dict[str, np.ndarray], form: str, out: Path) -> Path:
    """Writes a table and returns its file; csv and parquet have columns as pyribs names them (measures_0, solution_0, ...).

    Raises:
        ValueError: pyarrow lacks, or two columns would have one name.
    """
    from qd.cli.tables import WRITERS

    data = WRITERS[form](columns)
    files.make_folder(out.parent)
    files.write(out, data)
    return out


def table(run: Path, by: Any = None) -> dict[str, np.ndarray]:
    """Returns the columns of a run's elites, oldest first, as they are exported.

    Args:
        by: adds columns of its own (qd/cli/added.py).

    Raises:
        ValueError: the folder is no run, or its archive is damaged.
    """
    plot.check(run)
    columns = archive_file.load(run).columns
    oldest_first = np.argsort(columns["id"], kind="stable")
    order = [*_FIRST, *(name for name in columns if name not in _FIRST)]
    return added.extended({name: columns[name][oldest_first] for name in order}, by)


def columns_of(run: Path) -> str | None:
    """The choice of columns that a run's domain named."""
    name = archive_file.load(run).about.get("config", {}).get("columns")
    return name if isinstance(name, str) else None


def _kept(numbers: dict[str, float], out: Path) -> dict[str, float]:
    """Writes the numbers of a whole set beside its table, and returns them."""
    plain = {name: value if np.isfinite(value) else None for name, value in numbers.items()}
    files.write(out, (json.dumps(plain, indent=1) + "\n").encode())
    return numbers
