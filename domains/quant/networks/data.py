"""Pictures to train, calibrate and judge on: Fashion-MNIST from Debian's package, digits from scikit-learn, corruptions.

Fashion-MNIST (Xiao et al. 2017): 60,000 pictures to train on, of which the last 5,000 validate, and 10,000 to test on.
N images, H x W pixels.
"""

import gzip
import os
import zlib
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from qd.support.errors import UserError
from qd.support.spelling import unknown

FOLDER = Path("/usr/share/datasets/fashion-mnist")  # where Debian's package dataset-fashion-mnist puts it
SPLITS = ("train", "validation", "test")
_MEAN, _DEVIATION = 0.2860, 0.3530  # of Fashion-MNIST's training pixels
_VALIDATE = 5000


class Images(NamedTuple):
    pixels: np.ndarray  # [N, H, W, 1] float32, standardized
    labels: np.ndarray  # [N] int32; of text [N, T]

    def first(self, n: int) -> "Images":
        """Returns the first n. Raises ValueError where there are fewer."""
        if not 1 <= n <= len(self.labels):
            raise UserError(f"images={n} is none of 1 to {len(self.labels)}", f"type images={len(self.labels)}")
        return Images(self.pixels[:n], self.labels[:n])


def load(name: str, split: str) -> Images:
    """Returns one split of `fashion`, `digits`, `sentences` or `text`.

    Args:
        name: the data set.
        split: one of SPLITS.

    Returns:
        Images [N, 28, 28, 1] or [N, 8, 8, 1], standardized; of `sentences`, embedded tokens [N, T, D] with labels all 0; of
        `text`, embedded tokens, and as labels the tokens that follow, [N, T].

    Raises:
        ValueError: there is no such split, or the data or the encoder's weights are missing or damaged on this machine.
        KeyError: there is no such data set.
    """
    if split not in SPLITS:
        raise unknown("split", split, SPLITS)
    return {"fashion": _fashion, "digits": _digits, "sentences": _sentences, "text": _text}[name](split)


def folder() -> Path:
    """Returns where Fashion-MNIST lies: $FASHION_MNIST, or where Debian puts it."""
    return Path(os.environ.get("FASHION_MNIST") or FOLDER)


def corrupt(pixels: np.ndarray, seed: int = 0) -> np.ndarray:
    """A third each of the images with noise, blur and low contrast: after Hendrycks and Dietterich (2019).

    Args:
        pixels: standardized images [N, H, W, 1].
        seed: of the noise.

    Returns:
        float32 [N, H, W, 1]; the corruptions take turns: image 0 noise, 1 blur (mean of 3 x 3 pixels), 2 contrast times 0.4.
    """
    third = np.arange(len(pixels)) % 3
    noise = np.random.default_rng(seed).normal(0, 0.15 / _DEVIATION, pixels.shape).astype(np.float32)
    padded = np.pad(pixels, ((0, 0), (1, 1), (1, 1), (0, 0)), mode="edge")
    height, width = pixels.shape[1:3]
    blur = sum(padded[:, i : i + height, j : j + width] for i in range(3) for j in range(3)) / 9
    mean = pixels.mean((1, 2, 3), keepdims=True)
    faint = mean + (pixels - mean) * 0.4
    which = third[:, None, None, None]
    return np.where(which == 0, pixels + noise, np.where(which == 1, blur, faint)).astype(np.float32)


def plain(pixels: np.ndarray) -> np.ndarray:
    """Returns standardized images of Fashion-MNIST as pixels in -1..1, [N, H, W, 1] -> [N, H W]; ``standard`` turns it back."""
    return ((pixels * _DEVIATION + _MEAN) * 2 - 1).reshape(len(pixels), -1).astype(np.float32)


def standard(pixels: np.ndarray) -> np.ndarray:
    """Returns pixels in -1..1 of square images as classifiers of Fashion-MNIST take them, [N, H H] -> [N, H, H, 1]."""
    side = round(pixels.shape[1] ** 0.5)
    return (((pixels + 1) / 2 - _MEAN) / _DEVIATION).reshape(-1, side, side, 1).astype(np.float32)


@lru_cache(maxsize=3)
def _fashion(split: str) -> Images:
    prefix = "t10k" if split == "test" else "train"
    pixels = _idx(folder() / f"{prefix}-images-idx3-ubyte.gz", 3)
    labels = _idx(folder() / f"{prefix}-labels-idx1-ubyte.gz", 1)
    if pixels.shape[1:] != (28, 28) or len(pixels) != len(labels):
        raise UserError(
            f"{folder()} holds images {list(pixels.shape)} and labels {list(labels.shape)}, and not n of 28 x 28 with n labels",
            "type apt-get install --reinstall dataset-fashion-mnist",
        )
    part = {"train": slice(0, -_VALIDATE), "validation": slice(-_VALIDATE, None), "test": slice(None)}[split]
    standard = (pixels[part, :, :, None].astype(np.float32) / 255 - _MEAN) / _DEVIATION
    return Images(standard.astype(np.float32), labels[part].astype(np.int32))


def _idx(path: Path, dimensions: int) -> np.ndarray:
    """Reads one IDX file of bytes (LeCun's format: magic 0, 0, 8, dimensions; big-endian sizes; bytes)."""
    if not path.is_file():
        raise UserError(
            f"Fashion-MNIST is not in {path.parent}",
            "type apt-get install dataset-fashion-mnist (Debian, 31 MB), or set FASHION_MNIST to the folder of its four files",
        )
    try:
        raw = gzip.decompress(path.read_bytes())
    except (EOFError, OSError, zlib.error) as error:
        raise UserError(
            f"{path} cannot be unpacked ({error})", "type apt-get install --reinstall dataset-fashion-mnist"
        ) from error
    if raw[:4] != bytes([0, 0, 8, dimensions]):
        raise UserError(f"{path} is no IDX file of bytes in {dimensions} dimensions", "install dataset-fashion-mnist again")
    shape = np.frombuffer(raw, ">u4", dimensions, 4)
    return np.frombuffer(raw, np.uint8, offset=4 + 4 * dimensions).reshape(shape)


@lru_cache(maxsize=3)
def _digits(split: str) -> Images:
    """scikit-learn's 1,797 digits in a fixed order: 1,197 train, 300 validate, 300 test."""
    from sklearn.datasets import load_digits

    pixels, labels = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(labels))
    part = order[{"train": slice(0, -600), "validation": slice(-600, -300), "test": slice(-300, None)}[split]]
    standard = (np.asarray(pixels)[part].reshape(-1, 8, 8, 1) / 16 - 0.305) / 0.376
    return Images(standard.astype(np.float32), np.asarray(labels)[part].astype(np.int32))


@lru_cache(maxsize=3)
def _sentences(split: str) -> Images:
    """Embedded sentences, [N, T, D], T of the longest: 64 to train and to validate on, 256 to test on; labels mean nothing."""
    from domains.quant.networks import encoder

    tokens = encoder.embed(sentences(split))
    longest = int((tokens != 0).any(2).sum(1).max())
    return Images(tokens[:, :longest], np.zeros(len(tokens), np.int32))


@lru_cache(maxsize=3)
def _text(split: str) -> Images:
    from domains.quant.networks import language

    tokens = language.stored().windows[split]
    return Images(language.embed(tokens[:, :-1]), tokens[:, 1:])


def sentences(split: str) -> list[str]:
    """Plain sentences of a subject, an action, and a place or time, shuffled; splits share neither subjects nor actions."""
    at = SPLITS.index(split)
    random, (subjects, actions) = np.random.default_rng(at), _SUBJECTS_AND_ACTIONS[split]
    texts = [
        f"{a} {b} {_WHEN[i]}."
        for a in subjects
        for b, i in zip(actions, random.integers(0, len(_WHEN), len(actions)), strict=True)
    ]
    return [texts[i] for i in random.permutation(len(texts))]


_SUBJECTS_AND_ACTIONS = {
    "train": (
        ("A carpenter", "My neighbour", "The old captain", "A group of students", "The orchestra", "An astronaut",
         "A tired nurse", "The mayor"),
        ("repairs a broken bicycle", "reads a long novel about the sea", "cooks soup with carrots and beans",
         "argues about taxes", "plants apple trees", "plays a slow song on the piano", "looks for a lost dog",
         "measures the temperature of the lake"),
    ),
    "validation": (
        ("A young doctor", "The gardener", "Two brothers", "The chess club", "A street musician", "The librarian", "A farmer",
         "An engineer from Oslo"),
        ("paints the kitchen wall yellow", "writes a letter to the editor", "bakes bread with seeds", "votes for a new bridge",
         "feeds ducks in the park", "sings an old lullaby", "waits for a delayed bus", "counts stars with a telescope"),
    ),
    "test": (
        ("A retired teacher", "The football team", "Her grandmother", "A taxi driver", "The bakery's owner", "A famous painter",
         "Three children", "The night guard", "A sailor", "The prime minister", "An elderly judge", "A beekeeper",
         "The hotel cook", "A shy programmer", "Our postman", "A mountain guide"),
        ("builds a wooden boat", "watches a film about volcanoes", "grills fish with lemon", "complains about high rents",
         "cuts the grass", "dances to loud drums", "searches for missing keys", "weighs a parcel of books",
         "learns Portuguese verbs", "drives a truck to the harbour", "sells second-hand cameras", "sleeps in a tent",
         "mends a torn jacket", "studies the history of glass", "teaches a parrot to speak", "catches a cold"),
    ),
}  # fmt: skip
_WHEN = (
    "before the storm", "in a crowded market", "at midnight", "while it snows", "near the railway station", "on a quiet Sunday",
    "after the election", "in the mountains", "without any help", "although nobody asked", "for the very first time",
    "as every year",
)  # fmt: skip
