"""Episodes in MJX, MuJoCo in JAX: for accelerators. It compiles for minutes, and on a CPU it is far slower than the C engine.

Physics in float32, all robots stepped to the end whether or not they fell; what they do after is neither counted nor
returned. A row that is not finite while it stands has failed. Starts, observations, rewards and feet are those of the C
engine, by the same functions.

B batch, E episodes of one policy, T steps, F feet.
"""

import importlib.util
import warnings
from functools import lru_cache, partial
from typing import Any, Protocol

import jax
import jax.numpy as jnp

from domains.policies import Mlp
from domains.walkers.robots import Robot
from qd import keys as random
from qd.support.errors import UserError
from qd.types import Array, Evaluation

_INSTALL = "pip install --no-deps mujoco-mjx && pip install 'etils[epath]' trimesh"  # its mujoco would replace mujoco-core


class Task(Protocol):
    """What is played: domains.walkers.Walker."""

    @property
    def model(self) -> Any:
        """An MjModel with a contact sensor for each foot."""
        ...

    @property
    def task_robot(self) -> Robot:
        """What is observed and paid."""
        ...

    @property
    def network(self) -> Mlp:
        """Of the policies."""
        ...

    @property
    def steps(self) -> int:
        """Of an episode, at most."""
        ...

    @property
    def episodes(self) -> int:
        """Of each policy."""
        ...

    @property
    def noise(self) -> float:
        """Of the starts; 1: as published."""
        ...

    @property
    def task(self) -> str:
        """uni, omni or trap."""
        ...


def is_installed() -> bool:
    """Returns whether MJX is there."""
    return importlib.util.find_spec("mujoco.mjx") is not None


def check() -> None:
    """Warns where it will be slow. Raises UserError where MJX is not installed."""
    if not is_installed():
        raise UserError(
            "engine=mjx needs the package mujoco-mjx, which is not installed",
            f"type {_INSTALL}; or engine=mujoco, which is faster on a CPU",
        )
    if jax.default_backend() == "cpu":
        warnings.warn(
            "engine=mjx compiles for minutes on a CPU and is many times slower there than the C engine; type engine=mujoco",
            stacklevel=4,
        )


def evaluate(task: Task, keys: Array, solutions: Array) -> Evaluation:
    """Plays E episodes of each policy; to be traced.

    Args:
        task: what is played.
        keys: JAX keys [B]; used only where starts are noisy.
        solutions: parameters, [B, D].

    Returns:
        Objective [B], NaN where a simulation diverged, and the features of the domain.
    """
    rows = jnp.repeat(jnp.asarray(solutions, jnp.float32), task.episodes, axis=0)
    qpos, qvel = _starts(task, keys, len(solutions))
    total, touch, end, lengths, fell, steps = _play(task, rows, qpos, qvel)

    def each(column: Array) -> Array:
        return column.reshape(-1, task.episodes, *column.shape[1:])

    objective = each(total).mean(axis=1)
    features = {
        "touch": each(touch).mean(axis=1),
        "position": each(end).mean(axis=1),
        "lengths": each(lengths),
        "fell": each(fell),
    }
    return Evaluation(objective, features | {name: each(column) for name, column in steps.items()})


def _play(task: Task, solutions: Array, qpos: Array, qvel: Array) -> tuple:
    """Total [N], touch [N, F], end [N, 2], lengths [N], fell [N], and the steps of every episode."""
    from mujoco import mjx  # pyright: ignore[reportMissingImports]

    robot, network, feet = task.task_robot, task.network, len(task.task_robot.feet)
    model, layers = _on_device(task.model), network.unflatten(solutions)
    first = jax.vmap(lambda q, v: mjx.make_data(model).replace(qpos=q, qvel=v))(qpos, qvel)
    advance = jax.vmap(partial(_advance, model, robot.frame_skip))
    forward = float(task.task != "omni")

    def step(carry: tuple, _: Array) -> tuple[tuple, dict[str, Array]]:
        data, alive, total, touch, end, lengths, fell = carry
        now = robot.observe(data.qpos, data.qvel)
        actions = network.act(layers, now)
        after, touches = advance(data.replace(ctrl=actions))
        stands = robot.stands(after.qpos, after.qvel)
        reward = robot.reward(after.qpos[:, 0] - data.qpos[:, 0], actions, stands, forward)
        own = alive[:, None]
        total, touch = total + jnp.where(alive, reward, 0), touch + own * (touches[:, -feet:] > 0)
        end, lengths, fell = jnp.where(own, after.qpos[:, :2], end), lengths + alive, fell | (alive & ~stands)
        kept = {"observations": jnp.where(own, now, 0), "actions": jnp.where(own, actions, 0)}
        kept["rewards"] = jnp.where(alive, reward, 0)
        kept["following"] = jnp.where(own, robot.observe(after.qpos, after.qvel), 0)
        return (after, alive & stands, total, touch, end, lengths, fell), kept

    n = len(solutions)
    zeros = jnp.zeros(n)
    begin = (first, jnp.ones(n, bool), zeros, jnp.zeros((n, feet)), qpos[:, :2], jnp.zeros(n, jnp.int32), jnp.zeros(n, bool))
    last, kept = jax.lax.scan(step, begin, jnp.arange(task.steps))
    _, _, total, touch, end, lengths, fell = last
    steps = {name: column.swapaxes(0, 1) for name, column in kept.items()}
    following = steps.pop("following")
    whole = jnp.concatenate([steps["observations"], jnp.zeros_like(following[:, :1])], axis=1)
    at = jnp.arange(n), lengths
    steps["observations"] = whole.at[at].set(following[jnp.arange(n), lengths - 1])
    return total, touch / jnp.maximum(lengths, 1)[:, None], end, lengths, fell, steps


def _advance(model: Any, frame_skip: int, data: Any) -> tuple[Any, Array]:
    """One robot after a control step, and its sensors one physics step before the end, where the C engine reads them.

    After a step by Runge-Kutta MJX' own sensors are those of the last of its four stages.
    """
    from mujoco import mjx  # pyright: ignore[reportMissingImports]

    def step(_: Array, carry: tuple) -> tuple:
        data = carry[0]
        return mjx.step(model, data), data.qpos, data.qvel

    after, qpos, qvel = jax.lax.fori_loop(0, frame_skip, step, (data, data.qpos, data.qvel))
    return after, mjx.forward(model, after.replace(qpos=qpos, qvel=qvel)).sensordata


def _starts(task: Task, keys: Array, n: int) -> tuple[Array, Array]:
    """Positions [B E, Q] and velocities [B E, V]."""
    robot, rows, width = task.task_robot, n * task.episodes, task.noise * task.task_robot.noise
    qpos = jnp.tile(jnp.asarray(task.model.qpos0, jnp.float32), (rows, 1))
    qvel = jnp.zeros((rows, robot.velocities))
    if not task.noise:
        return qpos, qvel

    def draw(key: Array) -> tuple[Array, Array]:
        place, speed = random.split(key)
        shapes = (task.episodes, robot.positions), (task.episodes, robot.velocities)
        moved = random.uniform(place, shapes[0], -width, width)
        return moved, width * random.normal(speed, shapes[1]) if robot.normal else random.uniform(
            speed, shapes[1], -width, width
        )

    moved, speeds = jax.vmap(draw)(keys)
    return qpos + moved.reshape(rows, -1), speeds.reshape(rows, -1)


@lru_cache(maxsize=16)
def _on_device(model: Any) -> Any:
    from mujoco import mjx  # pyright: ignore[reportMissingImports]

    with jax.ensure_compile_time_eval():
        return mjx.put_model(model)
