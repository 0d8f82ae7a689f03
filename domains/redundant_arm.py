"""An arm of many joints that a small network drives; paid only where its end stops in one of a few small discs.

The redundant arm of STAX (Paolo et al. 2021, arXiv 2111.01919): 20 links of total length 1 around the middle of a unit
square, coiled up at the start; actions are joint accelerations; four walls reach in from the middles of the sides. An
illegal step (out of the square, a joint in a wall, two joints too close, the end too fast) is not taken and ends the
episode. No forces: pure kinematics. How fast is too fast is not published; here it is one link's length in a step.

B episodes, C of them driven together, D parameters, J joints, P points of a trace, T steps.
"""

import math
from dataclasses import dataclass, field, replace
from functools import lru_cache, reduce
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from domains import episodes, scene
from domains.maze.controller import Controller, OneBias
from domains.maze.maps import Areas
from domains.scene import Camera, Stroke
from qd.support.errors import UserError
from qd.types import Array, Evaluation, Rendering

_BOX = (0.0, 1.0)
_WALLS = (
    (0.5, 0.1, 0.01, 0.1),
    (0.5, 0.9, 0.01, 0.1),
    (0.1, 0.5, 0.1, 0.01),
    (0.9, 0.5, 0.1, 0.01),
)  # x, y, half width, height
_AREAS = ((0.25, 0.25, 0.05), (0.85, 0.85, 0.05), (0.25, 0.90, 0.05))
_ROOT = 0.5


@dataclass(frozen=True)
class RedundantArm:
    """Moves B arms for up to T steps each.

    Features: position [B, 2], where the end stops; trace [B, P, 2], where it is after T/P, 2 T/P, ... steps; poses
    [B, P, J + 1, 2], all joints, the same; image [B, F, S, S, 3] (uint8), what the camera sees.
    """

    steps: int = 100
    joints: int = 20
    controller: Controller = field(default_factory=OneBias)
    goal: Areas = field(default_factory=lambda: Areas(_AREAS))
    camera: Camera = field(default_factory=Camera)
    points: int = 20  # of the trace
    time: float = 0.02  # seconds in a step: two of the authors' sub-steps
    chunk: int = 8  # arms driven together; most fail early, and a chunk stops when all of its arms have
    pure: bool = True
    objective_range: ClassVar[tuple[float, float]] = (0.0, 1.0)

    def __post_init__(self) -> None:
        episodes.check(self.steps, self.points, self.chunk)
        if self.joints < 2:
            raise UserError(f"an arm of {self.joints} joints cannot coil", "type joints=20")
        self.camera.check(self.points)

    @property
    def size(self) -> int:
        """D, the number of parameters of one controller."""
        return self.controller.size(self.joints, self.joints)

    @property
    def space(self) -> tuple[float, float]:
        """The range of a parameter."""
        return self.controller.space

    def sample(self, key: Array, n: int) -> Array:
        """Draws controllers; arguments as in ``Domain``."""
        return self.controller.sample(key, n, self.joints, self.joints)

    def evaluate(self, keys: Array, solutions: Array) -> Evaluation:
        """Moves each arm.

        Args:
            keys: unused: nothing is random.
            solutions: parameters, [B, D].

        Returns:
            Reward of the last position, and the features position, trace, poses and image.

        Raises:
            UserError: the controllers have another D.
        """
        episodes.check_size(solutions, self.size, f"an arm of {self.joints} joints")
        poses = episodes.play(self._episodes, self.chunk, solutions)
        last = poses[:, -1, -1]
        features = {"position": last, "trace": poses[:, :, -1], "poses": poses, "image": self._images(poses)}
        return Evaluation(self.goal.last(last.T), features)

    def render(self, solutions: Array) -> list[Rendering]:
        """Draws walls, goals, the last pose and the end's trace of each arm as an svg."""
        return [Rendering("svg", scene.svg(self._strokes(p[-1], True), _BOX, p[:, -1])) for p in self.poses(solutions)]

    def film(self, solutions: Array, frames: int = 50) -> list[Rendering]:
        """Animates each arm.

        Args:
            solutions: parameters, [B, D].
            frames: of a film, evenly spaced in time; at least 1.

        Returns:
            B gifs, each about three seconds long.
        """
        frame_steps = np.linspace(0, self.steps - 1, frames).round().astype(int)
        films = [p[frame_steps] for p in self.poses(solutions)]
        return [Rendering("gif", scene.gif(self._strokes(p, True), _BOX, p[:, -1])) for p in films]

    def poses(self, solutions: Array) -> np.ndarray:
        """Returns where all joints are at every step, [B, T, J + 1, 2]."""
        every_step = replace(self, points=self.steps, camera=Camera())
        return np.asarray(_pose_program(every_step)(np.asarray(solutions, np.float32)))

    def _episodes(self, solutions: Array) -> Array:
        """Moves C arms: poses [C, P, J + 1, 2]."""
        layers = self.controller.layers(solutions.T, self.joints, self.joints)
        angles = jnp.broadcast_to(self._coil()[:, None], (self.joints, len(solutions)))
        first = (angles, jnp.zeros_like(angles), jnp.ones(len(solutions), bool), *_joints(angles))

        def step(_: int, carry: tuple) -> tuple:
            angles, speeds, alive, x, y = carry
            push = self.controller.act(layers, angles)
            new_angles = angles + speeds * self.time + push * (self.time**2 / 2)
            new_x, new_y = _joints(new_angles)
            alive &= self._legal(new_x, new_y) & (jnp.hypot(new_x[-1] - x[-1], new_y[-1] - y[-1]) <= 1 / self.joints)
            alive |= jnp.isnan(new_angles).any(axis=0)  # a controller that is not finite shows: its arm goes with it
            following = (new_angles, speeds + push * self.time, new_x, new_y)
            angles, speeds, x, y = (
                jnp.where(alive, new, old) for new, old in zip(following, (angles, speeds, x, y), strict=True)
            )
            return angles, speeds, alive, x, y

        def stretch(carry: tuple, _: None) -> tuple[tuple, Array]:
            steps = self.steps // self.points
            go = lambda c: jax.lax.fori_loop(0, steps, step, c)
            carry = jax.lax.cond(carry[2].any(), go, lambda c: c, carry)
            return carry, jnp.stack(carry[3:], axis=-1)  # [J + 1, C, 2]

        _, poses = jax.lax.scan(stretch, first, None, length=self.points)
        return poses.transpose(2, 0, 1, 3)

    def _coil(self) -> Array:
        """The angles at the start, from wide to narrow: a spiral, [J]."""
        return np.linspace(4 * math.pi / 20, math.pi / 20, self.joints, dtype=np.float32) * (20 / self.joints)

    def _legal(self, x: Array, y: Array) -> Array:
        """Whether joints [J + 1, C] are in the square, in no wall, and not too close to one another: [C]."""
        bad = (jnp.minimum(x, y) < 0) | (jnp.maximum(x, y) > 1)
        for wx, wy, width, height in _WALLS:
            bad |= (jnp.abs(x - wx) < width) & (jnp.abs(y - wy) < height)
        n, xx, yy = len(x), jnp.concatenate([x, x]), jnp.concatenate([y, y])
        gaps = (jnp.abs(xx[k : k + n] - x) + jnp.abs(yy[k : k + n] - y) for k in range(1, n // 2 + 1))  # each pair once
        bad |= reduce(jnp.minimum, gaps) < 0.95 / self.joints
        return ~reduce(jnp.logical_or, list(bad))

    def _images(self, poses: Array) -> Array:
        return self.camera.shoot(self._strokes(self.camera.moments(poses), self.camera.goals), _BOX)

    def _strokes(self, pose: Array, goals: bool) -> list[Stroke]:
        walls = np.array([(x - w, y, x + w, y) if w > h else (x, y - h, x, y + h) for x, y, w, h in _WALLS], np.float32)
        strokes = [
            Stroke(walls, 0.01, scene.WALL),
            Stroke(scene.lines(pose), 0.012, scene.BODY),
            Stroke(scene.dots(pose[..., -1:, :]), 0.02, scene.TIP),
        ]
        return (scene.goals(self.goal.discs()) if goals else []) + strokes


def _joints(angles: Array) -> tuple[Array, Array]:
    """Places of the root and all joints, x and y [J + 1, C]; each angle is relative to the link before."""
    n = len(angles)
    up_to = np.tril(np.ones((n, n), np.float32))
    heading = up_to @ angles
    root = jnp.full_like(angles[:1], _ROOT)
    x, y = (_ROOT + (up_to / n) @ part for part in (jnp.cos(heading), jnp.sin(heading)))
    return jnp.concatenate([root, x]), jnp.concatenate([root, y])


@lru_cache(maxsize=8)
def _pose_program(arm: RedundantArm):
    return jax.jit(lambda solutions: arm.evaluate(None, solutions).features["poses"])
