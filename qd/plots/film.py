"""Films from stored records: final positions of all solutions, generation by generation; films of elites side by side.

F frames, N rows.
"""

import io
from collections.abc import Sequence

import numpy as np
from matplotlib import colormaps
from PIL import Image, ImageDraw, ImageSequence

from qd.plots.records import COLOURS
from qd.support.errors import UserError
from qd.types import Array

_SIDE, _HEAD, _EDGE = 360, 34, 12  # pixels of the plane, of the lines over it, and around
_OLD, _NEW = (205, 205, 205), (110, 110, 110)  # final positions before this frame, and of it
_LAST = 1500  # milliseconds of the last frame


def exploration(generation: Array, objective: Array, place: Array, title: str, frames: int = 40) -> list[Image.Image]:
    """Draws where N rows ended, one frame for each of F evenly spaced generations.

    The rows of the lowest objective of all are grey; the colour of others is their objective, the best on top.

    Args:
        generation: [N], ascending.
        objective: [N].
        place: [N, 2], where each row ended; both axes are drawn to one scale.
        title: the first line above the plane.
        frames: F, 1 or more; 1 shows the first generation only.

    Returns:
        F images of 384 x 418 pixels; each shows all rows up to its generation.

    Raises:
        ValueError: there are no rows, or frames.
    """
    if frames < 1 or len(place) == 0:
        raise UserError(f"{len(place)} rows in {frames} frames show nothing", "type --frames 1 or more, of a run with a film")
    dots, colours = _dots(place), _colours(objective)
    rewards = np.flatnonzero(objective > objective.min())
    images, before = [], 0
    below = Image.new("RGB", (_SIDE + 2 * _EDGE, _SIDE + 2 * _EDGE + _HEAD), "white")
    ImageDraw.Draw(below).rectangle((_EDGE, _EDGE + _HEAD, _SIDE + _EDGE, _SIDE + _EDGE + _HEAD), outline="#999999")
    for last in np.linspace(generation.min(), generation.max(), frames).round():
        until = int(np.searchsorted(generation, last, side="right"))
        image = below.copy()
        for pen, colour in ((ImageDraw.Draw(below), _OLD), (ImageDraw.Draw(image), _NEW)):
            pen.point([tuple(dot) for dot in dots[before:until]], fill=colour)
        pen = ImageDraw.Draw(image)
        visible = rewards[rewards < until]
        for row in visible[np.argsort(objective[visible], kind="stable")]:
            x, y = dots[row]
            pen.ellipse((x - 2, y - 2, x + 2, y + 2), fill=colours[row])
        best = f"best {objective[:until].max():.3f}, {len(visible):,} paid" if until else ""
        pen.text((_EDGE, 6), f"{title}\ngeneration {last:,.0f}, {until:,} evaluations   {best}", fill="black")
        images.append(image)
        before = until
    return images


def together(films: Sequence[bytes], titles: Sequence[str], columns: int = 3) -> list[Image.Image]:
    """Lays gifs side by side, each with its title; a shorter one waits at its end.

    Args:
        films: each a gif's bytes.
        titles: one for each film.
        columns: how many stand in a row at most.

    Returns:
        Images, as many as the longest film has frames.

    Raises:
        ValueError: there are no films, or not as many titles.
    """
    if not films:
        raise UserError("no films lie in the folder films/", "run with film=position, of a domain that draws films")
    reels = [[frame.convert("RGB") for frame in ImageSequence.Iterator(Image.open(io.BytesIO(film)))] for film in films]
    side = max(max(reel[0].size) for reel in reels)
    columns = min(columns, len(reels))
    rows, cell = -(-len(reels) // columns), side + 16
    images = []
    for i in range(max(map(len, reels))):
        image = Image.new("RGB", (columns * cell, rows * (cell + 12)), "white")
        pen = ImageDraw.Draw(image)
        for k, (reel, title) in enumerate(zip(reels, titles, strict=True)):
            x, y = k % columns * cell, k // columns * (cell + 12)
            image.paste(reel[min(i, len(reel) - 1)], (x + 8, y + 16))
            pen.text((x + 8, y + 2), title, fill="black")
        images.append(image)
    return images


def gif(frames: Sequence[Image.Image], milliseconds: int = 100) -> bytes:
    """Returns frames as one gif that loops, with a pause at its end.

    Args:
        frames: F of them, 1 or more; each is reduced to 64 colours.
        milliseconds: how long a frame is shown; the last one 1,500.

    Returns:
        The gif's bytes.
    """
    few = [frame.quantize(64) for frame in frames]
    file, pauses = io.BytesIO(), [milliseconds] * (len(few) - 1) + [_LAST]
    few[0].save(file, "GIF", save_all=True, append_images=few[1:], duration=pauses, loop=0)
    return file.getvalue()


def _dots(place: Array) -> np.ndarray:
    """Pixels [N, 2] of places; both axes have one scale."""
    low, high = place.min(axis=0), place.max(axis=0)
    width = max(float((high - low).max()), 1e-9) * 1.04
    share = (place - (low + high) / 2) / width + 0.5
    return np.round(np.stack([share[:, 0], 1 - share[:, 1]], axis=1) * _SIDE).astype(int) + [_EDGE, _EDGE + _HEAD]


def _colours(objective: Array) -> list[tuple[int, ...]]:
    low, high = min(0.0, float(objective.min())), float(objective.max())
    share = (objective - low) / max(high - low, 1e-9)
    return [tuple(map(int, row)) for row in np.asarray(colormaps[COLOURS](0.25 + 0.75 * share))[:, :3] * 255]
