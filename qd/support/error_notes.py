"""A line below the traceback of what a component raises: which component, where the search was, what is saved.

with raised_in(3, ids), raised_by("domain", domain):
    ...

KeyError: 7
qd: domain Disc raised KeyError in generation 3 (rows 300..399)
"""

from collections.abc import Callable, Sequence
from typing import Any

_PREFIX = "qd: "


class Noting:
    """Begins that line on whatever leaves its block, or adds to it; of nested blocks the innermost component is named."""

    def __init__(self, text: Callable[[Exception], str], begins: bool = False) -> None:
        self.text, self.begins = text, begins

    def __enter__(self) -> None: ...

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if not isinstance(error, Exception):  # nothing was raised, or Ctrl-C, which is no component's fault
            return
        line = next((note for note in getattr(error, "__notes__", ()) if note.startswith(_PREFIX)), "")
        if bool(line) == self.begins:
            return
        if line:
            error.__notes__.remove(line)
        error.add_note((line or _PREFIX) + self.text(error))


def raised_by(role: str, component: object) -> Noting:
    """Names the component that is called in the block.

    Args:
        role: what it is to the search, e.g. "domain".
        component: its class is named.

    Returns:
        A context manager that begins the line of an error, where no inner block has begun it.
    """
    return Noting(lambda error: f"{role} {type(component).__name__} raised {type(error).__name__}", begins=True)


def raised_in(generation: int, ids: Sequence[int] = ()) -> Noting:
    """Adds the generation that the block belongs to and, once they are known, the ids of its rows.

    Args:
        generation: its number.
        ids: [B], ascending: the first and the last are named; empty where they are not known.

    Returns:
        A context manager that adds to the line of an error, where ``raised_by`` has begun it.
    """
    return Noting(lambda error: f" in generation {generation}" + (f" (rows {ids[0]}..{ids[-1]})" if len(ids) else ""))
