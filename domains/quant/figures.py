"""What is told of a quantized classifier: how often it is right, for whom, how surely, and where it changed its mind.

B configs, N images, C classes; all figures in per cent.
"""

import numpy as np

_BINS = 15


def accuracy(logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Share of images named rightly, [B] of logits [B, N, C]; NaN where a logit is not finite."""
    right = 100 * (logits.argmax(2) == labels).mean(1)
    return np.where(np.isfinite(logits).all((1, 2)), right, np.nan)


def worst_class(logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Accuracy in the class where it is lowest, [B]."""
    right = logits.argmax(2) == labels
    return 100 * np.min([right[:, labels == c].mean(1) for c in np.unique(labels)], axis=0)


def calibration_error(logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Expected calibration error over 15 bins of confidence (Guo et al. 2017, eq. 3), [B]."""
    odds = np.exp(logits - logits.max(2, keepdims=True))
    sure = (odds / odds.sum(2, keepdims=True)).max(2)
    right = logits.argmax(2) == labels
    which = np.minimum((sure * _BINS).astype(int), _BINS - 1)
    gaps = [np.abs(((which == b) * (right - sure)).sum(1)) for b in range(_BINS)]
    return 100 * np.sum(gaps, axis=0) / logits.shape[1]


def flips(logits: np.ndarray, full: np.ndarray) -> np.ndarray:
    """Share of images named otherwise than by the full-precision network [N, C], [B]."""
    return 100 * (logits.argmax(2) != full.argmax(1)).mean(1)
