"""What a judge needs of a language model, and what a judge of items is."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np

PromptForm = Callable[[str, str, str, str], Any]  # text, question, how to answer, nonce -> prompt, or messages


class LanguageModel(Protocol):
    """What a judge needs of a client."""

    def label_scores(self, prompts: Sequence[Any], labels: Sequence[str], *, role: str = ...) -> Any: ...
    def rating(self, prompts: Sequence[Any], low: int = ..., high: int = ..., *, role: str = ...) -> np.ndarray: ...


class Grade(Protocol):
    """Judges texts: [B], most of them in (0, 1); NaN is no answer."""

    def __call__(self, items: Sequence[str]) -> np.ndarray: ...
