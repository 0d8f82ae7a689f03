"""A small vision transformer (Dosovitskiy et al. 2021) in which all that is learned is in layers that can be quantized.

Patches by a convolution with norm, fixed sines for places, blocks of attention and a two-layer net, each after dividing by the
root mean square without a learned scale, mean over tokens. N images, T tokens, D width, H heads.
"""

from dataclasses import dataclass
from functools import cached_property

import jax
import jax.numpy as jnp
import numpy as np

from domains.quant.networks.layers import BLOCK_PARTS, Apply, Layer, attention_blocks, split_heads
from qd.types import Array


@dataclass(frozen=True)
class Patches:
    """Its form; trained as the residual networks are."""

    side: int = 28
    patch: int = 4
    width: int = 32
    heads: int = 2
    blocks: int = 2
    classes: int = 10
    data: str = "fashion"

    @cached_property
    def layers(self) -> tuple[Layer, ...]:
        tokens, d = (-(-self.side // self.patch)) ** 2, self.width
        kernel = (self.patch, self.patch, 1, d)
        stem = Layer("patches", "conv", kernel, (self.side, self.side, 1), tokens * self.patch**2 * d, self.patch, False)
        classifier = Layer("classifier", "dense", (d, self.classes), (d,), d * self.classes)
        return (stem, *attention_blocks(self.blocks, d, 2 * d, tokens), classifier)

    def __call__(self, apply: Apply, x: Array) -> Array:
        """Images [N, H, W, 1] -> logits [N, C]."""
        x = apply(0, x).reshape(len(x), -1, self.width)
        x = x + places(x.shape[1], self.width)
        for b in range(self.blocks):
            y, first = _even(x), 1 + len(BLOCK_PARTS) * b
            q, k, v = (split_heads(apply(first + i, y), self.heads) for i in range(3))
            score = jax.nn.softmax(q @ k.swapaxes(2, 3) / (self.width / self.heads) ** 0.5, -1)
            x = x + apply(first + 3, (score @ v).swapaxes(1, 2).reshape(x.shape))
            x = x + apply(first + 5, jax.nn.relu(apply(first + 4, _even(x))))
        return apply(len(self.layers) - 1, _even(x).mean(1))


def _even(x: Array) -> Array:
    return x / jnp.sqrt((x**2).mean(-1, keepdims=True) + 1e-6)


def places(tokens: int, width: int) -> np.ndarray:
    """Returns sines and cosines of the token's number (Vaswani et al. 2017, section 3.5).

    Args:
        tokens: T.
        width: D.

    Returns:
        float32 [T, D].
    """
    angle = np.arange(tokens)[:, None] / 100 ** (np.arange(width // 2) / (width // 2))
    return np.concatenate([np.sin(angle), np.cos(angle)], 1).astype(np.float32)
