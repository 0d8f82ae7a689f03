"""`qd tell RUN results.jsonl`: takes the results of the batch that `qd ask` printed. All of them, or nothing is changed.

A line for each solution of the batch, in any order: {"id": 7, "objective": 1.5, "features": {"end": [0.1, 0.2]}};
objective null (features may lack) where it failed.
"""

from collections.abc import Sequence

from qd.cli.parser import command_parser


def main(words: Sequence[str]) -> int:
    """Tells. Raises UserError that names what is missing, foreign, twice or malformed; then nothing is changed."""
    parser = command_parser("tell", __doc__, "qd tell RUN results.jsonl")
    parser.add_argument("run", metavar="RUN", help="folder of the run")
    parser.add_argument("results", metavar="results.jsonl", help="file of results; - reads standard input")
    args = parser.parse_args(words)

    from qd.config.existing import settings_of

    settings, run = settings_of([args.run])

    from qd.runner.external import tell

    report = tell(settings, run, args.results)
    print(f"{report.results} results, {report.failed} of them failures: "
          f"{report.evaluations:,} of {report.budget:,} evaluations")  # fmt: skip
    if report.remaining is not None:
        print(report.remaining)
    if report.figures is None:
        print(f"next: qd ask {report.run} > batch.jsonl")
    else:
        print(f"finished; drawn: {', '.join(str(figure) for figure in report.figures if figure.suffix == '.png')}")
    return 0
