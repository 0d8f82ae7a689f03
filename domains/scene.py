"""A scene is a list of strokes, drawn three ways: as an image to learn from, as an svg, and as a gif.

A stroke is line segments of one width with round ends; a disc is a segment of no length. y points upwards.

B episodes, F frames, K segments, S pixels a side.
"""

import io
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from qd.support.errors import UserError
from qd.types import Array

GOAL, WALL, BODY, TIP, PATH = "#a7d3a6", "#333333", "#2b7bba", "#d1495b", "#e8a33d"
Box = tuple[float, float]  # low and high of both axes
_SIDE = 256  # of a gif, in pixels


class Stroke(NamedTuple):
    """Segments of one width and colour, in units of the scene."""

    ends: Array  # [..., K, 4] x, y, x, y
    radius: float  # half the width
    colour: str  # #rrggbb


@dataclass(frozen=True)
class Camera:
    """Takes F images of S x S pixels in an episode, evenly spaced in time; the last one shows its end."""

    side: int = 32
    frames: int = 1
    goals: bool = False  # True: the images show goals, as the published ones do; learned measures then depend on them

    def __post_init__(self) -> None:
        if self.side < 4 or self.frames < 1:
            raise UserError(f"{self.frames} images of {self.side} pixels show nothing", "type side=32 frames=1 or more")

    def check(self, points: int) -> None:
        """Raises ValueError where F images cannot be spread evenly over P points."""
        if points and points % self.frames:
            raise UserError(f"{self.frames} images cannot be spread evenly over {points} points", "type frames=1 or a divisor")

    def moments(self, points: Array) -> Array:
        """Returns those of P points of a trace [B, P, ...] that are photographed, [B, F, ...]."""
        step = points.shape[1] // self.frames
        return points[:, step - 1 :: step]

    def shoot(self, strokes: list[Stroke], box: Box) -> Array:
        """Draws strokes as images.

        Args:
            strokes: the last one on top; ends [B, F, K, 4], or [K, 4] where they do not move, in units of the box.
            box: low and high of both axes.

        Returns:
            Images [B, F, S, S, 3] in uint8, a quarter of the memory of floats.
        """
        return jnp.round(raster(strokes, box, self.side) * 255).astype(jnp.uint8)


def raster(strokes: list[Stroke], box: Box, side: int) -> Array:
    """Draws strokes one over the other on white, edges smoothed over one pixel.

    Args:
        strokes: the last one on top; ends [..., K, 4], lengths in units of the box.
        box: low and high of both axes.
        side: S, in pixels.

    Returns:
        Images [..., S, S, 3] in 0..1, top row first.
    """
    low, high = box
    pixel = (high - low) / side
    middle = (low + pixel * (np.arange(side) + 0.5)).astype(np.float32)
    x, y = middle[None, :], middle[::-1, None]
    image = [jnp.ones((side, side))] * 3
    for stroke in strokes:
        nearest = _squared_distance(x, y, jnp.asarray(stroke.ends))
        cover = jnp.clip(0.5 - (jnp.sqrt(nearest) - stroke.radius) / pixel, 0, 1)
        cover = jax.lax.optimization_barrier(cover)  # else XLA computes it once more for each channel
        image = [below + cover * (light - below) for below, light in zip(image, _rgb(stroke.colour), strict=True)]
    return jnp.stack(image, axis=-1)


def lines(points: Array) -> Array:
    """Returns the segments between P points [..., P, 2] in order, [..., P - 1, 4]."""
    namespace = np if isinstance(points, np.ndarray) else jnp
    return namespace.concatenate([points[..., :-1, :], points[..., 1:, :]], axis=-1)


def dots(points: Array) -> Array:
    """Returns P points [..., P, 2] as segments of no length, [..., P, 4]."""
    return (np if isinstance(points, np.ndarray) else jnp).concatenate([points, points], axis=-1)


def still(strokes: list[Stroke], frame: int) -> list[Stroke]:
    """Returns one frame of strokes that move.

    Args:
        strokes: ends [F, K, 4], or [K, 4] where they do not move.
        frame: its index, below F.

    Returns:
        The strokes with ends [K, 4].
    """
    return [s._replace(ends=np.asarray(s.ends)[frame] if np.ndim(s.ends) == 3 else s.ends) for s in strokes]


def goals(discs: tuple[tuple[float, float, float], ...]) -> list[Stroke]:
    """Returns discs (x, y, radius) as strokes."""
    return [Stroke(dots(np.array([[x, y]], np.float32)), radius, GOAL) for x, y, radius in discs]


def svg(strokes: list[Stroke], box: Box, trace: Array) -> str:
    """Draws strokes and a trace over them as an svg.

    Args:
        strokes: the last one on top; ends [K, 4], lengths in units of the box.
        box: low and high of both axes.
        trace: x and y of P points, [P, 2].

    Returns:
        The svg, 318 pixels a side.
    """
    low, high = box
    scale = 100 / (high - low)

    def at(x: float, y: float) -> tuple[float, float]:
        return scale * (x - low), scale * (high - y)

    elements = []
    for ends, radius, colour in strokes:
        parts = " ".join("M{:.2f} {:.2f}L{:.2f} {:.2f}".format(*at(*e[:2]), *at(*e[2:])) for e in np.asarray(ends))
        elements.append(f'<path d="{parts}" stroke="{colour}" stroke-width="{2 * scale * radius:.2f}"/>')
    path = " ".join("{:.2f},{:.2f}".format(*at(*point)) for point in np.asarray(trace))
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="-3 -3 106 106" width="318" height="318">'
        '<rect x="-3" y="-3" width="106" height="106" fill="white"/>'
        '<rect width="100" height="100" fill="none" stroke="#cccccc" stroke-width="0.5"/>'
        f'<g fill="none" stroke-linecap="round">{"".join(elements)}</g>'
        f'<polyline points="{path}" fill="none" stroke="{PATH}" stroke-width="0.7" stroke-linejoin="round"/></svg>'
    )


def gif(strokes: list[Stroke], box: Box, trace: Array) -> bytes:
    """Animates strokes and the trace so far: three seconds, and one more for the last frame.

    Args:
        strokes: the last one on top; ends [F, K, 4], or [K, 4] where they do not move, in units of the box.
        box: low and high of both axes.
        trace: x and y, one point a frame, [F, 2].

    Returns:
        The gif's bytes, 256 pixels a side.

    Raises:
        ValueError: there are no frames.
    """
    from PIL import Image, ImageDraw

    frames = len(trace)
    if not frames:
        raise UserError("a film of 0 frames shows nothing", "type frames=1 or more")
    low, high = box
    scale, images = _SIDE / (high - low), []

    def at(x: float, y: float) -> tuple[float, float]:
        return scale * (float(x) - low), scale * (high - float(y))

    for i in range(frames):
        image = Image.new("RGB", (_SIDE, _SIDE), "white")
        pen = ImageDraw.Draw(image)
        for ends, radius, colour in still(strokes, i):
            thick = max(scale * radius, 1)
            for e in np.asarray(ends):
                pen.line([at(*e[:2]), at(*e[2:])], fill=colour, width=round(2 * thick))
                for x, y in (at(*e[:2]), at(*e[2:])):
                    pen.ellipse((x - thick, y - thick, x + thick, y + thick), fill=colour)
        for a, b in pairwise(np.asarray(trace)[: i + 1]):
            pen.line([at(*a), at(*b)], fill=PATH, width=1)
        images.append(image.quantize(32))
    durations = [max(3000 // frames, 20)] * (frames - 1) + [1000]
    file = io.BytesIO()
    images[0].save(file, "GIF", save_all=True, append_images=images[1:], duration=durations, loop=0)
    return file.getvalue()


@jax.jit
def _squared_distance(x: Array, y: Array, ends: Array) -> Array:
    """From pixels to the nearest of K segments: ends [..., K, 4] -> [..., S, S]."""

    def nearer(k: int, nearest: Array) -> Array:
        ax, ay, bx, by = (ends[..., k, i, None, None] for i in range(4))
        ex, ey = bx - ax, by - ay
        share = jnp.clip(((x - ax) * ex + (y - ay) * ey) / jnp.maximum(ex**2 + ey**2, 1e-12), 0, 1)
        return jnp.minimum(nearest, (x - ax - share * ex) ** 2 + (y - ay - share * ey) ** 2)

    far = jnp.full((*ends.shape[:-2], len(y), x.shape[1]), jnp.inf)
    return jax.lax.fori_loop(0, ends.shape[-2], nearer, far)  # unrolled it would be no faster, and slow to compile


def _rgb(colour: str) -> tuple[float, ...]:
    return tuple(int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
