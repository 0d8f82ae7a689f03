"""Measures learned from answers to "is a or b more like x?" by a small network, where no linear map of the features will do.

The likelihood is that of ``feedback.preferences.posterior``: slips and "can't tell" are learned. The network is the most
probable of many restarts, for its likelihood has many peaks. It wants more answers than a linear map; try
``feedback.descriptors.triplets`` first.

N answers, F feature length, H hidden units, K restarts, M measures, R raters.
"""

from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from feedback.descriptors.scaling import Box, around, check_varies, into_bounds
from feedback.features import flat
from feedback.preferences import comparisons as answers
from feedback.preferences.comparisons import Answers
from feedback.preferences.posterior import log_likelihood, log_prior
from qd import keys
from qd.support.errors import UserError
from qd.types import Array, Features, Fresh, Rows


class Network(NamedTuple):
    straight: Array  # [F, M] past the hidden layer
    inner: Array  # [F, H]
    bias: Array  # [H]
    outer: Array  # [H, M]


class Taught(NamedTuple):
    answers: Answers
    fits: Array  # int32 []
    middle: Array  # [F] of the elites' features, and their one scale
    scale: Array  # []
    network: Network
    box: Box
    slips: Array  # [R] share of each rater's answers that are flipped


@dataclass(frozen=True)
class TripletNetwork:
    """z = W0 f + W2 tanh(W1 f + b), weights ~ N(0, 1 / prior). Asks ``spend[i]`` questions about random elites at fit i."""

    judge: Any = field(compare=False)  # asked in fit only: learners that differ only in it share their programs
    reads: tuple[str, ...]
    spend: tuple[int, ...] = (100, 100, 100, 100)
    measures: int = 2
    hidden: int = 16
    restarts: int = 16
    steps: int = 600  # of full-batch Adam
    prior: float = 1.0
    raters: int = 1
    pure: bool = True
    learns: bool = True

    def __post_init__(self) -> None:
        if min(self.hidden, self.restarts, self.steps, self.raters, *self.spend[:1]) < 1 or not self.spend:
            raise UserError("hidden, restarts, steps, raters and the first of spend must be 1 or more")

    @property
    def bounds(self) -> tuple[tuple[float, float], ...]:
        return ((-1.0, 1.0),) * self.measures

    def init(self, key: Array, rows: Rows, fresh: Fresh) -> Taught:
        given = answers.none(sum(self.spend), flat(rows.features, self.reads).shape[1])
        return self._taught(key, given, 0, rows)

    def fit(self, key: Array, params: Taught, rows: Rows, fresh: Fresh) -> Taught:
        """Asks more questions, and fits anew to all answers; after the last of ``spend`` it asks no more."""
        return self._taught(key, params.answers, int(params.fits), rows)

    def __call__(self, params: Taught, features: Features) -> Array:
        x = (flat(features, self.reads) - params.middle) / params.scale
        return into_bounds(_through(params.network, x), params.box)

    def agreement(self, params: Taught) -> tuple[int, int]:
        """Returns how many of the clear answers this map agrees with, and how many there are."""
        return answers.agreement(self, params)

    def _taught(self, key: Array, given: Answers, fits: int, rows: Rows) -> Taught:
        x = np.asarray(flat(rows.features, self.reads), np.float32)
        check_varies(x, self.reads, 3)
        ask_key, fit_key = keys.split(key)
        if fits < len(self.spend) and self.spend[fits]:
            triplets = answers.distinct(ask_key, self.spend[fits], len(x))
            given = answers.ask(self.judge, given, rows, triplets, self.reads, self.raters)
        middle, scale = x.mean(0), np.float32(np.sqrt(x.var(0).mean()))
        there = np.arange(len(given.said)) < int(given.count)
        shown = (given.shown - middle) / scale
        network, slip = jax.tree.map(np.asarray, _train(self, fit_key, shown, given.said, given.rater, there))
        box = around(np.asarray(_through(network, (x - middle) / scale)))
        slips = np.asarray(0.5 / (1 + np.exp(-slip)), np.float32)
        return Taught(given, np.int32(fits + 1), middle, scale, network, box, slips)


@partial(jax.jit, static_argnums=0)
def _train(learner: TripletNetwork, key: Array, shown: Array, said: Array, rater: Array, given: Array) -> tuple[Network, Array]:
    """Returns the best of K restarts, and the logits of its slips [R]."""

    def cost(theta: tuple[Network, Array, Array]) -> Array:
        network, slip, close = theta
        x, a, b = (_through(network, shown[:, i]) for i in range(3))
        delta = ((x - b) ** 2).sum(1) - ((x - a) ** 2).sum(1)
        size = sum((leaf**2).sum() for leaf in network)
        return learner.prior * size / 2 - log_likelihood(delta, slip, close, said, rater, given) - log_prior(slip, close)

    adam = optax.adam(optax.cosine_decay_schedule(0.03, learner.steps))

    def step(_: int, carry: tuple) -> tuple:
        theta, memory = carry
        update, memory = adam.update(jax.grad(cost)(theta), memory)
        return optax.apply_updates(theta, update), memory

    def climb(start_key: Array) -> tuple[tuple[Network, Array, Array], Array]:
        start = (_fresh(learner, start_key, shown.shape[2]), jnp.full(learner.raters, -1.4), jnp.float32(-1.0))
        theta, _ = jax.lax.fori_loop(0, learner.steps, step, (start, adam.init(start)))
        return theta, cost(theta)

    found, costs = jax.vmap(climb)(jax.random.split(jax.random.wrap_key_data(key), learner.restarts))
    network, slip, _ = jax.tree.map(lambda column: column[jnp.nanargmin(costs)], found)
    return network, slip


def _through(network: Network, x: Array) -> Array:
    return x @ network.straight + jnp.tanh(x @ network.inner + network.bias) @ network.outer


def _fresh(learner: TripletNetwork, key: Array, length: int) -> Network:
    straight, inner, bias, outer = jax.random.split(key, 4)
    return Network(
        0.3 * jax.random.normal(straight, (length, learner.measures)),
        1.5 * jax.random.normal(inner, (length, learner.hidden)) / length**0.5,
        jax.random.normal(bias, (learner.hidden,)),
        0.5 * jax.random.normal(outer, (learner.hidden, learner.measures)) / learner.hidden**0.5,
    )
