"""`qd query RUN CONDITION ...`: the best elites of a run that meet conditions on its columns; no domain is imported.

  qd query runs/quant/s0 "size<=120KB" "latency<=2ms" --top 3

Units: B KB MB GB KiB MiB, ns us ms s, %. A column that says no unit is compared as a plain number. Returns 3 where no elite
meets the conditions; then it shows the nearest.
"""

import json
import re
from collections.abc import Sequence

from qd.cli.parser import command_parser, nonempty_path


def main(words: Sequence[str]) -> int:
    """Prints the elites and returns 0, or 3 where none meets the conditions. Raises UserError on words that cannot be."""
    parser = command_parser("query", __doc__)
    parser.add_argument("run", metavar="RUN", type=nonempty_path, help="folder of a run")
    parser.add_argument("conditions", metavar="CONDITION", nargs="*", help='e.g. "size<=120KB" "latency<=2ms" "objective>=85"')
    parser.add_argument("--top", type=int, default=1, metavar="N", help="how many elites to show")
    parser.add_argument("--by", default="objective", metavar="NAME", help="show the highest first; -NAME: the lowest")
    parser.add_argument("--json", action="store_true", help="with solutions, one JSON object")
    args = parser.parse_args(_join(words))

    from qd.report.query import UNMET, query, text

    answer = query(args.run, args.conditions, args.top, args.by)
    print(json.dumps({"met": answer.met, "elites": answer.rows}) if args.json else text(answer, args.conditions))
    return 0 if answer.met else UNMET


def _join(words: Sequence[str]) -> list[str]:
    """``--by -latency`` in one word: argparse would take the second for a flag."""
    joined = list(words)
    for i in range(len(joined) - 1, 0, -1):
        if joined[i - 1] == "--by" and re.fullmatch(r"-[A-Za-z_].*", joined[i]):
            joined[i - 1 : i + 1] = [f"--by={joined[i]}"]
    return joined
