"""The outcomes of several runs, seeds in one process or a sweep: one that fails stops no other, and is named at the end."""

import sys
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from qd.support import signals
from qd.support.errors import UserError

EXIT = {"failed": 1, "stopped": 130, "spent": 3}  # status of a run -> exit status; of several runs the first in this order


def exit_status(result: Mapping[str, Any]) -> int:
    """Returns the exit status of a run from its result; of one that was stopped, 128 + the number of the signal."""
    if result["status"] == "stopped":
        return signals.exit_status(result["signal"])
    return EXIT.get(result["status"], 0)


class RunOutcome(NamedTuple):
    """What became of one of them."""

    name: str  # distinguishes the run from the others
    folder: Path | None  # None where its settings are wrong
    status: str  # finished, skipped, stopped, spent or failed
    why: str = ""  # it failed


class Attempt:
    """Turns whatever a run raises into ``why``, text that any process can hand on; a foreign error's traceback is printed."""

    def __init__(self, folder: Path | None = None) -> None:
        self.folder, self.why = folder, ""

    def __enter__(self) -> "Attempt":
        return self

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> bool:
        if error is None or isinstance(error, KeyboardInterrupt):
            return False
        if isinstance(error, UserError):
            self.why = str(error)
            return True
        last = traceback.extract_tb(error.__traceback__)[-1]
        self.why = f"{type(error).__name__}: {error} ({last.filename}:{last.lineno})"
        print(f"{self.folder} failed:\n{''.join(traceback.format_exception(error))}", file=sys.stderr, end="")
        return True


def conclude(outcomes: Sequence[RunOutcome], what: str, show: bool = True) -> int:
    """Collects what is finished into one table, names what failed, and returns the exit status.

    Args:
        what: is typed again to do what is missing, e.g. "the sweep".
        show: also print the table.
    """
    finished = [each.folder for each in outcomes if each.folder and each.status in ("finished", "skipped")]
    if finished and show:
        print()
        from qd.report.compare.write import compare  # with matplotlib and scipy, a second

        compare(finished)
    failed = [each for each in outcomes if each.status == "failed"]
    if failed:
        print(f"\nqd: {len(failed)} of {len(outcomes)} runs failed; typed again, {what} does only these:", file=sys.stderr)
        for each in failed:
            print(f"  {each.name}: {each.why}", file=sys.stderr)
    statuses = {each.status for each in outcomes}
    return next((code for status, code in EXIT.items() if status in statuses), 0)
