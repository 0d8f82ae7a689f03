"""A language model as judge of similarity between three texts."""

from dataclasses import dataclass

import numpy as np

from feedback.judges.calibration import logit, sigmoid
from feedback.judges.encoders import texts_of
from feedback.judges.prompts import Messages, fenced, nonce, turns
from feedback.judges.protocols import LanguageModel
from feedback.judges.similarity.simulated import CANT_TELL, A, B
from feedback.lm.scoring.labels import LEAST_MASS
from qd.types import Rows


@dataclass(frozen=True)
class MoreSimilar:
    """Answers "is a or b more similar to x?" for texts, or for descriptions in a feature, by asking in both orders.

    It answers CANT_TELL where the mean of both orders is within ``unsure`` of one half: a model that only prefers the text
    that comes first then decides nothing.
    """

    lm: LanguageModel
    question: str = "Which of the texts ONE and TWO is more like the text X in what it tells and feels?"
    unsure: float = 0.05
    feature: str | None = None
    seed: int = 0
    longest: int = 500  # characters of each of the three
    role: str = "triplets"

    @property
    def keep(self) -> tuple[str, ...]:
        return () if self.feature is None else (self.feature,)

    def __call__(self, x: Rows, a: Rows, b: Rows) -> np.ndarray:
        """Answers T triplets, [T] in A, B, CANT_TELL. Raises UserError where rows are not texts."""
        here, near, far = (texts_of(rows, self.feature) for rows in (x, a, b))
        prompts = [self._prompt(*three) for t, u, v in zip(here, near, far, strict=True) for three in ((t, u, v), (t, v, u))]
        if not prompts:
            return np.zeros(0, np.int8)
        scores = self.lm.label_scores(prompts, ("ONE", "TWO"), role=self.role)
        one = np.where(np.asarray(scores.mass) >= LEAST_MASS, np.asarray(scores.probabilities)[:, 0], np.nan).reshape(-1, 2)
        p = sigmoid((logit(one[:, 0]) - logit(one[:, 1])) / 2)  # that a is more similar, averaged over both orders
        return np.where(np.isnan(p) | (np.abs(p - 0.5) <= self.unsure), CANT_TELL, np.where(p > 0.5, A, B)).astype(np.int8)

    def _prompt(self, x: str, one: str, two: str) -> Messages:
        word = nonce(self.seed)
        texts = (f"{name}: {fenced(text, word, self.longest)}" for name, text in (("X", x), ("ONE", one), ("TWO", two)))
        return turns("\n".join(["Read these texts:", *texts]), f"{self.question} Answer with one word: ONE or TWO.")
