"""What a command waits for, shown before it has anything else to show: a line within a third of a second of the prompt.

On a terminal the cursor stays at its beginning, so that the next output takes its place; elsewhere it is a line of its own.
"""

import sys

_WIDTH = 24  # columns, in which a shorter line covers a longer one before it
_enabled = False


def enable() -> None:
    """Lets ``show`` write: this process is a command that somebody typed, not a library in a program of theirs."""
    global _enabled
    _enabled = True


def is_enabled() -> bool:
    """Returns whether ``show`` writes."""
    return _enabled


def show(what: str) -> None:
    """Shows on standard error what the command waits for.

    Args:
        what: a word or two, such as "importing"; at most 20 letters.
    """
    if _enabled:
        end = "\r" if sys.stderr.isatty() else "\n"
        print(f"{what} ...".ljust(_WIDTH) if end == "\r" else f"{what} ...", end=end, file=sys.stderr, flush=True)
