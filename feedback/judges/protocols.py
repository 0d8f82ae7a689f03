"""Protocols: the language model that a judge calls, and a judge of single texts."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np

PromptForm = Callable[[str, str, str, str], Any]  # text, question, how to answer, nonce -> prompt, or messages


class LanguageModel(Protocol):
    """The methods of a client that judges use; feedback.lm.client.LM has them."""

    def label_scores(self, prompts: Sequence[Any], labels: Sequence[str], *, role: str = ...) -> Any:
        """Scores labels as the answer.

        Args:
            prompts: B questions.
            labels: L answers to choose from.
            role: the component that calls, for the report.

        Returns:
            LabelScores: probabilities [B, L] and mass [B].
        """
        ...

    def rating(self, prompts: Sequence[Any], low: int = ..., high: int = ..., *, role: str = ...) -> np.ndarray:
        """Rates on a scale of whole numbers.

        Args:
            prompts: B questions that name the scale.
            low: the lowest rating.
            high: the highest one.
            role: the component that calls, for the report.

        Returns:
            The expected rating [B]; NaN where a call failed.
        """
        ...


class Grade(Protocol):
    """Judges single texts."""

    def __call__(self, items: Sequence[str]) -> np.ndarray:
        """Returns a grade of each of B texts, [B], usually in (0, 1); NaN where there is no answer."""
        ...
