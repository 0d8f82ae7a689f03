"""Judges of single texts by their embeddings: distances to anchors, and a linear judge that learns from labelled texts."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from feedback.judges.calibration import sigmoid
from feedback.judges.encoders import Embedding
from qd.support.errors import UserError


@dataclass(frozen=True)
class Anchors:
    """How much nearer a text lies to one kind of description than to another, in (0, 1).

    p = sigmoid((mean cosine to ``high`` - mean cosine to ``low``) / width)
    """

    embed: Embedding
    low: tuple[str, ...]
    high: tuple[str, ...]
    width: float = 0.05  # cosines of one text to two descriptions differ by about so much

    def __post_init__(self) -> None:
        if not self.low or not self.high or self.width <= 0:
            raise UserError("anchors need a description or more at each end, and a width above 0", "type low=[...] high=[...]")

    def __call__(self, items: Sequence[str]) -> np.ndarray:
        """Returns [B]; NaN for an empty text."""
        texts = self.embed(items)
        ends = [self.embed(descriptions).mean(axis=0) for descriptions in (self.low, self.high)]
        p = sigmoid((texts @ (ends[1] - ends[0])) / self.width)
        return np.where(np.any(texts != 0, axis=1), p, np.nan)


@dataclass(frozen=True)
class LabelledAxis:
    """An axis learned from a few labelled texts by ridge regression on their vectors, in (0, 1)."""

    embed: Embedding
    texts: tuple[str, ...]
    truth: tuple[int, ...]  # 0 or 1
    ridge: float = 0.1

    def __post_init__(self) -> None:
        if len(self.texts) != len(self.truth) or set(self.truth) != {0, 1}:
            raise UserError(
                f"{len(self.texts)} texts with labels {sorted(set(self.truth))} define no axis", "label each text 0 or 1"
            )

    def __call__(self, items: Sequence[str]) -> np.ndarray:
        """Returns [B]; NaN for an empty text."""
        x, truth = self.embed(self.texts), np.array(self.truth)
        middle = (x[truth == 0].mean(axis=0) + x[truth == 1].mean(axis=0)) / 2  # a label with more texts does not weigh more
        gram = (x - middle) @ (x - middle).T + self.ridge * np.eye(len(x))  # w = Xᵀ (X Xᵀ + λ I)⁻¹ y
        w = (x - middle).T @ np.linalg.solve(gram, 2.0 * truth - 1)
        texts = self.embed(items)
        return np.where(np.any(texts != 0, axis=1), sigmoid(4 * (texts - middle) @ w), np.nan)
