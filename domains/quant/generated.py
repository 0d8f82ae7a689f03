"""Figures of sampled images: distance from real ones, agreement with full precision, classes, and closeness to training items.

Features and classes by the residual network of images, which is not the network that is searched. B configs, N images, P
pixels, F features, C classes.
"""

from functools import lru_cache
from typing import Any, NamedTuple

import jax
import numpy as np

from domains.quant.networks import data, registry
from domains.quant.networks.layers import linear

WORST_DISTANCE = 30.0  # of the objective's range: noise has about 26, samples in full precision 2, real images 1
_MOST = 60.0  # decibels at most: the samples are equal
_REAL = 2000  # real images that samples are compared with
JUDGE = "resnet14"
STRONGER = 1.2  # how many times as large noise is, to see what a sampler makes of what it was not calibrated on


class Look(NamedTuple):
    """What the classifier makes of images."""

    features: np.ndarray  # [N, F] what its last layer takes
    classes: np.ndarray  # [N]


def judge(samples: np.ndarray, full: np.ndarray, labels: np.ndarray, split: str) -> dict[str, np.ndarray]:
    """Returns the figures of B configs.

    Args:
        samples: images [B, N, P] in -1..1.
        full: those of full precision from the same noise, [N, P].
        labels: the classes asked for, [N].
        split: of the real images to compare with.

    Returns:
        Name -> float32 [B]. accuracy: minus the Fréchet distance, NaN where a pixel is not finite; snr: decibels;
        class_accuracy, worst_class and flips (a class unlike full precision's): per cent.
    """
    looks, reference = [look(each) for each in np.nan_to_num(samples)], look(full)
    right = np.stack([each.classes == labels for each in looks])
    finite = np.isfinite(samples).all((1, 2))
    columns = {
        "accuracy": np.where(finite, [-frechet(each.features, *_real(split)) for each in looks], np.nan),
        "snr": snr(samples, full),
        "class_accuracy": 100 * right.mean(1),
        "worst_class": 100 * np.min([right[:, labels == c].mean(1) for c in np.unique(labels)], axis=0),
        "flips": 100 * np.array([(each.classes != reference.classes).mean() for each in looks]),
    }
    return {name: np.asarray(column, np.float32) for name, column in columns.items()}


def frechet(features: np.ndarray, mean: np.ndarray, covariance: np.ndarray) -> float:
    """Fréchet distance of two Gaussians (Heusel et al. 2017, eq. 6): |m - m'|^2 + Tr(C + C' - 2 (C C')^0.5).

    Args:
        features: of samples [N, F]; with few of them it is too large, for all configs alike.
        mean: of real images [F].
        covariance: of real images [F, F].
    """
    own = np.cov(features, rowvar=False)
    values, vectors = np.linalg.eigh(covariance)
    root = vectors * np.sqrt(np.maximum(values, 0)) @ vectors.T
    cross = np.sqrt(np.maximum(np.linalg.eigvalsh(root @ own @ root), 0)).sum()
    return float(((features.mean(0) - mean) ** 2).sum() + np.trace(own) + np.trace(covariance) - 2 * cross)


def snr(samples: np.ndarray, full: np.ndarray) -> np.ndarray:
    """Signal-to-noise ratio of samples against full precision, mean over images of 10 log10(|x|^2 / |x' - x|^2).

    Args:
        samples: [B, N, P].
        full: [N, P].

    Returns:
        Decibels [B], at most 60.
    """
    noise = ((samples - full) ** 2).sum(2)
    return np.minimum(10 * np.log10((full**2).sum(1) / np.maximum(noise, 1e-12)), _MOST).mean(1)


def closeness(samples: np.ndarray, images: int = 20_000) -> dict[str, float]:
    """How close samples are to training items.

    Args:
        samples: [N, P] in -1..1.
        images: of the training split that are searched.

    Returns:
        memorised: per cent of samples three times nearer to one training item than to the second nearest (Yoon et al. 2023);
        nearest: median distance to the nearest, as a share of that of real held-out images.
    """
    train = data.plain(data.load("fashion", "train").pixels[:images])
    held_out = data.plain(data.load("fashion", "test").pixels[: len(samples)])
    two, of_real = _two_nearest(samples, train), _two_nearest(held_out, train)
    memorised = 100 * float((two[:, 0] < two[:, 1] / 3).mean())
    return {"memorised": memorised, "nearest": float(np.median(two[:, 0]) / np.median(of_real[:, 0]))}


def look(images: np.ndarray) -> Look:
    """Returns features and classes of images [N, P] in -1..1."""
    features, logits = _looker()(data.standard(images))
    return Look(np.asarray(features, np.float64), np.asarray(logits).argmax(1))


def probabilities(images: np.ndarray) -> np.ndarray:
    """Returns the classifier's probabilities for images [N, P] in -1..1, [N, C], none of them 0."""
    _, logits = _looker()(data.standard(images))
    odds = np.exp(np.asarray(logits, np.float64) - np.asarray(logits).max(1, keepdims=True)) + 1e-9
    return odds / odds.sum(1, keepdims=True)


@lru_cache(maxsize=1)
def _looker() -> Any:
    network = registry.load(JUDGE)
    last = len(network.layers) - 1

    def run(pixels: Any) -> tuple[Any, Any]:
        features = []

        def apply(i: int, x: Any) -> Any:
            if i == last:
                features.append(x)
            return linear(network.layers[i], x, network.weights[i]) + network.biases[i]

        logits = network.forward(apply, pixels)
        return features[0], logits

    return jax.jit(run)


@lru_cache(maxsize=3)
def _real(split: str) -> tuple[np.ndarray, np.ndarray]:
    """Mean and covariance of the features of real images."""
    features = look(data.plain(data.load("fashion", split).pixels[:_REAL])).features
    return features.mean(0), np.cov(features, rowvar=False)


def _two_nearest(images: np.ndarray, train: np.ndarray) -> np.ndarray:
    squares = (images**2).sum(1)[:, None] + (train**2).sum(1) - 2 * images @ train.T
    return np.sqrt(np.maximum(np.partition(squares, 1, axis=1)[:, :2], 0))
