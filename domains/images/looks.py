"""Statistics of pictures: the view, which a learner may read, and the look, for the judge alone.

B batch, S side, V length of the view. Pictures are [B, S, S, 3] in 0..1.
"""

from itertools import pairwise

import jax.numpy as jnp
import numpy as np

from qd.types import Array

_RINGS, _THUMB = 6, 4


def view(image: Array) -> Array:
    """Returns [B, V]: a thumbnail in opponent colours, energy by frequency and direction, likeness to the mirror images."""
    grey = brightness(image)
    red, green, blue = image[..., 0], image[..., 1], image[..., 2]
    opponent = jnp.stack([grey, red - green, (red + green) / 2 - blue], axis=-1)
    parts = [_thumbnail(opponent), _rings(grey), _directions(grey), *(_likeness(grey, flip) for flip in (2, 1, (1, 2)))]
    return jnp.concatenate([part.reshape(len(image), -1) for part in parts], axis=1)


def look(image: Array) -> Array:
    """Returns [B, 2] in 0..1: how fine (mean spatial frequency), and how symmetric left to right."""
    grey = brightness(image)
    power, radius = _spectrum(grey)
    fine = (power * radius).sum((1, 2)) / (power.sum((1, 2)) + 1e-6)
    return jnp.stack([jnp.clip(fine / 6, 0, 1), (1 + _likeness(grey, 2)) / 2], axis=1)


def brightness(image: Array) -> Array:
    """Returns [B, S, S]: luma (ITU-R BT.601)."""
    return image @ jnp.array([0.299, 0.587, 0.114])


def _thumbnail(image: Array) -> Array:
    n, side, _, channels = image.shape
    size = side // _THUMB * _THUMB
    blocks = image[:, :size, :size].reshape(n, _THUMB, size // _THUMB, _THUMB, size // _THUMB, channels)
    return blocks.mean(axis=(2, 4))


def _rings(grey: Array) -> Array:
    """Log energy in rings of the spectrum, evenly wide in octaves."""
    power, radius = _spectrum(grey)
    edges = np.geomspace(1, grey.shape[1] / 2, _RINGS + 1)
    rings = [jnp.where((radius >= low) & (radius < high), power, 0).sum((1, 2)) for low, high in pairwise(edges)]
    return jnp.log(jnp.stack(rings, axis=1) + 1e-3) / 4


def _directions(grey: Array) -> Array:
    """Shares of edge energy along four directions."""
    dy, dx = grey[:, 1:, :-1] - grey[:, :-1, :-1], grey[:, :-1, 1:] - grey[:, :-1, :-1]
    energy = jnp.stack([dx**2, dy**2, (dx + dy) ** 2 / 2, (dx - dy) ** 2 / 2], axis=-1).sum((1, 2))
    return energy / (energy.sum(1, keepdims=True) + 1e-6)


def _likeness(grey: Array, flip: int | tuple[int, ...]) -> Array:
    """Correlation of a picture with its mirror image, [B] in -1..1; 1 where a picture is blank."""
    contrast = grey - grey.mean((1, 2), keepdims=True)
    power = (contrast**2).mean((1, 2))
    return ((contrast * jnp.flip(contrast, flip)).mean((1, 2)) + 1e-6) / (power + 1e-6)


def _spectrum(grey: Array) -> tuple[Array, Array]:
    """Returns power [B, S, S/2+1] without the mean, and each entry's frequency in cycles a picture."""
    side = grey.shape[1]
    power = jnp.abs(jnp.fft.rfft2(grey - grey.mean((1, 2), keepdims=True))) ** 2 / side**2
    radius = np.hypot(np.fft.fftfreq(side, 1 / side)[:, None], np.fft.rfftfreq(side, 1 / side)[None])
    return power, jnp.asarray(radius, jnp.float32)
