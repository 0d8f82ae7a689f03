"""PGA-MAP-Elites (Nilsson and Cully 2021, doi 10.1145/3449639.3459304): some offspring vary elites, others climb a critic.

    offspring = variation of elites | elites after some steps up the critic's gradient | the greedy actor

The critic learns from the steps of every episode. They are features of the evaluation, which ``tell`` is handed and the
archive does not store (``EmitterAbilities.features``). Those of generation 0, which no emitter has asked for, are not seen;
until there are transitions all offspring are variations.

B batch, P policies that climb, D parameters.
"""

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from qd import keys
from qd.emitters.policy_gradient import replay as transitions
from qd.emitters.policy_gradient import td3
from qd.emitters.policy_gradient.replay import FEATURES, Replay
from qd.emitters.policy_gradient.td3 import Learner, Network, Td3
from qd.emitters.vary import IsoLine
from qd.support.errors import UserError
from qd.types import Array, Batch, Elites, Memory, Offspring, Variation


class LearnerMemory(NamedTuple):
    """What an emitter with a critic remembers."""

    key: np.ndarray  # uint32 [2], of the next training
    learner: Learner
    replay: Replay


@dataclass(frozen=True)
class PolicyGradient:
    """PGA-MAP-Elites' emitter. Defaults are QDax' (PGAMEConfig), in which a generation has 100 offspring.

    >>> from domains.policies import Mlp
    >>> PolicyGradient(network=Mlp(inputs=3, outputs=1)).features
    ('observations', 'actions', 'rewards', 'lengths', 'fell')
    """

    network: Network  # of the domain's policies
    batch_size: int = 100  # B
    share: float = 0.5  # of the offspring that the critic's gradient makes, the greedy actor among them
    variation: Variation = field(default_factory=lambda: IsoLine(iso=0.005, line=0.05))
    td3: Td3 = field(default_factory=Td3)
    policy_steps: int = 100  # of Adam, from each parent that climbs
    policy_rate: float = 1e-3  # of Adam
    replay: int = 1_000_000  # transitions that are kept
    pure: bool = False

    features = FEATURES

    def __post_init__(self) -> None:
        if not 0 < self.share <= 1 or self.batch_size * self.share < 2:
            raise UserError(
                f"a share of {self.share} of {self.batch_size} offspring is below two: one that climbs, and the greedy actor",
                "type emitter.share=0.5",
            )
        check_settings(self.policy_steps, self.replay)

    def check(self, key: Array, solutions: Array, archive: Any) -> None:
        """Raises UserError where solutions are not policies of the network; arguments as in ``EmitterAbilities``."""
        check_policies(self.network, solutions)

    def init(self, key: Array, elites: Elites) -> Memory:
        """Returns a learner that knows nothing, and no transitions; arguments as in ``Emitter``."""
        return begin(self.td3, self.network, self.network, self.replay, key, 0)

    def ask(self, key: Array, memory: Memory, elites: Elites) -> tuple[Memory, Offspring]:
        """Varies elites, lets others climb, and adds the greedy actor.

        Args:
            key: of the draws.
            memory: with the critic.
            elites: that parents are drawn from.

        Returns:
            The memory, and B children with the ids [B, 2] of their parents, -1 where there is none.
        """
        vary_key, draw_key, climb_key = keys.split(key, 3)
        if int(memory.replay.size) == 0:
            return memory, varied(self.variation, vary_key, elites, self.batch_size)
        climbers = int(self.share * self.batch_size) - 1
        children = varied(self.variation, vary_key, elites, self.batch_size - climbers - 1)
        ids, parents = elites.draw(draw_key, climbers)
        nothing = np.zeros((climbers, 0), np.float32)
        learned = climb(self, memory, parents, nothing, climb_key)
        actor = np.asarray(memory.learner.actor)[None]
        return memory, joined(children, (learned, ids), (actor, np.full(1, -1)))

    def tell(self, memory: Memory, batch: Batch) -> Memory:
        """Keeps the steps of the generation and trains the critic; arguments as in ``Emitter``."""
        n = len(batch.ids)
        return learn(self.td3, self.network, memory, batch, np.zeros((n, 0), np.float32), np.ones(n, np.float32))


def check_settings(policy_steps: int, replay: int) -> None:
    """Raises UserError where policies would take no step, or no transition would be kept.

    Args:
        policy_steps: of Adam.
        replay: transitions that are kept.
    """
    if min(policy_steps, replay) < 1:
        raise UserError(f"{policy_steps} steps of a policy, {replay} transitions", "type at least 1 of each")


def check_policies(network: Network, solutions: Array) -> None:
    """Raises UserError where solutions are not policies of a network.

    Args:
        network: of the emitter.
        solutions: [N, ...] of the domain.
    """
    if solutions.dtype == object or solutions.shape[1:] != (network.size,):
        raise UserError(
            f"a policy of {network} has {network.size} parameters, but a solution has shape {list(solutions.shape[1:])}",
            "type emitter.network=@domain.network",
        )


def begin(settings: Td3, network: Network, actor: Network, replay: int, key: Array, condition: int) -> LearnerMemory:
    """Returns a learner that knows nothing, and room for transitions.

    Args:
        settings: of TD3.
        network: of the domain's policies.
        actor: the greedy actor's network, with the condition among its inputs.
        replay: transitions that are kept.
        key: uint32 [2].
        condition: M.
    """
    key, learner_key = keys.split(key)
    room = transitions.empty(replay, network.inputs, network.outputs, condition)
    return LearnerMemory(key, td3.begin(settings, actor, learner_key, condition), room)


def learn(settings: Td3, actor: Network, memory: LearnerMemory, batch: Batch, condition: Array, scale: Array) -> LearnerMemory:
    """Keeps the steps of a generation, then trains.

    Args:
        settings: of TD3.
        actor: the greedy actor's network.
        memory: it is spent.
        batch: with the features of ``FEATURES``.
        condition: [B, M].
        scale: [B] rewards are multiplied by it.
    """
    key, train_key = keys.split(memory.key)
    replay = transitions.add(memory.replay, batch.evaluation.features, batch.status >= 0, condition, scale)
    if int(replay.size) == 0:
        return LearnerMemory(key, memory.learner, replay)
    return LearnerMemory(key, td3.train(settings, actor, memory.learner, replay, train_key), replay)


def climb(emitter: Any, memory: LearnerMemory, parents: Array, condition: Array, key: Array) -> np.ndarray:
    """Returns policies [P, D] after some steps up the critic's gradient.

    Args:
        emitter: its settings: network, td3, policy_steps and policy_rate.
        memory: with the critic and transitions.
        parents: [P, D].
        condition: [P, M] of each.
        key: uint32 [2].
    """
    sizes = emitter.td3.minibatch, emitter.network, emitter.policy_steps, emitter.policy_rate
    return np.asarray(td3.climb(*sizes, memory.learner.critics, memory.replay, parents, condition, key))


def varied(variation: Variation, key: Array, elites: Elites, n: int) -> Offspring:
    """Returns n variations of elites, with the ids of their parents.

    Args:
        variation: makes each child.
        key: of the draws.
        elites: that parents are drawn from.
        n: how many.
    """
    draw_key, vary_key = keys.split(key)
    ids, parents = elites.draw(draw_key, n * variation.parents)
    parents = parents.reshape(n, variation.parents, *parents.shape[1:])
    return Offspring(np.asarray(variation(vary_key, parents)), ids.reshape(n, -1))


def joined(children: Offspring, *more: tuple[Array, Array]) -> Offspring:
    """Joins offspring of several kinds.

    Args:
        children: with the ids [n, P] of their parents.
        more: solutions [n, D] with the id [n] of their one parent, -1 where there is none.

    Returns:
        All of them, with ids [B, P], -1 where a solution has fewer.
    """
    assert children.parents is not None
    ids = [children.parents]
    for _, parent in more:
        ids.append(np.concatenate([parent[:, None], np.full((len(parent), ids[0].shape[1] - 1), -1)], axis=1))
    solutions = [children.solutions, *(solutions for solutions, _ in more)]
    return Offspring(np.concatenate(solutions).astype(children.solutions.dtype), np.concatenate(ids))
