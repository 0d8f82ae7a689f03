"""``qd study NAME [KEY=VALUE ...]``: finds a study, checks its settings, and runs it.

A study is a module of this package with a function ``main``. The parameters of ``main`` are its settings:

    def main(budget: Annotated[str, BUDGETS] = "quick", seeds: int = 5, methods: Annotated[Names, METHODS] = ()) -> None:

``Annotated`` names the allowed values, a dict or tuple of this file or of one that it imports. Both are read from the
source, so that errors and the list of studies are printed before anything large is imported.
"""

import ast
import importlib
import re
import sys
from pathlib import Path
from typing import Any, NamedTuple

from qd.support import moved
from qd.support.errors import UserError
from qd.support.spelling import unknown

Names = tuple[str, ...]  # typed with commas between them
PACKAGE = Path(__file__).parent


class StudySetting(NamedTuple):
    """A parameter of a study's ``main``."""

    name: str
    kind: str  # str, int or Names
    choices: tuple[str, ...]  # empty: any value
    required: bool


def dispatch(words: list[str]) -> None:
    """Runs a study, or lists them all where no name is given.

    Args:
        words: the study's name, then KEY=VALUE for each setting, or --help for what it does; --check N runs N kept rows
            again and compares them.

    Raises:
        UserError: the name, a setting or a value is unknown.
    """
    if not words:
        print(overview())
        return
    name, *rest = words
    file = find(current(name))
    if "-h" in rest or "--help" in rest:
        print(_docstring(file))
        return
    rest, n = _check(rest)
    settings = parse(file, rest)
    module = importlib.import_module(_module(file))
    from experiments import origin, study

    origin.begin(file)
    if n:
        study.check(module.main, settings, n)
    else:
        module.main(**settings)


def _check(words: list[str]) -> tuple[list[str], int]:
    """Returns the words without --check N, and N; 0 where it is not among them."""
    if "--check" not in words:
        return words, 0
    place = words.index("--check")
    n = words[place + 1] if place + 1 < len(words) else ""
    if not n.isdecimal() or int(n) < 1:
        raise UserError(f"--check {n} is no number of rows", "type --check 5")
    return [*words[:place], *words[place + 2 :]], int(n)


def run() -> None:
    """Does the same for ``python -m experiments.NAME``, and prints errors."""
    try:
        dispatch([_name(Path(sys.argv[0]).resolve()), *sys.argv[1:]])
    except UserError as error:
        sys.exit(f"qd: {error}")


def overview() -> str:
    """Returns the names of all studies by folder, one line each."""
    lines = ["qd study NAME [KEY=VALUE ...]   runs what is missing of a study, then writes and prints its table"]
    folder = None
    files = names()
    for name, file in files.items():
        if file.parent != folder:
            folder = file.parent
            lines += ["", _docstring(folder / "__init__.py").splitlines()[0]]
        lines.append(f"  {name:24} {_docstring(file).splitlines()[0]}")
    more = "qd study NAME --help describes a study and its settings; --check 5 runs five kept rows again and compares them."
    return "\n".join([*lines, "", more])


def names() -> dict[str, Path]:
    """Returns the file of each study, folder by folder, that which bears the folder's name first."""
    files = [
        file for file in PACKAGE.rglob("*.py") if re.search(r"^def main\(", file.read_text(encoding="utf-8"), re.MULTILINE)
    ]
    order = sorted((file.parent != PACKAGE, file.parent, file.stem != "study", file) for file in files)
    return {_name(file): file for *_, file in order}


def current(name: str) -> str:
    """Returns the current name of a study; an old name is accepted, with a line that prints the new one."""
    now = moved.current(f"experiments.{name}").removeprefix("experiments.")
    if now != name:
        print(f"qd: {name} is called {now} now; type qd study {now}", file=sys.stderr)
    return now


def find(name: str) -> Path:
    """Returns the file of a study. Raises UserError on an unknown name."""
    files = names()
    if name not in files:
        raise unknown("study", name, files)
    return files[name]


def parse(file: Path, words: list[str]) -> dict[str, Any]:
    """Returns the settings of a command.

    Args:
        file: of the study.
        words: KEY=VALUE each.

    Returns:
        Name -> value; settings that are not among the words are left out.

    Raises:
        UserError: an unknown setting or value, or a required one is missing.
    """
    settings = {setting.name: setting for setting in settings_of(file)}
    values: dict[str, Any] = {}
    for word in words:
        name, equals, text = word.partition("=")
        if not equals:
            pairs = [f"{setting.name}={word}" for setting in settings.values() if word in setting.choices]
            raise UserError(f"{word!r} is not KEY=VALUE", f"type qd study {_name(file)} {[*pairs, 'KEY=VALUE'][0]}")
        if name not in settings:
            raise unknown("setting", name, settings, f"of qd study {_name(file)}")
        values[name] = _value(settings[name], text)
    for setting in settings.values():
        if setting.required and setting.name not in values:
            raise UserError(f"qd study {_name(file)} needs {setting.name}=...", f"see qd study {_name(file)} --help")
    return values


def settings_of(file: Path) -> list[StudySetting]:
    """Reads the parameters of ``main`` from the source."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    arguments = next(node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == "main").args
    n_required = len(arguments.args) - len(arguments.defaults)
    settings = []
    for i, argument in enumerate(arguments.args):
        kind, choices = argument.annotation, ()
        if isinstance(kind, ast.Subscript) and isinstance(kind.slice, ast.Tuple):  # Annotated[kind, choices]
            kind, options = kind.slice.elts
            choices = tuple(map(str, _elements(options, tree)))
        settings.append(StudySetting(argument.arg, ast.unparse(kind) if kind else "", choices, i < n_required))
    return settings


def _elements(node: ast.expr, tree: ast.Module) -> list[Any]:
    """Returns the keys of a dict, or the elements of a tuple, that are written out in this file or in one it imports from."""
    if isinstance(node, ast.Dict):
        return [ast.literal_eval(key) for key in node.keys if key]
    if not isinstance(node, ast.Name):
        return list(ast.literal_eval(node))
    for statement in tree.body:
        if isinstance(statement, ast.Assign) and node.id in {ast.unparse(target) for target in statement.targets}:
            return _elements(statement.value, tree)
        if isinstance(statement, ast.AnnAssign) and ast.unparse(statement.target) == node.id and statement.value:
            return _elements(statement.value, tree)
        if isinstance(statement, ast.ImportFrom) and node.id in {alias.name for alias in statement.names}:
            source = PACKAGE.parent.joinpath(*(statement.module or "").split(".")).with_suffix(".py")
            return _elements(node, ast.parse(source.read_text(encoding="utf-8")))
    raise AssertionError(f"{node.id} is no dict or tuple at the top of a study's file")


def _value(setting: StudySetting, text: str) -> Any:
    if setting.kind == "int":
        if not text.isdecimal():
            raise UserError(f"{setting.name}={text} is not a whole number", f"type for example {setting.name}=5")
        return int(text)
    if setting.kind == "Names":
        return _split(setting, text)
    if setting.choices and text not in setting.choices:
        raise unknown(setting.name, text, setting.choices)
    return text


def _split(setting: StudySetting, text: str) -> Names:
    """Splits at commas. A name that has commas itself is found among the choices, the longest first."""
    parts: list[str] = []
    while text:
        longest = max((name for name in setting.choices if f"{text},".startswith(f"{name},")), key=len, default=None)
        part = text.split(",")[0] if longest is None else longest
        if setting.choices and longest is None:
            raise unknown(setting.name.removesuffix("s"), part, setting.choices)
        parts.append(part)
        text = text[len(part) + 1 :]
    return tuple(parts)


def _name(file: Path) -> str:
    """Returns a file's name as a study: by folder, and the folder alone for its study.py and __main__.py."""
    parts = file.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] in ("study", "__main__") else parts)


def _module(file: Path) -> str:
    return ".".join(["experiments", *file.relative_to(PACKAGE).with_suffix("").parts])


def _docstring(file: Path) -> str:
    return ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or ""
