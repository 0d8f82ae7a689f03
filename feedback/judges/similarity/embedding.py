"""Judges of similarity that compare vectors: embeddings of texts, or a feature of numbers."""

from dataclasses import dataclass

import numpy as np

from feedback.judges.encoders import Embedding, texts_of
from feedback.judges.similarity.simulated import CANT_TELL, A, B
from qd.support.errors import UserError
from qd.types import Rows


@dataclass(frozen=True)
class Nearer:
    """Answers "is a or b more similar to x?" by the cosine between the embeddings of texts, or of descriptions in a feature."""

    embed: Embedding
    unsure: float = 0.0  # it answers CANT_TELL where the two cosines differ by no more
    feature: str | None = None  # None: the solutions are the texts

    @property
    def keep(self) -> tuple[str, ...]:
        return () if self.feature is None else (self.feature,)

    def __call__(self, x: Rows, a: Rows, b: Rows) -> np.ndarray:
        """Answers T triplets, [T] in A, B, CANT_TELL. Raises UserError where rows are not texts."""
        here, near, far = (self.embed(texts_of(rows, self.feature)) for rows in (x, a, b))
        gap = (here * near).sum(axis=1) - (here * far).sum(axis=1)
        return np.where(np.abs(gap) <= self.unsure, CANT_TELL, np.where(gap > 0, A, B)).astype(np.int8)


@dataclass(frozen=True)
class NearerFeature:
    """Answers by the cosine between a feature of numbers, such as what a trained eye sees (judge=eye)."""

    feature: str
    unsure: float = 0.0  # it answers CANT_TELL where the two cosines differ by no more

    @property
    def keep(self) -> tuple[str, ...]:
        return (self.feature,)

    def __call__(self, x: Rows, a: Rows, b: Rows) -> np.ndarray:
        """Answers T triplets, [T] in A, B, CANT_TELL. Raises UserError where the search does not keep the feature."""
        here, near, far = (self._unit(rows) for rows in (x, a, b))
        gap = (here * near).sum(axis=1) - (here * far).sum(axis=1)
        return np.where(np.abs(gap) <= self.unsure, CANT_TELL, np.where(gap > 0, A, B)).astype(np.int8)

    def _unit(self, rows: Rows) -> np.ndarray:
        if self.feature not in rows.features:
            raise UserError(
                f"the judge compares {self.feature!r}, which the search does not keep", f"type keep=[{self.feature}]"
            )
        vectors = np.asarray(rows.features[self.feature], np.float64).reshape(len(rows.ids), -1)
        return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
