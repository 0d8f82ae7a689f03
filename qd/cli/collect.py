"""`qd collect FOLDER ...`: runs that differ only in their seed are one method; a table and curves of all methods over seeds.

R runs, G rows of metrics.csv.
"""

from collections.abc import Sequence
from pathlib import Path

from qd.report.collect import collect

USAGE = """usage: qd collect FOLDER [FOLDER ...] [into=FOLDER]

Compares all finished runs below the folders: one table (median and mean with their 95 % bootstrap intervals over seeds;
table.csv in long form, table.tex) and figures/curves (png and pdf). Runs that differ only in their seed are one method."""


def main(args: Sequence[str]) -> int:
    """Collects and prints. Raises ValueError where there is nothing to collect; says what to type instead."""
    if not args or {"-h", "--help"} & set(args):
        print(USAGE)
        return 0 if args else 2
    into = [Path(arg.partition("=")[2]) for arg in args if arg.startswith("into=")]
    collect([Path(arg) for arg in args if not arg.startswith("into=")], into[-1] if into else None)
    return 0
