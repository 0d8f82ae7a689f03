"""A domain as bytes, or the attribute that cannot be sent."""

import pickle
from collections.abc import Iterator, Mapping
from typing import Any

from qd.support.errors import UserError

_REFUSALS = (TypeError, AttributeError, pickle.PicklingError, ValueError, RecursionError)
_DEEPEST = 4  # levels of attributes that are searched


def dumps(domain: Any) -> bytes:
    """Returns a domain as bytes.

    Raises:
        UserError: it cannot be pickled; names the attribute at fault.
    """
    refusal = _refusal(domain)
    if refusal is None:
        return pickle.dumps(domain, 5)
    path, value, error = _culprit(type(domain).__name__, domain, refusal)
    what = f"{path} is a {type(value).__name__} that cannot be pickled ({error})"
    raise UserError(
        f"{type(domain).__name__} cannot be sent to a worker: {what}",
        "keep settings only (numbers, text, paths) and open files, connections, locks and simulators in evaluate, "
        "at their first use; a class or function must stand in a module, not inside a function",
    )


def _culprit(path: str, value: Any, error: Exception, depth: int = 0) -> tuple[str, Any, Exception]:
    """Returns the innermost part that cannot be pickled: its path, the part, and the error."""
    if depth < _DEEPEST:
        for name, part in _parts(value):
            refusal = _refusal(part)
            if refusal is not None:
                return _culprit(path + name, part, refusal, depth + 1)
    return path, value, error


def _parts(value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        yield from ((f"[{key!r}]", part) for key, part in value.items())
    elif isinstance(value, list | tuple):
        yield from ((f"[{i}]", part) for i, part in enumerate(value))
    elif isinstance(state := getattr(value, "__dict__", None), dict) and not isinstance(value, type):
        yield from ((f".{name}", part) for name, part in state.items())


def _refusal(value: Any) -> Exception | None:
    try:
        pickle.dumps(value, 5)
    except _REFUSALS as error:
        return error
    return None
