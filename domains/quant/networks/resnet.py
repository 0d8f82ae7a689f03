"""Residual networks with folded batch norm."""

from dataclasses import dataclass
from functools import cached_property

import jax

from domains.quant.networks.layers import Apply, Layer
from qd.types import Array


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

    @cached_property
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


def _conv(name: str, side: int, into: int, out: int, kernel: int, stride: int, relu: bool) -> Layer:
    after = -(-side // stride)
    macs = after * after * kernel * kernel * into * out
    return Layer(name, "conv", (kernel, kernel, into, out), (side, side, into), macs, stride, relu)
