"""Two networks that encode an image as a few numbers and decode it again: of patches, fast on a CPU, or as published.

Both write convolutions as products of matrices. B images, S pixels a side, C channels, Z numbers of a code; I, O a
layer's inputs and outputs.
"""

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

import jax
import jax.numpy as jnp
import numpy as np

from qd.support.errors import UserError
from qd.types import Array

Layers = tuple[tuple[Array, Array], ...]  # weights [I, O] and bias [O]
_COLOURS = 3


class ImageNetwork(Protocol):
    """Encoder and decoder of images."""

    @property
    def least(self) -> int:
        """S must be a multiple of it."""
        ...

    def fresh(self, key: Array, side: int, code: int) -> tuple[Layers, Layers]:
        """Draws initial weights.

        Args:
            key: of the weights, a key array.
            side: S, a multiple of ``least``.
            code: Z.

        Returns:
            The layers of encoder and decoder.
        """
        ...

    def encode(self, encoder: Layers, x: Array) -> Array:
        """Encodes images.

        Args:
            encoder: its layers.
            x: [B, S, S, 3].

        Returns:
            Codes, [B, Z].
        """
        ...

    def decode(self, decoder: Layers, code: Array) -> Array:
        """Decodes images.

        Args:
            decoder: its layers.
            code: [B, Z].

        Returns:
            Images, [B, S, S, 3].
        """
        ...


@dataclass(frozen=True)
class PatchNetwork:
    """Convolutions with a stride equal to their size, so that no pixel is copied; then dense layers.

    5 times as fast as Halving.

    Pixels are sorted once so that each layer's patches lie end to end: every layer is one reshape and one product.
    """

    strides: tuple[int, ...] = (4, 2)
    channels: tuple[int, ...] = (16, 32)
    hidden: tuple[int, ...] = (128,)

    def __post_init__(self) -> None:
        if len(self.strides) != len(self.channels) or min(*self.strides, *self.channels, *self.hidden, 1) < 1:
            raise UserError(
                f"strides {self.strides} and channels {self.channels} must be as many, of 1 or more",
                "type strides=[4,2] channels=[16,32]",
            )

    @property
    def least(self) -> int:
        """S must be a multiple of it: the product of the strides."""
        return math.prod(self.strides)

    def fresh(self, key: Array, side: int, code: int) -> tuple[Layers, Layers]:
        """Draws initial weights; arguments as in ``ImageNetwork``."""
        inputs = (_COLOURS, *self.channels)
        shapes = [(s * s * i, o) for s, i, o in zip(self.strides, inputs, self.channels, strict=False)]
        shapes += pairwise((inputs[-1] * (side // self.least) ** 2, *self.hidden, code))
        down, up = jax.random.split(key)
        return _initial_layers(down, shapes), _initial_layers(up, [(o, i) for i, o in shapes[::-1]])

    def encode(self, encoder: Layers, x: Array) -> Array:
        """Encodes images; arguments as in ``ImageNetwork``."""
        return _chain(encoder, self._sorted(x)).reshape(len(x), -1)

    def decode(self, decoder: Layers, code: Array) -> Array:
        """Decodes images; arguments as in ``ImageNetwork``."""
        pixels = _chain(decoder, code)
        side = math.isqrt(pixels.size // max(len(code), 1) // _COLOURS)
        sizes, levels = self._levels(side), len(self.strides) + 1
        pairs = pixels.reshape(len(code), *(n for size in sizes for n in (size, size)), _COLOURS)
        rows, columns = range(1, 2 * levels, 2), range(2, 2 * levels + 1, 2)
        return pairs.transpose(0, *rows, *columns, 2 * levels + 1).reshape(len(code), side, side, _COLOURS)

    def _sorted(self, x: Array) -> Array:
        """Sorts pixels by patch: [B, S, S, 3] -> [B, 3 S S]."""
        sizes, levels = self._levels(x.shape[1]), len(self.strides) + 1
        split = x.reshape(len(x), *sizes, *sizes, _COLOURS)
        order = [axis for level in range(1, levels + 1) for axis in (level, level + levels)]
        return split.transpose(0, *order, 2 * levels + 1).reshape(len(x), -1)

    def _levels(self, side: int) -> tuple[int, ...]:
        return (side // self.least, *self.strides[::-1])


@dataclass(frozen=True)
class Halving:
    """TAXONS' layers (Paolo et al. 2019): convolutions of 4 x 4 that overlap, stride 2, and SELU; transposed ones mirror them.

    The published channels are 32, 64, 32, 16, for images of 64 x 64. Its last ReLU is left out: here an image is its
    difference from the mean image, which has both signs.
    """

    channels: tuple[int, ...] = (32, 64, 32, 16)

    def __post_init__(self) -> None:
        if not self.channels or min(self.channels) < 1:
            raise UserError(f"channels {self.channels} are no layers", "type channels=[32,64,32,16]")

    @property
    def least(self) -> int:
        """S must be a multiple of it: a factor of 2 for each convolution."""
        return 2 ** len(self.channels)

    def fresh(self, key: Array, side: int, code: int) -> tuple[Layers, Layers]:
        """Draws initial weights; arguments as in ``ImageNetwork``."""
        wide = self.channels[-1] * (side // self.least) ** 2
        down = [(16 * i, o) for i, o in zip((_COLOURS, *self.channels), self.channels, strict=False)]
        up = [(i, 16 * o) for i, o in pairwise((*self.channels[::-1], _COLOURS))]
        down_key, out_key, up_key = jax.random.split(key, 3)
        up_layers = tuple((w / 2, b[: len(b) // 16]) for w, b in _initial_layers(up_key, up))  # four inputs meet in a pixel
        encoder = _initial_layers(down_key, [*down, (wide, code)])
        return encoder, (*_initial_layers(out_key, [(code, wide)]), *up_layers)

    def encode(self, encoder: Layers, x: Array) -> Array:
        """Encodes images; arguments as in ``ImageNetwork``."""
        for weights, bias in encoder[:-1]:
            x = jax.nn.selu(halved(x, weights) + bias)
        weights, bias = encoder[-1]
        return jax.nn.selu(x.reshape(len(x), -1) @ weights + bias)

    def decode(self, decoder: Layers, code: Array) -> Array:
        """Decodes images; arguments as in ``ImageNetwork``."""
        (weights, bias), *up = decoder
        first = up[0][0].shape[0]
        side = math.isqrt(bias.shape[0] // first)
        x = jax.nn.selu(code @ weights + bias).reshape(-1, side, side, first)
        for weights, bias in up[:-1]:
            x = jax.nn.selu(doubled(x, weights) + bias)
        weights, bias = up[-1]
        return doubled(x, weights) + bias


def halved(x: Array, weights: Array) -> Array:
    """A convolution of 4 x 4, stride 2, padding 1.

    Args:
        x: images, [B, S, S, I], S even.
        weights: [16 I, O].

    Returns:
        [B, S/2, S/2, O], without a bias.
    """
    x = jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    b, s, _, c = x.shape
    blocks = x.reshape(b, s // 2, 2, s // 2, 2, c).swapaxes(2, 3).reshape(b, s // 2, s // 2, 4 * c)
    half = s // 2 - 1
    patches = [blocks[:, i : i + half, j : j + half] for i in (0, 1) for j in (0, 1)]
    return jnp.concatenate(patches, axis=3) @ weights


def doubled(x: Array, weights: Array) -> Array:
    """The transpose of a convolution of 4 x 4, stride 2, padding 1.

    Args:
        x: images, [B, S, S, I].
        weights: [I, 16 O].

    Returns:
        [B, 2 S, 2 S, O], without a bias.
    """
    b, s, _, _ = x.shape
    parts = (x @ weights).reshape(b, s, s, 4, 2, 2, -1)
    total = jnp.zeros((b, 2 * s + 2, 2 * s + 2, parts.shape[-1]))
    for part, (i, j) in enumerate(((0, 0), (0, 1), (1, 0), (1, 1))):
        blocks = parts[:, :, :, part].swapaxes(2, 3).reshape(b, 2 * s, 2 * s, -1)
        total += jnp.pad(blocks, ((0, 0), (2 * i, 2 - 2 * i), (2 * j, 2 - 2 * j), (0, 0)))
    return total[:, 1:-1, 1:-1]


def _chain(layers: Layers, x: Array) -> Array:
    """Each layer's inputs lie end to end; SELU (Klambauer et al. 2017) between them."""
    for i, (weights, bias) in enumerate(layers):
        x = x.reshape(len(x), -1, weights.shape[0]) @ weights + bias
        x = jax.nn.selu(x) if i < len(layers) - 1 else x
    return x


def _initial_layers(key: Array, shapes: list[tuple[int, int]]) -> Layers:
    """LeCun's initial weights (1998), which suit SELU."""
    each = jax.random.split(key, len(shapes))
    return tuple((jax.random.normal(k, s) / s[0] ** 0.5, np.zeros(s[1], np.float32)) for k, s in zip(each, shapes, strict=True))
