"""`qd select RUN --n 20`: a diverse and good subset of a run's elites, compared with random ones and with the best."""

from argparse import SUPPRESS
from collections.abc import Sequence

from qd.cli.parser import command_parser, nonempty_path
from qd.config.plugins import TABLES


def main(words: Sequence[str]) -> int:
    """Writes the subset and prints how it compares. Raises UserError where there is no such subset."""
    parser = command_parser("select", __doc__)
    parser.argument_default = SUPPRESS  # each default stands where it is used
    parser.add_argument("run", metavar="RUN", type=nonempty_path, help="folder of a run")
    parser.add_argument("--n", type=int, required=True, metavar="N", help="how many")
    parser.add_argument("--by", metavar="NAME", help="what is compared: measures, the default, or a feature that the run kept")
    parser.add_argument(
        "--diversity", type=float, metavar="D",
        help="from 0, the N best, to 1, as far apart as can be; by default the least that beats random subsets in Vendi score "
        "and objective",
    )  # fmt: skip
    for name in ("--clusters", "--rounds"):  # of an earlier version
        parser.add_argument(name, help=SUPPRESS)
    parser.add_argument("--seed", type=int, help="of the random subsets to compare with; 0 by default")
    parser.add_argument("--format", dest="form", choices=TABLES, help="jsonl by default")
    parser.add_argument("--out", metavar="F", type=nonempty_path, help="file; by default RUN/selection.FORMAT")
    args = parser.parse_args(words)
    if {"clusters", "rounds"} & set(vars(args)):
        parser.error(
            "--clusters and --rounds are gone: type --diversity 0.8, or another number from 0 (the best) to 1 (far apart)"
        )

    from qd.report.select import select

    path, comparison = select(**vars(args))
    print(f"{path}\n{comparison}")
    return 0
