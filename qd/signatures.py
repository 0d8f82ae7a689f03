"""Signatures of the methods of a component: are they those by which the search calls them?"""

import inspect
from collections.abc import Callable
from typing import Any

from qd.support.error_notes import place
from qd.support.errors import UserError


def check_calls(component: Any, protocol: type) -> None:
    """Refuses a component with a method that cannot be called as the search calls it, before it is called.

    Args:
        component: has all names of the protocol.
        protocol: a class of qd.types; the arguments of its methods are those of each call.

    Raises:
        UserError: names the method, its file and line, and what to type.
    """
    for name, method in vars(protocol).items():
        if not inspect.isfunction(method) or (name.startswith("_") and name != "__call__"):
            continue
        own, wanted = getattr(component, name), list(inspect.signature(method).parameters)[1:]
        parameters = _parameters(own)
        if parameters is not None and not _fits(own, parameters, wanted):
            raise _refusal(component, name, own, wanted, parameters)


def _parameters(own: Callable) -> list[str] | None:
    """Returns the names of the arguments; None where some method of a compiled class does not tell them."""
    try:
        return list(inspect.signature(own).parameters)
    except ValueError:
        return None


def _fits(own: Callable, parameters: list[str], wanted: list[str]) -> bool:
    """Whether a method takes as many arguments as are wanted, and not the same names in another order."""
    try:
        inspect.signature(own).bind(*wanted)
    except TypeError:
        return False
    return sorted(parameters) != sorted(wanted) or parameters == wanted


def _refusal(component: Any, name: str, own: Callable, wanted: list[str], parameters: list[str]) -> UserError:
    has = f"has the arguments ({', '.join(parameters)}) and is called with ({', '.join(wanted)})"
    return UserError(
        f"{type(component).__name__}.{name}{place(own)} {has}", f"type def {name}({', '.join(['self', *wanted])}):"
    )
