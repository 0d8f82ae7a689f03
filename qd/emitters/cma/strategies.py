"""Evolution strategies in JAX, many side by side: full and separable CMA-ES, and LM-MA-ES.

The emitter ranks and selects; a strategy receives weights of its samples that sum to 1 (0: the sample is no parent).

E strategies, b samples of each, D genes, V direction vectors. Everything is float32.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import jax
import jax.numpy as jnp

from qd.types import Array

_CONDITION, _SMALL = 1e14, 1e-11  # pycma's tolerances, as pyribs has them


class StrategyState(NamedTuple):
    mean: Array  # [E, D]
    sigma: Array  # [E]
    path: Array  # [E, D] p_sigma
    age: Array  # [E] generations
    shape: Any  # of the distribution: the strategy's own state


class Strategy(Protocol):
    """E evolution strategies of one kind; the state holds all that changes."""

    def fresh(self, mean: Array, sigma0: float, samples: int) -> StrategyState:
        """Starts E strategies.

        Args:
            mean: [E, D].
            sigma0: first step size, in the units of the genes.
            samples: b, solutions of each per generation.

        Returns:
            The state before the first generation.
        """
        ...

    def prepare(self, state: StrategyState, turn: Array, samples: int) -> StrategyState:
        """Does the work that is due only once in several generations.

        Args:
            state: of E strategies.
            turn: number of this generation.
            samples: b, solutions of each per generation.

        Returns:
            The state to sample from.
        """
        ...

    def sample(self, state: StrategyState, z: Array) -> Array:
        """Turns normal draws into solutions.

        Args:
            state: of E strategies.
            z: [E, b, D] ~ N(0, I).

        Returns:
            Solutions [E, b, D].
        """
        ...

    def update(self, state: StrategyState, z: Array, x: Array, weights: Array) -> StrategyState:
        """Adapts to the samples; ``advance`` then restores strategies without parents.

        Args:
            state: that the samples were drawn from.
            z: [E, b, D] the normal draws; only LM-MA-ES uses them.
            x: [E, b, D] the solutions.
            weights: [E, b], summing to 1; 0 for a sample that is no parent.

        Returns:
            The adapted state, of the same age.
        """
        ...

    def should_stop(self, state: StrategyState) -> Array:
        """Whether each [E] has become too small or too ill-conditioned to go on."""
        ...


class Covariance(NamedTuple):
    path: Array  # [E, D] p_c
    matrix: Array  # [E, D, D] C
    basis: Array  # [E, D, D] eigenvectors of C, and
    scales: Array  # [E, D] the square roots of its eigenvalues, when it was last decomposed


@dataclass(frozen=True)
class Full:
    """CMA-ES (Hansen 2016, arXiv:1604.00772, without negative weights); pyribs' settings.

    Two differences from pyribs 0.12: it multiplies the rank-one update by c_1 twice, and does not divide the step that
    enters p_c by sigma; here both are the tutorial's. The decomposition is done for all strategies at once.
    """

    def fresh(self, mean: Array, sigma0: float, samples: int) -> StrategyState:
        """Arguments as in ``Strategy``."""
        e, d = mean.shape
        eye = jnp.broadcast_to(jnp.eye(d), (e, d, d))
        shape = Covariance(jnp.zeros((e, d)), eye, eye, jnp.ones((e, d)))
        return StrategyState(mean, jnp.full(e, sigma0, jnp.float32), jnp.zeros((e, d)), jnp.zeros(e), shape)

    def prepare(self, state: StrategyState, turn: Array, samples: int) -> StrategyState:
        """Decomposes C when it has changed enough to matter (Hansen 2016, B.2); arguments as in ``Strategy``."""
        due = turn % self.period(state.mean.shape[1], samples) == 0

        def decompose() -> tuple[Array, Array]:
            values, vectors = jnp.linalg.eigh(state.shape.matrix, symmetrize_input=False)
            return vectors, jnp.sqrt(jnp.abs(values))

        basis, scales = jax.lax.cond(due, decompose, lambda: (state.shape.basis, state.shape.scales))
        return state._replace(shape=state.shape._replace(basis=basis, scales=scales))

    def period(self, dim: int, samples: int) -> int:
        """Generations from one decomposition to the next (Hansen 2016, B.2).

        Args:
            dim: D.
            samples: b.

        Returns:
            1 or more.
        """
        half = samples // 2
        raw = [math.log(half + 0.5) - math.log(k + 1) for k in range(half)]
        mass = sum(raw) ** 2 / sum(w * w for w in raw)
        _, _, c1, cmu = _rates(dim, mass, least=min)
        return max(1, math.ceil(0.5 / ((c1 + cmu) * dim)))

    def sample(self, state: StrategyState, z: Array) -> Array:
        """Arguments as in ``Strategy``."""
        shape = state.shape
        return state.mean[:, None] + state.sigma[:, None, None] * jnp.einsum(
            "ebk,edk->ebd", z * shape.scales[:, None], shape.basis
        )

    def update(self, state: StrategyState, z: Array, x: Array, weights: Array) -> StrategyState:
        """See ``Strategy``.

        Args:
            state: that the samples were drawn from.
            z: [E, b, D] the normal draws.
            x: [E, b, D] the solutions.
            weights: [E, b], summing to 1.
        """
        shape = state.shape
        cc, cs, c1, cmu = _rates(x.shape[2], _mass(weights))
        steps = (x - state.mean[:, None]) / state.sigma[:, None, None]  # y_i
        step = jnp.einsum("eb,ebd->ed", weights, steps)  # <y>_w
        coordinates = jnp.einsum("edk,ed->ek", shape.basis, step) / shape.scales
        state, path, heavy = _move(state, shape.path, step, jnp.einsum("edk,ek->ed", shape.basis, coordinates), weights, cc, cs)
        keep, c1, cmu = (_column(c, 3) for c in (1 - c1 * (1 - (1 - heavy) * cc * (2 - cc)) - cmu, c1, cmu))  # eq. 47
        spread = jnp.einsum("ebi,ebj->eij", weights[:, :, None] * steps, steps)
        matrix = keep * shape.matrix + c1 * path[:, :, None] * path[:, None, :] + cmu * spread
        return state._replace(shape=shape._replace(path=path, matrix=matrix))

    def should_stop(self, state: StrategyState) -> Array:
        return _out_of_use(state, state.shape.scales**2)


class Variances(NamedTuple):
    path: Array  # [E, D] p_c
    values: Array  # [E, D] diagonal of C


@dataclass(frozen=True)
class Separable:
    """sep-CMA-ES (Ros and Hansen 2008) with pycma's learning rates, as in pyribs; for many dimensions.

    It differs from pyribs 0.12 as ``Full`` does.
    """

    def fresh(self, mean: Array, sigma0: float, samples: int) -> StrategyState:
        """Arguments as in ``Strategy``."""
        zeros, e = jnp.zeros_like(mean), len(mean)
        return StrategyState(mean, jnp.full(e, sigma0, jnp.float32), zeros, jnp.zeros(e), Variances(zeros, jnp.ones_like(mean)))

    def prepare(self, state: StrategyState, turn: Array, samples: int) -> StrategyState:
        """Nothing is due; arguments as in ``Strategy``."""
        return state

    def sample(self, state: StrategyState, z: Array) -> Array:
        """Arguments as in ``Strategy``."""
        return state.mean[:, None] + state.sigma[:, None, None] * jnp.sqrt(state.shape.values)[:, None] * z

    def update(self, state: StrategyState, z: Array, x: Array, weights: Array) -> StrategyState:
        """Arguments as in ``Full``."""
        shape = state.shape
        cc, cs, c1, cmu = _separable_rates(x.shape[2], _mass(weights))
        steps = (x - state.mean[:, None]) / state.sigma[:, None, None]
        step = jnp.einsum("eb,ebd->ed", weights, steps)
        state, path, heavy = _move(state, shape.path, step, step / jnp.sqrt(shape.values), weights, cc, cs)
        keep, c1, cmu = (_column(c, 2) for c in (1 - c1 * (1 - (1 - heavy) * cc * (2 - cc)) - cmu, c1, cmu))
        values = keep * shape.values + c1 * path**2 + cmu * jnp.einsum("eb,ebd->ed", weights, steps**2)
        return state._replace(shape=Variances(path, values))

    def should_stop(self, state: StrategyState) -> Array:
        return _out_of_use(state, state.shape.values)


@dataclass(frozen=True)
class LowMemory:
    """LM-MA-ES (Loshchilov et al. 2018, algorithm 1), with as many direction vectors as samples, as in pyribs."""

    def fresh(self, mean: Array, sigma0: float, samples: int) -> StrategyState:
        """Arguments as in ``Strategy``."""
        e, d = mean.shape
        return StrategyState(
            mean, jnp.full(e, sigma0, jnp.float32), jnp.zeros((e, d)), jnp.zeros(e), jnp.zeros((e, samples, d))
        )

    def prepare(self, state: StrategyState, turn: Array, samples: int) -> StrategyState:
        """Nothing is due; arguments as in ``Strategy``."""
        return state

    def sample(self, state: StrategyState, z: Array) -> Array:
        """Arguments as in ``Strategy``."""
        _, vectors, dim = state.shape.shape

        def transform(j: Array, d: Array) -> Array:  # line 8
            rate = 1 / (1.5**j * dim) * (j < state.age)[:, None, None]
            m = state.shape[:, j]
            return (1 - rate) * d + rate * m[:, None] * jnp.einsum("ed,ebd->eb", m, d)[:, :, None]

        return state.mean[:, None] + state.sigma[:, None, None] * jax.lax.fori_loop(0, vectors, transform, z)

    def update(self, state: StrategyState, z: Array, x: Array, weights: Array) -> StrategyState:
        """Arguments as in ``Full``."""
        samples, dim = x.shape[1:]
        mass = _column(_mass(weights), 2)
        cs = 2 * samples / dim
        cc = samples / (4.0 ** jnp.arange(state.shape.shape[1]) * dim)
        step = jnp.einsum("eb,ebd->ed", weights, z)
        path = (1 - cs) * state.path + jnp.sqrt(mass * cs * (2 - cs)) * step
        change = jnp.sqrt(mass * cc * (2 - cc))[:, :, None] * step[:, None]
        vectors = (1 - cc)[None, :, None] * state.shape + change
        sigma = state.sigma * jnp.exp(cs / 2 * ((path**2).sum(1) / dim - 1))
        return StrategyState(jnp.einsum("eb,ebd->ed", weights, x), sigma, path, state.age, vectors)

    def should_stop(self, state: StrategyState) -> Array:
        return (state.sigma < 1e-12) | ~jnp.isfinite(state.sigma)


def _move(
    state: StrategyState, path: Array, step: Array, white: Array, weights: Array, cc: Array, cs: Array
) -> tuple[StrategyState, Array, Array]:
    """Moves the mean, both paths and sigma; ``white`` [E, D] is C^(-1/2) times the step (eqs. 42 to 45)."""
    dim, mass, age = step.shape[1], _mass(weights), state.age + 1
    wide, cs_, cc_ = (_column(c, 2) for c in (mass, cs, cc))
    sigma_path = (1 - cs_) * state.path + jnp.sqrt(cs_ * (2 - cs_) * wide) * white
    length = (sigma_path**2).sum(1) / dim
    heavy = (length / (1 - (1 - cs) ** (2 * age)) < 2 + 4 / (dim + 1)).astype(jnp.float32)  # h_sigma
    path = (1 - cc_) * path + _column(heavy, 2) * jnp.sqrt(cc_ * (2 - cc_) * wide) * step
    damping = 1 + 2 * jnp.maximum(0, jnp.sqrt((mass - 1) / (dim + 1)) - 1) + cs
    sigma = state.sigma * jnp.exp(jnp.minimum(1, cs / damping * (length - 1) / 2))
    mean = state.mean + _column(state.sigma, 2) * step
    return state._replace(mean=mean, sigma=sigma, path=sigma_path), path, heavy


def advance(old: StrategyState, new: StrategyState, weights: Array) -> StrategyState:
    """Takes the new state where there were parents, and counts the generation.

    Args:
        old: E strategies before an update.
        new: the same after it.
        weights: [E, b] of the samples; all 0 where a strategy had no parents.

    Returns:
        The state, with 1 added to each age.
    """
    has_parents = weights.sum(1) > 0
    state = jax.tree.map(lambda a, b: jnp.where(has_parents.reshape(-1, *(1,) * (b.ndim - 1)), b, a), old, new)
    return state._replace(age=old.age + 1)


def _rates(dim: int, mass: Any, least: Callable = jnp.minimum) -> tuple[Any, Any, Any, Any]:
    """Learning rates c_c, c_sigma, c_1, c_mu of a variance-effective selection mass (table 1, as in pyribs)."""
    cc = (4 + mass / dim) / (dim + 4 + 2 * mass / dim)
    cs = (mass + 2) / (dim + mass + 5)
    c1 = 2 / ((dim + 1.3) ** 2 + mass)
    return cc, cs, c1, least(1 - c1, 2 * (mass - 2 + 1 / mass) / ((dim + 2) ** 2 + mass))


def _separable_rates(dim: int, mass: Array) -> tuple[Array, Array, Array, Array]:
    cc = (1 + 1 / dim + mass / dim) / (dim**0.5 + 1 / dim + 2 * mass / dim)
    cs = (mass + 2) / (dim + mass + 5)
    c1 = 2 / ((dim + 1.3) ** 2 + mass) / (dim + 2 * dim**0.5 + mass / dim)
    return cc, cs, c1, jnp.minimum(1 - c1, (mass + 1 / mass - 2) / (dim + 4 * dim**0.5 + mass / 2))


def _mass(weights: Array) -> Array:
    """mu_eff [E]; 1 where there are no parents, so that nothing divides by zero."""
    return 1 / jnp.where(weights.sum(1) > 0, (weights**2).sum(1), 1)


def _column(x: Array, ndim: int) -> Array:
    return x.reshape(-1, *(1,) * (ndim - 1))


def _out_of_use(state: StrategyState, values: Array) -> Array:
    most, least = values.max(1), values.min(1)
    unusable = ~jnp.isfinite(state.sigma) | ~jnp.isfinite(most) | (most > _CONDITION * least)
    return unusable | (state.sigma * jnp.sqrt(most) < _SMALL)
