"""python -m tests.end_to_end.kill [CASE ...]"""

import os
import random
import shutil
import sys
import tempfile
from pathlib import Path

from tests.end_to_end.kill.cases import CASES, FUSED, LEARNERS
from tests.end_to_end.kill.trial import PRELOADED, trial


def main(names: list[str]) -> None:
    """Tries the cases named, or all."""
    dice = random.Random(0)
    cases = [case for case in (*CASES, *LEARNERS, *FUSED) if not names or str(case) in names]
    folder = Path(tempfile.mkdtemp(prefix="qd-kill-"))
    PRELOADED.append("tests.end_to_end.kill.warm")
    os.environ["XDG_CONFIG_HOME"] = str(folder)  # the user's own key stays untouched
    for case in cases:
        seconds, what = trial(case, folder, str(folder), dice)
        print(f"{case!s:26s} {seconds:5.1f} s whole; {what}: equal", flush=True)
    print(f"{2 * len(cases)} kills, {len(cases)} of them inside a write; all ended equal")
    shutil.rmtree(folder)


if __name__ == "__main__":
    main(sys.argv[1:])
