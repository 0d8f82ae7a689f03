"""Public functions say what they take and return: the share that does may only rise."""

import ast
from pathlib import Path

HOUSE = Path(__file__).resolve().parents[2]
PACKAGES = ("qd", "domains", "feedback")
LEAST = 0.9  # share of public functions of two parameters or more that have Args in their docstring


def public_functions() -> list[tuple[str, ast.FunctionDef]]:
    """Returns (path:name, node) of the public functions of all modules."""
    functions = []
    for package in PACKAGES:
        for file in sorted((HOUSE / package).rglob("*.py")):
            for node in ast.parse(file.read_text(encoding="utf-8")).body:
                if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
                    functions.append((f"{file.relative_to(HOUSE)}:{node.name}", node))
    return functions


def parameters(node: ast.FunctionDef) -> int:
    return len(node.args.args) + len(node.args.kwonlyargs) + len(node.args.posonlyargs)


def test_public_functions_document_their_arguments():
    several = [(name, node) for name, node in public_functions() if parameters(node) >= 2]
    lacking = [name for name, node in several if "Args:" not in (ast.get_docstring(node) or "")]
    assert len(several) > 100
    assert 1 - len(lacking) / len(several) >= LEAST, f"{len(lacking)} of {len(several)} lack Args: {lacking}"


def test_public_functions_have_a_docstring():
    assert not [name for name, node in public_functions() if not ast.get_docstring(node)]
