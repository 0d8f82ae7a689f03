"""A judge defined in plain words: the quality of a text, and its place on axes that are questions with answers.

    grade = InWords(lm, "The text is about bicycles.", (("Is the opinion negative or positive?", "negative", "positive"),))
    grade(["They are slow."])     # [[quality, how positive]]

B texts, M axes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from feedback.judges.grading.language import Claim, Labels, Rating
from feedback.judges.prompts import clean, hardened, nonce, without
from feedback.judges.protocols import Grade, LanguageModel
from feedback.lm.scoring.labels import LEAST_MASS
from qd.support.errors import UserError


@dataclass(frozen=True)
class InWords:
    """Quality is a scale from 0 to 1: how true a claim is, or (question, low, high). An axis is (question, answer, answer,
    ...): two answers are the ends of a scale from 0 to 1, more are kinds, numbered from 0.
    """

    lm: LanguageModel
    quality: str | tuple[str, ...]  # a claim, or (question, low, high); with ``rated`` a question answered from 1 to 9
    axes: tuple[tuple[str, ...], ...]
    rated: bool = False
    orders: int = 1  # 2: the ends of each scale come in both orders, which a biased judge needs
    seed: int = 0
    role: str = "judge"

    def __post_init__(self) -> None:
        for axis in self.axes:
            if isinstance(axis, str) or len(axis) < 3 or not all(isinstance(word, str) and word.strip() for word in axis):
                raise UserError(
                    f"the axis {axis!r} is not a question with two answers or more", "type grade.axes=[[QUESTION,LOW,HIGH]]"
                )
            if len({word.strip().lower() for word in axis[1:]}) < len(axis) - 1:
                raise UserError(f"the axis {axis!r} has the same answer twice", "type answers that differ")
        whole = self.quality.strip() if isinstance(self.quality, str) else len(self.quality) == 3 and all(self.quality)
        if not self.axes or not whole:
            raise UserError(
                "a judge in words needs a quality (a claim, or [QUESTION,LOW,HIGH]) and one axis or more; "
                "type grade.axes=[[QUESTION,LOW,HIGH]]"
            )

    def __call__(self, items: Sequence[str]) -> np.ndarray:
        """Returns [B, 1 + M]; NaN where the model gave no answer."""
        return np.stack([self.well(items), *(judge(items) for judge in self._axis_judges)], axis=1)

    def well(self, items: Sequence[str]) -> np.ndarray:
        """Returns the quality alone, [B]."""
        return self._quality_judge(items)

    @property
    def answers(self) -> tuple[tuple[str, ...], ...]:
        """The answers of each axis."""
        return tuple(tuple(axis[1:]) for axis in self.axes)

    @cached_property
    def _quality_judge(self) -> Grade:
        if not isinstance(self.quality, str):
            return self._along(self.quality)
        kind = Rating if self.rated else Claim
        return kind(self.lm, self.quality, seed=self.seed, role=self.role)

    @cached_property
    def _axis_judges(self) -> tuple[Grade, ...]:
        return tuple(map(self._along, self.axes))

    def _along(self, axis: tuple[str, ...]) -> Grade:
        question, *answers = axis
        if len(answers) == 2:
            return Labels(self.lm, question, (answers[0], answers[1]), self.seed, self.orders, role=self.role)
        return Kinds(self.lm, question, tuple(answers), self.seed, self.role)


@dataclass(frozen=True)
class Kinds:
    """The most probable of several answers, as its number [B]; NaN where the model prefers other words."""

    lm: LanguageModel
    question: str
    answers: tuple[str, ...]
    seed: int = 0
    role: str = "judge"

    def __call__(self, items: Sequence[str]) -> np.ndarray:
        word, out = nonce(self.seed), np.full(len(items), np.nan)
        full = [i for i, item in enumerate(items) if clean(item)]
        how = f"Answer with one word: {', '.join(self.answers[:-1])} or {self.answers[-1]}."
        prompts = [hardened(without(items[i], self.answers), self.question, how, word) for i in full]
        if prompts:
            scores = self.lm.label_scores(prompts, self.answers, role=self.role)
            sure = np.asarray(scores.mass) >= LEAST_MASS
            out[full] = np.where(sure, np.nan_to_num(scores.probabilities).argmax(axis=1), np.nan)
        return out
