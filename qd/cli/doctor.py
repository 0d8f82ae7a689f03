"""`qd doctor [KEY=VALUE ...]`: what is wrong with a recipe, found by a dry run before its budget is spent."""

from collections.abc import Sequence

from qd.doctor.examine import SAMPLES, examine
from qd.support.errors import UserError

USAGE = """usage: qd doctor [KEY=VALUE ...] [--samples N]      the same words as for qd run

Draws seeds, evaluates them, searches for about N evaluations (1,000), and says what is wrong and what to type instead.
Nothing is written. Returns 1 where something is found."""


def main(args: Sequence[str]) -> int:
    """Examines, prints, and returns 1 where something is wrong. Raises ValueError on words that cannot be."""
    if {"-h", "--help"} & set(args):
        print(USAGE)
        return 0
    overrides, samples = list(args), SAMPLES
    if "--samples" in overrides:
        at = overrides.index("--samples")
        number = "".join(overrides[at + 1 : at + 2])
        if not number.isdigit() or int(number) < 1:
            raise UserError(f"--samples {number} is no count", f"type --samples {SAMPLES}")
        samples = int(number)
        del overrides[at : at + 2]
    report = examine(overrides, samples)
    print("\n".join(report.facts))
    for finding in report.findings:
        print(f"\n{finding.name}: {finding.seen}\n  type {finding.instead}")
    print(f"\n{len(report.findings)} found" if report.findings else "\nnothing found")
    return 1 if report.findings else 0
