"""Columns that `qd export` adds for texts, and numbers of all of them: diversity and complexity beside quality.

N texts.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from domains.text import metrics
from qd.diversity import nearest, pairwise_mean, profile
from qd.support.errors import UserError

Columns = dict[str, np.ndarray]  # name -> [N, ...]


class Likelihood(Protocol):
    """A language model that gives the mean log-likelihood of a word piece, in nats, [N]; NaN where it failed."""

    def log_likelihoods(self, texts: Sequence[str]) -> np.ndarray:
        """Scores texts [N] -> [N]."""
        ...


@dataclass(frozen=True)
class TextColumns:
    """Names begin with text_, so that they meet no feature of the domain."""

    lm: Likelihood | None = None  # None: no text_nll
    vectors: str = "embedding"  # the feature that holds a vector of each text; without it there is no text_nearest
    vocabulary: int = 30_000  # words that a text may choose from: the V of ead
    most: int = 100  # references of self-BLEU

    def each(self, columns: Columns) -> Columns:
        """Returns columns to add, [N] each; NaN is not defined (a text without words, one alone)."""
        texts = texts_of(columns)
        new = {
            "words": np.array([len(metrics.words(text)) for text in texts], float),
            "grade": np.array([metrics.grade(text) for text in texts]),
            "mtld": np.array([metrics.mtld(text) for text in texts]),
            "self_bleu": metrics.self_bleu(texts, self.most),
        }
        if self.vectors in columns:
            new["nearest"] = nearest(columns[self.vectors], "cosine")
        if self.lm is not None:
            new["nll"] = -np.asarray(self.lm.log_likelihoods(texts), float)
        return {f"text_{name}": column for name, column in new.items()}

    def whole(self, columns: Columns) -> dict[str, float]:
        """Returns the set's numbers, given the columns with those of ``each``."""
        texts = texts_of(columns)
        numbers = {f"distinct_{n}": metrics.distinct(texts, n) for n in (1, 2, 3)} | {
            "ead": metrics.ead(texts, self.vocabulary),
            "entropy_2": metrics.entropy(texts, 2),
            "compression_ratio": metrics.compression_ratio(texts),
            "vendi_words": metrics.vendi_of_words(texts),
            "without_words": float(sum(not metrics.words(text) for text in texts)),
        }
        if self.vectors in columns and len(texts):
            vectors = columns[self.vectors]
            numbers |= {f"vendi_{order:g}": score for order, score in profile(vectors).items()}
            numbers["pairwise"] = pairwise_mean(vectors, "cosine")
        means = {name.removeprefix("text_"): _mean(columns[name]) for name in columns if name.startswith("text_")}
        return {f"text_{name}": value for name, value in (numbers | means).items()}


def texts_of(columns: Columns) -> list[str]:
    """Returns the texts of an archive's solutions. Raises ValueError where they are none."""
    texts: list[str] = []
    for solution in columns["solution"].tolist():
        text = solution.get("text") if isinstance(solution, dict) else solution
        if not isinstance(text, str):
            raise UserError(f"a solution is a {type(text).__name__} and no text", "leave out --columns text")
        texts.append(text)
    return texts


def _mean(column: np.ndarray) -> float:
    finite = column[np.isfinite(column)]
    return float(finite.mean()) if len(finite) else math.nan
