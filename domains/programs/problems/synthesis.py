"""Function synthesis: one of 30 small functions, with public cases that guide the search and hidden ones that judge it."""

import inspect
import json
import math
from dataclasses import dataclass
from typing import Any

from domains.programs.problem import Score
from domains.programs.problems import tasks
from domains.programs.problems.cases import CASES
from domains.programs.sandbox.limits import Execution
from qd.support.spelling import unknown

_HARNESS = """
result = []
for arguments in cases:
    try:
        result.append([True, solve(*arguments)])
    except Exception as error:
        result.append([False, type(error).__name__ + ": " + str(error)])
"""


@dataclass(frozen=True)
class Synthesis:
    """The objective is the share of cases that are right. Features: passed, the same; raised, the share of errors."""

    task: str = "run_lengths"
    hidden: bool = False
    features: tuple[str, ...] = ("passed", "raised")
    objective_range: tuple[float, float] = (0.0, 1.0)
    language: str = "python"
    initial: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.task not in CASES:
            raise unknown("domain.problem.task", self.task, list(CASES))

    @property
    def statement(self) -> str:
        """The task in words, with its public cases."""
        function = getattr(tasks, f"_{self.task}")
        shown = [f"solve({', '.join(map(repr, case))}) == {function(*case)!r}" for case in CASES[self.task][0][:3]]
        words = " ".join((inspect.getdoc(function) or "").split())
        return f"Write a Python function `{self.head}`\n{words}\nExamples:\n" + "\n".join(shown)

    @property
    def head(self) -> str:
        """The first line of the function."""
        return f"def solve{inspect.signature(getattr(tasks, f'_{self.task}'))}:"

    @property
    def cases(self) -> list[tuple]:
        """Arguments of the calls."""
        return CASES[self.task][1 if self.hidden else 0]

    def job(self, source: str) -> Execution:
        """Calls solve with every case; arguments as in ``Problem``."""
        return Execution(source + "\nsolve\n", _HARNESS, {"cases": [list(case) for case in self.cases]})

    def score(self, value: Any) -> Score:
        """Compares with the reference.

        Args:
            value: of each case [whether it returned, what].
        """
        if not isinstance(value, list) or len(value) != len(self.cases):
            return Score(math.nan, {}, "not every case was run")
        function, wrong, raised = getattr(tasks, f"_{self.task}"), [], 0
        for case, (returned, answer) in zip(self.cases, value, strict=True):
            expected = json.loads(json.dumps(function(*case)))
            if not returned or not _equal(answer, expected):
                raised += not returned
                call = f"solve({', '.join(map(repr, case))})"
                wrong.append(f"{call} {'returned' if returned else 'raised'} {answer!r:.200}, expected {expected!r:.200}")
        n = len(self.cases)
        words = "" if not wrong else f"{len(wrong)} of {n} cases fail; the first: {wrong[0]}"
        passed = 1 - len(wrong) / n
        return Score(passed, {"passed": passed, "raised": raised / n}, words)


def _equal(answer: Any, expected: Any) -> bool:
    if isinstance(expected, float) and isinstance(answer, int | float) and not isinstance(answer, bool):
        return math.isclose(answer, expected, rel_tol=1e-6, abs_tol=1e-9)
    if isinstance(expected, list) and isinstance(answer, list):
        return len(answer) == len(expected) and all(map(_equal, answer, expected))
    return type(answer) is type(expected) and answer == expected
