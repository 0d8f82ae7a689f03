"""Whether a setting is of the kind that its annotation asks for, and what to type where it is not."""

import math
import types
from typing import Any, Union, get_args, get_origin

from qd.support.errors import UserError

_KINDS = {int: "no whole number", float: "no number", str: "no text", bool: "neither true nor false", tuple: "no list"}
_EXAMPLES = {int: 10, float: 0.5, str: "word", bool: True, tuple: (1, 2)}


def check(key: str, value: Any, annotation: Any, default: Any = None) -> None:
    """Checks that a plain value is of the kind that a plain annotation, or an Optional of one, wants.

    Other annotations, and values that are not plain (NumPy's numbers, parts), pass.

    Args:
        key: dotted, for the message.
        value: as typed; a whole number passes as a float, a list as a tuple.
        annotation: int, float, str, bool, tuple or list[...], also with None.
        default: what the message suggests, where it is of that kind.

    Raises:
        ValueError: the value is of another kind.
    """
    asked, optional = _asked(annotation)
    if asked is None or type(value) not in (*_KINDS, list, type(None)) or (value is None and optional):
        return
    if not _fits(value, asked):
        raise UserError(refused(key, value, annotation, default))


def refused(key: str, value: Any, annotation: Any, default: Any = None) -> str:
    """Words the message that a value cannot be, with what to type instead.

    Args:
        key: dotted.
        value: as typed.
        annotation: int, float, str, bool, tuple or list[...], also with None; of others no kind is named.
        default: what is suggested, where it is of that kind; else an example.

    Returns:
        The message.
    """
    asked, _ = _asked(annotation)
    if asked is None:
        return f"{key}={typed(value)} cannot be; type {key}=..."
    if asked is int and type(value) is float and math.isfinite(value):
        instead = typed(int(value))
    elif asked is str and value is not None:
        return f"{key}={typed(value)} is no text; type \"{key}='{typed(value)}'\" if it is meant as text"
    else:
        instead = typed(default if _fits(default, asked) else _EXAMPLES[asked])
    return f"{key}={typed(value)} is {_KINDS[asked]}; type {key}={instead}"


def typed(value: Any) -> str:
    """A plain value as it is typed on the command line."""
    if isinstance(value, list | tuple):
        return f"[{','.join(map(typed, value))}]"
    return {None: "null", True: "true", False: "false"}[value] if value is None or isinstance(value, bool) else str(value)


def _asked(annotation: Any) -> tuple[type | None, bool]:
    """The plain kind that is asked for, None where it is no plain one; and whether null will do as well."""
    given = get_args(annotation) if get_origin(annotation) in (Union, types.UnionType) else (annotation,)
    kinds = [kind for kind in given if kind is not type(None)]
    if len(kinds) != 1:
        return None, True
    kind = tuple if get_origin(kinds[0]) in (tuple, list) else kinds[0]
    return (kind if kind in _KINDS else None), len(kinds) < len(given)


def _fits(value: Any, kind: type) -> bool:
    if kind is tuple:
        return isinstance(value, list | tuple)
    return type(value) in ((int, float) if kind is float else (kind,))
