"""A language model as judge of single texts: by two labels, by a claim or by a rating.

    grade = Labels(lm, "Is the story sad or happy?", ("sad", "happy"))
    grade(["They kissed."])     # [B] in (0, 1): how likely the second label is; NaN where it failed

All show a text through the fence of `prompts.py`, and none of their answers enters a later prompt. ``lm`` is a client
(feedback/lm/client.py), built once and passed in. B texts.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from feedback.judges.calibration import logit, sigmoid
from feedback.judges.prompts import clean, hardened, nonce, without
from feedback.judges.protocols import Grade, LanguageModel, PromptForm
from feedback.lm.scoring.labels import LEAST_MASS
from qd.support.errors import UserError


class ScoresByOrder(NamedTuple):
    """Scores of two labels, before the O orders in which the labels were named are averaged."""

    orders: np.ndarray  # [B, O] probability of the second label, for each order of the labels in the prompt
    mass: np.ndarray  # [B] the model's probability of either label together, in the worse order

    @property
    def p(self) -> np.ndarray:
        """[B] sigmoid of the mean logit over orders, which cancels a preference for the first label; NaN below LEAST_MASS."""
        return np.where(self.mass >= LEAST_MASS, sigmoid(logit(self.orders).mean(axis=1)), np.nan)


@dataclass(frozen=True)
class Labels:
    """Two labels, by their probability as the answer (QDAIF, Bradley et al. 2024), in both orders."""

    lm: LanguageModel
    question: str
    labels: tuple[str, str]  # (low, high)
    seed: int = 0  # of the run: the fence's nonce follows from it
    orders: int = 2  # 1: only (low, high), at half the cost
    masked: bool = True  # remove the labels from the text, so that it cannot dictate one
    prompt_form: PromptForm = hardened
    role: str = "judge"

    def __post_init__(self) -> None:
        if len(self.labels) != 2 or self.orders not in (1, 2):
            raise UserError(
                f"labels={self.labels}, orders={self.orders}: a judge names two labels (low, high), in 1 or 2 orders; "
                "type labels=[sad,happy]"
            )

    def __call__(self, items: Sequence[str]) -> np.ndarray:
        """Returns the probability of the second label, [B]; NaN where there is no answer."""
        return self.scores(items).p

    def scores(self, items: Sequence[str]) -> ScoresByOrder:
        """Asks about B texts; an empty text is not sent and gets NaN."""
        word, low_high = nonce(self.seed), tuple(self.labels)
        answers = [f"Answer with one word: {a} or {b}." for a, b in (low_high, low_high[::-1])[: self.orders]]
        full = [i for i, item in enumerate(items) if clean(item)]
        texts = [without(item, low_high) if self.masked else item for item in items]
        prompts = [self.prompt_form(texts[i], self.question, answer, word) for i in full for answer in answers]
        orders, mass = np.full((len(items), self.orders), np.nan), np.full(len(items), np.nan)
        if prompts:
            scores = self.lm.label_scores(prompts, low_high, role=self.role)
            orders[full] = np.asarray(scores.probabilities)[:, 1].reshape(-1, self.orders)
            mass[full] = np.asarray(scores.mass).reshape(-1, self.orders).min(axis=1)
        return ScoresByOrder(orders, mass)


@dataclass(frozen=True)
class Claim:
    """Whether a claim about the text is true, by yes or no; with ``opposite``, by the difference of both answers.

    Small models say yes to most claims. How much more probable yes is for a claim than for its opposite is still informative.
    """

    lm: LanguageModel
    claim: str
    opposite: str = ""
    seed: int = 0
    prompt_form: PromptForm = hardened
    role: str = "judge"

    def __call__(self, items: Sequence[str]) -> np.ndarray:
        """Returns the probability that the claim is true, [B]; NaN where there is no answer."""
        yes = self._truth(items)
        return sigmoid((logit(yes) - logit(self._truth_of_opposite(items))) / 2) if self.opposite else yes

    @cached_property
    def _truth(self) -> Labels:
        return self._labels(self.claim)

    @cached_property
    def _truth_of_opposite(self) -> Labels:
        return self._labels(self.opposite)

    def _labels(self, claim: str) -> Labels:
        return Labels(self.lm, f"Is this claim true? {claim}", ("no", "yes"), self.seed, 1, False, self.prompt_form, self.role)


@dataclass(frozen=True)
class Rating:
    """The expected rating over whole numbers, scaled to 0..1.

    Not the most probable rating: small models use only two of them.
    """

    lm: LanguageModel
    question: str  # "How well is the text written?"
    low: int = 1
    high: int = 9
    seed: int = 0
    prompt_form: PromptForm = hardened
    role: str = "judge"

    def __call__(self, items: Sequence[str]) -> np.ndarray:
        """Returns ratings from 0 to 1, [B]; NaN where there is no answer."""
        word, out = nonce(self.seed), np.full(len(items), np.nan)
        full = [i for i, item in enumerate(items) if clean(item)]
        answer = f"Answer with one number from {self.low} to {self.high}."
        prompts = [self.prompt_form(items[i], self.question, answer, word) for i in full]
        if prompts:
            out[full] = np.asarray(self.lm.rating(prompts, self.low, self.high, role=self.role))
        return (out - self.low) / (self.high - self.low)


@dataclass(frozen=True)
class Several:
    """Several judges side by side, [B, M]: the axes of a map."""

    judges: tuple[Grade, ...]

    def __call__(self, items: Sequence[str]) -> np.ndarray:
        return np.stack([judge(items) for judge in self.judges], axis=1)
