"""Names and kinds of the settings that a component takes, read from its source: neither it nor JAX is imported.

What the source alone does not tell is left to the check when a component is built (build.py).
"""

import ast
import importlib.util
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from qd.config import values
from qd.config.settings import COMPONENTS
from qd.support.errors import UserError
from qd.support.moved import current, current_override
from qd.support.spelling import unknown

_PATHS = {"ExistingFile": Path.is_file, "ExistingFolder": Path.is_dir}  # qd.support.conf
_PLAIN: dict[str, Any] = {each.__name__: each for each in (int, float, str, bool, tuple)} | _PATHS


class Argument(NamedTuple):
    """What a component's source tells of one of its settings."""

    annotation: Any  # of plain kinds, e.g. int | None; None where it is another one
    default: Any  # of plain kinds, else None
    required: bool = False  # it has no default


def check(components: Mapping[str, Any], overrides: Sequence[str]) -> None:
    """Refuses settings of components that were typed and that there are not, and values of another kind.

    Args:
        components: role -> plain node, None where none is chosen.
        overrides: the words after ``qd run``.

    Raises:
        UserError: names the nearest setting, the choice that is missing, or what to type instead of a value.
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
            found, prefix = arguments(target), ".".join([role, *path[:depth], ""])
            if found is not None and name not in found and not name.startswith("_"):
                raise unknown("setting", prefix + name, [prefix + each for each in found], f"of {target.rpartition('.')[2]}")
            argument, is_there, node = (found or {}).get(name), name in node, node.get(name)
            if argument and is_there and depth == len(path) - 1:
                _check_kind(prefix + name, node, argument)


def not_set(key: str, node: Any) -> dict[str, str]:
    """Returns what a component and the components in it need and do not have.

    Args:
        key: of the component, e.g. "domain".
        node: its plain node; "???" stands for a setting that must be typed.

    Returns:
        Key -> what to type there: FILE, FOLDER or "...".
    """
    if not isinstance(node, Mapping) or node.get("_partial_"):
        return {}
    found = arguments(str(node.get("_target_", ""))) or {}
    lacking = [name for name, argument in found.items() if argument.required and name not in node]
    lacking += [name for name, value in node.items() if value == "???"]
    types = {name: found[name].annotation if name in found else None for name in lacking}
    kinds: dict[Any, str] = {is_there: kind.removeprefix("Existing").upper() for kind, is_there in _PATHS.items()}
    return {f"{key}.{name}": kinds.get(types[name], "...") for name in lacking} | {
        inner: word for name, value in node.items() for inner, word in not_set(f"{key}.{name}", value).items()
    }


def _check_kind(key: str, value: Any, argument: Argument) -> None:
    refers = isinstance(value, str) and value.startswith("@")
    for kind, is_there in _PATHS.items():
        if argument.annotation is is_there and isinstance(value, str) and not refers and not is_there(Path(value)):
            what = kind.removeprefix("Existing")
            raise UserError(f"{key}={value} is no {what.lower()}", f"type {key}={what.upper()}")
    if argument.annotation in _PATHS.values():
        return
    if argument.annotation is not None and not refers and not (value is argument.default is None):
        values.check(key, value, argument.annotation, argument.default)


def source_file(module: str) -> Path | None:
    """Returns the file of a module, of which nothing but its top package is looked up; None where there is none."""
    top, *rest = module.split(".")
    spec = importlib.util.find_spec(top) if top.isidentifier() else None
    root = Path(spec.origin).parent if spec is not None and spec.origin else Path.cwd()
    path = root.joinpath(*rest) if rest or (root / "__init__.py").is_file() else root / top
    return next((file for file in (path.with_suffix(".py"), path / "__init__.py") if file.is_file()), None)


def arguments(target: str) -> dict[str, Argument] | None:
    """Returns the arguments that a class or a function takes, by name; None where its source does not tell.

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
                return arguments(f"{node.module}.{original}")
        if isinstance(node, ast.FunctionDef) and node.name == name:
            return _arguments(node)
        if isinstance(node, ast.ClassDef) and node.name == name:
            return _fields(node, module)
    return None


def _fields(node: ast.ClassDef, module: str) -> dict[str, Argument] | None:
    """Returns the arguments of a class with an __init__, or of a dataclass and those that it extends; a protocol has none."""
    for line in node.body:
        if isinstance(line, ast.FunctionDef) and line.name in ("__init__", "__new__"):
            found = _arguments(line)
            return found and dict(list(found.items())[1:])
    if [ast.unparse(base).partition("[")[0] for base in node.bases] == ["Protocol"]:
        return {}
    decorated = any("dataclass" in ast.unparse(decorator) for decorator in node.decorator_list)
    if node.keywords or (node.decorator_list and not decorated):
        return None
    fields: dict[str, Argument] = {}
    for base in node.bases:
        inherited = arguments(f"{module}.{base.id}") if isinstance(base, ast.Name) else None
        if inherited is None:
            return None
        fields |= inherited
    for line in node.body if decorated else ():  # annotations of a plain class are no fields
        if isinstance(line, ast.AnnAssign) and isinstance(line.target, ast.Name) and _is_argument(line):
            fields[line.target.id] = Argument(_annotation(line.annotation), _default(line.value), line.value is None)
    return fields


def _is_argument(line: ast.AnnAssign) -> bool:
    default = "" if line.value is None else ast.unparse(line.value)
    return "ClassVar" not in ast.unparse(line.annotation) and "init=False" not in default


def _arguments(node: ast.FunctionDef) -> dict[str, Argument] | None:
    if node.args.kwarg is not None:
        return None
    placed = [*node.args.posonlyargs, *node.args.args]
    defaults = [None] * (len(placed) - len(node.args.defaults)) + node.args.defaults + node.args.kw_defaults
    every = zip([*placed, *node.args.kwonlyargs], defaults, strict=True)
    return {each.arg: Argument(_annotation(each.annotation), _default(value), value is None) for each, value in every}


def _annotation(node: ast.expr | None) -> Any:
    """Returns an annotation of plain kinds, also of None and of lists of anything; None for any other, e.g. a component."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        left, right = _annotation(node.left), _annotation(node.right)
        return None if left is None or right is None else left | right
    if isinstance(node, ast.Constant) and node.value is None:
        return type(None)
    if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name) and node.value.id in ("tuple", "list"):
        return tuple
    return _PLAIN.get(node.id) if isinstance(node, ast.Name) else None


def _default(node: ast.expr | None) -> Any:
    with suppress(ValueError):
        return None if node is None else ast.literal_eval(node)
    return None
