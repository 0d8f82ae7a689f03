"""Climbers whose steps adapt: (sep-)CMA-ES in place of SERENE's steps that never change.

S samples of a step, D genes.
"""

from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from qd import keys
from qd.emitters import selection
from qd.emitters.cma import strategies
from qd.emitters.selection import Known
from qd.emitters.sparse import climbing
from qd.emitters.sparse.climbing import PEOPLE, Climber
from qd.support.errors import UserError
from qd.support.spelling import unknown
from qd.types import Array

_STRATEGIES: dict[str, strategies.Strategy] = {"cma_es": strategies.Full(), "sep_cma_es": strategies.Separable()}


@dataclass(frozen=True)
class Evolving:
    """Each climber is an evolution strategy around its ancestor.

    Its parents are the best paid of all that it has made, not of the last step: in most steps from the edge of an area few
    are paid, and a mean that follows them alone loses its way. A step that brings none of these narrows it.
    """

    strategy: str = "sep_cma_es"
    samples: int = 12  # as many as an elitist step makes, so that a candidate's test costs about the same
    narrowing: float = 0.7
    floor: float = 0.02  # of sigma at the beginning: never less, for areas end at cliffs
    reaching: float = 1.5  # some samples reach e^-1.5 as far, some e^1.5
    shrink: float = 0.3  # of the third of the way to the nearest solution, SERENE's sigma, with which this begins
    patience: int = 40  # steps without a better one, after which it ends
    least: float = 0.01  # by how much better

    def __post_init__(self) -> None:
        if self.strategy not in _STRATEGIES:
            raise unknown("strategy", self.strategy, _STRATEGIES)
        if self.samples < 2 or self.patience < 1 or min(self.shrink, self.narrowing) <= 0:
            raise UserError("type samples of 2 or more, patience of 1 or more, shrink and narrowing above 0")
        if min(self.floor, self.reaching, self.least) < 0:
            raise UserError("type floor, reaching and least of 0 or more")

    def begin(self, known: Known, row: int, others: np.ndarray) -> Climber:
        return climbing.begin(known, row, others)

    def ask(self, key: Array, climber: Climber) -> tuple[np.ndarray, np.ndarray]:
        """Returns S samples [S, D] around the mean, and their parents' ids: the best so far."""
        draw_key, reach_key = keys.split(key)
        reach = np.exp(keys.uniform(reach_key, (1, self.samples, 1), -self.reaching, self.reaching))
        z = keys.normal(draw_key, (1, self.samples, climber.ancestor.solutions.shape[1])) * np.float32(reach)
        known = climber.people if climber.steps else climber.ancestor
        return np.asarray(_sampled(self, self._state(climber), z))[0], known.ids[np.zeros(self.samples, int)]

    def tell(self, climber: Climber, children: Known) -> Climber:
        """The best 6 of people and children live on, as SERENE's do, and are the parents that the strategy adapts to."""
        both = selection.join([climber.people if climber.steps else climber.ancestor, children])
        people = both.take(np.argsort(-both.objective, kind="stable")[:PEOPLE])
        people = people.take(np.flatnonzero(people.objective > 0))
        state, new = self._state(climber), np.isin(people.ids, children.ids).any()
        if new:
            n, room = len(people.ids), max(PEOPLE, self.samples)
            x, weights = np.repeat(state.mean[None], room, axis=1), np.zeros((1, room), np.float32)
            x[0, :n] = people.solutions
            weights[0, :n] = np.log(n + 0.5) - np.log(np.arange(1, n + 1))
            state = jax.tree.map(np.asarray, _updated(self, state, x, weights / weights.sum()))
        else:
            state = state._replace(sigma=state.sigma * np.float32(self.narrowing))
        least = np.float32(self.floor * self.shrink * climber.sigma)
        state = state._replace(sigma=np.maximum(state.sigma, least))
        mean = float(people.objective.sum()) / PEOPLE  # whose place is free is paid nothing: who joins is a gain
        return climbing.noted(climber._replace(people=people, evolving=state), mean, float(people.objective[0]))

    def ended(self, climber: Climber) -> bool:
        """Whether the last ``patience`` steps have brought nothing better, or the strategy is out of use."""
        if climber.evolving is not None and bool(_STRATEGIES[self.strategy].ended(climber.evolving)[0]):
            return True
        bests = climber.bests
        return len(bests) > self.patience and bests[-1] <= bests[-1 - self.patience] + self.least

    def _state(self, climber: Climber) -> Any:
        if climber.evolving is not None:
            return climber.evolving
        fresh = _STRATEGIES[self.strategy].fresh(climber.ancestor.solutions, self.shrink * climber.sigma, self.samples)
        return jax.tree.map(np.asarray, fresh)


@partial(jax.jit, static_argnums=0)
def _sampled(part: Evolving, state: strategies.State, z: Array) -> Array:
    return _STRATEGIES[part.strategy].sample(state, z)


@partial(jax.jit, static_argnums=0)
def _updated(part: Evolving, state: strategies.State, x: Array, weights: Array) -> strategies.State:
    strategy = _STRATEGIES[part.strategy]
    state = strategy.update(state, jnp.zeros_like(x), x, weights)
    state = state._replace(age=state.age + 1)
    return strategy.prepare(state, state.age[0].astype(int), part.samples)
