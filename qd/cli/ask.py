"""`qd ask RUN`: the next batch of a search whose domain another program evaluates; `qd tell` brings its results.

Nothing is kept between the two: a batch follows from the checkpoint alone, so that asked twice it is the same batch.
B batch.
"""

import json
import sys
from collections.abc import Sequence

from qd.runner.external import waiting, which

USAGE = """usage: qd ask RUN > batch.jsonl
       qd ask KEY=VALUE ... > batch.jsonl       the same words as for qd run; the first time it makes the folder

Prints the next batch, one solution a line: {"id": 7, "solution": [...], "key": [...]} (key: two whole numbers, a seed
for evaluations that draw at random). Write results.jsonl, a line each in any order,
{"id": 7, "objective": 1.5, "features": {"end": [0.1, 0.2]}}, objective null where it failed; then qd tell RUN results.jsonl.
Returns 1 when the run is finished."""


def main(args: Sequence[str]) -> int:
    """Prints the batch. Raises ValueError where there is no such run, or its domain is evaluated in this process."""
    if not args or {"-h", "--help"} & set(args):
        print(USAGE)
        return 0 if args else 2
    config, run = which(args)
    asked = waiting(config, run)
    if asked is None:
        print(f"qd: {run} is finished: there is nothing to ask; type budget=... with a larger number to go on", file=sys.stderr)
        return 1
    rows = zip(asked.ids.tolist(), asked.solutions.tolist(), asked.keys.tolist(), strict=True)
    for number, solution, key in rows:
        print(json.dumps({"id": number, "solution": solution, "key": key}))
    print(f"qd: {len(asked.ids)} solutions; next: qd tell {run} results.jsonl", file=sys.stderr)
    return 0
