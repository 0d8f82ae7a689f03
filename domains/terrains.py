"""Views of height fields, for domain=terrains: how steep and rough they are, how far one can walk, how they look in the sun.

A picture holds heights as the network learned them, [B, H, W] in 0..1: h = 0.1 m sinh(u arsinh(221.7)), 22.2 m at 1. A pixel is
0.1 m wide, as its package gives terrains to simulators. B batch.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import jax
import numpy as np

from domains.levels import flood

_SCALE, _HIGHEST = 0.1, 22.16864  # metres: of the arsinh, and of 1
_PIXEL = 0.1  # metres
_LIGHT = np.array([-0.5, -0.5, 0.7], np.float32) / np.float32(0.99**0.5)  # from the upper left


@dataclass(frozen=True)
class Relief:
    """Two numbers: the mean slope, and the roughness that is left when a terrain is smoothed over ``over`` pixels."""

    over: int = 9

    def __call__(self, image: np.ndarray) -> np.ndarray:
        """Returns [B, 2]: mean slope as rise over run, and root mean square roughness in metres."""
        z = metres(image)
        smooth = _box(_box(z, self.over, 1), self.over, 2)
        slope = _slope(z, _PIXEL).mean(axis=(1, 2))
        return np.stack([slope, ((z - smooth) ** 2).mean(axis=(1, 2)) ** 0.5], axis=1).astype(np.float32)


@dataclass(frozen=True)
class Walk:
    """The longest shortest way over ground that is not too steep, 100 at ``most`` steps and above."""

    side: int = 32  # the terrain is reduced to so many places a side
    steepest: float = 0.5  # rise over run that a walker can climb
    most: int = 100

    def __call__(self, image: np.ndarray) -> np.ndarray:
        """Returns [B], 0 to 100: of the ways in four regions, counted as PCGRL counts them, the longest."""
        block = image.shape[1] // self.side
        whole = metres(image[:, : block * self.side, : block * self.side])
        z = whole.reshape(len(image), self.side, block, self.side, block).mean(axis=(2, 4))
        return 100 * np.minimum(_longest(_slope(z, block * _PIXEL) <= self.steepest) / self.most, 1).astype(np.float32)


@dataclass(frozen=True)
class Sunlit:
    """Heights as a picture: colours of a map by height, shaded by light from the upper left."""

    def __call__(self, image: np.ndarray) -> np.ndarray:
        """Returns [B, H, W, 3] in 0..1."""
        land = np.array([[0.24, 0.45, 0.25], [0.45, 0.58, 0.30], [0.66, 0.56, 0.40], [0.55, 0.50, 0.48], [0.97, 0.97, 0.97]])
        colour = np.stack([np.interp(image, np.linspace(0.1, 0.9, len(land)), land[:, c]) for c in range(3)], axis=-1)
        dy, dx = np.gradient(metres(image) / _PIXEL, axis=(1, 2))
        normal = np.stack([-dx, -dy, np.full_like(dx, 1.5)], axis=-1)
        light = np.clip((normal / np.linalg.norm(normal, axis=-1, keepdims=True)) @ _LIGHT, 0, 1)[..., None]
        return (colour * (0.35 + 0.75 * light)).clip(0, 1).astype(np.float32)


def metres(image: np.ndarray) -> np.ndarray:
    """Returns heights in metres [B, H, W] of a picture."""
    return (_SCALE * np.sinh(image * np.arcsinh(_HIGHEST / _SCALE))).astype(np.float32)


def _slope(z: np.ndarray, width: float) -> np.ndarray:
    """Rise over run of heights on a grid of that width."""
    dy, dx = np.gradient(z, width, axis=(1, 2))
    return np.hypot(dx, dy)


def _box(z: np.ndarray, over: int, axis: int) -> np.ndarray:
    """Means over ``over`` neighbours along an axis, the border repeated."""
    half = over // 2
    wide = np.pad(z, [(half, over - half) if i == axis else (0, 0) for i in range(3)], mode="edge").cumsum(axis=axis)
    wide = np.moveaxis(wide, axis, -1)
    sums = wide[..., over:] - wide[..., :-over]
    return np.moveaxis(sums, -1, axis)[tuple(slice(None, n) for n in z.shape)] / over


def _longest(easy: np.ndarray) -> np.ndarray:
    return np.asarray(_longest_program()(easy)).max(axis=0)


@lru_cache(maxsize=1)
def _longest_program() -> Any:
    """Of the first tiles of four regions in turn, the longest way of each: [4, B]."""

    def ways(easy: Any) -> Any:
        found = []
        for _ in range(4):
            found.append(flood.longest_path(easy)[0])
            easy = easy & (flood.distances(easy, flood.first(easy)) >= flood.FAR)
        return jax.numpy.stack(found)

    return jax.jit(ways)
