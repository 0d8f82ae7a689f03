"""Who judges: simulated raters, language models, embeddings.

A judge of triplets is a function ``more_alike(x, a, b) -> [T]`` of three Rows; a judge of items a function ``grade(items)``,
[B] or [B, M].
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
    Shuffled,
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
    "Shuffled",
    "chance",
    "distances",
    "pick",
]
