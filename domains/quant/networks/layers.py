"""A network as a list of layers that can be quantized. B batch."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import Any, NamedTuple

import jax
import numpy as np

from qd.types import Array

Apply = Callable[..., Array]  # (number of a layer, its inputs, of keys and values also what is stored) -> its results
BLOCK_PARTS = ("query", "key", "value", "output", "up", "down")  # products of an attention block, in order
CACHED = ("keys", "values")  # kinds of layers without a kernel of their own: products by what earlier tokens left behind


class Layer(NamedTuple):
    """One layer with a kernel: what is quantized."""

    name: str
    kind: str  # conv | dense | keys | values
    shape: tuple[int, ...]  # conv: height, width, in, out; dense: in, out; keys and values: tokens, width
    inputs: tuple[int, ...]  # one example's: conv H, W, in; dense (tokens,) in; keys and values heads, tokens, width of a head
    macs: int  # multiply-accumulates for one example
    stride: int = 1
    relu: bool = False  # is a ReLU applied to what it gives (after the sum, where it ends a block)?
    kept: bool = True  # keys and values: do they stay for later tokens? Those of an image are gone after the product

    @property
    def parameters(self) -> int:
        """Weights alone, or numbers of a whole cache; there are ``biases`` more."""
        return prod(self.shape) if self.kept else 0

    @property
    def is_cached(self) -> bool:
        return self.kind in CACHED

    @property
    def scales(self) -> int:
        """One for each output channel; of keys and values that stay, one for each token of each head."""
        if not self.kept:
            return 0
        return self.inputs[0] * self.inputs[1] if self.is_cached else self.shape[-1]

    @property
    def biases(self) -> int:
        return 0 if self.is_cached else self.shape[-1]


@dataclass(frozen=True, eq=False)
class Network:
    """A trained network: its form and its numbers."""

    name: str
    forward: Any  # ResNet or Encoder: layers, data, and (apply, x) -> outputs
    weights: tuple[np.ndarray, ...]  # float32, one a layer, as Layer.shape
    biases: tuple[np.ndarray, ...]  # float32 [out]

    @cached_property
    def layers(self) -> tuple[Layer, ...]:
        return self.forward.layers

    def __call__(self, x: Array) -> Array:
        """The full-precision forward pass."""
        apply = lambda i, x, *stored: linear(self.layers[i], x, self.weights[i], *stored) + self.biases[i]
        return self.forward(apply, x)


def linear(layer: Layer, x: Array, kernel: Array, stored: Array | None = None) -> Array:
    """A convolution or a product, without bias.

    Args:
        layer: gives kind and stride.
        x: conv: [B, H, W, in]; dense: [B, in] or [B, T, in]; keys: queries [B, H, T, D / H]; values: attention [B, H, T, T].
        kernel: shaped as ``layer.shape``; of keys and values not used.
        stored: the keys or values of all tokens, [B, H, T, D / H]; None for layers with a kernel.

    Returns:
        conv (padding SAME): [B, H / stride, W / stride, out], sides rounded up; dense: [B, out] or [B, T, out]; keys:
        [B, H, T, T]; values: [B, H, T, D / H].
    """
    if stored is not None:
        return x @ (stored.swapaxes(-1, -2) if layer.kind == "keys" else stored)
    if layer.kind == "dense":
        return x @ kernel
    strides = (layer.stride, layer.stride)
    return jax.lax.conv_general_dilated(x, kernel, strides, "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))


def attention_blocks(blocks: int, width: int, inner: int, tokens: int) -> tuple[Layer, ...]:
    """Returns the products of blocks of attention, each with a two-layer net behind it, in the order of BLOCK_PARTS.

    Args:
        blocks: how many.
        width: D, numbers of a token.
        inner: width of the two-layer net between its layers.
        tokens: T of one example, for inputs and MACs.

    Returns:
        Six dense layers a block, all without stride and ReLU.
    """
    shapes = [*[(width, width)] * 4, (width, inner), (inner, width)]
    return tuple(
        Layer(f"block{b}.{part}", "dense", shape, (tokens, shape[0]), tokens * shape[0] * shape[1])
        for b in range(blocks)
        for part, shape in zip(BLOCK_PARTS, shapes, strict=True)
    )


def split_heads(x: Array, heads: int) -> Array:
    """Cuts each token's numbers into H heads: [B, T, D] -> [B, H, T, D / H].

    Args:
        x: [B, T, D].
        heads: H, a divisor of D.

    Returns:
        [B, H, T, D / H]; a head holds D / H neighbouring numbers of a token.
    """
    return x.reshape(*x.shape[:2], heads, -1).swapaxes(1, 2)
