"""Checks the type of a setting against its annotation, and words the message where it differs."""

import math
import types
from typing import Any, Protocol, Union, get_args, get_origin

from qd.support.errors import UserError

_KINDS = {int: "no whole number", float: "no number", str: "no text", bool: "neither true nor false", tuple: "no list"}
_EXAMPLES = {int: 10, float: 0.5, str: "word", bool: True, tuple: (1, 2)}


def check(key: str, value: Any, annotation: Any, default: Any = None) -> None:
    """Checks that a plain value has the type of a plain annotation, or of an Optional of one.

    Where a component belongs, as its protocol says, no plain value passes. Of other annotations all values pass, and so do
    values that are not plain (NumPy's numbers, components).

    Args:
        key: dotted, for the message.
        value: as typed; a whole number passes as a float, a list as a tuple.
        annotation: int, float, str, bool, tuple or list[...], also with None.
        default: what the message suggests, where it is of that kind.

    Raises:
        ValueError: the value is of another kind.
    """
    kind, optional = _plain_kind(annotation)
    if isinstance(annotation, type) and Protocol in annotation.__bases__ and type(value) in (*_KINDS, list):
        raise UserError(f"{key}={format_value(value)} is no {annotation.__name__}", f"type {key}._target_=MODULE.CLASS")
    is_mapping = type(value) is dict and "_target_" not in value and kind is not tuple  # pairs may come as a mapping
    is_plain = type(value) in (*_KINDS, list, type(None)) or is_mapping
    if kind is None or not is_plain or (value is None and optional):
        return
    if not _fits(value, kind):
        raise UserError(mismatch(key, value, annotation, default))


def mismatch(key: str, value: Any, annotation: Any, default: Any = None) -> str:
    """Words the message about a value of the wrong type, with what to type instead.

    Args:
        key: dotted.
        value: as typed.
        annotation: int, float, str, bool, tuple or list[...], also with None; of others no kind is named.
        default: what is suggested, where it is of that kind; else an example.

    Returns:
        The message.
    """
    kind, _ = _plain_kind(annotation)
    if kind is None:
        return f"{key}={format_value(value)} has the wrong type; type {key}=..."
    if kind is int and type(value) is float and math.isfinite(value):
        instead = format_value(int(value))
    elif kind is str and value is not None:
        return f"{key}={format_value(value)} is no text; type \"{key}='{format_value(value)}'\" if it is meant as text"
    else:
        instead = format_value(default if _fits(default, kind) else _EXAMPLES[kind])
    return f"{key}={format_value(value)} is {_KINDS[kind]}; type {key}={instead}"


def format_value(value: Any) -> str:
    """A plain value as it is typed on the command line."""
    if isinstance(value, list | tuple):
        return f"[{','.join(map(format_value, value))}]"
    return {None: "null", True: "true", False: "false"}[value] if value is None or isinstance(value, bool) else str(value)


def _plain_kind(annotation: Any) -> tuple[type | None, bool]:
    """The plain type of an annotation, None where it is another one; and whether null is allowed."""
    options = get_args(annotation) if get_origin(annotation) in (Union, types.UnionType) else (annotation,)
    kinds = [kind for kind in options if kind is not type(None)]
    if len(kinds) != 1:
        return None, True
    kind = tuple if get_origin(kinds[0]) in (tuple, list) else kinds[0]
    return (kind if kind in _KINDS else None), len(kinds) < len(options)


def _fits(value: Any, kind: type) -> bool:
    if kind is tuple:
        return isinstance(value, list | tuple)
    return type(value) in ((int, float) if kind is float else (kind,))
