"""Robots that walk in MuJoCo, each driven by a neural network: the tasks of the QDax literature on MuJoCo's own models.

    uni    walk forward; measures: the share of time that each foot touches the floor (feature ``touch``)
    omni   end anywhere, at little cost; measures: where it ends (feature ``position``)
    trap   walk forward, though a trap stands in the way; measures: where it ends (feature ``position``)

Rewards, ends of episodes and noise are gymnasium's (robots.py), tasks QDax' (Lim et al. 2022; Nilsson and Cully 2021). Each
foot's share is over the steps until the robot fell. omni pays no forward velocity; trap's policy also observes where it is.

B batch, E episodes of one policy, T control steps, O observations, A actions, F feet.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from domains.policies import Layout, Mlp
from domains.walkers import engine, models
from domains.walkers.engine import Episodes, Start
from domains.walkers.robots import ROBOTS, Robot
from qd import keys as host_keys
from qd.support.errors import UserError
from qd.support.spelling import unknown
from qd.types import Array, Evaluation, Rendering

TASKS = ("uni", "omni", "trap")
_ENGINES = ("auto", "mujoco", "mjx")
_TRANSITIONS = ("observations", "actions", "rewards", "lengths", "fell")  # features that emitters with critics learn from


@dataclass(frozen=True)
class Walker:
    """Drives B policies for E episodes of at most T control steps each.

    Features: touch [B, F]; position [B, 2]: x and y, of a planar robot x and z. For emitters that learn critics:
    observations [B, E, T + 1, O] (zeros after the last step), actions [B, E, T, A], rewards [B, E, T], lengths [B, E] (steps
    until it fell, or T), fell [B, E]. Objective, touch and position are means over the episodes.

    A policy whose simulation diverges has failed.
    """

    robot: str = "walker2d"
    task: str = "uni"
    steps: int = 250  # T; QDax' 250, gymnasium's 1,000
    hidden: tuple[int, ...] = (64, 64)  # of the policy
    noise: float = 0.0  # of the start; 1: as published
    episodes: int = 1  # E; more than one only where starts are noisy
    engine: str = "mujoco"  # mujoco: its C engine; mjx: JAX, for accelerators; auto: mjx where JAX has one and mjx is there
    threads: int = 0  # of the C engine; 0: as many as this process has cores; they change no result
    chunk: int = 256  # episodes that the C engine has at a time
    locked: models.Locked = ()  # (actuator, angle in radians) of joints that are stuck

    def __post_init__(self) -> None:
        if self.engine == "warp":
            raise UserError(
                "engine=warp is not supported: mujoco-warp is made for NVIDIA GPUs, and none was at hand to try it on",
                "type engine=mjx, which runs there too",
            )
        for name, value, names in (
            ("robot", self.robot, ROBOTS),
            ("task", self.task, TASKS),
            ("engine", self.engine, _ENGINES),
        ):
            if value not in names:
                raise unknown(name, str(value), names, "of walkers")
        if min(self.steps, self.episodes, self.chunk) < 1 or self.threads < 0 or not 0 <= self.noise < np.inf:
            numbers = f"{self.steps} steps, {self.episodes} episodes, chunks of {self.chunk}, {self.threads} threads"
            raise UserError(f"{numbers}, noise {self.noise}", "type at least 1, 1, 1, 0 and 0")
        if self.task != "uni" and self._robot.planar:
            raise UserError(
                f"a {self.robot} walks in a plane, and task={self.task} asks for places on the floor",
                f"type domain=ant_{self.task}",
            )
        if self.episodes > 1 and self.noise == 0:
            raise UserError(f"{self.episodes} episodes from one start are all the same", "type noise=1 too")
        _ = self.model, self.network  # a package, a joint or a unit that lacks is noticed before a budget is spent
        if self._engine == "mjx":
            from domains.walkers import mjx

            mjx.check()

    @property
    def pure(self) -> bool:
        """Whether it runs in JAX."""
        return self._engine == "mjx"

    @property
    def network(self) -> Mlp:
        """The network of every policy."""
        return Mlp(self.task_robot.inputs, self._robot.outputs, self.hidden)

    @property
    def layout(self) -> Layout:
        """Name and shape of each part of a solution, in order."""
        return self.network.layout

    @property
    def space(self) -> tuple[float, float]:
        """The range of a parameter: no bounds."""
        return (-np.inf, np.inf)

    @property
    def objective_range(self) -> tuple[float, float]:
        """The scale of the QD score: per step QDax' offset, and a round figure above TD3's; of omni the least and the most."""
        low, high = (-3.0, 1.0) if self.task == "omni" else self._robot.objective_range
        return low * self.steps, high * self.steps

    @property
    def bounds(self) -> tuple[tuple[float, float], ...]:
        """Of the task's measures."""
        if self.task == "uni":
            return ((0.0, 1.0),) * len(self._robot.feet)
        return ((-30.0, 30.0), (-30.0, 30.0)) if self.task == "omni" else ((0.0, 30.0), (-8.0, 8.0))

    def sample(self, key: Array, n: int) -> Array:
        """Draws policies as ``Mlp.sample`` does, [n, D]; arguments as in ``Domain``."""
        return self.network.sample(key, n)

    def evaluate(self, keys: Array, solutions: Array) -> Evaluation:
        """Plays E episodes of each policy.

        Args:
            keys: uint32 [B, 2], or JAX keys [B]; used only where starts are noisy, else None will do.
            solutions: parameters, [B, D].

        Returns:
            Objective [B]: the sum of rewards; and the features of the class.

        Raises:
            UserError: the policies have another D, or noisy starts have no keys.
        """
        self.network.unflatten(solutions[:1])
        if self.noise and keys is None:
            raise UserError("the starts are noisy and have no keys to draw from", "type keys, one for each policy")
        if self.pure:
            from domains.walkers import mjx

            return mjx.evaluate(self, keys, solutions)
        rows = np.repeat(np.asarray(solutions, np.float32), self.episodes, axis=0)
        starts = self._starts(keys, len(solutions))
        parts = [self._play(rows[i : i + self.chunk], starts, i) for i in range(0, len(rows), self.chunk)]
        return self._evaluation([np.concatenate(column) for column in zip(*(part[:-1] for part in parts), strict=True)])

    def policy(self, solution: Array) -> Callable[[Array], Array]:
        """Returns the policy of one solution [D]: observation [O] -> action [A] in [-1, 1], for an environment or a viewer."""
        layers = self.network.unflatten(np.asarray(solution, np.float32)[None])
        return lambda observation: self.network.act(layers, np.asarray(observation, np.float32)[None])[0]

    def film(self, solutions: Array) -> list[Rendering]:
        """Films one episode of each policy, from the noise-free start.

        Args:
            solutions: parameters, [B, D].

        Returns:
            B gifs.
        """
        from domains.walkers import film

        plain = replace(self, noise=0.0, episodes=1)
        start = engine.blank_start(self.model, len(solutions))
        episodes = plain._play(np.asarray(solutions, np.float32), start, 0, poses=True)
        assert episodes.poses is not None
        robot = self._robot
        return [
            Rendering("gif", film.draw(self.model, poses[: steps + 1], robot.control_seconds, robot.view))
            for poses, steps in zip(episodes.poses, episodes.lengths, strict=True)
        ]

    @property
    def _robot(self) -> Robot:
        return ROBOTS[self.robot]

    @property
    def model(self) -> Any:
        """The compiled MjModel; it is shared, so nobody changes it."""
        return models.of_robot(self._robot, self.task == "trap", self.locked)

    @property
    def _engine(self) -> str:
        if self.engine != "auto":
            return self.engine
        import jax

        from domains.walkers import mjx

        return "mjx" if jax.default_backend() != "cpu" and mjx.is_installed() else "mujoco"

    @property
    def task_robot(self) -> Robot:
        """The robot with what the task adds to its observations."""
        return replace(self._robot, place=((15.0, 0.0), (15.0, 8.0))) if self.task == "trap" else self._robot

    def _play(self, solutions: np.ndarray, starts: Start, first: int, poses: bool = False) -> Episodes:
        """Plays an episode of each row; the starts are those of all rows, of which ``first`` is the first here."""
        rows = slice(first, first + len(solutions))
        return engine.play(
            self.model,
            self.task_robot,
            Start(starts.qpos[rows], starts.qvel[rows]),
            engine.Policies(self.network, solutions),
            self.steps,
            float(self.task != "omni"),
            self.threads or engine.usable_cores(),
            poses=poses,
        )

    def _starts(self, keys: Array, n: int) -> Start:
        """Draws the start of each episode from its policy's own key."""
        start = engine.blank_start(self.model, n * self.episodes)
        if not self.noise:
            return start
        robot, width = self._robot, self.noise * self._robot.noise
        for i, key in enumerate(np.asarray(keys)):
            rows = slice(i * self.episodes, (i + 1) * self.episodes)
            place, speed = host_keys.split(key)
            start.qpos[rows] += host_keys.uniform(place, (self.episodes, robot.positions), -width, width)
            if robot.normal:
                start.qvel[rows] = width * host_keys.normal(speed, (self.episodes, robot.velocities))
            else:
                start.qvel[rows] = host_keys.uniform(speed, (self.episodes, robot.velocities), -width, width)
        return start

    def _evaluation(self, columns: list[np.ndarray]) -> Evaluation:
        """Means over the episodes of each policy, and what happened in each."""
        each = Episodes(*(column.reshape(-1, self.episodes, *column.shape[1:]) for column in columns), poses=None)
        objective = np.where(each.failed.any(axis=1), np.nan, each.total.mean(axis=1)).astype(np.float32)
        features = {
            "touch": each.touch.mean(axis=1).astype(np.float32),
            "position": each.end[..., :2].mean(axis=1).astype(np.float32),
        }
        return Evaluation(objective, features | {name: getattr(each, name) for name in _TRANSITIONS})
