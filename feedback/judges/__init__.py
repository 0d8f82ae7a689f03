"""Judges: simulated raters, people, language models, embeddings.

A judge of similarity is a function ``judge(x, a, b) -> [T]`` of three Rows; a judge of single items is a function
``grade(items)``, which returns [B] or [B, M].
"""

from feedback.judges.similarity.simulated import (
    CANT_TELL,
    A,
    B,
    CloseCalls,
    Flips,
    Judge,
    Oracle,
    RaterPool,
    ShuffledAnswers,
    chance,
    distances,
    pick,
)

__all__ = [
    "CANT_TELL",
    "A",
    "B",
    "CloseCalls",
    "Flips",
    "Judge",
    "Oracle",
    "RaterPool",
    "ShuffledAnswers",
    "chance",
    "distances",
    "pick",
]
