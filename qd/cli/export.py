"""`qd export RUN`: the elites of a run as a table, one row each: id, objective, measures, solution, features.

Or, with a --format of a domain's own (onnx, ...), chosen cells as files that others run, each checked; returns 3 where one of
them is not deployable.
"""

from collections.abc import Sequence

from qd.cli.parser import command_parser, nonempty_path
from qd.config.plugins import TABLES, exporters
from qd.support.errors import UserError


def main(words: Sequence[str]) -> int:
    """Exports and prints where it lies. Raises UserError where a folder is no run, or options do not fit the format."""
    parser = command_parser("export", __doc__)
    parser.add_argument("run", metavar="RUN", type=nonempty_path, help="folder of a run")
    parser.add_argument("--out", metavar="F", type=nonempty_path, help="file, or folder of files; by default in RUN")
    parser.add_argument(
        "--format",
        choices=(*TABLES, *exporters()),
        help="by default as --out ends, else csv; parquet needs pyarrow. Files that others run: " + ", ".join(exporters()),
    )
    parser.add_argument("--card", action="store_true", help="a README with figures, settings, metrics and how to load and cite")
    table = parser.add_argument_group("a table")
    table.add_argument(
        "settings", metavar="KEY=VALUE", nargs="*", help="a language model for columns that want one: lm=vllm; for files that "
        "others run, settings of a foreign run's domain that you trust"
    )  # fmt: skip
    table.add_argument("--columns", metavar="NAME", help="more columns, a choice of conf/columns.yaml; none for none")
    table.add_argument(
        "--summary", action="store_true", help="also write and print numbers of the whole set, as texts always do"
    )
    files = parser.add_argument_group("files that others run")
    files.add_argument("--cell", type=int, action="append", default=[], metavar="N", help="a cell, as qd query names it")
    files.add_argument("--where", action="append", default=[], metavar="CONDITION", help='or the best that meets "size<=30KB"')
    files.add_argument("--top", type=int, default=1, metavar="N", help="how many of those that meet --where; 1 by default")
    args = parser.parse_intermixed_args(words)
    if args.card:
        from qd.report import card

        if args.format or args.settings or args.columns or args.summary:
            parser.error("--card goes with RUN and --out only")
        print(card.write(args.run, args.out))
        return 0
    formats = exporters()
    makes_files, of_files = args.format in formats, [word for word in words if word.startswith(("--cell", "--where", "--top"))]
    if of_files and not makes_files:
        raise UserError(f"{of_files[0]} chooses cells to make files of", f"type --format {' or --format '.join(formats)} too")
    if makes_files and (args.columns or args.summary):
        parser.error(f"--columns and --summary are for tables, and --format {args.format} makes files")

    from qd.report import export, summary

    if makes_files:
        reports = export.export_cells(args.run, args.format, args.cell, args.where, args.top, args.out, args.settings)
        return 0 if all(report["deployable"] for report in reports) else 3
    path, numbers = export.export_table(args.run, args.format, args.out, args.columns, args.summary, args.settings)
    print(path)
    if numbers is not None:
        print(summary.lines(numbers))
    return 0
