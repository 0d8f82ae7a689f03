"""A line below the traceback of an error: which component raised it, in which generation, what is saved.

    with naming_component(search, lambda: in_generation(3, range(300, 400))):
        ...

KeyError: 7
qd: domain Disc raised KeyError in generation 3 (rows 300..399)
"""

import traceback
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any

_PREFIX = "qd: "
_ROLES = ("domain", "descriptor", "archive", "emitter")


class naming_component:  # a context manager reads like a function
    """Adds that line to an error that leaves the block, if a component raised it; an outer block extends the same line.

    The component is the innermost one with a method in the traceback, so that no call of a component needs a block of its own.
    """

    def __init__(self, search: Any, words: Callable[[], str]) -> None:
        """Takes a Search, and a function for the words that follow, which is called only where there is an error."""
        self.search, self.words = search, words

    def __enter__(self) -> None: ...

    def __exit__(self, kind: Any, error: BaseException | None, trace: TracebackType | None) -> None:
        if not isinstance(error, Exception):  # no error, or Ctrl-C, which is no component's fault
            return
        line = next((note for note in getattr(error, "__notes__", ()) if note.startswith(_PREFIX)), None)
        if line is not None:
            error.__notes__.remove(line)
        elif role := _innermost(self.search, trace):
            line = f"{_PREFIX}{role} {type(getattr(self.search, role)).__name__} raised {type(error).__name__}"
        if line is not None:
            error.add_note(line + self.words())


def in_generation(generation: int, ids: Sequence[int] = ()) -> str:
    """Words for where a search was.

    Args:
        generation: its number.
        ids: [B], ascending: the first and the last are named; empty where there are no solutions yet.

    Returns:
        The words, with a blank before them.
    """
    return f" in generation {generation}" + (f" (rows {ids[0]}..{ids[-1]})" if len(ids) else "")


def _innermost(search: Any, trace: TracebackType | None) -> str | None:
    """Returns the role of the innermost component that a frame of the traceback is a method of."""
    innermost = None
    for frame, _ in traceback.walk_tb(trace):
        code = frame.f_code
        receiver = frame.f_locals.get("self") if code.co_varnames[:1] == ("self",) else None
        innermost = next((role for role in _ROLES if receiver is not None and receiver is getattr(search, role)), innermost)
    return innermost
