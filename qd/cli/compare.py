"""`qd compare RUN ... | FOLDER`: methods side by side, from all finished runs below the folders.

Runs that differ only in their seed are one method. Writes compare.html, one page that needs no network: maps on one colour
scale and where they differ, curves, final figures and all differences between methods, paired by seed where the seeds match,
with 95 % intervals, effect sizes, p-values corrected for their number (Holm), and how many seeds would tell two methods apart.
For a paper: table.csv, table.tex, comparisons.csv, comparisons.tex, and figures/ as png and pdf.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

from qd.cli.parser import command_parser, nonempty_path


def main(words: Sequence[str]) -> int:
    """Compares and prints.

    Raises:
        UserError: there is nothing to compare, or no such metric or method.
    """
    parser = command_parser(
        "compare", __doc__, "qd compare FOLDER [FOLDER ...] [--metric NAME] [--against METHOD] [--out FOLDER]"
    )
    parser.add_argument("folders", metavar="FOLDER", nargs="+", type=nonempty_path, help="runs, or folders that hold runs")
    parser.add_argument("--out", metavar="FOLDER", type=nonempty_path, help="where to write; by default where the runs lie")
    parser.add_argument(
        "--metric", metavar="NAME", action="append", default=[], help="compare this column of metrics.csv; may be repeated"
    )
    parser.add_argument("--against", metavar="METHOD", help="compare all others with this method only, not all pairs")
    args = parser.parse_intermixed_args(words)

    from qd.report.compare.write import compare

    compare(args.folders, args.out, args.metric, args.against)
    return 0


def collect(words: Sequence[str]) -> int:
    """Does the same under the name that the command had before.

    Raises:
        UserError: there is nothing to compare.
    """
    if {"-h", "--help"} & set(words):
        return main(words)
    print("qd: qd collect is called qd compare now", file=sys.stderr)
    into = [word.removeprefix("into=") for word in words if word.startswith("into=")]
    folders = [word for word in words if not word.startswith("into=")]
    return main([*folders, *(["--out", str(Path(into[-1])) if into[-1].strip() else into[-1]] if into else [])])
