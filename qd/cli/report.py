"""`qd report RUN ...`: a run as one page, report.html, that needs no network: the map to click on, curves, table, lineage.

Made from the folder alone, also of an unfinished run; no component is built, and no code in the folder is run.
"""

from collections.abc import Sequence

from qd.cli.parser import command_parser, nonempty_path


def main(words: Sequence[str]) -> int:
    """Writes the page of each run and prints where it lies.

    Raises:
        UserError: a folder is no run.
    """
    parser = command_parser("report", __doc__, "qd report RUN [RUN ...] [--out FILE]")
    parser.add_argument("runs", metavar="RUN", nargs="+", type=nonempty_path, help="folder of a run")
    parser.add_argument("--out", metavar="FILE", type=nonempty_path, help="the file; by default report.html in the folder")
    args = parser.parse_args(words)
    if args.out is not None and len(args.runs) > 1:
        parser.error("--out names one file: give one RUN")

    from qd.store import runs

    for run in args.runs:
        runs.check_begun(run, "qd report {}")  # before matplotlib is imported
    from qd.report.page import write

    for run in args.runs:
        print(write.write(run, args.out))
    return 0
