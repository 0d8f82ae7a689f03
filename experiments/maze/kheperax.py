"""The Kheperax package as a peer of our maze: the same policies and settings, evaluated by its code.

The package (kheperax 0.2.0, which brings qdax) is no dependency of ours: it is the extra ``peers``, best installed in an
environment of its own. As a study it writes the reference transitions that the tests compare with:

    qd study maze.kheperax file=tests/data/maze_reference.npz
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from domains.maze import Maze
from domains.maze.controller import Mlp
from domains.maze.maps import Energy, Target
from experiments import command
from qd import keys
from qd.support.errors import UserError
from qd.types import Array


def main(file: str) -> None:
    """Writes the reference transitions and episodes."""
    reference: dict[str, Any] = transitions(600, seed=1) | episodes(64, seed=2)
    np.savez_compressed(file, **reference)


def task(maze: Maze):
    """Returns (environment, network, scoring function) of the package with the steps, network and goal of ``maze``.

    Raises:
        ImportError: the package is missing.
        ValueError: the package has no such robot, controller or goal.
    """
    _repair()
    from kheperax.tasks.config import KheperaxConfig  # pyright: ignore[reportMissingImports]
    from kheperax.tasks.main import KheperaxTask  # pyright: ignore[reportMissingImports]
    from kheperax.tasks.target import TargetKheperaxConfig, TargetKheperaxTask  # pyright: ignore[reportMissingImports]

    if maze.robot != Maze().robot or not isinstance(maze.controller, Mlp) or not isinstance(maze.goal, Energy | Target):
        raise UserError(f"the package is compared with its own robot, an Mlp and Energy or Target only, not with {maze}")
    aims = isinstance(maze.goal, Target)
    config = (TargetKheperaxConfig if aims else KheperaxConfig).get_default()
    config.episode_length = maze.steps
    config.mlp_policy_hidden_layer_sizes = maze.controller.hidden
    if isinstance(maze.goal, Target):
        config.target_pos, config.target_radius = maze.goal.place, maze.goal.radius
    kind = TargetKheperaxTask if aims else KheperaxTask
    return kind.create_default_task(config, random_key=jax.random.key(0))


def evaluator(maze: Maze) -> Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """Returns policies [B, D] -> (objective [B], position [B, 2]) by the package.

    Kinder to it than its own examples: one program that returns no transitions, so that XLA may drop them.
    """
    from jax.flatten_util import ravel_pytree

    environment, network, score = task(maze)
    parameters = network.init(jax.random.key(0), jnp.zeros((1, environment.observation_size)))
    _, unflatten = ravel_pytree(parameters)

    @jax.jit
    def program(policies: Array) -> tuple[Array, Array]:
        return score(jax.vmap(unflatten)(policies), jax.random.key(0))[:2]

    return lambda policies: jax.device_get(program(np.asarray(policies, np.float32)))


def transitions(n: int, seed: int) -> dict[str, np.ndarray]:
    """Returns single steps of the package from anywhere, also from deep inside walls.

    pose [N, 3] (x, y, angle), action [N, 2], next_pose [N, 3], readings [N, 5], energy [N], distance [N], ended [N].
    Poses at a discontinuity are left out: those where a shift of 1e-5 changes the answer.

    Args:
        n: steps to sample.
        seed: of all randomness.
    """
    pose, action = _poses(n, seed), keys.uniform(keys.new(seed + 1), (n, 2), -1.2, 1.2)
    plain, aiming = (task(Maze(goal=goal))[0].unwrapped for goal in (Energy(), Target()))
    step = jax.jit(jax.vmap(partial(_step, plain, plain.reset(jax.random.key(0)))))
    aim = jax.jit(jax.vmap(partial(_step, aiming, aiming.reset(jax.random.key(0)))))
    next_pose, readings, energy, _ = step(pose, action)
    steady = np.ones(n, bool)
    for shift in np.vstack([np.eye(3), -np.eye(3)]) * 1e-5:
        after_shift = step(pose + shift.astype(np.float32), action)
        steady &= np.abs(after_shift[1] - readings).max(axis=1) < 1e-3
        steady &= np.abs(after_shift[0] - next_pose)[:, :2].max(axis=1) < 1e-3
    _, _, distance, end = aim(pose, action)
    names = ("pose", "action", "next_pose", "readings", "energy", "distance", "ended")
    columns = (pose, action, next_pose, readings, energy, distance, end)
    return {name: np.asarray(column)[steady] for name, column in zip(names, columns, strict=True)}


def episodes(n: int, seed: int) -> dict[str, np.ndarray]:
    """Returns whole episodes of the package: policies [N, D], objective [N] and position [N, 2] for three goals.

    The goal "near" is one that some policies reach, so that their episodes end early.

    Args:
        n: policies to sample.
        seed: of all randomness.
    """
    policies = 0.5 * keys.normal(keys.new(seed), (n, Maze().size))
    goals = {"energy": Energy(), "target": Target(), "near": Target((0.2, 0.3), 0.1)}
    columns = {"policies": policies}
    for name, goal in goals.items():
        columns[f"{name}_objective"], columns[f"{name}_position"] = evaluator(Maze(goal=goal))(policies)
    return columns


def _repair() -> None:
    """Puts a working ``get_batch_size`` in place of one that calls a function which JAX no longer has."""
    import kheperax.simu.robot  # pyright: ignore[reportMissingImports]
    import kheperax.utils.tree_utils  # pyright: ignore[reportMissingImports]

    for room in (kheperax.utils.tree_utils, kheperax.simu.robot):
        room.get_batch_size = lambda tree: jax.tree.leaves(tree)[0].shape[0]


def _poses(n: int, seed: int) -> np.ndarray:
    """Returns poses [N, 3], half of them anywhere, half within two radii of a wall, on either side of it; float32."""
    rng = np.random.default_rng(seed)
    anywhere = rng.random((n - n // 2, 2))
    walls = np.array(Maze().walls)[rng.integers(len(Maze().walls), size=n // 2)]
    along = walls[:, 2:] - walls[:, :2]
    across = np.stack([-along[:, 1], along[:, 0]], axis=1) / np.linalg.norm(along, axis=1, keepdims=True)
    close = walls[:, :2] + rng.random((n // 2, 1)) * along + rng.uniform(-0.03, 0.03, (n // 2, 1)) * across
    angle = rng.uniform(-np.pi, np.pi, n)
    return np.column_stack([np.vstack([anywhere, close]), angle]).astype(np.float32)


def _step(environment, state, pose: Array, action: Array) -> tuple[Array, Array, Array, Array]:
    posture = state.robot.posture.replace(x=pose[0], y=pose[1], angle=pose[2])
    next_state = environment.step(state.replace(robot=state.robot.replace(posture=posture)), action)
    after = next_state.robot.posture
    return jnp.stack([after.x, after.y, after.angle]), next_state.obs, next_state.reward, jnp.asarray(next_state.done)


if __name__ == "__main__":
    command.run()
