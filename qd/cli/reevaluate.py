"""`qd reevaluate RUN --times 32`: evaluates every elite again, for domains with noise, whose archives keep the lucky.

Writes RUN/reevaluated.json, which `qd report RUN` shows too: the corrected QD score, of the elites by their mean objectives and
measures, and what each elite loses.
"""

from collections.abc import Sequence

from qd.cli.parser import command_parser, nonempty_path


def main(words: Sequence[str]) -> int:
    """Evaluates and prints the figures. Raises UserError where a folder is no run, or not trusted."""
    parser = command_parser("reevaluate", __doc__)
    parser.add_argument("run", metavar="RUN", type=nonempty_path, help="folder of a run")
    parser.add_argument("--times", type=int, default=32, metavar="N", help="evaluations of each elite; 32 by default")
    parser.add_argument("settings", metavar="KEY=VALUE", nargs="*", help="settings of a foreign run that you trust")
    args = parser.parse_intermixed_args(words)

    from qd.store import runs

    runs.check(args.run, "qd reevaluate {}")  # before JAX is imported
    from qd.report.reevaluate import reevaluate, text

    print(text(reevaluate(args.run, args.times, args.settings)))
    return 0
