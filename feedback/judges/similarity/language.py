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
class MoreAlike:
    """Answers "is a or b more like x?" over texts, or over descriptions kept as a feature; asked in both orders.

    It cannot tell where the mean of both orders is within ``unsure`` of one half: a model that only prefers the first
    is then silent.
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
        """[T] in A, B, CANT_TELL. Raises ValueError where rows are no texts."""
        here, near, far = (texts_of(rows, self.feature) for rows in (x, a, b))
        prompts = [self._prompt(*three) for t, u, v in zip(here, near, far, strict=True) for three in ((t, u, v), (t, v, u))]
        if not prompts:
            return np.zeros(0, np.int8)
        said = self.lm.label_scores(prompts, ("ONE", "TWO"), role=self.role)
        one = np.where(np.asarray(said.mass) >= LEAST_MASS, np.asarray(said.probabilities)[:, 0], np.nan).reshape(-1, 2)
        p = sigmoid((logit(one[:, 0]) - logit(one[:, 1])) / 2)  # that a is the one, whichever was named first
        return np.where(np.isnan(p) | (np.abs(p - 0.5) <= self.unsure), CANT_TELL, np.where(p > 0.5, A, B)).astype(np.int8)

    def _prompt(self, x: str, one: str, two: str) -> Messages:
        word = nonce(self.seed)
        shown = (f"{name}: {fenced(text, word, self.longest)}" for name, text in (("X", x), ("ONE", one), ("TWO", two)))
        return turns("\n".join(["Read these texts:", *shown]), f"{self.question} Answer with one word: ONE or TWO.")
