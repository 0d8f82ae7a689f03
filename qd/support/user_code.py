"""Code of the user's own: where a method stands, whether it takes the arguments of its protocol, and its lines in an error."""

import inspect
import linecache
import sysconfig
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

from qd.support.errors import UserError

_HOUSE = Path(__file__).resolve().parents[2]
_OURS = tuple(str(_HOUSE / name) for name in ("qd", "domains", "feedback"))
_LIBRARIES = (sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib"))


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
