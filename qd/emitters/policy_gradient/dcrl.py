"""DCRL-MAP-Elites (Faldor et al. 2024, arXiv 2401.08632): critic and actor are told which measures a policy is to have.

    offspring = variation of elites | elites that climb Q(s, a | their own measures) | the actor, asked for elites' measures
    reward of a step = exp(-|measures - measures asked for| / lengthscale) x reward              measures scaled to [-1, 1]

A child that varies was asked for what it did. The actor asked for some measures is an ordinary policy: what it is asked for
moves into the biases of its first layer.

B batch, P policies that climb, M measures, D parameters.
"""

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from qd import keys
from qd.emitters.policy_gradient import pga
from qd.emitters.policy_gradient.pga import LearnerMemory
from qd.emitters.policy_gradient.replay import FEATURES
from qd.emitters.policy_gradient.td3 import Network, Td3
from qd.emitters.vary import IsoLine
from qd.support.errors import UserError
from qd.types import Array, Batch, Elites, Memory, Offspring, Variation


class ConditionedMemory(NamedTuple):
    """What the emitter remembers."""

    learned: LearnerMemory
    wishes: np.ndarray  # [W, M] measures, scaled, that the last W rows of the last ask were asked for


@dataclass(frozen=True)
class ConditionedPolicyGradient:
    """DCRL-MAP-Elites' emitter. Defaults are the authors', who train the critics for 3,000 steps in a generation."""

    network: Network  # of the domain's policies
    bounds: tuple[tuple[float, float], ...]  # of the M measures
    variations: int = 128  # offspring that vary elites
    climbers: int = 64  # P
    injections: int = 64  # offspring that are the actor, asked for the measures of elites
    lengthscale: float = 0.1  # of the reward; the measures are scaled to [-1, 1]
    variation: Variation = field(default_factory=lambda: IsoLine(iso=0.005, line=0.05))
    td3: Td3 = field(default_factory=lambda: Td3(steps=3000, minibatch=100))
    policy_steps: int = 150  # of Adam, from each parent that climbs
    policy_rate: float = 5e-3  # of Adam
    replay: int = 1_000_000  # transitions that are kept
    pure: bool = False

    features = FEATURES

    def __post_init__(self) -> None:
        if min(self.variations, self.climbers, self.injections) < 1 or not self.lengthscale > 0:
            raise UserError(
                f"{self.variations} variations, {self.climbers} climbers, {self.injections} injections, a lengthscale of "
                f"{self.lengthscale}",
                "type at least 1 of each, and a lengthscale above 0",
            )
        pga.check_settings(self.policy_steps, self.replay)

    @property
    def batch_size(self) -> int:
        """B."""
        return self.variations + self.climbers + self.injections

    @property
    def actor(self) -> Network:
        """The actor's network: observation and measures asked for -> action."""
        return self.network.widened(len(self.bounds))

    def check(self, key: Array, solutions: Array, archive: Any) -> None:
        """Raises UserError where solutions are not policies of the network; arguments as in ``EmitterAbilities``."""
        pga.check_policies(self.network, solutions)

    def init(self, key: Array, elites: Elites) -> Memory:
        """Returns a learner that knows nothing, and no transitions; arguments as in ``Emitter``."""
        learned = pga.begin(self.td3, self.network, self.actor, self.replay, key, len(self.bounds))
        return ConditionedMemory(learned, np.zeros((0, len(self.bounds)), np.float32))

    def ask(self, key: Array, memory: Memory, elites: Elites) -> tuple[Memory, Offspring]:
        """Varies elites, lets others climb, and asks the actor for the measures of more.

        Args:
            key: of the draws.
            memory: with the critic.
            elites: that parents and measures are drawn from.

        Returns:
            The memory, and B children with the ids [B, 2] of their parents, -1 where there is none.
        """
        vary_key, draw_key, climb_key, wish_key = keys.split(key, 4)
        learned = memory.learned
        if int(learned.replay.size) == 0:
            return memory._replace(wishes=memory.wishes[:0]), pga.varied(self.variation, vary_key, elites, self.batch_size)
        children = pga.varied(self.variation, vary_key, elites, self.variations)
        ids, parents, theirs = elites.draw(draw_key, self.climbers, "id", "solution", "measures")
        (asked,) = elites.draw(wish_key, self.injections, "measures")
        own, wish = self._scaled(theirs), self._scaled(asked)
        climbed = pga.climb(self, learned, parents, own, climb_key)
        actors = np.asarray(learned.learner.actor)[None].repeat(self.injections, 0)
        injected = self.actor.narrowed(actors, wish)
        offspring = pga.joined(children, (climbed, ids), (injected, np.full(self.injections, -1)))
        return memory._replace(wishes=np.concatenate([own, wish])), offspring

    def tell(self, memory: Memory, batch: Batch) -> Memory:
        """Keeps the steps of the generation and trains the critic; arguments as in ``Emitter``."""
        measures = self._scaled(np.where((batch.status >= 0)[:, None], batch.measures, 0))
        wishes, asked = measures.copy(), len(memory.wishes)
        if asked:
            wishes[-asked:] = memory.wishes
        scale = np.exp(-np.linalg.norm(measures - wishes, axis=1) / self.lengthscale)
        return memory._replace(learned=pga.learn(self.td3, self.actor, memory.learned, batch, wishes, scale))

    def _scaled(self, measures: Array) -> np.ndarray:
        low, high = np.asarray(self.bounds, np.float32).T
        return (2 * (np.asarray(measures, np.float32) - low) / (high - low) - 1).astype(np.float32)
