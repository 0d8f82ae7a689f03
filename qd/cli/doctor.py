"""`qd doctor [KEY=VALUE ...]`: what is wrong with a recipe, found by a dry run before its budget is spent.

Draws solutions, evaluates them, searches for about N evaluations (1,000), and says what is wrong and what to type instead.
Nothing is written. Returns 1 where something is wrong.
"""

from argparse import SUPPRESS
from collections.abc import Sequence

from qd.cli.parser import command_parser


def main(words: Sequence[str]) -> int:
    """Examines, prints, and returns 1 where something is wrong. Raises UserError on words that cannot be composed."""
    parser = command_parser("doctor", __doc__, "qd doctor [KEY=VALUE ...] [--samples N]")
    parser.add_argument("overrides", metavar="KEY=VALUE", nargs="*", help="the same words as for qd run")
    parser.add_argument("--samples", type=int, metavar="N", default=SUPPRESS, help="evaluations of the trial; 1000 by default")
    args = parser.parse_intermixed_args(words)

    from qd.config.existing import settings_of_words

    settings_of_words(args.overrides)

    from qd.doctor.examine import examine

    report = examine(**vars(args))
    print("\n".join(report.facts))
    for finding in report.findings:
        print(f"\n{finding.name}: {finding.problem}\n  type {finding.fix}")
    print(f"\n{len(report.findings)} found" if report.findings else "\nnothing found")
    return 1 if report.findings else 0
