"""A bounded memory of transitions on the device: the oldest are overwritten.

C capacity, B solutions, E episodes of each, T steps, O observation, A action, M conditions, K drawn.
"""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from qd.support.errors import UserError
from qd.types import Array, Features

FEATURES = ("observations", "actions", "rewards", "lengths", "fell")  # that a domain must give


class Transitions(NamedTuple):
    """K steps of robots."""

    observation: Array  # [K, O]
    action: Array  # [K, A]
    reward: Array  # [K]
    following: Array  # [K, O] the observation after the step
    fell: Array  # [K] 1 where the episode ended because the robot fell, so that nothing follows
    condition: Array  # [K, M] what the policy is asked for; M = 0 where it is asked for nothing


class Replay(NamedTuple):
    """Transitions of the newest C steps."""

    columns: Transitions  # of capacity C
    size: Array  # how many are there
    end: Array  # where the next one goes


def empty(capacity: int, observation: int, action: int, condition: int) -> Replay:
    """Returns a memory without transitions.

    Args:
        capacity: C.
        observation: O.
        action: A.
        condition: M.
    """
    shapes = ((observation,), (action,), (), (observation,), (), (condition,))
    columns = Transitions(*(jnp.zeros((capacity, *shape), jnp.float32) for shape in shapes))
    return Replay(columns, jnp.zeros((), jnp.int32), jnp.zeros((), jnp.int32))


def add(replay: Replay, features: Features, ok: Array, condition: Array, scale: Array) -> Replay:
    """Adds the transitions of B solutions; the memory given is spent.

    Args:
        replay: of C transitions.
        features: observations [B, E, T + 1, O], actions [B, E, T, A], rewards [B, E, T], lengths [B, E], fell [B, E].
        ok: [B] False where a solution failed: its steps are left out.
        condition: [B, M].
        scale: [B] rewards are multiplied by it.

    Raises:
        UserError: they are more than C.
    """
    rewards, capacity = features["rewards"], len(replay.columns.reward)
    if rewards.size > capacity:
        raise UserError(
            f"a generation has {rewards.size} steps, and the memory holds {capacity}", f"type emitter.replay={4 * rewards.size}"
        )
    columns = {name: np.asarray(features[name], np.float32) for name in FEATURES}
    return _add(replay, columns, np.asarray(ok), np.asarray(condition, np.float32), np.asarray(scale, np.float32))


def draw(replay: Replay, key: Array, count: int) -> Transitions:
    """Draws transitions evenly, with replacement.

    Args:
        replay: of one transition or more.
        key: a JAX key.
        count: K.

    Returns:
        Transitions of K rows.
    """
    rows = jax.random.randint(key, (count,), 0, replay.size)
    return jax.tree.map(lambda column: column[rows], replay.columns)


@partial(jax.jit, donate_argnums=0)
def _add(replay: Replay, columns: Features, ok: Array, condition: Array, scale: Array) -> Replay:
    """All B x E x T rows are offered; those after an episode's end are written nowhere."""
    observations, actions, rewards, lengths, fell = (columns[name] for name in FEATURES)
    times, capacity = jnp.arange(rewards.shape[2]), len(replay.columns.reward)
    there = ((times < lengths[:, :, None]) & ok[:, None, None]).ravel()
    last = (times == lengths[:, :, None] - 1) & (fell[:, :, None] > 0)
    rows = jnp.where(there, (replay.end + jnp.cumsum(there) - 1) % capacity, capacity)

    def flat(column: Array) -> Array:
        return column.reshape(len(rows), *column.shape[3:])

    fresh = Transitions(
        flat(observations[:, :, :-1]),
        flat(actions),
        flat(rewards * scale[:, None, None]),
        flat(observations[:, :, 1:]),
        flat(last.astype(jnp.float32)),
        flat(jnp.broadcast_to(condition[:, None, None], (*rewards.shape, condition.shape[1]))),
    )
    stored = jax.tree.map(lambda old, new: old.at[rows].set(new, mode="drop"), replay.columns, fresh)
    count = there.sum(dtype=jnp.int32)
    return Replay(stored, jnp.minimum(replay.size + count, capacity), (replay.end + count) % capacity)
