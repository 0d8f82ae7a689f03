"""Whether scores tell two groups apart: what a judge of texts must do before an axis of a map is built on it."""

import numpy as np

LEAST = 0.75  # separation of texts written for the two ends of an axis, below which the axis is not used


def separation(low: np.ndarray, high: np.ndarray) -> float:
    """Returns how often a score of ``high`` [N] lies above one of ``low`` [K], ties counted half; NaN where either is empty.

    This is the area under the ROC curve, and U / (N K) of the Mann-Whitney test.

    Args:
        low: [K] scores of the group that belongs below.
        high: [N] scores of the group that belongs above.

    Returns:
        0..1: 1 where each of ``high`` lies above all of ``low``, 0.5 on average where scores do not tell the groups apart.
    """
    if not len(low) or not len(high):
        return float("nan")
    return float((np.sign(np.asarray(high)[:, None] - np.asarray(low)[None, :]) / 2 + 0.5).mean())
