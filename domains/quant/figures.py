"""Figures of a quantized classifier: accuracy, worst class, calibration, and predictions unlike full precision's.

B configs, N images, C classes; all figures in per cent.
"""

import numpy as np

_BINS = 15


def classifier(logits: np.ndarray, full: np.ndarray, labels: np.ndarray) -> dict[str, np.ndarray]:
    """Returns accuracy, worst_class, calibration and flips of B configs.

    Args:
        logits: [B, N, C].
        full: logits in full precision, [N, C].
        labels: [N].

    Returns:
        Name -> float32 [B], in per cent; accuracy is NaN where a logit is not finite.
    """
    columns = {
        "accuracy": accuracy(logits, labels),
        "worst_class": worst_class(logits, labels),
        "calibration": calibration_error(logits, labels),
        "flips": flips(logits, full),
    }
    return {name: column.astype(np.float32) for name, column in columns.items()}


def encoder(vectors: np.ndarray, full: np.ndarray) -> dict[str, np.ndarray]:
    """Compares unit vectors with those of full precision: accuracy, worst_class and flips of B configs.

    Args:
        vectors: unit vectors [B, N, C].
        full: unit vectors in full precision, [N, C].

    Returns:
        Name -> float32 [B]. accuracy: 100 times the mean cosine; worst_class: 100 times the lowest cosine; flips: per cent of
        the vectors for which another vector than in full precision is the nearest.
    """
    same = (vectors * full).sum(2)
    nearest, reference = _nearest(vectors), _nearest(full[None])[0]
    columns = {
        "accuracy": 100 * same.mean(1),
        "worst_class": 100 * same.min(1),
        "flips": 100 * (nearest != reference).mean(1),
    }
    return {name: column.astype(np.float32) for name, column in columns.items()}


def _nearest(vectors: np.ndarray) -> np.ndarray:
    similarity = vectors @ vectors.swapaxes(1, 2)
    return (similarity - 4 * np.eye(vectors.shape[1], dtype=similarity.dtype)).argmax(2)


def accuracy(logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Share of images classified correctly; NaN where a logit is not finite.

    Args:
        logits: [B, N, C].
        labels: [N].

    Returns:
        [B] in per cent.
    """
    right = 100 * (logits.argmax(2) == labels).mean(1)
    return np.where(np.isfinite(logits).all((1, 2)), right, np.nan)


def worst_class(logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Accuracy in the class where it is lowest.

    Args:
        logits: [B, N, C].
        labels: [N]; classes without an image do not count.

    Returns:
        [B] in per cent.
    """
    right = logits.argmax(2) == labels
    return 100 * np.min([right[:, labels == c].mean(1) for c in np.unique(labels)], axis=0)


def calibration_error(logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Expected calibration error over 15 bins of confidence (Guo et al. 2017, eq. 3); arguments as in ``accuracy``."""
    odds = np.exp(logits - logits.max(2, keepdims=True))
    confidence = (odds / odds.sum(2, keepdims=True)).max(2)
    right = logits.argmax(2) == labels
    which = np.minimum((confidence * _BINS).astype(int), _BINS - 1)
    gaps = [np.abs(((which == b) * (right - confidence)).sum(1)) for b in range(_BINS)]
    return 100 * np.sum(gaps, axis=0) / logits.shape[1]


def flips(logits: np.ndarray, full: np.ndarray) -> np.ndarray:
    """Share of images that are classified otherwise than in full precision.

    Args:
        logits: [B, N, C].
        full: logits in full precision, [N, C].

    Returns:
        [B] in per cent.
    """
    return 100 * (logits.argmax(2) != full.argmax(1)).mean(1)
