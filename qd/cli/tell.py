"""`qd tell RUN results.jsonl`: brings the results of the batch that `qd ask` printed. All of them, or nothing is changed."""

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from qd.runner.external import read, waiting, which, work
from qd.support.errors import UserError

USAGE = """usage: qd tell RUN results.jsonl      (- reads standard input)

A line for each solution of the batch that qd ask RUN prints, in any order:
{"id": 7, "objective": 1.5, "features": {"end": [0.1, 0.2]}}; objective null (features may lack) where it failed."""


def main(args: Sequence[str]) -> int:
    """Tells. Raises ValueError that names what is missing, foreign, twice or malformed; then nothing is changed."""
    if len(args) != 2 or {"-h", "--help"} & set(args):
        print(USAGE)
        return 0 if {"-h", "--help"} & set(args) else 2
    from qd.config.compose import assemble

    config, run = which(args[:1])
    asked = waiting(config, run)
    if asked is None:
        raise UserError(f"{run} is finished and waits for no results", f"type qd plot {run}")
    evaluation = read(_lines(args[1]), asked, assemble(config).search.domain)
    result = work(config, run, (asked, evaluation))
    failed, done = int(np.isnan(evaluation.objective).sum()), result["evaluations"]
    print(f"told {len(asked.ids)} results, {failed} of them failures: {done:,} of {config['budget']:,} evaluations")
    if result["status"] != "finished":
        print(f"next: qd ask {run} > batch.jsonl")
        return 0
    from qd.report.figures import draw

    print(f"finished; drawn: {', '.join(str(figure) for figure in draw(run) if figure.suffix == '.png')}")
    return 0


def _lines(file: str) -> list[str]:
    try:
        return (sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8")).split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{file} cannot be read ({error})", "name the file of results, one json object a line") from error
