"""A robot in a deceptive maze, driven by a small network: our own physics of the Kheperax tasks, in JAX.

After each step the robot senses, acts and drives; reported places lag one step, as in the package: an episode of T
steps ends where the robot stood before its last one.

B batch, C policies stepped together, D parameters, L lasers, P points of a trace, T steps.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import lru_cache

import jax
import jax.numpy as jnp
import numpy as np

from domains import episodes, scene
from domains.maze import physics
from domains.maze.controller import Controller, Mlp
from domains.maze.maps import BORDER, STANDARD, Energy, Goal, Wall
from domains.maze.physics import Robot
from domains.scene import Camera, Stroke
from qd.support.errors import UserError
from qd.types import Array, Evaluation, Features, Rendering

_ACTIONS = 2  # one for each wheel


@dataclass(frozen=True)
class Maze:
    """Drives B policies for T steps each.

    Features: position [B, 2], where an episode ends; trace [B, P, 2], where it would end after T/P, 2 T/P, ... T steps,
    and readings [B, P, L + 2], the controller's input there; both where ``points`` is above 0; image [B, F, S, S, 3]
    (uint8), what the camera sees of the scene.
    """

    steps: int = 250
    walls: tuple[Wall, ...] = (*STANDARD, *BORDER)
    robot: Robot = field(default_factory=Robot)
    controller: Controller = field(default_factory=Mlp)
    goal: Goal = field(default_factory=Energy)
    points: int = 0  # of the trace; 0: none, T: every step
    camera: Camera = field(default_factory=Camera)
    chunk: int = 32  # policies stepped together: their weights fit a core's first cache; more is slower on a CPU
    pure: bool = True

    def __post_init__(self) -> None:
        if self.steps < 1 or self.chunk < 1 or not self.walls:
            raise UserError(f"{self.steps} steps, chunks of {self.chunk}, {len(self.walls)} walls", "type at least 1 of each")
        if self.points < 0 or (self.points and self.steps % self.points):
            divisors = [n for n in range(1, self.steps + 1) if self.steps % n == 0]
            nearest = min(divisors, key=lambda n: abs(n - self.points))
            raise UserError(f"{self.points} points cannot be spread evenly over {self.steps} steps", f"type points={nearest}")
        if self.camera.frames > 1 and not self.points:
            raise UserError(
                f"a maze of no points keeps no {self.camera.frames} moments to show", f"type points={self.camera.frames}"
            )
        self.camera.check(self.points)

    @property
    def inputs(self) -> int:
        """I = L + 2, the length of the controller's input."""
        return len(self.robot.lasers) + 2

    @property
    def size(self) -> int:
        """D, the number of parameters of one policy."""
        return self.controller.size(self.inputs, _ACTIONS)

    @property
    def space(self) -> tuple[float, float]:
        """The range of a parameter."""
        return self.controller.space

    @property
    def objective_range(self) -> tuple[float, float]:
        """The least and the largest objective, as the goal has them."""
        return self.goal.objective_range(self.steps, self.robot.speed)

    def sample(self, key: Array, n: int) -> Array:
        """Draws policies as the controller does; arguments as in ``Domain``."""
        return self.controller.sample(key, n, self.inputs, _ACTIONS)

    def evaluate(self, keys: Array, solutions: Array) -> Evaluation:
        """Drives each policy.

        Args:
            keys: one for each policy, [B]; used only where the robot is noisy, else None will do.
            solutions: parameters, [B, D].

        Returns:
            Objective, and the features position, image and, where ``points`` is above 0, trace and readings.

        Raises:
            UserError: the policies have another D, or a noisy robot has no keys.
        """
        if solutions.shape[1] != self.size:
            raise UserError(
                f"a policy has {solutions.shape[1]} parameters, but this controller takes {self.size}; "
                "type the hidden sizes that the policies were made for"
            )
        if self._noisy and keys is None:
            raise UserError("this robot is noisy and has no keys to draw from", "type keys, one for each policy")
        total, features = episodes.play(self._episodes, self.chunk, keys if self._noisy else None, solutions)
        return Evaluation(total, features | {"image": self._images(features)})

    def render(self, solutions: Array) -> list[Rendering]:
        """Draws walls, goals and the trace of each policy as an svg."""
        from domains.maze import render

        return [Rendering("svg", render.picture(self, trace)) for trace in self.traces(solutions)]

    def policy(self, solution: Array) -> Callable[[Array], Array]:
        """Returns the controller of one solution [D]: readings [L + 2] (lasers, bumpers) -> wheels [2] in [-1, 1]."""
        layers = self.controller.layers(jnp.asarray(solution)[:, None], self.inputs, _ACTIONS)
        return lambda readings: self.controller.act(layers, jnp.asarray(readings)[:, None])[:, 0]

    def film(self, solutions: Array, frames: int = 50) -> list[Rendering]:
        """Animates each policy.

        Args:
            solutions: parameters, [B, D].
            frames: of a film, evenly spaced in time; at least 1.

        Returns:
            B gifs, each about three seconds long.
        """
        from domains.maze import render

        return [Rendering("gif", render.film(self, trace, frames)) for trace in self.traces(solutions)]

    def traces(self, solutions: Array) -> np.ndarray:
        """Returns where the robot is at every step, [B, T, 2]; noise, if any, is that of key 0."""
        every_step = replace(self, points=self.steps, camera=Camera())
        return np.asarray(_trace_program(every_step)(np.asarray(solutions, np.float32)))

    @property
    def _noisy(self) -> bool:
        return self.robot.laser_noise > 0 or self.robot.wheel_noise > 0

    def _episodes(self, keys: Array | None, solutions: Array) -> tuple[Array, Features]:
        """Drives C policies: objective [C], features."""
        layers = self.controller.layers(solutions.T, self.inputs, _ACTIONS)
        pose = self.robot.first_pose(len(solutions))
        _, touch = physics.sense(self.robot, self.walls, pose)
        alive = jnp.ones(len(solutions), bool)
        first = (pose, touch, alive, pose[:2], jnp.zeros((self.inputs, len(solutions))), jnp.zeros(len(solutions)))

        def step(carry: tuple, time: Array) -> tuple[tuple, None]:
            pose, last_touch, alive, place, readings, total = carry
            sees, slips = self._noise(keys, time)
            near, touch = physics.sense(self.robot, self.walls, pose)
            now = physics.readings(self.robot, near, last_touch, sees)  # bumpers lag one step behind the lasers
            wheels = physics.wheel_speeds(self.robot, self.controller.act(layers, now), slips)
            next_pose = physics.drive(self.robot, pose, touch, wheels)
            reward, ends = self.goal.reward(next_pose[:2], wheels)
            place, readings = jnp.where(alive, pose[:2], place), jnp.where(alive, now, readings)
            return (next_pose, touch, alive & ~ends, place, readings, total + jnp.where(alive, reward, 0)), None

        def stretch(carry: tuple, times: Array) -> tuple[tuple, tuple[Array, Array] | None]:
            carry, _ = jax.lax.scan(step, carry, times)
            return carry, (carry[3].T, carry[4].T) if self.points else None

        last, points = jax.lax.scan(stretch, first, jnp.arange(self.steps).reshape(self.points or 1, -1))
        place, total = last[3], last[5]
        features = {"position": place.T}
        if points is not None:
            features |= {"trace": points[0].swapaxes(0, 1), "readings": points[1].swapaxes(0, 1)}
        return total + self.goal.last(place), features

    def _images(self, features: Features) -> Array:
        """Walls, goals where the camera shows them, and the robot."""
        at = features["position"][:, None] if self.camera.frames == 1 else self.camera.moments(features["trace"])
        strokes = scene.goals(self.goal.discs()) if self.camera.goals else []
        strokes.append(Stroke(np.array(self.walls, np.float32), 0.005, scene.WALL))
        strokes.append(Stroke(scene.dots(at[..., None, :]), max(self.robot.radius, 0.03), scene.TIP))  # a pixel at the least
        return self.camera.shoot(strokes, (0.0, 1.0))

    def _noise(self, keys: Array | None, time: Array) -> tuple[Array | None, Array | None]:
        """Draws for one step from each policy's own key: for lasers [L, C] and wheels [2, C]."""
        if keys is None:
            return None, None
        draws = jax.vmap(lambda key: jax.random.normal(jax.random.fold_in(key, time), (self.inputs,)))(keys).T
        return draws[: self.inputs - 2], draws[self.inputs - 2 :]


@lru_cache(maxsize=16)
def _trace_program(maze: Maze):
    def traces(solutions: Array) -> Array:
        keys = jax.random.split(jax.random.key(0), len(solutions))
        return maze.evaluate(keys, solutions).features["trace"]

    return jax.jit(traces)
