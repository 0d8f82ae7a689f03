"""A class-conditional diffusion transformer (DiT, Peebles and Xie 2023) of which all that is learned is in layers to quantize.

Patches of an image are tokens; each block's two norms are shifted, scaled and gated by the timestep and the class (adaptive
layer norm); blocks of the second half also take what a block of the first half gave (a long shortcut, after U-ViT, Bao et
al. 2023). It predicts the clean image. N images, S pixels a side, P = S S pixels, T tokens, D width, C classes.
"""

from dataclasses import dataclass
from functools import cached_property

import jax
import jax.numpy as jnp
import numpy as np

from domains.quant.networks.layers import BLOCK_PARTS, CACHED, Apply, Layer, Network, split_heads
from domains.quant.networks.transformer import places
from qd.types import Array

_FASTEST = 1000.0  # the timestep's highest frequency, as of 1,000 discrete steps


@dataclass(frozen=True)
class Diffusion:
    """Its form. One call is one denoising step of packed inputs [N, P + 2]: pixels in -1..1 with noise, time in 0..1, class.

    Class C stands for none, which classifier-free guidance needs (Ho and Salimans 2022).
    """

    side: int = 28
    patch: int = 7
    width: int = 96
    heads: int = 4
    blocks: int = 4
    waves: int = 64  # sines and cosines of the timestep
    classes: int = 10
    data: str = "denoising"

    @property
    def pixels(self) -> int:
        """P."""
        return self.side**2

    @property
    def tokens(self) -> int:
        """T."""
        return (self.side // self.patch) ** 2

    @cached_property
    def layers(self) -> tuple[Layer, ...]:
        d, pixels = self.width, self.patch**2
        layers = [self._of_tokens("patches", pixels, d), _of_image("time.up", self.waves, d), _of_image("time.down", d, d)]
        layers.append(_of_image("class", self.classes + 1, d))
        shapes = [*[(d, d)] * 4, (d, 4 * d), (4 * d, d)]
        for b in range(self.blocks):
            if self._has_shortcut(b):
                layers.append(self._of_tokens(f"block{b}.shortcut", 2 * d, d))
            layers.append(_of_image(f"block{b}.modulation", d, 6 * d))
            layers += [self._of_tokens(f"block{b}.{part}", *s) for part, s in zip(BLOCK_PARTS, shapes, strict=True)]
        layers += [_of_image("final.modulation", d, 2 * d), self._of_tokens("pixels", d, pixels)]
        return (*layers, *(self._of_attention(b, kind) for b in range(self.blocks) for kind in CACHED))

    def __call__(self, apply: Apply, x: Array) -> Array:
        """Packed inputs [N, P + 2] -> estimates of the clean images [N, P]."""
        at = {layer.name: i for i, layer in enumerate(self.layers)}
        layer = lambda name, *inputs: apply(at[name], *inputs)
        waves = _waves(x[:, self.pixels], self.waves)
        time = layer("time.down", jax.nn.silu(layer("time.up", waves)))
        condition = jax.nn.silu(time + layer("class", jax.nn.one_hot(x[:, self.pixels + 1].astype(int), self.classes + 1)))
        x = layer("patches", self._cut(x[:, : self.pixels])) + places(self.tokens, self.width)
        earlier = []
        for b in range(self.blocks):
            if self._has_shortcut(b):
                x = layer(f"block{b}.shortcut", jnp.concatenate([x, earlier.pop()], -1))
            x = self._block(layer, f"block{b}", x, jnp.split(layer(f"block{b}.modulation", condition)[:, None], 6, -1))
            if b < self.blocks // 2:
                earlier.append(x)
        shift, scale = jnp.split(layer("final.modulation", condition)[:, None], 2, -1)
        return self._join(layer("pixels", _norm(x) * (1 + scale) + shift))

    def _block(self, layer, name: str, x: Array, modulation: list[Array]) -> Array:
        shift, scale, gate, net_shift, net_scale, net_gate = modulation
        y = _norm(x) * (1 + scale) + shift
        q, k, v = (split_heads(layer(f"{name}.{part}", y), self.heads) for part in ("query", "key", "value"))
        attention = jax.nn.softmax(layer(f"{name}.keys", q, k) / (self.width / self.heads) ** 0.5, -1)
        x = x + gate * layer(f"{name}.output", layer(f"{name}.values", attention, v).swapaxes(1, 2).reshape(x.shape))
        y = _norm(x) * (1 + net_scale) + net_shift
        return x + net_gate * layer(f"{name}.down", jax.nn.gelu(layer(f"{name}.up", y)))

    def _has_shortcut(self, b: int) -> bool:
        return b >= self.blocks - self.blocks // 2

    def _cut(self, pixels: Array) -> Array:
        """[N, P] -> [N, T, patch patch]."""
        n, p = self.side // self.patch, self.patch
        return pixels.reshape(-1, n, p, n, p).swapaxes(2, 3).reshape(-1, n * n, p * p)

    def _join(self, patches: Array) -> Array:
        """[N, T, patch patch] -> [N, P]."""
        n, p = self.side // self.patch, self.patch
        return patches.reshape(-1, n, n, p, p).swapaxes(2, 3).reshape(-1, self.pixels)

    def _of_attention(self, b: int, kind: str) -> Layer:
        """Products by keys and by values; they come last, so that layers with a kernel keep their numbers."""
        t, d = self.tokens, self.width
        return Layer(f"block{b}.{kind}", kind, (t, d), (self.heads, t, d // self.heads), t * t * d, kept=False)

    def _of_tokens(self, name: str, into: int, out: int) -> Layer:
        return Layer(name, "dense", (into, out), (self.tokens, into), self.tokens * into * out)


def with_kernels(form: Diffusion, weights: list[np.ndarray], biases: list[np.ndarray], name: str = "diffusion") -> Network:
    """Returns the network of trained arrays; products by keys and values, the last layers, have none.

    Args:
        form: its form.
        weights: of the layers that have a kernel.
        biases: of the same.
        name: of the network.
    """
    none = [np.zeros((), np.float32)] * (len(form.layers) - len(weights))
    return Network(name, form, (*weights, *none), (*biases, *none))


def pack(pixels: Array, time: Array, labels: Array) -> Array:
    """Lays out the inputs of a denoising step.

    Args:
        pixels: images with noise [N, P].
        time: 0 clean to 1 noise, a number or [N].
        labels: classes [N]; C for none.

    Returns:
        [N, P + 2].
    """
    column = lambda values: jnp.broadcast_to(jnp.asarray(values, pixels.dtype), pixels.shape[:1])[:, None]
    return jnp.concatenate([pixels, column(time), column(labels)], 1)


def frequencies(waves: int) -> np.ndarray:
    """Returns the frequencies of the timestep's sines, 1 to 1,000, float32 [waves / 2]."""
    return (_FASTEST ** np.linspace(0, 1, waves // 2)).astype(np.float32)


def _of_image(name: str, into: int, out: int) -> Layer:
    return Layer(name, "dense", (into, out), (into,), into * out)


def _waves(time: Array, waves: int) -> Array:
    """Sines and cosines of the time in frequencies from 1 to _FASTEST, [N, waves]."""
    angle = time[:, None] * frequencies(waves)
    return jnp.concatenate([jnp.sin(angle), jnp.cos(angle)], 1)


def _norm(x: Array) -> Array:
    mean = x.mean(-1, keepdims=True)
    return (x - mean) * jax.lax.rsqrt(((x - mean) ** 2).mean(-1, keepdims=True) + 1e-6)
