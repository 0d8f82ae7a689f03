"""Numbers that describe source code, from its syntax tree: features for descriptors.

B programs. The tree is Python's; other languages have length and lines alone.
"""

import ast
import threading
import zlib
from collections import Counter
from functools import lru_cache

import numpy as np

SHARES = ("loops", "branches", "calls", "arithmetic", "functions", "collections")
_KINDS: dict[str, tuple[type, ...]] = {
    "loops": (ast.For, ast.While, ast.comprehension),
    "branches": (ast.If, ast.IfExp, ast.Match),
    "calls": (ast.Call,),
    "arithmetic": (ast.BinOp, ast.UnaryOp, ast.AugAssign, ast.Compare),
    "functions": (ast.FunctionDef, ast.Lambda, ast.Return),
    "collections": (ast.List, ast.Tuple, ast.Dict, ast.Set, ast.Subscript),
}
_DECISIONS = (ast.If, ast.IfExp, ast.For, ast.While, ast.ExceptHandler, ast.comprehension, ast.match_case, ast.Assert)
WIDE = 32  # numbers of the hashed tree
NAMES = ("length", "lines", "complexity", "depth", "distance", "seconds", "memory")  # features of one number


@lru_cache(maxsize=1024)
def describe(source: str) -> dict[str, np.ndarray]:
    """Returns length (characters), lines, complexity (cyclomatic), depth, shares [6] and syntax [32] of a program.

    ``shares`` are of all its nodes those of SHARES; ``syntax`` counts pairs of a node and its parent, hashed and of length 1:
    the inner product of two is a similarity of trees. The arrays are kept for the next call, and not to be written to.
    """
    lines = [line for line in source.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    features = {"length": [len("\n".join(lines))], "lines": [len(lines)]}
    tree = parse(source)
    nodes = list(ast.walk(tree)) if tree else []
    features["complexity"] = [complexity(tree) if tree else 0]
    features["depth"] = [_depth(tree) if tree else 0]
    counted = [sum(isinstance(node, kinds) for node in nodes) for kinds in _KINDS.values()]
    columns = {name: np.array(value, np.float32) for name, value in features.items()}
    columns["shares"] = (np.array(counted) / max(1, len(nodes))).astype(np.float32)
    columns["syntax"] = _syntax(nodes)
    return columns


def complexity(tree: ast.AST) -> int:
    """Returns McCabe's cyclomatic complexity: decisions plus one; each further operand of and, or counts too."""
    count = 1
    for node in ast.walk(tree):
        count += isinstance(node, _DECISIONS)
        count += len(node.values) - 1 if isinstance(node, ast.BoolOp) else 0
    return count


def parse(source: str) -> ast.Module | None:
    """Returns the tree of a source; None where it is no Python."""
    with _PARSING:
        try:
            return ast.parse(source)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return None


_PARSING = threading.Lock()  # Python 3.11 counts the depth of all threads' trees together, and raises SystemError


def _depth(node: ast.AST) -> int:
    deepest, front = 0, [node]
    while front:
        deepest, front = deepest + 1, [child for each in front for child in ast.iter_child_nodes(each)]
    return deepest


def _syntax(nodes: list[ast.AST]) -> np.ndarray:
    pairs = Counter((type(node).__name__, type(child).__name__) for node in nodes for child in ast.iter_child_nodes(node))
    vector = np.zeros(WIDE, np.float32)
    for pair, count in pairs.items():
        number = zlib.crc32(repr(pair).encode())
        vector[number % WIDE] += count * (1 if number >> 16 & 1 else -1)
    norm = np.linalg.norm(vector)
    return vector / norm if norm else vector
