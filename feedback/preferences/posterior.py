"""What answers say about a linear map of features: its most probable value, and samples of its posterior.

N answers (padded), F feature length, M measures, R raters, C chains, S samples. z = W^T f; Δ = |z_x - z_b|² - |z_x - z_a|²;
e_r = sigmoid(u_r) / 2 is the share of rater r's answers that are slips each way; τ how close a call is too close:

    P(a) = e (1 - w) + (1 - 2e) σ(Δ - τ),   P(b) likewise with -Δ,   P(can't tell) = 2 e w + (1 - 2e) (σ(Δ + τ) - σ(Δ - τ))

with w = 1/3 and τ > 0 only where somebody could not tell (Rao and Kupper 1967 with lapses). W ~ N(0, 1 / λ).
"""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from qd.types import Array

CHAINS, SAMPLES = 8, 64  # samples kept of all that are drawn
STRETCH = 45  # steps of one walk: one program for long explorations and for short refreshments
_SLIP = -1.4  # logit at the start: 10 % slips
_LEAPS, _ACCEPT = 6, 0.8  # leapfrog steps; the share of proposals accepted that the step size is tuned to


class Theta(NamedTuple):
    weights: Array  # [F, M]
    slip: Array  # [R] u
    close: Array  # [] log τ


class Told(NamedTuple):
    """Answers as differences, in the coordinates in which the prior is round."""

    to_a: Array  # [N, F] x - a
    to_b: Array  # [N, F]
    said: Array  # int [N]
    rater: Array  # int [N]
    given: Array  # bool [N]


class Chains(NamedTuple):
    theta: Theta  # of each chain, [C, ...]
    stride: Array  # [C] step sizes


def log_density(theta: Theta, told: Told, prior: Array) -> Array:
    """Log of likelihood x prior; ``prior`` is λ."""
    delta = ((told.to_b @ theta.weights) ** 2).sum(1) - ((told.to_a @ theta.weights) ** 2).sum(1)
    likely = log_likelihood(delta, theta.slip, theta.close, told.said, told.rater, told.given)
    return likely + log_prior(theta.slip, theta.close) - prior * (theta.weights**2).sum() / 2


def log_likelihood(delta: Array, slip: Array, close: Array, said: Array, rater: Array, given: Array) -> Array:
    """Log probability of all answers given Δ [N], whatever map it comes from."""
    unsure = (given & (said == 0)).any()
    e = jax.nn.sigmoid(slip)[rater] / 2
    tau, w = jnp.where(unsure, jnp.exp(close), 0.0), jnp.where(unsure, 1 / 3, 0.0)
    toward = jnp.where(said == 0, 1, said) * delta
    tells = e * (1 - w) + (1 - 2 * e) * jax.nn.sigmoid(toward - tau)
    cannot = 2 * e * w + (1 - 2 * e) * (jax.nn.sigmoid(delta + tau) - jax.nn.sigmoid(delta - tau))
    return jnp.where(given, jnp.log(jnp.where(said == 0, cannot, tells) + 1e-9), 0).sum()


def log_prior(slip: Array, close: Array) -> Array:
    """u ~ N(-1, 1): slips of 13 % each way before anything is known; log τ likewise."""
    return -(((slip + 1) ** 2).sum() + (close + 1) ** 2) / 2


@partial(jax.jit, static_argnames=("measures", "raters", "steps"))
def climb(key: Array, told: Told, prior: Array, measures: int, raters: int, steps: int = 600) -> tuple[Theta, Array]:
    """Returns the modes that C restarts of full-batch Adam reach, and their log densities [C]."""
    length = told.to_a.shape[1]
    weights = 0.3 * jax.random.normal(jax.random.wrap_key_data(key), (CHAINS, length, measures))
    start = Theta(weights, jnp.full((CHAINS, raters), _SLIP), jnp.full(CHAINS, -1.0))
    adam = optax.adam(optax.cosine_decay_schedule(0.03, steps))
    downhill = jax.grad(lambda theta: -_densities(theta, told, prior).sum())

    def step(_: int, carry: tuple) -> tuple:
        theta, memory = carry
        update, memory = adam.update(downhill(theta), memory)
        return optax.apply_updates(theta, update), memory

    theta, _ = jax.lax.fori_loop(0, steps, step, (start, adam.init(start)))
    return theta, _densities(theta, told, prior)


@jax.jit
def walk(key: Array, chains: Chains, told: Told, prior: Array, burn: Array) -> tuple[Chains, Theta, Array]:
    """A stretch of Hamiltonian Monte Carlo (Neal 2011); while ``burn`` steps last, each chain tunes its step size.

    Returns:
        the chains as they stand, S samples [S, ...] and the mean of W W^T [F, F], both of what came after burning in.
    """
    density = lambda theta: _densities(theta, told, prior)
    slope = jax.grad(lambda theta: density(theta).sum())

    def step(carry: tuple, t: Array) -> tuple:
        theta, value, stride, gram, this = carry
        this, momentum_key, accept_key = jax.random.split(this, 3)
        momentum = _momentum(momentum_key, theta)
        moved, kick = _leapfrog(theta, momentum, stride, slope)
        proposed = density(moved)
        log_ratio = proposed - value + _energy(momentum) - _energy(kick)
        chance = jnp.where(jnp.isfinite(log_ratio), jnp.exp(jnp.minimum(log_ratio, 0)), 0)
        taken = jax.random.uniform(accept_key, chance.shape) < chance
        theta = jax.tree.map(lambda new, old: jnp.where(_like(taken, new), new, old), moved, theta)
        stride = jnp.where(t < burn, stride * jnp.exp(0.1 * (chance - _ACCEPT)), stride)
        w = theta.weights
        gram = gram + jnp.where(t < burn, 0, jnp.einsum("cfm,cgm->fg", w, w))
        return (theta, jnp.where(taken, proposed, value), stride, gram, this), theta

    length = told.to_a.shape[1]
    start = (chains.theta, density(chains.theta), chains.stride, jnp.zeros((length, length)), jax.random.wrap_key_data(key))
    (theta, _, stride, gram, _), path = jax.lax.scan(step, start, jnp.arange(STRETCH))
    every = jnp.linspace(jnp.minimum(burn, STRETCH - 1), STRETCH - 1, SAMPLES // CHAINS).astype(int)
    kept = jax.tree.map(lambda column: column[every].reshape(SAMPLES, *column.shape[2:]), path)
    return Chains(theta, stride), kept, gram / (CHAINS * jnp.maximum(STRETCH - burn, 1))


def explore(keys: Array, theta: Theta, told: Told, prior: float) -> tuple[Chains, Theta, Array]:
    """Walks one stretch for each key [K, 2] from modes ``theta`` [C, ...], the first third to burn in; returns as ``walk``."""
    chains = Chains(theta, jnp.full(CHAINS, 0.02))
    burning, grams, samples = len(keys) // 3, [], []
    for i, key in enumerate(keys):
        chains, kept, gram = walk(key, chains, told, prior, STRETCH if i < burning else 0)
        if i >= burning:
            samples.append(kept)
            grams.append(gram)
    thin = lambda *columns: np.concatenate([np.asarray(column) for column in columns])[:: len(grams)]
    return chains, jax.tree.map(thin, *samples), np.mean(grams, axis=0)


@jax.jit
def curvature(key: Array, theta: Theta, told: Told, prior: Array) -> Theta:
    """S samples around a mode, by the curvature there (Laplace's approximation); slips and closeness stay as they are."""
    shape = theta.weights.shape
    bent = lambda flat: -log_density(theta._replace(weights=flat.reshape(shape)), told, prior)
    values, axes = jnp.linalg.eigh(jax.hessian(bent)(theta.weights.reshape(-1)))
    noise = jax.random.normal(jax.random.wrap_key_data(key), (SAMPLES, values.size))
    samples = theta.weights.reshape(-1) + (noise / jnp.sqrt(jnp.maximum(values, prior))) @ axes.T
    return Theta(samples.reshape(SAMPLES, *shape), *(jnp.broadcast_to(x, (SAMPLES, *x.shape)) for x in theta[1:]))


def _densities(theta: Theta, told: Told, prior: Array) -> Array:
    return jax.vmap(log_density, in_axes=(0, None, None))(theta, told, prior)


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
