"""Imports that cost less: names of a package at their first use (PEP 562), and no collection of reference cycles meanwhile."""

import gc
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import import_module
from typing import Any


def attach(package: str, homes: Mapping[str, str | Sequence[str]]) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Returns ``__getattr__`` and ``__dir__`` of a package.

    Args:
        package: its ``__name__``.
        homes: module -> the public names in it; a module without names is public itself, by its last word.
    """
    modules = {name: module for module, names in homes.items() for name in names or [module.rpartition(".")[2]]}

    def __getattr__(name: str) -> Any:
        if name not in modules:
            raise AttributeError(f"module {package!r} has no attribute {name!r}", name=name, obj=sys.modules[package])
        module = import_module(modules[name])
        value = getattr(module, name) if homes[modules[name]] else module
        setattr(sys.modules[package], name, value)  # the next use finds it at once
        return value

    def __dir__() -> list[str]:
        return sorted(modules)  # what is public

    return __getattr__, __dir__


@contextmanager
def without_collector() -> Iterator[None]:
    """Keeps Python's collector of reference cycles from imports that run inside.

    The modules stay, so that to search them again and again takes a tenth of their time for nothing.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if was_enabled:
            gc.enable()


def skip_last_collection() -> None:
    """Call it when the process ends: the interpreter then looks through no object once more."""
    gc.freeze()
