"""`qd collect FOLDER ...`: compares all finished runs below the folders; runs that differ only in their seed are one method.

One table (median and mean with their 95 % bootstrap intervals over seeds; table.csv in long form, table.tex) and
figures/curves (png and pdf).
"""

from collections.abc import Sequence
from pathlib import Path

from qd.cli.parser import command_parser


def main(words: Sequence[str]) -> int:
    """Collects and prints. Raises UserError where there is nothing to collect."""
    parser = command_parser("collect", __doc__, "qd collect FOLDER [FOLDER ...] [into=FOLDER]")
    parser.add_argument(
        "folders", metavar="FOLDER", nargs="+", help="runs, or folders that hold runs; into=FOLDER: where to write"
    )
    folders = parser.parse_args(words).folders

    from qd.report.collect import collect

    into = [folder.removeprefix("into=") for folder in folders if folder.startswith("into=")]
    if not all(name.strip() for name in (*folders, *into)):
        parser.error("an empty name is no folder: type a name, or . for this folder")
    collect([Path(folder) for folder in folders if not folder.startswith("into=")], Path(into[-1]) if into else None)
    return 0
