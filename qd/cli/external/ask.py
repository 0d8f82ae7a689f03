"""`qd ask RUN`: prints the next batch of a search with a domain that another program evaluates; `qd tell` takes its results.

One solution a line: {"id": 7, "solution": [...], "key": [...]} (key: two whole numbers, a seed for evaluations that draw at
random). Write results.jsonl, a line each in any order,
{"id": 7, "objective": 1.5, "features": {"end": [0.1, 0.2]}}, objective null where it failed; then qd tell RUN results.jsonl.
Returns 1 when the run is finished.
"""

import json
import sys
from collections.abc import Sequence

from qd.cli.parser import command_parser


def main(words: Sequence[str]) -> int:
    """Prints the batch. Raises UserError where there is no such run, or its domain is evaluated in this process."""
    parser = command_parser("ask", __doc__, "qd ask RUN | KEY=VALUE ... > batch.jsonl")
    parser.add_argument(
        "run", nargs="+", help="folder of the run, or the same words as for qd run, which make it the first time"
    )
    args = parser.parse_args(words)

    from qd.config.existing import settings_of

    settings, run = settings_of(args.run)

    from qd.runner.external import waiting

    batch = waiting(settings, run)
    if batch is None:
        print(f"qd: {run} is finished: there is nothing to ask; type budget=... with a larger number to go on", file=sys.stderr)
        return 1
    for number, solution, key in zip(batch.ids.tolist(), batch.solutions.tolist(), batch.keys.tolist(), strict=True):
        print(json.dumps({"id": number, "solution": solution, "key": key}))
    print(f"qd: {len(batch.ids)} solutions; next: qd tell {run} results.jsonl", file=sys.stderr)
    return 0
