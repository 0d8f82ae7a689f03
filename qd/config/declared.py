"""Names of the settings that a component takes, read from its source: neither it nor JAX is imported.

What the source alone does not tell is left to the check when a component is built (build.py).
"""

import ast
import importlib.util
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from qd.config.settings import COMPONENTS
from qd.support.errors import UserError
from qd.support.moved import current, current_override
from qd.support.spelling import unknown


def check(components: Mapping[str, Any], overrides: Sequence[str]) -> None:
    """Refuses settings of components that were typed and that there are not.

    Args:
        components: role -> plain node, None where none is chosen.
        overrides: the words after ``qd run``.

    Raises:
        UserError: names the nearest setting, or the choice that is missing.
    """
    for override in map(current_override, overrides):
        role, *path = override.lstrip("+~").partition("=")[0].split(".")
        node = components.get(role)
        if override.startswith("~") or not path or role not in COMPONENTS or role == "driver" or not isinstance(node, Mapping):
            continue
        if "_target_" not in node:
            raise UserError(f"{role} has settings, but no {role} is chosen", f"type {role}=CHOICE too, or leave out {role}.*=")
        for depth, name in enumerate(path):
            if not isinstance(node, Mapping):
                break
            target = str(node.get("_target_", ""))
            names = parameters(target)
            if names is not None and name not in names and not name.startswith("_"):
                prefix = ".".join([role, *path[:depth], ""])
                raise unknown("setting", prefix + name, [prefix + each for each in names], f"of {target.rpartition('.')[2]}")
            node = node.get(name)


def source_file(module: str) -> Path | None:
    """Returns the file of a module, of which nothing but its top package is looked up; None where there is none."""
    top, *rest = module.split(".")
    spec = importlib.util.find_spec(top) if top.isidentifier() else None
    root = Path(spec.origin).parent if spec is not None and spec.origin else Path.cwd()
    path = root.joinpath(*rest) if rest or (root / "__init__.py").is_file() else root / top
    return next((file for file in (path.with_suffix(".py"), path / "__init__.py") if file.is_file()), None)


def parameters(target: str) -> list[str] | None:
    """Returns the names of the arguments that a class or a function takes; None where its source does not tell.

    Args:
        target: e.g. "qd.archives.Grid".
    """
    module, _, name = current(target).rpartition(".")
    file = source_file(module)
    if file is None:
        return None
    try:
        body = ast.parse(file.read_text(encoding="utf-8")).body
    except (SyntaxError, ValueError):
        return None
    for node in body:
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            original = next((alias.name for alias in node.names if (alias.asname or alias.name) == name), None)
            if original:
                return parameters(f"{node.module}.{original}")
        if isinstance(node, ast.FunctionDef) and node.name == name:
            return _arguments(node)
        if isinstance(node, ast.ClassDef) and node.name == name:
            return _fields(node, module)
    return None


def _fields(node: ast.ClassDef, module: str) -> list[str] | None:
    """Returns the arguments of a class with an __init__, or of a dataclass and those that it extends; a protocol has none."""
    for line in node.body:
        if isinstance(line, ast.FunctionDef) and line.name in ("__init__", "__new__"):
            arguments = _arguments(line)
            return arguments and arguments[1:]
    if [ast.unparse(base).partition("[")[0] for base in node.bases] == ["Protocol"]:
        return []
    decorated = any("dataclass" in ast.unparse(decorator) for decorator in node.decorator_list)
    if node.keywords or (node.decorator_list and not decorated):
        return None
    names: list[str] = []
    for base in node.bases:
        inherited = parameters(f"{module}.{base.id}") if isinstance(base, ast.Name) else None
        if inherited is None:
            return None
        names += inherited
    for line in node.body if decorated else ():  # annotations of a plain class are no fields
        if isinstance(line, ast.AnnAssign) and isinstance(line.target, ast.Name) and _is_argument(line):
            names.append(line.target.id)
    return list(dict.fromkeys(names))


def _is_argument(line: ast.AnnAssign) -> bool:
    default = "" if line.value is None else ast.unparse(line.value)
    return "ClassVar" not in ast.unparse(line.annotation) and "init=False" not in default


def _arguments(node: ast.FunctionDef) -> list[str] | None:
    if node.args.kwarg is not None:
        return None
    return [each.arg for each in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)]
