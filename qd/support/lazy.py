"""Imports that cost nothing: names of a package at their first use (PEP 562)."""

import sys
from collections.abc import Callable, Mapping, Sequence
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
