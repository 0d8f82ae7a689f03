"""Measures learned from answers to "is a or b more like x?" by a small network, where no linear map of the features will do.

The likelihood is that of ``feedback.preferences.posterior``: lapse rates and "can't tell" are learned. The network is the most
probable of many restarts, for its likelihood has many peaks. It needs more answers than a linear map; try
``feedback.descriptors.triplets`` first.

N answers, F feature length, H hidden units, K restarts, M measures, R raters.
"""

from dataclasses import dataclass, field
from functools import partial
from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from feedback.descriptors.scaling import Box, around, check_varies, into_bounds
from feedback.features import flat
from feedback.preferences import comparisons
from feedback.preferences.comparisons import Answers
from feedback.preferences.posterior import log_likelihood, log_prior
from qd import keys
from qd.support.errors import UserError
from qd.types import Array, Features, Fresh, Rows


class NetworkWeights(NamedTuple):
    """Weights of a network with one hidden layer and a linear path past it."""

    straight: Array  # [F, M] past the hidden layer
    inner: Array  # [F, H]
    bias: Array  # [H]
    outer: Array  # [H, M]


class TripletNetworkParams(NamedTuple):
    """What a triplet network has learned."""

    answers: Answers
    fits: Array  # int32 []
    middle: Array  # [F] of the elites' features, and their one scale
    scale: Array  # []
    network: NetworkWeights
    box: Box
    lapse_rates: Array  # [R] share of each rater's answers that are slips, each way


@dataclass(frozen=True)
class TripletNetwork:
    """z = W0 f + W2 tanh(W1 f + b), weights ~ N(0, 1 / prior).

    Asks ``questions_per_fit[i]`` questions about random elites at fit i.
    """

    judge: Any = field(compare=False)  # used in fit only: learners that differ only in it share compiled programs
    reads: tuple[str, ...]
    questions_per_fit: tuple[int, ...] = (100, 100, 100, 100)
    measures: int = 2
    hidden: int = 16
    restarts: int = 16
    steps: int = 600  # of full-batch Adam
    prior: float = 1.0
    raters: int = 1
    pure: bool = True
    learns: bool = True
    fewest: ClassVar[int] = 3  # solutions that a fit needs

    def __post_init__(self) -> None:
        if (
            min(self.hidden, self.restarts, self.steps, self.raters, *self.questions_per_fit[:1]) < 1
            or not self.questions_per_fit
        ):
            raise UserError("hidden, restarts, steps, raters and the first of questions_per_fit must be 1 or more")

    @property
    def bounds(self) -> tuple[tuple[float, float], ...]:
        """M pairs (-1, 1)."""
        return ((-1.0, 1.0),) * self.measures

    def init(self, key: Array, rows: Rows, fresh: Fresh) -> TripletNetworkParams:
        """Asks the first questions about the initial population, and fits.

        Args:
            key: of questions and initial weights.
            rows: generation 0, features [N, ...].
            fresh: unused.

        Returns:
            Answers, network and lapse rates.

        Raises:
            UserError: fewer than three rows, the rows do not vary, or the judge answers other than 1, -1 and 0.
        """
        buffer = comparisons.empty(sum(self.questions_per_fit), flat(rows.features, self.reads).shape[1])
        return self._ask_and_fit(key, buffer, 0, rows)

    def fit(self, key: Array, params: TripletNetworkParams, rows: Rows, fresh: Fresh) -> TripletNetworkParams:
        """Asks more questions, and refits to all answers; after the last of ``questions_per_fit`` it asks no more.

        Args:
            key: of questions and initial weights.
            params: with the answers so far.
            rows: elites and whatever else is learned from, features [N, ...].
            fresh: unused.

        Returns:
            Answers, network and lapse rates.

        Raises:
            UserError: fewer than three rows, the rows do not vary, or the judge answers other than 1, -1 and 0.
        """
        return self._ask_and_fit(key, params.answers, int(params.fits), rows)

    def __call__(self, params: TripletNetworkParams, features: Features) -> Array:
        """Applies the network; arguments as in ``Descriptor``."""
        x = (flat(features, self.reads) - params.middle) / params.scale
        return into_bounds(_through(params.network, x), params.box)

    def agreement(self, params: TripletNetworkParams) -> tuple[int, int]:
        """Returns how many of the clear answers this map agrees with, and how many there are."""
        return comparisons.agreement(self, params)

    def _ask_and_fit(self, key: Array, buffer: Answers, fits: int, rows: Rows) -> TripletNetworkParams:
        x = np.asarray(flat(rows.features, self.reads), np.float32)
        check_varies(x, self.reads, self.fewest)
        ask_key, fit_key = keys.split(key)
        if fits < len(self.questions_per_fit) and self.questions_per_fit[fits]:
            triplets = comparisons.distinct(ask_key, self.questions_per_fit[fits], len(x))
            buffer = comparisons.ask(self.judge, buffer, rows, triplets, self.reads, self.raters)
        middle, scale = x.mean(0), np.float32(np.sqrt(x.var(0).mean()))
        valid = np.arange(len(buffer.answer)) < int(buffer.count)
        features = (buffer.features - middle) / scale
        network, lapse_logit = jax.tree.map(np.asarray, _train(self, fit_key, features, buffer.answer, buffer.rater, valid))
        box = around(np.asarray(_through(network, (x - middle) / scale)))
        lapse_rates = np.asarray(0.5 / (1 + np.exp(-lapse_logit)), np.float32)
        return TripletNetworkParams(buffer, np.int32(fits + 1), middle, scale, network, box, lapse_rates)


@partial(jax.jit, static_argnums=0)
def _train(
    learner: TripletNetwork, key: Array, features: Array, answer: Array, rater: Array, valid: Array
) -> tuple[NetworkWeights, Array]:
    """Returns the best of K restarts, and the logits of its lapse_rates [R]."""

    def cost(theta: tuple[NetworkWeights, Array, Array]) -> Array:
        network, lapse_logit, log_tie_threshold = theta
        x, a, b = (_through(network, features[:, i]) for i in range(3))
        delta = ((x - b) ** 2).sum(1) - ((x - a) ** 2).sum(1)
        size = sum((leaf**2).sum() for leaf in network)
        return (
            learner.prior * size / 2
            - log_likelihood(delta, lapse_logit, log_tie_threshold, answer, rater, valid)
            - log_prior(lapse_logit, log_tie_threshold)
        )

    adam = optax.adam(optax.cosine_decay_schedule(0.03, learner.steps))

    def step(_: int, carry: tuple) -> tuple:
        theta, memory = carry
        update, memory = adam.update(jax.grad(cost)(theta), memory)
        return optax.apply_updates(theta, update), memory

    def find_mode(start_key: Array) -> tuple[tuple[NetworkWeights, Array, Array], Array]:
        start = (_fresh(learner, start_key, features.shape[2]), jnp.full(learner.raters, -1.4), jnp.float32(-1.0))
        theta, _ = jax.lax.fori_loop(0, learner.steps, step, (start, adam.init(start)))
        return theta, cost(theta)

    modes, costs = jax.vmap(find_mode)(jax.random.split(jax.random.wrap_key_data(key), learner.restarts))
    network, lapse_logit, _ = jax.tree.map(lambda column: column[jnp.nanargmin(costs)], modes)
    return network, lapse_logit


def _through(network: NetworkWeights, x: Array) -> Array:
    return x @ network.straight + jnp.tanh(x @ network.inner + network.bias) @ network.outer


def _fresh(learner: TripletNetwork, key: Array, length: int) -> NetworkWeights:
    straight, inner, bias, outer = jax.random.split(key, 4)
    return NetworkWeights(
        0.3 * jax.random.normal(straight, (length, learner.measures)),
        1.5 * jax.random.normal(inner, (length, learner.hidden)) / length**0.5,
        jax.random.normal(bias, (learner.hidden,)),
        0.5 * jax.random.normal(outer, (learner.hidden, learner.measures)) / learner.hidden**0.5,
    )
