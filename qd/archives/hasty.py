"""pyribs, imported without what takes a second of each start and few of its parts ever call: scikit-learn, scipy.stats.

    with hasty():
        import ribs.archives

Until one of them does, their names in pyribs' modules are stand-ins; the first use imports them and puts all in place.
"""

import importlib
import sys
import types
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_ROOMS = {
    "sklearn": ("cluster", "exceptions", "gaussian_process", "gaussian_process.kernels", "neighbors"),
    "scipy.stats": ("qmc",),
}


class _StandIn:
    """A function or class of a module that is not imported yet."""

    def __init__(self, module: str, name: str) -> None:
        self.module, self.name = module, name

    def __call__(self, *args: Any, **settings: Any) -> Any:
        settle()
        return self.real()(*args, **settings)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        settle()
        return getattr(self.real(), name)

    def real(self) -> Any:
        return getattr(importlib.import_module(self.module), self.name)


class _Room(types.ModuleType):
    """A module of which every public name is a stand-in."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return _StandIn(self.__name__, name)


@contextmanager
def hasty() -> Iterator[None]:
    """What is imported inside gets stand-ins for packages that are not there already."""
    absent = {package: rooms for package, rooms in _ROOMS.items() if package not in sys.modules}
    names = [name for package, rooms in absent.items() for name in (package, *(f"{package}.{room}" for room in rooms))]
    sys.modules.update({name: _Room(name) for name in names})
    try:
        yield
    finally:
        for name in names:
            del sys.modules[name]


def settle() -> None:
    """Puts the real ones in place of all stand-ins in pyribs: some are classes that others are compared with."""
    for module in [module for name, module in sys.modules.items() if name.split(".")[0] == "ribs"]:
        for name, value in list(vars(module).items()):
            if isinstance(value, _StandIn):
                setattr(module, name, value.real())


def imported() -> bool:
    """Whether scikit-learn was imported by something else, as by a pickle that holds an object of it."""
    return "sklearn" in sys.modules
