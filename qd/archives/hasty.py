"""pyribs, imported without the packages that take most of its import and that few runs call.

    with hasty():
        import ribs.archives

Until one of them is called, its names in pyribs' modules are stand-ins; the first call imports that package and puts its own
names in place. Two are replaced by more than a name: numba's ``jit``, which compiles at the first call instead of
at once, and the one aggregate that every insertion needs, the row of the largest objective in each cell.
"""

import importlib
import sys
import types
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any

import numpy as np

from qd.support import imports

_PACKAGES = {  # name -> submodules that pyribs imports
    "sklearn": ("cluster", "exceptions", "gaussian_process", "gaussian_process.kernels", "neighbors"),
    "scipy.stats": ("qmc",),
    "scipy.spatial": ("distance",),
    "numba": (),
    "numpy_groupies": (),  # imports numba
    "ribs.archives._archive_data_frame": (),  # imports pandas
    "numpy.f2py": (),  # these three only because array_api_compat imports every public name of NumPy
    "numpy.polynomial": (),
    "numpy.testing": (),
}


class _StandIn:
    """A function or class of a module that is not imported yet."""

    def __init__(self, package: str, module: str, name: str) -> None:
        self.package, self.module, self.name = package, module, name

    def __call__(self, *args: Any, **settings: Any) -> Any:
        settle(self.package)
        return self.real()(*args, **settings)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        settle(self.package)
        return getattr(self.real(), name)

    def real(self) -> Any:
        with imports.without_collector():
            return getattr(importlib.import_module(self.module), self.name)


class _Aggregate(_StandIn):
    """numpy_groupies' aggregate; the row of each group's maximum is found without that package."""

    def __call__(self, group: Any, values: Any, *args: Any, **settings: Any) -> Any:
        if not args and settings == {"func": "argmax", "fill_value": -1}:
            return _first_of_the_largest(np.asarray(group), np.asarray(values))
        return super().__call__(group, values, *args, **settings)


class _Module(types.ModuleType):
    """A module of which every public name is a stand-in."""

    def __init__(self, package: str, name: str) -> None:
        super().__init__(name)
        self._package = package

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        if name == "jit":
            return _jit
        return (_Aggregate if name == "aggregate_nb" else _StandIn)(self._package, self.__name__, name)


@contextmanager
def hasty() -> Iterator[None]:
    """What is imported inside gets stand-ins for packages that are not there already."""
    absent = {package: modules for package, modules in _PACKAGES.items() if package not in sys.modules}
    names = {f"{package}.{module}": package for package, modules in absent.items() for module in modules}
    names |= {package: package for package in absent}
    modules = {name: _Module(package, name) for name, package in names.items()}
    # NumPy's own __getattr__ would look for ever for a module that it does not hold
    held = {name: sys.modules[parent] for name in names if (parent := name.rpartition(".")[0]) in sys.modules}
    sys.modules.update(modules)
    for name, parent in held.items():
        setattr(parent, name.rpartition(".")[2], modules[name])
    try:
        yield
    finally:
        for name, parent in held.items():
            delattr(parent, name.rpartition(".")[2])
        for name in names:
            del sys.modules[name]


def settle(package: str) -> None:
    """Puts a package's own names in place of all its stand-ins in pyribs: some are classes that others are compared with."""
    for module in [module for name, module in sys.modules.items() if name.split(".")[0] == "ribs"]:
        for name, value in list(vars(module).items()):
            if isinstance(value, _StandIn) and value.package == package:
                setattr(module, name, value.real())


def settle_imported() -> None:
    """Does so for each package that something else has imported, as a pickle that holds an object of it."""
    for package in _PACKAGES:
        if package in sys.modules:
            settle(package)


def _first_of_the_largest(group: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Returns the row of the largest value in each group, the first of equal ones; -1 for a group without rows."""
    order = np.lexsort((-values, group))
    groups = group[order]
    first = np.ones(len(order), bool)
    first[1:] = groups[1:] != groups[:-1]
    rows = np.full(groups[-1] + 1, -1)
    rows[groups[first]] = order[first]
    return rows


def _jit(**settings: Any) -> Callable[[Callable], Callable]:
    """``numba.jit``, which imports numba and compiles at the first call."""

    def decorate(function: Callable) -> Callable:
        compiled: list[Callable] = []

        @wraps(function)
        def call(*args: Any) -> Any:
            if not compiled:
                compiled.append(importlib.import_module("numba").jit(**settings)(function))
            return compiled[0](*args)

        return call

    return decorate
