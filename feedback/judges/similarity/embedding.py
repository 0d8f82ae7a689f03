"""A judge of similarity by vectors of texts."""

from dataclasses import dataclass

import numpy as np

from feedback.judges.encoders import Embedding, texts_of
from feedback.judges.similarity.simulated import CANT_TELL, A, B
from qd.types import Rows


@dataclass(frozen=True)
class Nearer:
    """Answers "is a or b more like x?" by the angle between texts, or between descriptions kept as a feature."""

    embed: Embedding
    unsure: float = 0.0  # it cannot tell where the two cosines differ by no more
    feature: str | None = None  # None: the solutions are the texts

    @property
    def keep(self) -> tuple[str, ...]:
        return () if self.feature is None else (self.feature,)

    def __call__(self, x: Rows, a: Rows, b: Rows) -> np.ndarray:
        here, near, far = (self.embed(texts_of(rows, self.feature)) for rows in (x, a, b))
        gap = (here * near).sum(axis=1) - (here * far).sum(axis=1)
        return np.where(np.abs(gap) <= self.unsure, CANT_TELL, np.where(gap > 0, A, B)).astype(np.int8)
