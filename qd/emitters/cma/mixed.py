"""An evolution strategy for genes of different kinds: CMA-ES with margin for numbers, a distribution of options for choices.

Whole numbers are rounded normal draws, and a margin keeps the neighbours of the mean's number likely enough that none is lost
(CMA-ES with margin, Hamano et al. 2022, arXiv:2205.13482, section 4). Choices are drawn from one distribution a gene,
which moves towards the better samples' options and keeps a least chance for each, as in CatCMA (Hamano et al. 2024,
arXiv:2405.09962). Simpler than CatCMA: the distribution's learning rate is mu_eff / (mu_eff + C) instead of adapted, and it
starts at an elite's options. Numbers are searched in units of their range; angles go round.

E strategies, b samples of each, D genes, N of them numbers, C choices, K options at most.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from qd import genes
from qd.emitters.cma.strategies import Covariance, Full, StrategyState
from qd.types import Array

_SPREAD = 0.5  # of the chances at the start: evenly over all options; the rest is the elite's own option


class MixedShape(NamedTuple):
    numbers: Covariance  # of the N numbers; of one that is not used where N is 0
    scale: Array  # [E, N] by which the margin widens steps: the diagonal matrix A
    chances: Array  # [E, C, K] of the options of each choice; 0 beyond a gene's own


class _Layout(NamedTuple):
    """Which genes are numbers and which choices, as NumPy arrays."""

    numbers: np.ndarray  # [N] places
    choices: np.ndarray  # [C] places
    order: np.ndarray  # [D] from numbers followed by choices back to genes
    low: np.ndarray  # [N]
    width: np.ndarray  # [N]
    is_angle: np.ndarray  # [N] bool
    is_whole: np.ndarray  # [N] bool
    options: np.ndarray  # [C]


@dataclass(frozen=True)
class MixedGenes:
    """E strategies over mixed genes; sigma0 is in units of a gene's range. Arguments as in ``Strategy``."""

    space: tuple[Any, ...]  # of the domain; see qd.genes

    def fresh(self, mean: Array, sigma0: float, samples: int) -> StrategyState:
        """Starts E strategies at solutions [E, D]; arguments as in ``Strategy``."""
        layout = _layout(self.space, mean.shape[1])
        begin = (mean[:, layout.numbers] - layout.low) / layout.width
        begin = begin if len(layout.numbers) else jnp.zeros((len(mean), 1))
        state = Full().fresh(begin, sigma0, samples)
        own = _one_hot(mean[:, None, layout.choices], layout)[:, 0]
        chances = (1 - _SPREAD) * own + _SPREAD * _allowed(layout) / layout.options[:, None]
        return state._replace(shape=MixedShape(state.shape, jnp.ones_like(begin), chances))

    def prepare(self, state: StrategyState, turn: Array, samples: int) -> StrategyState:
        """Decomposes the covariance when it is due; arguments as in ``Strategy``."""
        return _with_numbers(state, Full().prepare(_numbers(state), turn, samples))

    def sample(self, state: StrategyState, z: Array) -> Array:
        """Turns draws into solutions, choices by their rank in the normal distribution; arguments as in ``Strategy``."""
        layout = _layout(self.space, z.shape[2])
        unit = _raw(layout, state, z)
        unit = state.mean[:, None] + state.shape.scale[:, None] * (unit - state.mean[:, None])
        parts = [_numbers_of(layout, unit)] if len(layout.numbers) else []
        if len(layout.choices):
            rank = jax.scipy.special.ndtr(z[:, :, layout.choices])[..., None]
            option = (jnp.cumsum(state.shape.chances, 2)[:, None] <= rank).sum(3)
            parts.append(jnp.minimum(option, layout.options - 1).astype(z.dtype))
        return jnp.concatenate(parts, 2)[:, :, layout.order]

    def update(self, state: StrategyState, z: Array, x: Array, weights: Array) -> StrategyState:
        """Adapts, the numbers to the draws before they were rounded; arguments as in ``Strategy``."""
        layout, samples = _layout(self.space, z.shape[2]), z.shape[1]
        new, scale = state, state.shape.scale
        if len(layout.numbers):
            moved = Full().update(_numbers(state), z, _raw(layout, state, z), weights)
            mean = state.mean + scale * (moved.mean - state.mean)
            mean = jnp.where(layout.is_angle, mean % 1, mean.clip(0, 1))
            new, scale = _with_margin(layout, moved._replace(mean=mean), scale, 1 / (samples * len(layout.numbers)))
            new = new._replace(shape=state.shape._replace(numbers=new.shape))
        chances = _learned(layout, state.shape.chances, _one_hot(x[:, :, layout.choices], layout), weights)
        return new._replace(shape=new.shape._replace(scale=scale, chances=chances))

    def should_stop(self, state: StrategyState) -> Array:
        """Where the numbers' distribution has become too small or too ill-conditioned."""
        return Full().should_stop(_numbers(state))


def _layout(space: tuple[Any, ...], dim: int) -> _Layout:
    of = genes.columns(genes.of_space(space, dim))
    numbers, choices = np.flatnonzero(~of.is_choice), np.flatnonzero(of.is_choice)
    order = np.argsort(np.concatenate([numbers, choices]))
    width = of.width[numbers]
    width = np.where(width > 0, width, 1)  # of a whole number that has only one value
    options = (of.width[choices] + 1).astype(np.int32)
    return _Layout(numbers, choices, order, of.low[numbers], width, of.is_angle[numbers], of.is_whole[numbers], options)


def _numbers(state: StrategyState) -> StrategyState:
    return state._replace(shape=state.shape.numbers)


def _with_numbers(state: StrategyState, numbers: StrategyState) -> StrategyState:
    return numbers._replace(shape=state.shape._replace(numbers=numbers.shape))


def _raw(layout: _Layout, state: StrategyState, z: Array) -> Array:
    """Samples [E, b, N] in units of the genes' ranges, as if the margin widened nothing."""
    return Full().sample(_numbers(state), z[:, :, layout.numbers] if len(layout.numbers) else z[:, :, :1])


def _numbers_of(layout: _Layout, unit: Array) -> Array:
    unit = jnp.where(layout.is_angle, unit % 1, unit.clip(0, 1)) * layout.width
    return layout.low + jnp.where(layout.is_whole, jnp.round(unit), unit)


def _allowed(layout: _Layout) -> np.ndarray:
    """[C, K]: 1 for a gene's own options."""
    most = max(layout.options, default=1)
    return (np.arange(most) < layout.options[:, None]).astype(np.float32)


def _one_hot(options: Array, layout: _Layout) -> Array:
    """[E, b, C] -> [E, b, C, K]."""
    most = max(layout.options, default=1)
    return (jnp.round(options)[..., None] == np.arange(most)).astype(jnp.float32)


def _learned(layout: _Layout, chances: Array, chosen: Array, weights: Array) -> Array:
    """Moves chances [E, C, K] towards the weighted options chosen, and keeps CatCMA's least chance of each."""
    count = len(layout.choices)
    if not count:
        return chances
    mass = 1 / jnp.where(weights.sum(1) > 0, (weights**2).sum(1), 1)  # mu_eff [E]
    rate = (mass / (mass + count))[:, None, None]
    chances = (1 - rate) * chances + rate * jnp.einsum("eb,ebck->eck", weights, chosen)
    least = (1 - 0.73 ** (1 / count)) / np.maximum(layout.options - 1, 1)[:, None] * _allowed(layout)
    chances = jnp.maximum(chances, least)
    return chances / chances.sum(2, keepdims=True)


def _with_margin(layout: _Layout, state: StrategyState, scale: Array, alpha: float) -> tuple[StrategyState, Array]:
    """Moves mean and scale of whole numbers so that each neighbour of the mean's number keeps a chance of about alpha / 2."""
    ndtr, ndtri = jax.scipy.special.ndtr, jax.scipy.special.ndtri
    spread = state.sigma[:, None] * jnp.sqrt(jnp.diagonal(state.shape.matrix, axis1=1, axis2=2))
    deviation, mean, width = spread * scale, state.mean, layout.width
    number = jnp.round(mean * width)
    lower, upper = (number - 0.5) / width, (number + 0.5) / width
    below, above = ndtr((lower - mean) / deviation), 1 - ndtr((upper - mean) / deviation)
    least = alpha / 2
    wide_below, wide_above, within = jnp.maximum(below, least), jnp.maximum(above, least), 1 - below - above
    surplus = 1 - wide_below - wide_above - within
    share = surplus / (wide_below + wide_above + within - 3 * least)
    wide_below, wide_above = (p + share * (p - least) for p in (wide_below, wide_above))
    left, right = ndtri(wide_below), ndtri(1 - wide_above)
    new_deviation = (upper - lower) / (right - left)
    reach = deviation * ndtri(1 - alpha)
    at_low, at_high = number <= 0, number >= width
    new_mean = jnp.where(at_low, jnp.maximum(mean, upper - reach), lower - new_deviation * left)
    new_mean = jnp.where(at_high, jnp.minimum(mean, lower + reach), new_mean)
    inner = layout.is_whole & ~at_low & ~at_high & jnp.isfinite(new_deviation)
    scale = jnp.where(inner, new_deviation / spread, scale)
    return state._replace(mean=jnp.where(layout.is_whole & jnp.isfinite(new_mean), new_mean, mean)), scale
