"""Probabilities of labels, from the log-probabilities of a model's tokens.

L labels. Two ways: the whole label's log-likelihood after the prompt (Bradley et al. 2024, QDAIF), or the likeliest first
tokens of an answer, those that begin or are a label.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from qd.support.errors import UserError

_MOST_MASS = 1.1  # of labels scored in calls of their own, which round apart: two that exclude each other have 1 together
LEAST_MASS = 0.5  # below it the model prefers other words than the labels, and its choice between them means nothing


class LabelScores(NamedTuple):
    probabilities: np.ndarray  # [B, L] sum to 1 over the labels; NaN where the call failed
    mass: np.ndarray  # [B] what the labels have together of the model's own probability


def check_labels(labels: Sequence[str]) -> tuple[str, ...]:
    """Returns the labels. Raises UserError where they are not two different texts or more."""
    if isinstance(labels, str) or len(labels) < 2 or not all(isinstance(label, str) and label.strip() for label in labels):
        raise UserError(f"labels={labels!r} are no choice", "name two words or more, e.g. labels=('yes', 'no')")
    if len({_plain(label) for label in labels}) < len(labels):
        raise UserError(f"labels={tuple(labels)} has one label twice", "name each once")
    return tuple(labels)


def check_first(labels: tuple[str, ...]) -> None:
    """Raises ValueError where the first token cannot tell one label from another."""
    for label in labels:
        longer = [other for other in labels if other != label and _plain(other).startswith(_plain(label))]
        if longer:
            raise UserError(
                f"the label {longer[0]!r} begins with the label {label!r}, and this endpoint tells labels apart by their first "
                "token",
                "choose labels that begin differently, e.g. 'A' and 'B'",
            )


def by_first_token(top: Sequence[tuple[str, float]], labels: Sequence[str]) -> tuple[np.ndarray, float]:
    """Scores labels by the likeliest first tokens. A token that may begin two labels counts for neither.

    Args:
        top: (token, log-probability) pairs.
        labels: L labels.

    Returns:
        Probabilities [L] and mass.
    """
    mass = np.zeros(len(labels))
    for token, logprob in top:
        mine = [i for i, label in enumerate(labels) if _begins(_plain(token), _plain(label))]
        if len(mine) == 1:
            mass[mine[0]] += math.exp(min(logprob, 0.0))
    return _shares(mass)


def by_likelihood(
    pairs_per_label: Sequence[Sequence[tuple[int, float]]], begins: int, labels: Sequence[str]
) -> tuple[np.ndarray, float] | None:
    """Scores labels by the likelihood of the whole label after the prompt (Bradley et al. 2024, QDAIF).

    Args:
        pairs_per_label: for each label the (offset, log-probability) pairs of the prompt, a space and it.
        begins: length of the prompt.
        labels: L labels.

    Returns:
        Probabilities [L] and mass; None where the pairs cannot be: a label has none, or the labels have more than 1 together.
    """
    ends = [begins + 1 + len(label) for label in labels]
    tokens = [[p for at, p in pairs if begins <= at < end] for pairs, end in zip(pairs_per_label, ends, strict=True)]
    sums = np.array([sum(each) for each in tokens])
    apart = np.array([not any(label != one and label.startswith(one) for one in labels) for label in labels])
    if not all(tokens) or np.exp(sums[apart]).sum() > _MOST_MASS:
        return None
    shares, _ = _shares(np.exp(sums - sums.max()))
    return shares, float(min(1.0, np.exp(sums).sum()))


def by_ratings(ratings: Sequence[Sequence[float]]) -> np.ndarray:
    """Returns probabilities [L] from ratings of each label, sample by sample [k, L]."""
    return np.mean([np.divide(each, np.sum(each)) for each in ratings], axis=0)


def _shares(mass: np.ndarray) -> tuple[np.ndarray, float]:
    total = float(mass.sum())
    return (mass / total if total > 0 else np.full(len(mass), np.nan)), total


def _begins(token: str, label: str) -> bool:
    """Whether the token is the label, its beginning, or the label and a sign after it."""
    rest = token[len(label) :]
    return bool(token) and (label.startswith(token) or (token.startswith(label) and not rest[:1].isalnum()))


def _plain(text: str) -> str:
    return text.strip().strip("\"'*`").casefold()
