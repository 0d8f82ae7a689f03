"""Stand-ins for tests of texts: a model that says what it is told to, and vectors that need no weights."""

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from feedback.lm.scoring.labels import LabelScores


@dataclass(frozen=True)
class Hashed:
    """Counts of words by their hash, as unit vectors [B, 32]."""

    def __call__(self, texts: Sequence[str]) -> np.ndarray:
        x = np.zeros((len(texts), 32), np.float32)
        for row, text in zip(x, texts, strict=True):
            for word in text.lower().split():
                row[zlib.crc32(word.encode()) % 32] += 1
        return x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12)


@dataclass(eq=False)
class Says:
    """A model whose answers are functions of the prompt; it notes what it was asked."""

    write: Callable[[str, int], str | None] = lambda prompt, sample: f"Text {zlib.crc32(f'{prompt} {sample}'.encode())}."
    score: Callable[[str, str], float] = lambda prompt, label: 0.5  # of the label named last
    asked: list[Any] = field(default_factory=list)

    def complete(self, prompts: Sequence[Any], *, sample: Any = 0, **options: Any) -> list[str | None]:
        self.asked += list(prompts)
        samples = sample if isinstance(sample, list) else [sample] * len(prompts)
        return [self.write(prompt, number) for prompt, number in zip(prompts, samples, strict=True)]

    __call__ = complete

    def label_scores(self, prompts: Sequence[Any], labels: Sequence[str], *, role: str = "judge") -> LabelScores:
        self.asked += list(prompts)
        last = np.array([self.score(str(prompt), labels[-1]) for prompt in prompts])
        rest = np.repeat((1 - last)[:, None] / (len(labels) - 1), len(labels) - 1, axis=1)
        return LabelScores(np.column_stack([rest, last]), np.ones(len(prompts)))

    def rating(self, prompts: Sequence[Any], low: int = 1, high: int = 9, *, role: str = "judge") -> np.ndarray:
        self.asked += list(prompts)
        return np.full(len(prompts), (low + high) / 2)


@dataclass(frozen=True)
class Opposites:
    """A writer that proposes two axes, and whose texts of either end the toy endpoint tells apart."""

    def __call__(self, prompts: Sequence[str], **options: Any) -> list[str | None]:
        glad = [any(f"It is {end}." in prompt for end in ("happy", "sweet")) for prompt in prompts]
        return [f"We {'kissed and cheered' if each else 'died, lost and buried'}." for each in glad]

    def complete(self, prompts: Sequence[str], **options: Any) -> list[str | None]:
        return ["sad - happy, cold - sweet"] * len(prompts)
