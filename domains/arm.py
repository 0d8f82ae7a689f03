"""A planar robot arm: J equal links, solutions are joint angles in radians, each relative to the link before.

    objective = 100 (1 - variance of the angles)          population variance; 100 is best, below 0 where it exceeds 1
    gripper   = sum of link * (cos, sin)(cumulated angles)

Both published arms are this one, with links of length 1. CMA-MAE (Fontaine and Nikolaidis 2023, arXiv 2205.10752, and
before it DQD, arXiv 2106.03894; by the authors' code variances of 0..1 become 100..0): joints=100, length=100,
measures in [-100, 100]^2, search from all angles 0. QDHF (Ding et al. 2024): joints=10, length=10, measures in
[-10, 10]^2, angles uniform in [-pi, pi], of which most have a negative objective (mean -196). Nothing is clipped.

B batch, J joints.
"""

import math
from dataclasses import dataclass
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from domains.sincos import sincos
from qd import keys
from qd.support.errors import UserError
from qd.types import Array, Evaluation, Rendering


@dataclass(frozen=True)
class Arm:
    """Reaches as many places as possible with joint angles as equal as possible.

    Features: gripper [B, 2], the end of the arm; angles [B, 2J], cosine and sine of the cumulated angles.

    >>> import numpy as np
    >>> arm = Arm(joints=2, length=2.0)
    >>> evaluation = arm.evaluate(None, np.array([[0.0, 0.0], [np.pi / 2, 0.0]]))
    >>> np.asarray(evaluation.objective).round(1)
    array([100. ,  38.3], dtype=float32)
    >>> np.asarray(evaluation.features["gripper"]).round(1) + 0.0
    array([[2., 0.],
           [0., 2.]], dtype=float32)
    """

    space: ClassVar = (-math.pi, math.pi)  # the range of an angle, in radians
    objective_range: ClassVar = (
        0.0,
        100.0,
    )  # the papers' scale; wide-spread angles fall below 0, and count so

    joints: int = 10
    length: float = 1.0  # of the whole arm
    spread: float = math.pi  # samples lie within +- this; at 0 every angle is 0, where CMA-MAE's search starts
    pure: bool = True

    def __post_init__(self) -> None:
        if self.joints < 1:
            raise UserError(f"an arm of {self.joints} joints cannot reach", "type joints=1 or more")

    def sample(self, key: Array, n: int) -> Array:
        """Draws angles uniformly within +-spread; arguments as in ``Domain``.

        Returns:
            Angles in radians, [n, J].
        """
        return keys.uniform(key, (n, self.joints), -self.spread, self.spread)

    def evaluate(self, keys: Array, solutions: Array) -> Evaluation:
        """Adds up the links, by the equations at the top of the file.

        Args:
            keys: unused: nothing is random.
            solutions: angles in radians, [B, J].

        Returns:
            Objective 100 or less, and the features gripper and angles.
        """
        gripper = self.length / self.joints * _sum_of_directions(solutions)
        objective = (1 - jnp.var(solutions, axis=1)) * 100
        sin, cos = sincos(jnp.cumsum(solutions, axis=1))  # compiled only where they are stored
        return Evaluation(objective, {"gripper": gripper, "angles": jnp.concatenate([cos, sin], axis=1)})

    def render(self, solutions: Array) -> list[Rendering]:
        """Draws each pose as an svg: the reach as a circle, the links, the gripper."""
        heading = np.cumsum(np.asarray(solutions, float), axis=1)
        link = 100 / self.joints  # the picture's unit: a hundredth of the arm
        steps = link * np.stack([np.cos(heading), -np.sin(heading)], axis=2)  # svg's y grows downwards
        points = np.concatenate([np.zeros((len(steps), 1, 2)), np.cumsum(steps, axis=1)], axis=1)
        return [Rendering("svg", _svg(pose)) for pose in points]


def _svg(points: np.ndarray) -> str:
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    joints = "".join(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.5" fill="#1f4e79"/>' for x, y in points[:-1])
    x, y = points[-1]
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="-110 -110 220 220" width="220" height="220">'
        '<circle cx="0" cy="0" r="100" fill="#f6f6f2" stroke="#ccc"/>'
        f'<polyline points="{line}" fill="none" stroke="#2b7bba" stroke-width="4" stroke-linejoin="round"/>{joints}'
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="5" fill="#d1495b"/></svg>'
    )


def _sum_of_directions(angles: Array) -> Array:
    """Adds up the directions of links, joint by joint, so that no array of all headings goes through memory.

    Args:
        angles: of each link to the one before, in radians, [B, J].

    Returns:
        Sums of cosines and sines, [B, 2].
    """

    def add(sums: tuple[Array, Array, Array], angle: Array) -> tuple[tuple[Array, Array, Array], None]:
        heading, x, y = sums
        sin, cos = sincos(heading + angle)
        return (heading + angle, x + cos, y + sin), None

    zeros = jnp.zeros(len(angles), jnp.float32)
    (_, x, y), _ = jax.lax.scan(add, (zeros, zeros, zeros), jnp.asarray(angles, jnp.float32).T)
    return jnp.stack([x, y], axis=1)
