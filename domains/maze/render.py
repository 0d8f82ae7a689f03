"""Pictures of one policy in a maze: an svg of its whole trace, or a gif that follows it.

T steps. The maze is 1 wide, y upwards; pictures have y downwards.
"""

import io
from typing import Protocol

import numpy as np

from domains.maze.maps import Goal, Wall
from domains.maze.physics import Robot
from qd.support.errors import UserError

_WALL, _TRACE, _GOAL, _START, _ROBOT = "#333333", "#2b7bba", "#a7d3a6", "#999999", "#d1495b"
_SIDE, _EDGE = 256, 8  # of a gif, in pixels: the maze and the margin around it


class Scenery(Protocol):
    """What is drawn of a maze."""

    @property
    def walls(self) -> tuple[Wall, ...]:
        """Segments, in maze widths."""
        ...

    @property
    def robot(self) -> Robot:
        """Start and radius are drawn."""
        ...

    @property
    def goal(self) -> Goal:
        """Its discs are drawn."""
        ...


def picture(maze: Scenery, trace: np.ndarray) -> str:
    """Draws a trace as an svg.

    Args:
        maze: walls, robot and goal.
        trace: x and y in maze widths, [T, 2]; the robot stands at its end.

    Returns:
        The svg, 318 pixels a side.
    """
    points = " ".join(f"{100 * x:.2f},{100 - 100 * y:.2f}" for x, y in trace)
    (sx, sy), (x, y) = maze.robot.start, trace[-1]
    discs = "".join(_disc(gx, gy, radius, _GOAL) for gx, gy, radius in maze.goal.discs())
    walls = "".join(
        f'<line x1="{100 * ax:.2f}" y1="{100 - 100 * ay:.2f}" x2="{100 * bx:.2f}" y2="{100 - 100 * by:.2f}"/>'
        for ax, ay, bx, by in maze.walls
    )
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="-3 -3 106 106" width="318" height="318">'
        f'<rect x="-3" y="-3" width="106" height="106" fill="white"/>{discs}'
        f'<g stroke="{_WALL}" stroke-width="0.8" stroke-linecap="round">{walls}</g>'
        f'<polyline points="{points}" fill="none" stroke="{_TRACE}" stroke-width="0.7" stroke-linejoin="round"/>'
        f"{_disc(sx, sy, maze.robot.radius, _START)}{_disc(x, y, maze.robot.radius, _ROBOT)}</svg>"
    )


def film(maze: Scenery, trace: np.ndarray, frames: int) -> bytes:
    """Animates a trace as a gif of about three seconds that stays on its last frame for one more.

    Args:
        maze: walls, robot and goal.
        trace: x and y in maze widths, [T, 2].
        frames: moments shown, evenly spaced over the trace.

    Returns:
        The gif's bytes, 272 pixels a side.

    Raises:
        ValueError: there are no frames.
    """
    if frames < 1:
        raise UserError(f"a film of {frames} frames shows nothing", "type frames=1 or more")
    from PIL import ImageDraw

    stage, images = _stage(maze), []
    for last in np.linspace(0, len(trace) - 1, frames).round().astype(int):
        image = stage.copy()
        pen = ImageDraw.Draw(image)
        pen.line([_pixel(x, y) for x, y in (maze.robot.start, *trace[: last + 1])], fill=_TRACE, width=2)
        x, y = trace[last]
        pen.ellipse(_box(x, y, maze.robot.radius), fill=_ROBOT)
        images.append(image.quantize(32))
    durations = [max(3000 // frames, 20)] * (frames - 1) + [1000]
    file = io.BytesIO()
    images[0].save(file, "GIF", save_all=True, append_images=images[1:], duration=durations, loop=0)
    return file.getvalue()


def _stage(maze: Scenery):
    """Returns what does not move, as an image."""
    from PIL import Image, ImageDraw

    side = _SIDE + 2 * _EDGE
    image = Image.new("RGB", (side, side), "white")
    pen = ImageDraw.Draw(image)
    for x, y, radius in maze.goal.discs():
        pen.ellipse(_box(x, y, radius), fill=_GOAL)
    x, y = maze.robot.start
    pen.ellipse(_box(x, y, maze.robot.radius), fill=_START)
    for ax, ay, bx, by in maze.walls:
        pen.line([_pixel(ax, ay), _pixel(bx, by)], fill=_WALL, width=2)
    return image


def _disc(x: float, y: float, radius: float, colour: str) -> str:
    return f'<circle cx="{100 * x:.2f}" cy="{100 - 100 * y:.2f}" r="{100 * radius:.2f}" fill="{colour}"/>'


def _pixel(x: float, y: float) -> tuple[float, float]:
    return _EDGE + _SIDE * float(x), _EDGE + _SIDE * (1 - float(y))


def _box(x: float, y: float, radius: float) -> tuple[float, float, float, float]:
    column, row = _pixel(x, y)
    return column - _SIDE * radius, row - _SIDE * radius, column + _SIDE * radius, row + _SIDE * radius
