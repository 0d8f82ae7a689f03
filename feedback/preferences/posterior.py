"""The posterior of a linear map of features, given answers to comparisons: its mode, and samples.

N answers (padded), F feature length, M measures, R raters, C chains, S samples. z = W^T f; Δ = |z_x - z_b|² - |z_x - z_a|²;
e_r = sigmoid(u_r) / 2 is rater r's lapse rate each way; τ is the tie threshold:

    P(a) = e (1 - w) + (1 - 2e) σ(Δ - τ),   P(b) likewise with -Δ,   P(can't tell) = 2 e w + (1 - 2e) (σ(Δ + τ) - σ(Δ - τ))

with w = 1/3 and τ > 0 only where an answer is "can't tell" (Rao and Kupper 1967 with lapses). W ~ N(0, 1 / λ).
"""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from qd.types import Array

CHAINS, SAMPLES = 8, 64  # samples: evenly chosen among all that are drawn
SEGMENT = 45  # steps of one segment: one program for long explorations and short refreshes
_LAPSE_LOGIT = -1.4  # initial logit: 10 % lapses
_LEAPS, _ACCEPT = 6, 0.8  # leapfrog steps; the share of proposals accepted that the step size is tuned to


class Theta(NamedTuple):
    """One map with its lapse rates and tie threshold, or several along leading axes."""

    weights: Array  # [F, M]
    lapse_logit: Array  # [R] u
    log_tie_threshold: Array  # [] log τ


class Comparisons(NamedTuple):
    """Answers as differences, in the coordinates in which the prior is round."""

    to_a: Array  # [N, F] x - a
    to_b: Array  # [N, F]
    answer: Array  # int [N]
    rater: Array  # int [N]
    valid: Array  # bool [N]


class Chains(NamedTuple):
    """C chains of Hamiltonian Monte Carlo."""

    theta: Theta  # of each chain, [C, ...]
    stride: Array  # [C] step sizes


def log_density(theta: Theta, comparisons: Comparisons, prior: Array) -> Array:
    """Log of likelihood x prior, up to a constant.

    Args:
        theta: one map W [F, M], with lapse rates and tie threshold.
        comparisons: N answers.
        prior: λ, the precision of each weight.

    Returns:
        Nats, [].
    """
    delta = ((comparisons.to_b @ theta.weights) ** 2).sum(1) - ((comparisons.to_a @ theta.weights) ** 2).sum(1)
    likely = log_likelihood(
        delta, theta.lapse_logit, theta.log_tie_threshold, comparisons.answer, comparisons.rater, comparisons.valid
    )
    return likely + log_prior(theta.lapse_logit, theta.log_tie_threshold) - prior * (theta.weights**2).sum() / 2


def log_likelihood(
    delta: Array, lapse_logit: Array, log_tie_threshold: Array, answer: Array, rater: Array, valid: Array
) -> Array:
    """Log probability of all answers given Δ, whatever map it comes from (Rao and Kupper 1967 with lapses).

    Args:
        delta: Δ, [N].
        lapse_logit: u, [R].
        log_tie_threshold: log τ, []; without effect where no answer is "can't tell".
        answer: 1 for a, -1 for b, 0 can't tell, [N].
        rater: index of each answer's rater, [N].
        valid: bool [N]; False where the buffer is padded.

    Returns:
        Nats, [].
    """
    unsure = (valid & (answer == 0)).any()
    e = jax.nn.sigmoid(lapse_logit)[rater] / 2
    tau, w = jnp.where(unsure, jnp.exp(log_tie_threshold), 0.0), jnp.where(unsure, 1 / 3, 0.0)
    toward = jnp.where(answer == 0, 1, answer) * delta
    tells = e * (1 - w) + (1 - 2 * e) * jax.nn.sigmoid(toward - tau)
    cannot = 2 * e * w + (1 - 2 * e) * (jax.nn.sigmoid(delta + tau) - jax.nn.sigmoid(delta - tau))
    return jnp.where(valid, jnp.log(jnp.where(answer == 0, cannot, tells) + 1e-9), 0).sum()


def log_prior(lapse_logit: Array, log_tie_threshold: Array) -> Array:
    """u ~ N(-1, 1): a lapse rate of 13 % each way a priori; log τ likewise.

    Args:
        lapse_logit: u, [R].
        log_tie_threshold: log τ, [].

    Returns:
        Log density in nats, up to a constant, [].
    """
    return -(((lapse_logit + 1) ** 2).sum() + (log_tie_threshold + 1) ** 2) / 2


@partial(jax.jit, static_argnames=("measures", "raters", "steps"))
def find_modes(
    key: Array, comparisons: Comparisons, prior: Array, measures: int, raters: int, steps: int = 600
) -> tuple[Theta, Array]:
    """Returns the modes that C restarts of full-batch Adam reach.

    Args:
        key: of the initial weights, as key data.
        comparisons: N answers.
        prior: λ, the precision of each weight.
        measures: M.
        raters: R.
        steps: of Adam, with a learning rate that falls from 0.03 to 0.

    Returns:
        The modes [C, ...] and their log densities in nats, [C].
    """
    length = comparisons.to_a.shape[1]
    weights = 0.3 * jax.random.normal(jax.random.wrap_key_data(key), (CHAINS, length, measures))
    start = Theta(weights, jnp.full((CHAINS, raters), _LAPSE_LOGIT), jnp.full(CHAINS, -1.0))
    adam = optax.adam(optax.cosine_decay_schedule(0.03, steps))
    downhill = jax.grad(lambda theta: -_densities(theta, comparisons, prior).sum())

    def step(_: int, carry: tuple) -> tuple:
        theta, memory = carry
        update, memory = adam.update(downhill(theta), memory)
        return optax.apply_updates(theta, update), memory

    theta, _ = jax.lax.fori_loop(0, steps, step, (start, adam.init(start)))
    return theta, _densities(theta, comparisons, prior)


@jax.jit
def hmc_segment(key: Array, chains: Chains, comparisons: Comparisons, prior: Array, burn: Array) -> tuple[Chains, Theta, Array]:
    """One segment of Hamiltonian Monte Carlo (Neal 2011); while ``burn`` steps last, each chain tunes its step size.

    Args:
        key: of momenta and acceptance, as key data.
        chains: C chains, with their step sizes.
        comparisons: N answers.
        prior: λ, the precision of each weight.
        burn: steps of the segment's 45 that burn in, [].

    Returns:
        the chains as they stand, S samples [S, ...] and the mean of W W^T [F, F], both of what came after burning in; where
        the whole segment burns in, S samples that repeat its last step, and zeros.
    """
    density = lambda theta: _densities(theta, comparisons, prior)
    slope = jax.grad(lambda theta: density(theta).sum())

    def step(carry: tuple, t: Array) -> tuple:
        theta, value, stride, gram, this = carry
        this, momentum_key, accept_key = jax.random.split(this, 3)
        momentum = _momentum(momentum_key, theta)
        proposal, kick = _leapfrog(theta, momentum, stride, slope)
        new_value = density(proposal)
        log_ratio = new_value - value + _energy(momentum) - _energy(kick)
        chance = jnp.where(jnp.isfinite(log_ratio), jnp.exp(jnp.minimum(log_ratio, 0)), 0)
        accept = jax.random.uniform(accept_key, chance.shape) < chance
        theta = jax.tree.map(lambda new, old: jnp.where(_like(accept, new), new, old), proposal, theta)
        stride = jnp.where(t < burn, stride * jnp.exp(0.1 * (chance - _ACCEPT)), stride)
        w = theta.weights
        gram = gram + jnp.where(t < burn, 0, jnp.einsum("cfm,cgm->fg", w, w))
        return (theta, jnp.where(accept, new_value, value), stride, gram, this), theta

    length = comparisons.to_a.shape[1]
    start = (chains.theta, density(chains.theta), chains.stride, jnp.zeros((length, length)), jax.random.wrap_key_data(key))
    (theta, _, stride, gram, _), path = jax.lax.scan(step, start, jnp.arange(SEGMENT))
    indices = jnp.linspace(jnp.minimum(burn, SEGMENT - 1), SEGMENT - 1, SAMPLES // CHAINS).astype(int)
    segment_samples = jax.tree.map(lambda column: column[indices].reshape(SAMPLES, *column.shape[2:]), path)
    return Chains(theta, stride), segment_samples, gram / (CHAINS * jnp.maximum(SEGMENT - burn, 1))


def explore(keys: Array, theta: Theta, comparisons: Comparisons, prior: float) -> tuple[Chains, Theta, Array]:
    """Runs K segments of Hamiltonian Monte Carlo one after the other, the first third to burn in.

    Args:
        keys: one for each segment, as key data, [K, 2].
        theta: where the C chains start, the modes [C, ...].
        comparisons: N answers.
        prior: λ, the precision of each weight.

    Returns:
        The chains as they stand, S samples [S, ...] thinned from the segments after burning in, and those segments' mean of
        W W^T, [F, F].
    """
    chains = Chains(theta, jnp.full(CHAINS, 0.02))
    burning, grams, samples = len(keys) // 3, [], []
    for i, key in enumerate(keys):
        chains, segment_samples, gram = hmc_segment(key, chains, comparisons, prior, SEGMENT if i < burning else 0)
        if i >= burning:
            samples.append(segment_samples)
            grams.append(gram)
    thin = lambda *columns: np.concatenate([np.asarray(column) for column in columns])[:: len(grams)]
    return chains, jax.tree.map(thin, *samples), np.mean(grams, axis=0)


@jax.jit
def curvature(key: Array, theta: Theta, comparisons: Comparisons, prior: Array) -> Theta:
    """S samples around a mode, by the curvature there (Laplace's approximation); lapse rates and tie threshold are fixed.

    Args:
        key: of the samples, as key data.
        theta: the mode, W [F, M].
        comparisons: N answers.
        prior: λ, the precision of each weight; no curvature counts as less.

    Returns:
        S samples [S, ...]; only their weights [S, F, M] differ.
    """
    shape = theta.weights.shape
    negative = lambda flat: -log_density(theta._replace(weights=flat.reshape(shape)), comparisons, prior)
    values, axes = jnp.linalg.eigh(jax.hessian(negative)(theta.weights.reshape(-1)))
    noise = jax.random.normal(jax.random.wrap_key_data(key), (SAMPLES, values.size))
    samples = theta.weights.reshape(-1) + (noise / jnp.sqrt(jnp.maximum(values, prior))) @ axes.T
    return Theta(samples.reshape(SAMPLES, *shape), *(jnp.broadcast_to(x, (SAMPLES, *x.shape)) for x in theta[1:]))


def _densities(theta: Theta, comparisons: Comparisons, prior: Array) -> Array:
    return jax.vmap(log_density, in_axes=(0, None, None))(theta, comparisons, prior)


def _leapfrog(theta: Theta, momentum: Theta, stride: Array, slope: Any) -> tuple[Theta, Theta]:
    def add(x: Theta, y: Theta, share: Array | float) -> Theta:
        return jax.tree.map(lambda p, q: p + share * _like(stride, q) * q, x, y)

    def leap(i: int, carry: tuple) -> tuple:
        theta, momentum = carry
        theta = add(theta, momentum, 1.0)
        return theta, add(momentum, slope(theta), jnp.where(i == _LEAPS - 1, 0.5, 1.0))

    return jax.lax.fori_loop(0, _LEAPS, leap, (theta, add(momentum, slope(theta), 0.5)))


def _momentum(key: Array, theta: Theta) -> Theta:
    leaves, tree = jax.tree.flatten(theta)
    each = jax.random.split(key, len(leaves))
    return tree.unflatten([jax.random.normal(k, leaf.shape) for k, leaf in zip(each, leaves, strict=True)])


def _energy(momentum: Theta) -> Array:
    return sum((leaf.reshape(CHAINS, -1) ** 2).sum(1) for leaf in jax.tree.leaves(momentum)) / 2  # type: ignore[return-value]


def _like(column: Array, other: Array) -> Array:
    return column.reshape(column.shape + (1,) * (other.ndim - 1))
