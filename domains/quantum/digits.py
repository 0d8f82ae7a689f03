"""Images of two digits, 3 and 6 by default, for a circuit: scikit-learn's 8 x 8 digits, as few numbers each.

N images, F numbers of each.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from qd.support.errors import UserError

_TRAIN, _VALIDATION = 164, 100  # images; of 3 and 6 there are 364, and the rest are the test images
_REACH = np.pi / 2  # largest size of a number on training images, in radians


class Images(NamedTuple):
    """N images."""

    numbers: np.ndarray  # [N, F] principal components, scaled to at most pi/2, float32
    labels: np.ndarray  # [N] -1: the first digit, +1: the second, float32


@lru_cache(maxsize=8)
def load(split: str, numbers: int, pair: tuple[int, int] = (3, 6)) -> Images:
    """Returns the images of a split; shuffled once, the same in every run.

    Args:
        split: train (164), validation (100) or test (the others, about 100).
        numbers: F, principal components of the training images.
        pair: the two digits.

    Raises:
        UserError: no such split or digits, or more numbers than pixels.
    """
    if not 1 <= numbers <= 64:
        raise UserError(f"numbers={numbers} cannot be taken of 64 pixels", "type a number between 1 and 64")
    if len(set(pair)) != 2 or not set(pair) <= set(range(10)):
        raise UserError(f"pair={list(pair)} are no two digits", "type pair=[3,6]")
    from sklearn.datasets import load_digits

    pixels, digits = load_digits(return_X_y=True)
    chosen = np.flatnonzero(np.isin(digits, pair))
    chosen = np.random.Generator(np.random.Philox(key=0)).permutation(chosen)
    parts = {"train": chosen[:_TRAIN], "validation": chosen[_TRAIN:][:_VALIDATION], "test": chosen[_TRAIN + _VALIDATION :]}
    if split not in parts:
        raise UserError(f"unknown split {split!r}", f"type {', '.join(parts)}")
    train = np.asarray(pixels)[parts["train"]]
    centre = train.mean(axis=0)
    axes = np.linalg.svd(train - centre, full_matrices=False)[2][:numbers].T
    scale = _REACH / np.abs((train - centre) @ axes).max(0)
    of = parts[split]
    components = ((pixels[of] - centre) @ axes * scale).astype(np.float32)
    return Images(components, np.where(digits[of] == pair[1], 1, -1).astype(np.float32))
