"""Evaluates one chunk in a worker: whatever a domain does, the result is an Outcome; and the shape of such results.

b rows of a chunk.
"""

import time
import traceback
from collections.abc import Callable
from types import TracebackType
from typing import Any, NamedTuple

import numpy as np

from qd.remote.tasks import MEMORY, RAISED, RUBBISH, SPENT, Outcome, Task
from qd.types import Array, Evaluation, Spent

LONGEST = 500  # characters of a detail
Call = Callable[[Array, Array], Any]  # (keys [b, 2], solutions [b, ...]) -> Evaluation, or rubbish


def call_of(domain: Any) -> Call:
    """Returns evaluate of a domain, compiled where the domain is pure; host keys either way."""
    if not domain.pure:
        return domain.evaluate
    import jax  # only where it is needed: a worker starts faster without it

    return jax.jit(lambda keys, solutions: domain.evaluate(jax.vmap(jax.random.wrap_key_data)(keys), solutions))


def evaluate(call: Call, task: Task) -> Outcome:
    """Evaluates a task.

    Args:
        call: of ``call_of``.
        task: b solutions.

    Returns:
        The evaluation in NumPy columns, or why there is none.
    """
    began, attempt = time.perf_counter(), _Attempt()
    evaluation = None
    with attempt:
        evaluation = columns(call(task.keys, task.solutions), len(task.solutions))
    return Outcome(task.number, evaluation, time.perf_counter() - began, attempt.reason, attempt.detail)


def columns(result: Any, n: int) -> Evaluation:
    """Returns an evaluation as NumPy columns, the objective in floating point.

    Args:
        result: what a domain returned for n solutions.
        n: how many rows it must have.

    Raises:
        Rubbish: it is no evaluation of n rows.
    """
    if not isinstance(result, tuple) or len(result) != 2 or not isinstance(result[1], dict):
        raise Rubbish(f"evaluate returned a {type(result).__name__}, no Evaluation(objective, {{'name': feature}})")
    objective, features = _column("objective", result[0], n), result[1]
    if objective.ndim not in (1, 2):
        raise Rubbish(f"the objective is {list(objective.shape)} for {n} solutions")
    return Evaluation(
        objective.astype(np.result_type(objective, np.float32), copy=False),
        {str(name): _column(f"feature {name!r}", column, n) for name, column in features.items()},
    )


class Rubbish(ValueError):
    """A result that is no evaluation."""


def _column(what: str, values: Any, n: int) -> np.ndarray:
    try:
        column = np.asarray(values)
    except ValueError as error:  # lists of different lengths
        raise Rubbish(f"the {what} is no array: {error}") from error
    if column.dtype.kind not in "biuf" or column.shape[:1] != (n,):
        raise Rubbish(f"the {what} is {column.dtype} {list(column.shape)} for {n} solutions: {str(values)[:60]}")
    return column


class _Attempt:
    """Turns whatever an evaluation raises into a reason and a line."""

    reason = detail = ""

    def __enter__(self) -> None: ...

    def __exit__(self, kind: Any, error: BaseException | None, trace: TracebackType | None) -> bool:
        if error is None:
            return True
        if isinstance(error, Spent):
            self.reason = SPENT
        elif isinstance(error, Rubbish):
            self.reason = RUBBISH
        else:
            self.reason = MEMORY if isinstance(error, MemoryError) else RAISED
        self.detail = str(error)[:LONGEST] if self.reason in (SPENT, RUBBISH) else describe(error)
        return not isinstance(error, KeyboardInterrupt)


def describe(error: BaseException) -> str:
    """Returns an error in one line, with the line of code that raised it."""
    frames = traceback.extract_tb(error.__traceback__)
    where = f" ({frames[-1].filename}:{frames[-1].lineno})" if frames else ""
    return f"{type(error).__name__}: {str(error)[:LONGEST]}{where}"


class Shapes(NamedTuple):
    """Of a row: feature -> (shape, dtype), and the same of the objective."""

    features: dict[str, tuple[tuple[int, ...], np.dtype]]
    objective: tuple[tuple[int, ...], np.dtype]

    @staticmethod
    def of(evaluation: Evaluation) -> "Shapes":
        """Returns the shapes of an evaluation in NumPy columns."""
        features = {name: (column.shape[1:], column.dtype) for name, column in evaluation.features.items()}
        return Shapes(features, (evaluation.objective.shape[1:], evaluation.objective.dtype))

    def difference(self, evaluation: Evaluation) -> str:
        """Says how the rows of an evaluation differ from these; empty where they do not."""
        other = Shapes.of(evaluation)
        if other.features.keys() != self.features.keys():
            return f"its features are {sorted(other.features)}, and those of other solutions {sorted(self.features)}"
        if other.objective[0] != self.objective[0]:
            return f"its objective has shape {list(other.objective[0])}, and that of other solutions {list(self.objective[0])}"
        for name, (shape, dtype) in self.features.items():
            if other.features[name][0] != shape:
                return (
                    f"its feature {name!r} has shape {list(other.features[name][0])}, and that of other solutions {list(shape)}"
                )
        return ""

    def blank(self, n: int) -> Evaluation:
        """Returns n failed rows: NaN as objective, zeros as features."""
        features = {name: np.zeros((n, *shape), dtype) for name, (shape, dtype) in self.features.items()}
        shape, dtype = self.objective
        return Evaluation(np.full((n, *shape), np.nan, dtype), features)


def join(parts: list[Evaluation]) -> Evaluation:
    """Returns the rows of all parts, in order."""
    features = {name: np.concatenate([part.features[name] for part in parts]) for name in parts[0].features}
    return Evaluation(np.concatenate([part.objective for part in parts]), features)
