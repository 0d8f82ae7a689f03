"""TD3 (Fujimoto et al. 2018, arXiv 1802.09477): twin critics, a greedy actor; and policies that climb a critic.

    y = reward + discount (1 - fell) min_i Q_i'(s', pi'(s') + clipped noise)          critics: (Q_i(s, a) - y)^2
    actor and policies: ascend the mean of Q_1(s, pi(s))

A condition, where there is one, is a further input of critics and actor. K transitions of a step, P policies, D parameters,
O observation, A action, M condition.
"""

from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any, NamedTuple, Protocol

import jax
import jax.numpy as jnp
import numpy as np
import optax

from qd.emitters.policy_gradient import replay as memory
from qd.emitters.policy_gradient.replay import Replay, Transitions
from qd.support.errors import UserError
from qd.types import Array

Tree = Any  # a pytree of arrays


class Network(Protocol):
    """Policies as flat vectors; domains.policies.Mlp is one. It must hash."""

    @property
    def inputs(self) -> int:
        """O, the length of an observation."""
        ...

    @property
    def outputs(self) -> int:
        """A, the length of an action."""
        ...

    @property
    def size(self) -> int:
        """D."""
        ...

    def sample(self, key: Array, n: int) -> Array:
        """Draws flat vectors [n, D]."""
        ...

    def unflatten(self, solutions: Array) -> Any:
        """Cuts flat vectors [P, D] into layers."""
        ...

    def act(self, layers: Any, observations: Array) -> Array:
        """Computes actions [P, K, A] of observations [P, K, O], in [-1, 1]."""
        ...

    def widened(self, more: int) -> "Network":
        """Returns the network with more inputs."""
        ...

    def narrowed(self, solutions: Array, last: Array) -> Array:
        """Fixes the last inputs of networks."""
        ...


@dataclass(frozen=True)
class Td3:
    """Settings of the learner: those of QDax' PGAMEConfig, in which the papers agree."""

    hidden: tuple[int, ...] = (256, 256)  # of each critic
    steps: int = 300  # of the critics in a generation
    minibatch: int = 256  # K
    critic_rate: float = 3e-4  # of Adam
    actor_rate: float = 3e-4
    discount: float = 0.99
    tau: float = 0.005  # how fast targets follow
    noise: float = 0.2  # of the target's actions
    clip: float = 0.5  # of that noise
    delay: int = 2  # steps of the critics to one of the actor

    def __post_init__(self) -> None:
        if min(self.steps, self.minibatch, self.delay, *self.hidden) < 1:
            raise UserError(
                f"{self.steps} steps of {self.minibatch} transitions, a delay of {self.delay}, {self.hidden} units",
                "type at least 1 of each",
            )


class Learner(NamedTuple):
    """All that is learned. Of critics two are stacked on the first axis."""

    critics: Tree
    critic_targets: Tree
    actor: Array  # [D]
    actor_target: Array  # [D]
    critic_adam: Tree
    actor_adam: Tree


def begin(td3: Td3, network: Network, key: np.ndarray, condition: int) -> Learner:
    """Returns a learner that knows nothing.

    Args:
        td3: settings.
        network: the actor's.
        key: uint32 [2].
        condition: M, of the network's inputs.
    """
    critic_key, actor_key = jax.random.split(jax.random.wrap_key_data(jnp.asarray(key)))
    critics = _fresh_critics(td3, critic_key, network.inputs + network.outputs)
    actor = jnp.asarray(network.sample(actor_key, 1)[0], jnp.float32)
    copies = jax.tree.map(jnp.copy, (critics, actor))
    return Learner(
        critics, copies[0], actor, copies[1], optax.adam(td3.critic_rate).init(critics), optax.adam(td3.actor_rate).init(actor)
    )


@partial(jax.jit, static_argnums=(0, 1))
def train(td3: Td3, network: Network, learner: Learner, replay: Replay, key: Array) -> Learner:
    """Does a generation's steps of critics and actor.

    Args:
        td3: settings.
        network: the actor's.
        learner: what is learned so far.
        replay: of one transition or more.
        key: uint32 [2].

    Returns:
        The learner.
    """
    key = jax.random.wrap_key_data(key)

    def step(i: Array, learner: Learner) -> Learner:
        draw_key, noise_key = jax.random.split(jax.random.fold_in(key, i))
        rows = memory.draw(replay, draw_key, td3.minibatch)
        learner = _critic_step(td3, network, learner, rows, noise_key)
        return jax.lax.cond(i % td3.delay == td3.delay - 1, lambda: _actor_step(td3, network, learner, rows), lambda: learner)

    return jax.lax.fori_loop(0, td3.steps, step, learner)


@partial(jax.jit, static_argnums=(0, 1, 2, 3))
def climb(
    minibatch: int, network: Network, steps: int, rate: float, critics: Tree, replay: Replay, policies: Array,
    condition: Array, key: Array,
) -> Array:  # fmt: skip
    """Varies policies by the gradient of the first critic: Adam from each, on minibatches that all share.

    Args:
        minibatch: K.
        network: of the policies.
        steps: of Adam.
        rate: its learning rate.
        critics: of a learner.
        replay: of one transition or more.
        policies: [P, D].
        condition: [P, M] of each.
        key: uint32 [2].

    Returns:
        Policies [P, D].
    """
    key, adam = jax.random.wrap_key_data(key), optax.adam(rate)
    critic = jax.tree.map(lambda leaf: leaf[0], critics)

    def loss(policies: Array, observation: Array) -> Array:
        shared = jnp.broadcast_to(observation, (len(policies), *observation.shape))
        actions = network.act(network.unflatten(policies), shared)
        wish = jnp.broadcast_to(condition[:, None], (*shared.shape[:2], condition.shape[1]))
        return -_value(critic, jnp.concatenate([shared, wish], axis=2), actions).mean(axis=1).sum()

    def step(i: Array, carry: tuple[Array, Tree]) -> tuple[Array, Tree]:
        policies, state = carry
        rows = memory.draw(replay, jax.random.fold_in(key, i), minibatch)
        updates, state = adam.update(jax.grad(loss)(policies, rows.observation), state)
        return policies + updates, state

    return jax.lax.fori_loop(0, steps, step, (policies, adam.init(policies)))[0]


def q_values(critics: Tree, observations: Array, actions: Array) -> Array:
    """Returns Q of both critics, [2, K].

    Args:
        critics: of a learner.
        observations: [K, O], with the condition where there is one.
        actions: [K, A].
    """
    return jax.vmap(lambda critic: _value(critic, observations, actions))(critics)


def _critic_step(td3: Td3, network: Network, learner: Learner, rows: Transitions, key: Array) -> Learner:
    """One step of both critics towards y, and of their targets."""
    following = jnp.concatenate([rows.following, rows.condition], axis=1)
    noise = (td3.noise * jax.random.normal(key, rows.action.shape)).clip(-td3.clip, td3.clip)
    action = (_act(network, learner.actor_target, following) + noise).clip(-1, 1)
    value = q_values(learner.critic_targets, following, action).min(axis=0)
    y = rows.reward + td3.discount * (1 - rows.fell) * value
    here = jnp.concatenate([rows.observation, rows.condition], axis=1)

    def loss(critics: Tree) -> Array:
        return ((q_values(critics, here, rows.action) - y) ** 2).mean(axis=1).sum()

    updates, adam = optax.adam(td3.critic_rate).update(jax.grad(loss)(learner.critics), learner.critic_adam)
    critics = optax.apply_updates(learner.critics, updates)
    targets = _follow(td3, learner.critic_targets, critics)
    return learner._replace(critics=critics, critic_targets=targets, critic_adam=adam)


def _actor_step(td3: Td3, network: Network, learner: Learner, rows: Transitions) -> Learner:
    """One step of the greedy actor up the first critic, and of its target."""
    here = jnp.concatenate([rows.observation, rows.condition], axis=1)
    first = jax.tree.map(lambda leaf: leaf[0], learner.critics)

    def loss(actor: Array) -> Array:
        return -_value(first, here, _act(network, actor, here)).mean()

    updates, adam = optax.adam(td3.actor_rate).update(jax.grad(loss)(learner.actor), learner.actor_adam)
    actor = learner.actor + updates
    return learner._replace(actor=actor, actor_target=_follow(td3, learner.actor_target, actor), actor_adam=adam)


def _follow(td3: Td3, target: Tree, source: Tree) -> Tree:
    return jax.tree.map(lambda old, new: old + td3.tau * (new - old), target, source)


def _act(network: Network, actor: Array, observations: Array) -> Array:
    """Actions [K, A] of one actor [D]."""
    return network.act(network.unflatten(actor[None]), observations[None])[0]


def _fresh_critics(td3: Td3, key: Array, inputs: int) -> Tree:
    """Two critics: weights uniformly in +- sqrt(3 / I), biases 0."""
    layers = []
    for i, o in pairwise((inputs, *td3.hidden, 1)):
        key, layer_key = jax.random.split(key)
        reach = np.sqrt(3 / i)
        layers.append((jnp.zeros((2, o)), jax.random.uniform(layer_key, (2, i, o), minval=-reach, maxval=reach)))
    return layers


def _value(critic: Tree, observations: Array, actions: Array) -> Array:
    """Q [...] of one critic; observations [..., O], actions [..., A]."""
    x = jnp.concatenate([observations, actions], axis=-1)
    for bias, weights in critic[:-1]:
        x = jax.nn.relu(x @ weights + bias)
    bias, weights = critic[-1]
    return (x @ weights + bias)[..., 0]
