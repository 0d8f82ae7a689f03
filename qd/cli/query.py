"""`qd query RUN CONDITION ...`: the best elite that meets conditions, from a run's archive alone; no domain is imported.

qd query runs/quant/s0 "size<=120KB" "latency<=2ms" --top 3
"""

import argparse
import json
import re
from collections.abc import Sequence
from pathlib import Path

from qd.report.query import UNMET, _text, query
from qd.support.errors import UserError


def main(args: Sequence[str]) -> int:
    """Prints the elites and returns 0, or 3 where none meets the conditions. Raises ValueError on words that cannot be."""
    parser = argparse.ArgumentParser(
        "qd query", description="The best elites of a run that meet conditions on its columns; exit status 3 where none does.",
        epilog='Units: B KB MB GB KiB MiB, ns us ms s, %%. A column that says no unit is compared as a plain number.',
    )  # fmt: skip
    parser.add_argument("run", metavar="RUN", type=Path, help="folder of a run")
    parser.add_argument("conditions", metavar="CONDITION", nargs="*", help='e.g. "size<=120KB" "latency<=2ms" "objective>=85"')
    parser.add_argument("--top", type=int, default=1, metavar="N", help="how many elites to show")
    parser.add_argument("--by", default="objective", metavar="NAME", help="show the highest first; -NAME: the lowest")
    parser.add_argument("--json", action="store_true", help="with solutions, one JSON object")
    asked = parser.parse_args(_joined(args))
    if asked.top < 1:
        raise UserError(f"--top {asked.top} shows nothing", "type 1 or more")
    answer = query(asked.run, asked.conditions, asked.top, asked.by)
    print(json.dumps({"met": answer.met, "elites": answer.rows}) if asked.json else _text(answer, asked.conditions))
    return 0 if answer.met else UNMET


def _joined(args: Sequence[str]) -> list[str]:
    """``--by -latency`` in one word: argparse would take the second for a flag."""
    words = list(args)
    for i in range(len(words) - 1, 0, -1):
        if words[i - 1] == "--by" and re.fullmatch(r"-[A-Za-z_].*", words[i]):
            words[i - 1 : i + 1] = [f"--by={words[i]}"]
    return words
