"""Where an error comes from: a line below its traceback, and the lines of the user's own code in it.

The line names the component that raised it, the generation, and what is saved.

    with naming_component(search, lambda: in_generation(3, range(300, 400))):
        ...

KeyError: 7
qd: domain Disc raised KeyError in generation 3 (rows 300..399)
"""

import inspect
import linecache
import sysconfig
import traceback
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

_PREFIX = "qd: "
_ROLES = ("domain", "descriptor", "archive", "emitter")
_HOUSE = Path(__file__).resolve().parents[2]
_OURS = tuple(str(_HOUSE / name) for name in ("qd", "domains", "feedback"))
_LIBRARIES = (sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib"))


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


def place(method: Callable) -> str:
    """Returns where a method stands, " (FILE:LINE)"; "" for code of this project, of a library, or without a file."""
    code = getattr(inspect.unwrap(method), "__code__", None)
    return f" ({_shown(code.co_filename)}:{code.co_firstlineno})" if code and _is_users(code.co_filename) else ""


def lines(trace: TracebackType | None) -> list[str]:
    """Returns the lines of the user's own code that an error came through, the innermost last; none where there are none."""
    return list(_lines(trace))


def _lines(trace: TracebackType | None) -> Iterator[str]:
    for frame, number in traceback.walk_tb(trace):
        file, name = frame.f_code.co_filename, frame.f_code.co_name
        if _is_users(file):
            text = linecache.getline(file, number).strip()
            yield f"{_shown(file)}:{number}, in {name}: {text}"


def _is_users(file: str) -> bool:
    is_library = "site-packages" in Path(file).parts or file.startswith(_LIBRARIES)
    return not (file.startswith(("<", *_OURS)) or is_library)


def _shown(file: str) -> str:
    path = Path(file)
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else file
