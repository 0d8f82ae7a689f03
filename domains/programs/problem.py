"""What programs shall do, and how good one is: the contract of a problem.

A problem says in words what is wanted, which function a program defines, and how to try it: ``job`` runs in the sandbox and
returns plain values, ``score`` judges those values in this process, where no program can reach it.
"""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

from domains.programs.sandbox.limits import Execution


class Score(NamedTuple):
    """How good a program is, by a problem's own judgement."""

    objective: float  # higher is better; NaN: it failed
    features: Mapping[str, float] = {}
    words: str = ""  # errors and failing cases, which may stand in the next prompt


class Problem(Protocol):
    """A task for programs."""

    @property
    def statement(self) -> str:
        """The task in words, for prompts, with the function's name and arguments."""
        ...

    @property
    def initial(self) -> tuple[str, ...]:
        """Sources to begin with; none: the language model writes them."""
        ...

    @property
    def features(self) -> tuple[str, ...]:
        """Names of the features that every score has."""
        ...

    @property
    def objective_range(self) -> tuple[float, float] | None:
        """(low, high), the scale of the QD score."""
        ...

    @property
    def language(self) -> str:
        """Of the programs, as it stands behind the fence of a block of code: python."""
        ...

    def job(self, source: str) -> Execution:
        """Returns what the sandbox runs.

        Args:
            source: of the program.
        """
        ...

    def score(self, value: Any) -> Score:
        """Scores what came out of the sandbox.

        Args:
            value: what the job assigned to ``result``, as JSON holds it.

        Returns:
            The score; a value of the wrong form is a NaN objective and words that say so.
        """
        ...


def read_score(answer: Any, features: tuple[str, ...]) -> Score:
    """Reads the answer of a user's evaluator: {objective, features: {name: number}, words}.

    Args:
        answer: as JSON holds it.
        features: the names that it must have.

    Returns:
        The score; NaN with words where the answer has no objective or lacks a feature, or one of them is not finite.
    """
    if not isinstance(answer, Mapping) or "objective" not in answer:
        wanted = '{"objective": NUMBER, "features": {NAME: NUMBER}, "words": TEXT}'
        return Score(math.nan, {}, f"the evaluator returned no objective: {str(answer)[:200]}, where {wanted} is wanted")
    words = answer.get("words", "")
    words = words if isinstance(words, str) else "\n".join(map(str, words))
    objective = _number(answer["objective"])
    if objective is None or not math.isfinite(objective):
        reason = f"the evaluator's objective is {str(answer['objective'])[:100]}, no finite number"
        return Score(math.nan, {}, f"{reason}: {words}" if words else reason)
    given = answer.get("features") or {}
    lacking = [name for name in features if not isinstance(given, Mapping) or _number(given.get(name)) is None]
    if lacking:
        names = sorted(given) if isinstance(given, Mapping) else given
        return Score(math.nan, {}, f"the evaluator returned the features {names}, without a number for {', '.join(lacking)}")
    for name in features:
        if not math.isfinite(float(given[name])):
            return Score(math.nan, {}, f"the evaluator's feature {name} is {given[name]}, no finite number")
    return Score(objective, {name: float(given[name]) for name in features}, words)


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
