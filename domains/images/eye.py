"""A trained eye: what MobileNetV2 sees in pictures (Sandler et al. 2018; weights of torchvision, trained on ImageNet).

    Eye()(image)                  # [B, 1280] features, by which pictures are alike or not
    Eye("classes")(image)         # [B, 1000] probabilities of ImageNet's classes

Weights come by `qd fetch eye`. Batch norms are folded into the convolutions; those of 1 x 1 are matrix products, those of one
channel sums of nine shifted pictures, both faster on a CPU than XLA's convolution. B batch, C channels.
"""

import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from domains.images import torch_file
from qd.support.cache_dirs import cache_path
from qd.support.errors import UserError
from qd.support.spelling import unknown
from qd.types import Array

NAMES = "classes.json"
FILE, SHA256 = "mobilenet_v2-b0353104.pth", "b03531047ffacf1e2488318dcd2aba1126cde36e3bfe1aa5cb07700aeeee9889"
_MEAN = np.array([0.485, 0.456, 0.406], np.float32)  # of ImageNet's pixels
_DEVIATION = np.array([0.229, 0.224, 0.225], np.float32)
_STRIDES = (1, 2, 1, 2, 1, 1, 2, 1, 1, 1, 1, 1, 1, 2, 1, 1, 1)  # of the 17 blocks
_CLASSES, _WIDTH = 1000, 1280
_SEES = ("features", "classes")


class Layer(NamedTuple):
    """A convolution with its batch norm, or the last layer: weights and bias [out]."""

    weights: np.ndarray  # [in, out], or [3, 3, C] of one channel each, or [3, 3, 3, out]
    bias: np.ndarray


@dataclass(frozen=True)
class Eye:
    """Looks at pictures [B, H, W, 3] or [B, H, W] in 0..1, enlarged or reduced to ``side`` pixels.

    >>> Eye("classes", side=96)
    Eye(sees='classes', side=96, numbers=None)
    """

    sees: str = "features"  # [B, 1280], means over the picture; or classes, probabilities [B, 1000]
    side: int = 64  # pixels; it was trained with 224, which costs twelve times as much
    numbers: int | None = None  # of the features, mixed at random, which keeps distances (Johnson and Lindenstrauss); None: all

    def __post_init__(self) -> None:
        if self.sees not in _SEES:
            raise unknown("sees", self.sees, _SEES)
        if self.side < 32 or (self.numbers is not None and not 1 <= self.numbers <= _WIDTH):
            problem = f"side={self.side}, numbers={self.numbers}: the eye halves pictures five times and has {_WIDTH} features"
            raise UserError(problem, "type side=64 (32 or more) and numbers=64 (or none)")

    def __call__(self, image: Array) -> Array:
        """Returns what it sees, float32 [B, 1280] or [B, 1000]. Raises UserError where its weights are missing or changed."""
        weights()  # a missing file is a message before anything is compiled
        return _program(self)(jnp.asarray(image, jnp.float32))


@lru_cache(maxsize=8)
def _program(eye: Eye) -> Callable[[Array], Array]:
    """Compiled, for host code too: one by one its two hundred operations would take minutes."""
    return jax.jit(lambda image: _look(eye, image))


def _look(eye: Eye, image: Array) -> Array:
    layers = weights()
    seen = _features(layers, _prepared(image, eye.side))
    if eye.sees == "features":
        return seen if eye.numbers is None else seen @ _mixture(eye.numbers)
    return jax.nn.softmax(seen @ layers[-1].weights + layers[-1].bias)


@lru_cache(maxsize=4)
def _mixture(numbers: int) -> np.ndarray:
    """A fixed random map [1280, numbers]."""
    draws = np.random.Generator(np.random.Philox(key=0)).standard_normal((_WIDTH, numbers), dtype=np.float32)
    return draws / np.float32(np.sqrt(numbers))


def _prepared(image: Array, side: int) -> Array:
    image = image[..., None].repeat(3, axis=-1) if image.ndim == 3 else image
    if image.shape[1:3] != (side, side):
        image = jax.image.resize(image, (len(image), side, side, 3), "bilinear")
    return (image - _MEAN) / _DEVIATION


def _features(layers: tuple[Layer, ...], image: Array) -> Array:
    first, *rest, wide, _ = layers
    x = jax.lax.conv_general_dilated(
        image, jnp.asarray(first.weights), (2, 2), ((1, 1), (1, 1)), dimension_numbers=("NHWC", "HWIO", "NHWC")
    )
    x = _relu6(x + first.bias)
    at = 0
    for block, stride in enumerate(_STRIDES):
        y = x
        if block:
            y, at = _relu6(_pointwise(y, rest[at])), at + 1
        y = _relu6(_each_channel(y, rest[at], stride))
        y, at = _pointwise(y, rest[at + 1]), at + 2
        x = x + y if stride == 1 and x.shape == y.shape else y
    return _relu6(_pointwise(x, wide)).mean(axis=(1, 2))


def _relu6(x: Array) -> Array:
    return jnp.clip(x, 0, 6)


def _pointwise(x: Array, layer: Layer) -> Array:
    return x @ layer.weights + layer.bias


def _each_channel(x: Array, layer: Layer, stride: int) -> Array:
    """A 3 x 3 convolution of each channel by itself."""
    _, height, width, _ = x.shape
    wide = jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    shifted = (
        wide[:, i : i + height : stride, j : j + width : stride] * layer.weights[i, j] for i in range(3) for j in range(3)
    )
    return sum(shifted) + layer.bias


@lru_cache(maxsize=1)
def class_names() -> tuple[str, ...]:
    """Returns the names of ImageNet's 1000 classes, their numbers where `qd fetch eye` has not brought the names."""
    names = ["class"] * _CLASSES
    with suppress(OSError, ValueError):
        stored = json.loads((cache_path("weights", "eye") / NAMES).read_text(encoding="utf-8"))
        names = [str(name) for name in stored] if isinstance(stored, list) and len(stored) == _CLASSES else names
    return tuple(f"{name} ({i})" for i, name in enumerate(names))  # two classes are cranes


@lru_cache(maxsize=1)
def weights() -> tuple[Layer, ...]:
    """Reads the weights: the first convolution, those of the 17 blocks in order, the last one, the classifier.

    Raises:
        UserError: the file is not there, or is another one.
    """
    path = cache_path("weights", "eye", FILE)
    if not path.is_file():
        raise UserError(f"the eye's weights are not in {path.parent}", "type qd fetch eye")
    tensors = torch_file.read(path, SHA256, "qd fetch eye")
    names = [name.removesuffix(".running_mean") for name in tensors if name.endswith(".running_mean")]
    layers = [_folded(tensors, name) for name in names]
    return *layers, Layer(np.ascontiguousarray(tensors["classifier.1.weight"].T), tensors["classifier.1.bias"])


def _folded(tensors: dict[str, np.ndarray], norm: str) -> Layer:
    """Returns the convolution before a batch norm with the norm in it."""
    before, _, number = norm.rpartition(".")
    convolution = tensors[f"{before}.{int(number) - 1}.weight"]  # [out, in, kernel, kernel]
    scale = tensors[f"{norm}.weight"] / np.sqrt(tensors[f"{norm}.running_var"] + 1e-5)
    kernel = (convolution * scale[:, None, None, None]).transpose(2, 3, 1, 0)
    if kernel.shape[0] == 1:
        kernel = kernel[0, 0]
    elif kernel.shape[2] == 1:
        kernel = kernel[:, :, 0]
    return Layer(np.ascontiguousarray(kernel), tensors[f"{norm}.bias"] - tensors[f"{norm}.running_mean"] * scale)
