"""Public functions document their arguments, and the examples in docstrings run."""

import ast
import doctest
import importlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import qd
import qd.emitters

HOUSE = Path(__file__).resolve().parents[2]
PACKAGES = {"qd": 0.95, "domains": 0.98, "feedback": 0.98, "experiments": 0.98}  # least share of functions with Args
FILES = {package: sorted((HOUSE / package).rglob("*.py")) for package in PACKAGES}
EXAMPLES = [file for files in FILES.values() for file in files if re.search(r"^ *>>> ", file.read_text("utf-8"), re.MULTILINE)]


def public_functions(package: str) -> Iterator[tuple[str, ast.FunctionDef]]:
    """Yields (path:line name, node) of the public functions and methods of a package."""
    for file in FILES[package]:
        if not any(
            part.startswith("_") and part not in ("__init__.py", "__main__.py") for part in file.relative_to(HOUSE).parts
        ):
            for node in _functions(ast.parse(file.read_text(encoding="utf-8"))):
                yield f"{file.relative_to(HOUSE)}:{node.lineno} {node.name}", node


def _functions(parent: ast.Module | ast.ClassDef) -> Iterator[ast.FunctionDef]:
    for node in parent.body:
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            yield from _functions(node)
        elif isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
            yield node


def parameters(node: ast.FunctionDef) -> list[str]:
    every = [*node.args.posonlyargs, *node.args.args, node.args.vararg, *node.args.kwonlyargs, node.args.kwarg]
    return [argument.arg for argument in every if argument and argument.arg not in ("self", "cls")]


def documented(node: ast.FunctionDef | ast.Module) -> list[str]:
    """Returns the names below Args, in order."""
    _, _, below = (ast.get_docstring(node) or "").partition("Args:\n")
    block = below.split("\n\n")[0].splitlines()
    heads = [line.split(":")[0] for line in block if ":" in line and line.startswith("    ") and line[4] != " "]
    return [name.strip() for head in heads for name in head.split(",")]


def reference(node: ast.FunctionDef) -> str | None:
    """Returns where a docstring says that the arguments are documented: a class, or a function beside it."""
    match = re.search(r"rguments\s+as\s+in\s+``(\w+)``", ast.get_docstring(node) or "")
    return match and match.group(1)


def is_documented(node: ast.FunctionDef) -> bool:
    return "Args:" in (ast.get_docstring(node) or "") or reference(node) is not None


@pytest.mark.parametrize("package", PACKAGES)
def test_public_functions_document_their_arguments(package):
    several = [(name, node) for name, node in public_functions(package) if len(parameters(node)) >= 2]
    lacking = [name for name, node in several if not is_documented(node)]
    share = 1 - len(lacking) / len(several)
    assert share >= PACKAGES[package], f"{len(lacking)} of {len(several)} lack Args: {lacking}"


@pytest.mark.parametrize("package", PACKAGES)
def test_args_name_parameters_that_exist(package):
    functions = [(name, node) for name, node in public_functions(package) if "Args:" in (ast.get_docstring(node) or "")]
    assert len(functions) > 100
    assert not {name: extra for name, node in functions if (extra := set(documented(node)) - set(parameters(node)))}


@pytest.mark.ci
def test_arguments_that_are_documented_elsewhere_are_documented_there():
    files = {file: ast.parse(file.read_text(encoding="utf-8")).body for files in FILES.values() for file in files}
    classes = [node for body in files.values() for node in body if isinstance(node, ast.ClassDef)]
    pairs = [(each, method) for each in classes for method in each.body if isinstance(method, ast.FunctionDef)]
    found = [(each.name, method.name, method) for each, method in pairs]
    for body in files.values():
        functions = [node for node in body if isinstance(node, ast.FunctionDef)]
        found += [(node.name, other.name, node) for node in functions for other in functions]
    documents: dict[tuple[str, str], set[str]] = {}
    for name, other, node in found:
        if "Args:" in (ast.get_docstring(node) or ""):
            documents.setdefault((name, other), set()).update(parameters(node))
    functions = [(name, node) for package in PACKAGES for name, node in public_functions(package) if reference(node)]
    mains = [node for _, node in functions if reference(node) == "study"]
    shared = set(documented(ast.parse((HOUSE / "experiments/study.py").read_text(encoding="utf-8"))))
    assert len(functions) > 50 and len(mains) > 10
    assert not [
        node.lineno for node in mains if node.name != "main" or not set(parameters(node)) <= shared | {*documented(node)}
    ]
    others = [(name, node) for name, node in functions if node not in mains]
    there = lambda node: documents.get((reference(node), node.name), set()) | {*documented(node)}
    assert not [name for name, node in others if not set(parameters(node)) <= there(node)]


@pytest.mark.parametrize("package", PACKAGES)
def test_public_functions_have_a_docstring(package):
    tops = [node for file in FILES[package] for node in ast.parse(file.read_text(encoding="utf-8")).body]
    functions = [node for node in tops if isinstance(node, ast.FunctionDef) and not node.name.startswith("_")]
    assert not [node.name for node in functions if not ast.get_docstring(node)]


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: file.stem)
def test_examples_run(file):
    module = importlib.import_module(".".join(file.relative_to(HOUSE).with_suffix("").parts).removesuffix(".__init__"))
    results = doctest.testmod(module)
    assert results.attempted and not results.failed


@pytest.mark.parametrize("name", qd.emitters.__all__)
def test_each_emitter_has_an_example(name):
    assert ">>> " in getattr(qd.emitters, name).__doc__
