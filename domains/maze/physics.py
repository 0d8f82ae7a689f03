"""A round robot with two wheels, lasers and two bumpers among straight walls: sensing, and one step of driving.

The rules are fastsim's (Mouret and Doncieux 2012) as the Kheperax package has them: a robot drives into a wall, and one
that touches a wall can no longer move. The code is our own: the C policies that are stepped together are the last axis,
the heading is its cosine and sine, and cross and dot products say what angles would.

C policies, L lasers, W walls (padded to a power of two). A pose is [4, C]: x, y, cosine and sine of the heading.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import jax
import jax.numpy as jnp
import numpy as np

from domains.maze.maps import Wall
from qd.support.errors import UserError
from qd.types import Array

STUCK, LEFT, RIGHT = 1, 2, 4  # bits of touch


@dataclass(frozen=True)
class Robot:
    """Lengths in units of the maze, which is 1 wide; angles in degrees, anticlockwise."""

    start: tuple[float, float] = (0.15, 0.15)
    heading: float = 90.0
    radius: float = 0.015  # the wheels stand two radii apart
    lasers: tuple[float, ...] = (-45.0, 0.0, 45.0)
    reach: float = 0.2  # of a laser
    beyond: float | None = None  # what a laser reads that meets no wall; None: its reach
    speed: float = 0.025  # of a wheel, for an action of 1, in one step
    laser_noise: float = 0.0  # standard deviation of a reading
    wheel_noise: float = 0.0  # standard deviation of a wheel's speed

    def __post_init__(self) -> None:
        for name in ("radius", "reach", "speed"):
            if not getattr(self, name) > 0:
                raise UserError(f"a robot of {name} {getattr(self, name)} cannot drive", f"type a {name} above 0")

    def first_pose(self, policies: int) -> Array:
        """Returns the pose at the start, [4, C].

        In float32 throughout: from the package's start the ray at -45 degrees grazes the end of a wall, and rounding decides.
        """
        angle = np.float32(math.radians(self.heading))
        pose = np.array([*self.start, np.cos(angle), np.sin(angle)], np.float32)
        return jnp.broadcast_to(pose[:, None], (4, policies))


def sense(robot: Robot, walls: tuple[Wall, ...], pose: Array) -> tuple[Array, Array]:
    """Returns what the lasers meet and what the body touches.

    Args:
        robot: its lasers (L), reach and radius.
        walls: W segments, in maze widths.
        pose: [4, C].

    Returns:
        Distances in maze widths, [L, C], infinite beyond the reach; touch, int [C], the bits STUCK, LEFT and RIGHT.
    """
    x, y, cos, sin = pose
    ax, ay, ex, ey = _table(walls)
    wx, wy = ax - x, ay - y  # from the robot to a wall's first end, [W, C]
    along, across = cos * ex + sin * ey, cos * ey - sin * ex  # the wall's direction, relative to the robot's
    ahead, beside = wx * cos + wy * sin, wx * sin - wy * cos  # its first end, the same; beside: to the right

    turn = np.radians(np.asarray(robot.lasers, np.float32))[:, None, None]
    scale = 1 / (np.cos(turn) * across - np.sin(turn) * along)  # [L, W, C]
    share = (np.cos(turn) * beside + np.sin(turn) * ahead) * scale  # where the ray cuts the wall, 0..1 of its length
    distance = (wx * ey - wy * ex) * scale
    met = (share >= 0) & (share <= 1) & (distance >= 0) & (distance <= robot.reach)
    near = _halving(jnp.minimum, jnp.where(met, distance, jnp.inf), axis=1)

    nearest = jnp.clip(-(wx * ex + wy * ey) / (ex**2 + ey**2), 0, 1)  # the wall's nearest point, 0..1 of its length
    vx, vy = wx + nearest * ex, wy + nearest * ey
    gap = vx**2 + vy**2
    front = (gap < robot.radius**2) & (ahead + nearest * along > 0)
    side = nearest * across - beside  # of the nearest point: above 0 is to the left
    touch = jnp.where(gap <= robot.radius**2, STUCK, 0)
    touch |= jnp.where(front & (side <= 0), LEFT, 0)  # the package's "left" is clockwise of the heading
    touch |= jnp.where(front & (side >= 0), RIGHT, 0)
    return near, _halving(jnp.bitwise_or, touch, axis=0)


def readings(robot: Robot, near: Array, touch: Array, noise: Array | None) -> Array:
    """Returns the controller's input: the lasers, then the bumpers.

    Args:
        robot: its reach, what it reads beyond it, and its laser noise.
        near: distances that ``sense`` returned, in maze widths, [L, C].
        touch: bits that ``sense`` returned, [C].
        noise: standard normal, [L, C]; None: none is added.

    Returns:
        [L + 2, C]: L distances in maze widths, then left and right bumper (1 in contact, -1 free).
    """
    if noise is not None:
        near = jnp.maximum(near + robot.laser_noise * noise, 0)
    near = jnp.where(near <= robot.reach, near, robot.reach if robot.beyond is None else robot.beyond)
    bumpers = jnp.stack([touch & LEFT, touch & RIGHT]) > 0
    return jnp.concatenate([near, jnp.where(bumpers, 1.0, -1.0)])


def wheel_speeds(robot: Robot, action: Array, noise: Array | None) -> Array:
    """Turns actions into wheel speeds.

    Args:
        robot: its speed and its wheel noise.
        action: left and right, in [-1, 1], [2, C].
        noise: standard normal, [2, C]; None: none is added.

    Returns:
        Left and right in maze widths a step, [2, C]; with noise cut off at the robot's speed.
    """
    wheels = action * robot.speed
    if noise is not None:
        wheels = jnp.clip(wheels + robot.wheel_noise * noise, -robot.speed, robot.speed)
    return wheels


def drive(robot: Robot, pose: Array, touch: Array, wheels: Array) -> Array:
    """Moves one step along an arc, by its chord, which has the arc's mean heading; a robot that touches a wall stays.

    Args:
        robot: its radius; the wheels stand two radii apart.
        pose: before the step, [4, C].
        touch: bits that ``sense`` returned, [C].
        wheels: left and right in maze widths a step, [2, C].

    Returns:
        The pose after the step, [4, C].
    """
    x, y, cos, sin = pose
    left_wheel, right_wheel = wheels
    half = (right_wheel - left_wheel) / (4 * robot.radius)  # half the turn
    c, s = jnp.cos(half), jnp.sin(half)
    chord = (left_wheel + right_wheel) / 2 * jnp.where(jnp.abs(half) > 1e-4, s / half, 1.0)
    mean_cos, mean_sin = cos * c - sin * s, sin * c + cos * s
    pose_after = [x + chord * mean_cos, y + chord * mean_sin, mean_cos * c - mean_sin * s, mean_sin * c + mean_cos * s]
    return jnp.where(touch & STUCK, pose, jnp.stack(pose_after))


@lru_cache(maxsize=64)
def _table(walls: tuple[Wall, ...]) -> tuple[np.ndarray, ...]:
    rows = 1 << (len(walls) - 1).bit_length()  # more of the last wall: a power of two halves to one
    table = np.array([*walls, *[walls[-1]] * (rows - len(walls))], np.float32)
    ax, ay, bx, by = table.T[:, :, None]
    return ax, ay, bx - ax, by - ay


def _halving(op: Callable, x: Array, axis: int) -> Array:
    """Reduces an axis by halves, which XLA's CPU compiler turns into vector code; its own reductions it does not."""
    while x.shape[axis] > 1:
        half = x.shape[axis] // 2
        x = op(jax.lax.slice_in_dim(x, 0, half, axis=axis), jax.lax.slice_in_dim(x, half, 2 * half, axis=axis))
    return x.squeeze(axis)
