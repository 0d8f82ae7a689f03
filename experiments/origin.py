"""Which code made a row: the commit, and a fingerprint of the files that the study imports.

The fingerprint is that of the syntax trees, without comments and docstrings, of the study's file and of all files of this
project that it imports, at any depth and inside functions too; what only reports (tables, pages, plots, commands) is left
out. Components that a study names in words of a config are not followed.
"""

import ast
import hashlib
from functools import cache
from pathlib import Path

from qd.support import provenance

ROOT = Path(__file__).parents[1]
_PACKAGES = ("qd", "domains", "feedback", "experiments")
_REPORTING = ("qd.report", "qd.plots", "qd.cli", "experiments.study", "experiments.command", "experiments.checking")
_study: list[Path] = []  # the file of the study that runs


def begin(file: Path) -> None:
    """Notes the file of the study that runs; rows are stored with its fingerprint from now on.

    Args:
        file: of the study.
    """
    _study[:] = [file]


def of_running() -> dict[str, str]:
    """Returns the fingerprint and the commit of the study that runs; nothing where none was begun by a command."""
    if not _study:
        return {}
    commit = provenance.commit()
    return {"code": fingerprint(_study[0])} | ({"commit": commit[:12] + commit[40:]} if commit else {})


@cache
def fingerprint(file: Path) -> str:
    """Returns 12 hex digits for the code of a study.

    Args:
        file: of the study.
    """
    digest = hashlib.sha256()
    for each in sorted(files(file)):
        digest.update(each.relative_to(ROOT).as_posix().encode())
        digest.update(ast.dump(_without_docstrings(_tree(each))).encode())
    return digest.hexdigest()[:12]


def files(file: Path) -> set[Path]:
    """Returns a study's file and all files of this project that it imports.

    Args:
        file: of the study.
    """
    seen, todo = set(), [file.resolve()]
    while todo:
        each = todo.pop()
        if each not in seen:
            seen.add(each)
            todo += [path for name in _imports(each) if (path := _path(name)) is not None]
    return seen


@cache
def _tree(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"))


def _imports(file: Path) -> list[str]:
    names: list[str] = []
    for node in ast.walk(_tree(file)):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return names


def _path(name: str) -> Path | None:
    """Returns the file of a module of this project that makes numbers."""
    if name.split(".")[0] not in _PACKAGES or any(name == each or name.startswith(f"{each}.") for each in _REPORTING):
        return None
    stem = ROOT.joinpath(*name.split("."))
    candidates = (stem.with_suffix(".py"), stem / "__init__.py")
    return next((path for path in candidates if path.is_file()), None)


def _without_docstrings(tree: ast.Module) -> ast.Module:
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and node.body:
            first = node.body[0]
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str):
                node.body = node.body[1:] or [ast.Pass()]
    return tree
