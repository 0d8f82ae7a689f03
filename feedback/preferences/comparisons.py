"""Answers so far to "is a or b more like x?": a buffer of numbers of fixed size, so that nothing recompiles.

N answers at most, T triplets, F feature length.
"""

from typing import Any, NamedTuple

import numpy as np

from feedback.features import flat
from feedback.judges import CANT_TELL, A, B, Judge, pick
from qd import abilities, keys
from qd.support.errors import TooFewSolutions, UserError
from qd.types import Array, Features, Rows


class Answers(NamedTuple):
    """A buffer of N answers; ``count`` of them are real."""

    ids: Array  # int64 [N, 3] of x, a, b; -1 where there is no answer yet
    features: Array  # float32 [N, 3, F] their features
    answer: Array  # int8 [N] 1 for a, -1 for b, 0 can't tell
    rater: Array  # int32 [N]
    count: Array  # int32 [], answers so far


def empty(n: int, length: int) -> Answers:
    """Returns an empty buffer for n answers.

    Args:
        n: N, answers that it holds at most.
        length: F.

    Returns:
        The buffer, with a count of 0.
    """
    ids, features = np.full((n, 3), -1, np.int64), np.zeros((n, 3, length), np.float32)
    return Answers(ids, features, np.zeros(n, np.int8), np.zeros(n, np.int32), np.zeros((), np.int32))


def ask(judge: Judge, answers: Answers, rows: Rows, triplets: np.ndarray, reads: tuple[str, ...], raters: int = 1) -> Answers:
    """Asks a judge about T triplets and adds the answers to the buffer.

    Args:
        judge: answers x, a, b of T rows each; its ability ``raters`` says who answered.
        answers: the buffer of N; it is not changed.
        rows: the solutions.
        triplets: indices of rows, x, a and b, [T, 3].
        reads: names of the features that are kept, end to end (F).
        raters: R, that there is room for; with 1 all answers count as one rater's.

    Returns:
        The buffer with T answers more.

    Raises:
        ValueError: the judge's answers are not T of 1, -1 and 0, or its raters not below ``raters``.
        AssertionError: the buffer has no room for T more.
    """
    x, a, b = (pick(rows, column) for column in triplets.T)
    answer = np.asarray(judge(x, a, b))
    _check(judge, answer, len(triplets))
    raters_of = abilities.of_judge(judge).raters if raters > 1 else None  # else one reliability for all
    rater = np.zeros(len(answer), np.int32) if raters_of is None else np.asarray(raters_of(x, a, b))
    if len(rater) and not 0 <= rater.min() <= rater.max() < raters:
        raise UserError(f"rater {rater.max()} answered, but there is room for {raters}", f"type raters={rater.max() + 1}")
    start = int(answers.count)
    end = start + len(triplets)
    assert end <= len(answers.answer), "more answers than the buffer holds"
    full = Answers(*(np.array(column) for column in answers))
    full.ids[start:end] = rows.ids[triplets]
    full.features[start:end] = flat(rows.features, reads)[triplets]
    full.answer[start:end], full.rater[start:end] = answer, rater
    return full._replace(count=np.int32(end))


def agreement(descriptor: Any, params: Any) -> tuple[int, int]:
    """Counts the clear answers that a learned map agrees with: it puts x nearer to the one that was chosen.

    Args:
        descriptor: from params and features to measures.
        params: of the descriptor; ``params.answers`` is the buffer.

    Returns:
        How many clear answers it agrees with, and how many there are; "can't tell" is not clear.
    """
    comparisons, n = params.answers, int(params.answers.count)
    x, a, b = (np.asarray(descriptor(params, _as_features(descriptor.reads, comparisons.features[:n, i]))) for i in range(3))
    clear = comparisons.answer[:n] != CANT_TELL
    nearer_a = np.linalg.norm(x - a, axis=1) < np.linalg.norm(x - b, axis=1)
    return int((nearer_a == (comparisons.answer[:n] == A))[clear].sum()), int(clear.sum())


def with_replacement(key: Array, n: int, rows: int) -> np.ndarray:
    """Draws triplets of row indices; a triplet may name a row twice.

    Args:
        key: of the draw.
        n: how many triplets.
        rows: how many rows.

    Returns:
        Indices of x, a and b, [n, 3].
    """
    return keys.integers(key, (n, 3), 0, rows)


def distinct(key: Array, n: int, rows: int) -> np.ndarray:
    """Draws triplets of three different rows; a triplet may come twice; arguments as in ``with_replacement``.

    Raises:
        ValueError: there are fewer than three rows.
    """
    if rows < 3:
        raise TooFewSolutions(f"a question needs 3 different solutions, but there are {rows}", rows, 3)
    x_key, a_key, b_key = keys.split(key, 3)
    x = keys.integers(x_key, (n,), 0, rows)
    a, b = keys.integers(a_key, (n,), 1, rows), keys.integers(b_key, (n,), 1, rows - 1)
    b = b + (b >= a)
    return np.stack([x, (x + a) % rows, (x + b) % rows], axis=1)


def _as_features(reads: tuple[str, ...], rows: np.ndarray) -> Features:
    """Features [N, F] that were rows end to end, as a descriptor lays them end to end again."""
    return {name: rows[:, :0] if i else rows for i, name in enumerate(reads)}


def _check(judge: Judge, answer: np.ndarray, n: int) -> None:
    name = type(judge).__name__
    if answer.shape != (n,):
        raise UserError(f"the judge {name} gave {list(answer.shape)} answers to {n} questions", f"return one for each, [{n}]")
    if not np.isin(answer, (A, B, CANT_TELL)).all():
        odd = next(value for value in answer.tolist() if value not in (A, B, CANT_TELL))
        raise UserError(f"the judge {name} answered {odd!r}", "return 1 for a, -1 for b, 0 for can't tell")
