"""Builds components from plain nodes: ``_target_`` is what to call, the rest are its keyword arguments.

With ``_partial_: true`` nothing is called: the component is the function itself, as in Hydra, with these arguments.

A string "@domain" or "@domain.bounds" stands for a component that is already built, or for one of its attributes; "@@" at
the start is a plain "@". Lists become tuples. Building runs code: build only configurations that you trust.
"""

import difflib
import functools
import importlib
import importlib.util
import inspect
import pkgutil
import sys
import types
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from qd.config import values
from qd.support.errors import UserError
from qd.support.moved import current
from qd.support.spelling import unknown


def build(node: Any, shared: Mapping[str, Any], where: str) -> Any:
    """Builds a node and all within it.

    Args:
        where: its dotted key, for messages.

    Raises:
        ValueError: an unknown target, keyword or reference, names the nearest; or a setting of the wrong kind.
    """
    if isinstance(node, str) and node.startswith("@"):
        return node[1:] if node.startswith("@@") else _refer(node, shared, where)
    if isinstance(node, list | tuple):
        return tuple(build(item, shared, f"{where}.{i}") for i, item in enumerate(node))
    if not isinstance(node, Mapping):
        return node
    settings = {key: build(value, shared, f"{where}.{key}") for key, value in node.items()}
    return _call(settings, node, where) if "_target_" in settings else settings


def locate(target: Any, where: str) -> Any:
    """Imports what a dotted name stands for, also one of an earlier version.

    Args:
        target: e.g. "domains.arm.Arm": a module and what it holds.
        where: the setting that names it, for messages.

    Returns:
        What the name stands for, usually a class or a function.

    Raises:
        UserError: the name is unknown (names the nearest), it is a module, or a package that it needs is not installed.
    """
    if not isinstance(target, str) or not all(target.split(".")):
        raise UserError(f"{where}: _target_ {target!r} is no dotted name", "name a class or a function, e.g. domains.arm.Arm")
    try:
        return _locate(target, where)
    except ValueError:
        now = current(target)
        if now == target:
            raise
        return _locate(now, where)


def _locate(target: str, where: str) -> Any:
    module, words = None, target.split(".")
    for depth in range(1, len(words) + 1):
        try:
            module = importlib.import_module(".".join(words[:depth]))
        except ModuleNotFoundError as error:
            if error.name is None or not f"{target}.".startswith(f"{error.name}."):
                raise UserError(
                    f"{where}: {target} needs the package {error.name!r}, which is not installed",
                    f"type pip install {error.name}",
                ) from error
            return _attribute(module, words[: depth - 1], words[depth - 1 :], where)
        except SyntaxError as error:
            line = f"{error.filename} line {error.lineno}, {(error.text or '').strip()!r}"
            raise UserError(f"{where}: {target} cannot be imported: {error.msg} in {line}", "correct that line") from error
    raise UserError(f"{where}: _target_ {target!r} is a module", f"name a class in it: {', '.join(_public(module))}")


def import_users_modules() -> None:
    """Makes the modules in the working directory importable, last, so that none hides one of ours; reports where one does."""
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.append(here)
    foreign = foreign_domains()
    if foreign:
        print(f"qd: {foreign}", file=sys.stderr)


def foreign_domains() -> str | None:
    """Reports which folder shadows our package ``domains``; None where none does."""
    spec, ours = importlib.util.find_spec("domains"), Path(__file__).parents[2] / "domains"
    if spec is None or spec.origin is None or Path(spec.origin).parent.resolve() == ours.resolve():
        return None
    return f"the package `domains` is {Path(spec.origin).parent}, which hides ours ({ours}); rename that folder"


def _refer(reference: str, shared: Mapping[str, Any], where: str) -> Any:
    name, *path = reference[1:].split(".")
    if name not in shared:
        raise unknown("reference", f"@{name}", [f"@{each}" for each in shared], f"in {where}")
    part = shared[name]
    for attribute in path:
        name = f"{name}.{attribute}"
        try:
            part = getattr(part, attribute)
        except AttributeError as error:
            before, names = name.removesuffix(attribute), _public(part)
            if difflib.get_close_matches(attribute, names):
                raise unknown("reference", f"@{name}", [f"@{before}{each}" for each in names], f"in {where}") from error
            problem = f"{where} needs @{name}, and {type(part).__name__} has no {attribute!r}"
            raise UserError(
                problem, f"type another {reference[1:].split('.')[0]}=... or {where.partition('.')[0]}=..."
            ) from error
    return part


def _call(settings: dict[str, Any], node: Mapping[str, Any], where: str) -> Any:
    target, partial = settings.pop("_target_"), settings.pop("_partial_", False) is True
    factory = locate(target, where)
    if not callable(factory):
        raise UserError(f"{where}: _target_ {target!r} is a {type(factory).__name__}", "name a class or a function")
    if partial and not settings:
        return factory
    _check_keywords(factory, settings, where, partial)
    _check_kinds(factory, node, where)
    if partial:
        return functools.partial(factory, **settings)
    try:
        return factory(**settings)
    except TypeError as error:  # a string where a number belongs
        arguments = ", ".join(f"{name}={value!r}" for name, value in settings.items())
        raise UserError(f"{where}: {factory.__name__}({arguments}) fails: {error}") from error


def _check_keywords(factory: Any, settings: dict[str, Any], where: str, partial: bool) -> None:
    try:
        parameters = inspect.signature(factory).parameters
    except ValueError as error:  # of some builtin types
        raise UserError(
            f"{where}: {factory.__name__} does not say which settings it takes", "name a class of your own"
        ) from error
    if any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
        return
    for name in settings:
        if name not in parameters:
            raise unknown("setting", f"{where}.{name}", [f"{where}.{each}" for each in parameters], f"of {factory.__name__}")
    for name, p in () if partial else parameters.items():
        if name not in settings and p.default is p.empty and p.kind is not p.VAR_POSITIONAL:
            itself = "" if inspect.isclass(factory) else f", or {where}._partial_=true where the function itself is wanted"
            raise UserError(f"{where}.{name} is not set, and {factory.__name__} needs it", f"type {where}.{name}=...{itself}")


def _check_kinds(factory: Any, node: Mapping[str, Any], where: str) -> None:
    """Raises ValueError where a value has another type than a plain annotation; references are not checked."""
    try:
        parameters = inspect.signature(factory, eval_str=True).parameters
    except (NameError, AttributeError, TypeError):  # annotations that only a type checker can read
        return
    for name in node.keys() & parameters.keys():
        value, p = node[name], parameters[name]
        refers = isinstance(value, str) and value.startswith("@")
        if not refers and not (value is None and p.default is None):
            values.check(f"{where}.{name}", value, p.annotation, p.default)


def _attribute(module: Any, path: list[str], rest: list[str], where: str) -> Any:
    if module is None:
        note = "; is its folder below the working directory, or installed?"
        raise UserError(f"{where}: unknown package {rest[0]!r} in _target_ {'.'.join(rest)!r}{note}")
    part = module
    for i, name in enumerate(rest):
        try:
            part = getattr(part, name)
        except AttributeError as error:
            parent = ".".join([*path, *rest[:i], ""])
            targets = [parent + each for each in _public(part)]
            raise unknown("_target_", parent + name, targets, f"in {where}", _shadow(path)) from error
    return part


def _public(part: Any) -> list[str]:
    """Names that a target may end in: what a module defines, and the modules of a package."""
    if not isinstance(part, types.ModuleType):
        return [name for name in dir(part) if not name.startswith("_")]
    own = [n for n, a in vars(part).items() if callable(a) and not n.startswith("_") and a.__module__ == part.__name__]
    return own + [m.name for m in pkgutil.iter_modules(getattr(part, "__path__", []))]


def _shadow(path: list[str]) -> str:
    foreign = foreign_domains() if path[0] == "domains" else None
    return f" ({foreign})" if foreign else ""
