"""Trained networks to quantize: residual networks with folded batch norm, their layers in order, their weights with a checksum.

A network's forward pass takes `apply(i, x)`, which computes layer i (input, kernel, bias) as its caller likes: in full
precision, quantized, one after the other into a file. All else (ReLU, sums, means) is the network's own, in float32.
L layers, N images, C classes.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from math import prod
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

Array = Any
Apply = Callable[[int, Array], Array]
WEIGHTS = Path(__file__).parent / "weights"
CHECKSUMS = {
    "resnet14": "c0cd877b0a7199fdc5e76425a9fa6b421bbd7104c2646aa4d9e3bd4a3caf54c5",
    "digits": "26798eecf38a0ca7f70a02862eae6c877ec8dda2c04effd20e5fbfdd64618eac",
}


class Layer(NamedTuple):
    """One layer with a kernel: what is quantized."""

    name: str
    kind: str  # conv | dense
    shape: tuple[int, ...]  # conv: height, width, in, out; dense: in, out
    inputs: tuple[int, ...]  # one example's: conv H, W, in; dense (tokens,) in
    macs: int  # multiply-accumulates for one example
    stride: int = 1
    relu: bool = False  # is a ReLU applied to what it gives (after the sum, where it ends a block)?

    @property
    def parameters(self) -> int:
        """Weights alone; there are shape[-1] biases more."""
        return prod(self.shape)


@dataclass(frozen=True)
class ResNet:
    """Stages of basic blocks (He et al. 2016), padding SAME; a 1x1 shortcut where a stage changes the width."""

    widths: tuple[int, ...] = (8, 16, 32)
    blocks: int = 2
    side: int = 28
    stem_stride: int = 2
    classes: int = 10
    residual: bool = True
    data: str = "fashion"

    @property
    def layers(self) -> tuple[Layer, ...]:
        side, out = -(-self.side // self.stem_stride), self.widths[0]
        layers = [_conv("stem", self.side, 1, out, 3, self.stem_stride, True)]
        for s, width in enumerate(self.widths):
            for b in range(self.blocks):
                into, stride = out, 2 if s and not b else 1
                name, after = f"stage{s + 1}.block{b}", -(-side // stride)
                layers.append(_conv(f"{name}.conv1", side, into, width, 3, stride, True))
                layers.append(_conv(f"{name}.conv2", after, width, width, 3, 1, True))
                if self.residual and into != width:
                    layers.append(_conv(f"{name}.shortcut", side, into, width, 1, stride, False))
                side, out = after, width
        classifier = Layer("classifier", "dense", (out, self.classes), (out,), out * self.classes)
        return (*layers, classifier)

    def __call__(self, apply: Apply, x: Array) -> Array:
        """Images [N, H, W, 1] -> logits [N, C]."""
        index = {layer.name: i for i, layer in enumerate(self.layers)}
        x = jax.nn.relu(apply(index["stem"], x))
        for s in range(len(self.widths)):
            for b in range(self.blocks):
                name = f"stage{s + 1}.block{b}"
                y = apply(index[f"{name}.conv2"], jax.nn.relu(apply(index[f"{name}.conv1"], x)))
                if self.residual:
                    y = y + (apply(index[f"{name}.shortcut"], x) if f"{name}.shortcut" in index else x)
                x = jax.nn.relu(y)
        return apply(index["classifier"], x.mean((1, 2)))


@dataclass(frozen=True, eq=False)
class Network:
    """A trained network: its form and its numbers."""

    name: str
    forward: Any  # ResNet or Encoder: layers, data, and (apply, x) -> outputs
    weights: tuple[np.ndarray, ...]  # float32, one a layer, as Layer.shape
    biases: tuple[np.ndarray, ...]  # float32 [out]
    statistics: tuple[np.ndarray, ...] = ()  # [2, out]: mean and spread of each layer's outputs on training images

    @property
    def layers(self) -> tuple[Layer, ...]:
        return self.forward.layers

    def __call__(self, x: Array) -> Array:
        """The full-precision forward pass."""
        return self.forward(lambda i, x: linear(self.layers[i], x, self.weights[i]) + self.biases[i], x)


def linear(layer: Layer, x: Array, kernel: Array) -> Array:
    """A convolution or a product, without bias."""
    if layer.kind == "dense":
        return x @ kernel
    strides = (layer.stride, layer.stride)
    return jax.lax.conv_general_dilated(x, kernel, strides, "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))


FORMS = {
    "resnet14": ResNet(),
    "digits": ResNet(widths=(8, 16), blocks=1, side=8, stem_stride=1, data="digits"),
}


def form(name: str) -> Any:
    """Returns a network's form, which needs no weights. Raises ValueError where there is none of that name."""
    if name == "minilm":
        from domains.quant import minilm

        return minilm.Encoder()
    if name not in FORMS:
        raise ValueError(f"there is no network {name!r}; type one of {', '.join(FORMS)}, minilm")
    return FORMS[name]


@lru_cache(maxsize=8)
def load(name: str) -> Network:
    """Returns a trained network. Raises ValueError where its weights are missing or have another checksum."""
    if name == "minilm":
        from domains.quant import minilm

        return minilm.load()
    made = form(name)
    return read(name, made, WEIGHTS / f"{name}.npz", CHECKSUMS[name])


def read(name: str, made: ResNet, path: Path, checksum: str) -> Network:
    """Reads weights from a file. Raises ValueError where its SHA-256 or a shape is another than it should be."""
    if not path.is_file():
        raise ValueError(f"{path} is not there; type python -m domains.quant.train {name}")
    seen = hashlib.sha256(path.read_bytes()).hexdigest()
    if seen != checksum:
        raise ValueError(
            f"{path.name} has the checksum {seen[:16]}... and not {checksum[:16]}...: it was changed or cut off; "
            f"restore the file, or train anew (python -m domains.quant.train {name}) and write its checksum into networks.py"
        )
    with np.load(path, allow_pickle=False) as told:
        several = ("weight", "bias", "statistics")
        weights, biases, statistics = ([told[f"{kind}{i}"] for i in range(len(made.layers))] for kind in several)
    for layer, weight in zip(made.layers, weights, strict=True):
        if weight.shape != layer.shape:
            raise ValueError(f"{path.name} has {layer.name} of shape {list(weight.shape)}, and {list(layer.shape)} is wanted")
    return Network(name, made, tuple(weights), tuple(biases), tuple(statistics))


def _conv(name: str, side: int, into: int, out: int, kernel: int, stride: int, relu: bool) -> Layer:
    after = -(-side // stride)
    macs = after * after * kernel * kernel * into * out
    return Layer(name, "conv", (kernel, kernel, into, out), (side, side, into), macs, stride, relu)
