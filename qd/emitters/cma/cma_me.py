"""CMA-ME and CMA-MAE in JAX: many evolution strategies that chase what is new in the archive.

CMA-ME (Fontaine et al. 2020) ranks by "2imp" and selects by "filter"; CMA-MAE (Fontaine and Nikolaidis 2023) ranks by
"imp", selects by "mu", restarts by "basic" and wants an archive with thresholds. The hosted emitters of pyribs
(qd/emitters/ribs.py) are the reference; strategies.py says where its strategies differ.

E strategies, b samples of each, B = E b, D genes, M measures.
"""

from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from qd import abilities, keys
from qd.emitters.cma import strategies
from qd.emitters.cma.strategies import Full, LowMemory, Separable, State, Strategy
from qd.support.errors import UserError
from qd.support.spelling import unknown
from qd.types import Array, Batch, Elites, Offspring

_STRATEGIES: dict[str, Strategy] = {"cma_es": Full(), "sep_cma_es": Separable(), "lm_ma_es": LowMemory()}
_RANKERS = ("imp", "2imp", "obj", "2obj", "rd", "2rd", "nov")
_NEEDS = {"imp": "value", "nov": "novelty"}  # what an archive must say of each row, for a ranker to rank by it
_FLAT = 1e-12  # best and worst that differ by less


class Evolving(NamedTuple):
    state: State
    restart: Array  # [E] bool: starts anew at the next ask
    turn: Array  # generations since the beginning
    direction: Array  # [E, M] along which "rd" and "2rd" rank
    widths: Array  # [M] of the measures
    z: Array  # [E, b, D] the draws behind the samples, for LM-MA-ES; else [E, 0, D]


@dataclass(frozen=True)
class EvolutionStrategies:
    """``count`` strategies of ``samples`` each. x0: where they begin, one number, one per gene, or None for an elite each."""

    count: int = 15
    samples: int = 36
    sigma0: float = 0.5
    es: str = "cma_es"
    ranker: str = "2imp"
    selection_rule: str = "filter"
    restart_rule: str | int = "no_improvement"
    x0: float | tuple[float, ...] | None = None
    pure: bool = True

    def __post_init__(self) -> None:
        choices = {
            "es": tuple(_STRATEGIES),
            "ranker": _RANKERS,
            "selection_rule": ("filter", "mu"),
            "restart_rule": ("no_improvement", "basic"),
        }
        for name, valid in choices.items():
            value = getattr(self, name)
            if value not in valid and not (name == "restart_rule" and isinstance(value, int) and value > 0):
                raise unknown(name, str(value), valid)
        if self.count < 1 or self.samples < 2:
            raise UserError(
                f"count={self.count} and samples={self.samples} make no strategies", "type count=1, samples=2 or more"
            )
        if not self.sigma0 > 0:
            raise UserError(f"sigma0={self.sigma0} makes no steps", "type a number above 0")

    @property
    def batch_size(self) -> int:
        return self.count * self.samples

    def check(self, key: Array, solutions: Array, archive: Any) -> None:
        """Raises ValueError where such solutions cannot be evolved, or the archive gives no value to rank by."""
        needs, gives = _NEEDS.get(self._by), abilities.of_opened(archive).gives
        if needs is not None and needs not in gives:
            raise UserError(
                f"ranker {self.ranker!r} ranks by {needs}, but a {type(archive).__name__} gives {', '.join(gives)}; "
                "type emitter.ranker=obj, 2obj, rd or 2rd" + (", or archive=proximity" if needs == "novelty" else "")
            )
        if solutions.dtype.kind != "f" or solutions.ndim != 2:
            raise UserError(
                f"evolution strategies want vectors of real numbers, but solutions are {solutions.dtype} "
                f"{list(solutions.shape[1:])}",
                "choose another emitter",
            )
        dim = solutions.shape[1]
        if self.es == "lm_ma_es" and self.samples > dim:
            raise UserError(
                f"lm_ma_es takes at most as many samples as genes ({dim}), not {self.samples}", f"type emitter.samples={dim}"
            )
        if isinstance(self.x0, tuple) and len(self.x0) != dim:
            raise UserError(f"x0 has {len(self.x0)} numbers, but a solution has {dim}", f"type one, or {dim} of them")

    def init(self, key: Array, elites: Elites) -> Evolving:
        draw_key, direction_key = keys.split(key)
        (begin,) = elites.draw(draw_key, self.count, "solution")
        begin = np.asarray(begin, np.float32)
        if self.x0 is not None:
            begin = np.broadcast_to(np.asarray(self.x0, np.float32), begin.shape)
        archive = elites.archive  # type: ignore[attr-defined]
        widths = np.asarray(archive.upper_bounds - archive.lower_bounds, np.float32)
        direction = keys.normal(direction_key, (self.count, len(widths))) * widths
        state = self._strategy.fresh(jnp.asarray(begin), self.sigma0, self.samples)
        z = np.zeros((self.count, self._kept, begin.shape[1]), np.float32)
        memory = Evolving(state, np.zeros(self.count, bool), np.int32(0), direction, widths, z)
        return jax.tree.map(np.asarray, memory)

    def ask(self, key: Array, memory: Evolving, elites: Elites) -> tuple[Evolving, Offspring]:
        draw_key, direction_key, z_key = keys.split(key, 3)
        (begin,) = elites.draw(draw_key, self.count, "solution")
        direction = keys.normal(direction_key, memory.direction.shape)
        z = keys.normal(z_key, (self.count, self.samples, memory.state.mean.shape[1]))
        memory, solutions = _asked(self, memory, begin, direction, z)
        if isinstance(key, np.ndarray):
            memory, solutions = jax.tree.map(np.asarray, (memory, solutions))
        return memory, Offspring(solutions)

    def tell(self, memory: Evolving, batch: Batch) -> Evolving:
        known = {"imp": batch.value, "obj": batch.evaluation.objective, "nov": batch.info.get("novelty"), "rd": None}
        judged = batch.solutions, known[self._by], batch.measures, batch.status
        told = _told(self, memory, *judged)
        return jax.tree.map(np.asarray, told) if isinstance(batch.status, np.ndarray) else told

    @property
    def _strategy(self) -> Strategy:
        return _STRATEGIES[self.es]

    @property
    def _by(self) -> str:
        return self.ranker.removeprefix("2")

    @property
    def _kept(self) -> int:
        return self.samples if self.es == "lm_ma_es" else 0


@partial(jax.jit, static_argnums=0)
def _asked(part: EvolutionStrategies, memory: Evolving, begin: Array, direction: Array, z: Array) -> tuple[Evolving, Array]:
    """Restarts what is to restart, from elites, then samples."""
    strategy = part._strategy
    memory = jax.lax.cond(memory.restart.any(), lambda m: _restarted(part, m, begin, direction), lambda m: m, memory)
    state = strategy.prepare(memory.state, memory.turn, part.samples)
    solutions = strategy.sample(state, z).reshape(part.batch_size, -1)
    return memory._replace(state=state, z=z[:, : part._kept]), solutions


def _restarted(part: EvolutionStrategies, memory: Evolving, begin: Array, direction: Array) -> Evolving:
    fresh = part._strategy.fresh(begin.astype(jnp.float32), part.sigma0, part.samples)

    def chosen(new: Array, old: Array) -> Array:
        return jnp.where(memory.restart.reshape(-1, *(1,) * (old.ndim - 1)), new, old)

    state = jax.tree.map(chosen, fresh, memory.state)
    restart = jnp.zeros_like(memory.restart)
    return memory._replace(state=state, restart=restart, direction=chosen(direction * memory.widths, memory.direction))


@partial(jax.jit, static_argnums=0)
def _told(part: EvolutionStrategies, memory: Evolving, x: Array, by: Array | None, measures: Array, status: Array) -> Evolving:
    """Ranks, selects, adapts, and marks what is to restart. Failed rows are the worst, and never parents.

    Args:
        by: [B] numbers to rank by; None for the random directions, along which the measures are.
    """
    failed, entered = status < 0, jnp.maximum(status, 0)
    shape = part.count, part.samples
    if by is None:
        along = jnp.where(failed[:, None], 0, measures).reshape(*shape, -1)
        by = jnp.einsum("ebm,em->eb", along, memory.direction).reshape(-1)
    numbers = _worst(by.astype(jnp.float32), failed).reshape(shape)
    first = entered.reshape(shape) if part.ranker.startswith("2") else jnp.zeros(shape, jnp.int32)
    rank = _ranked(first, numbers)
    parents = (entered.reshape(shape) > 0).sum(1)
    weights = _weighted(rank, parents if part.selection_rule == "filter" else jnp.full(part.count, part.samples // 2))
    x = x.reshape(*shape, -1)
    state = strategies.aged(memory.state, part._strategy.update(memory.state, memory.z, x, weights), weights)
    flat = (numbers.max(1) - numbers.min(1) < _FLAT) & (first.max(1) == first.min(1))
    restart = part._strategy.ended(state) | flat | _rule(part, parents, memory.turn + 1)
    return memory._replace(state=state, restart=restart, turn=memory.turn + 1)


def _worst(numbers: Array, failed: Array) -> Array:
    """Puts failed rows below the worst of the rest."""
    worst = jnp.where(failed, jnp.inf, numbers).min()
    worst = jnp.where(jnp.isfinite(worst), worst, 0)
    return jnp.where(failed, worst - 1 - jnp.abs(worst), numbers)


def _ranked(first: Array, numbers: Array) -> Array:
    """Ranks [E, b], 0 the best: by ``first``, ``numbers``, then the later one, as pyribs does. Counted, for b is small."""
    mine, other = (slice(None), slice(None), None), (slice(None), None, slice(None))
    later = jnp.arange(first.shape[1])[None, None, :] > jnp.arange(first.shape[1])[None, :, None]
    better = numbers[other] > numbers[mine]
    same = numbers[other] == numbers[mine]
    above = first[other] > first[mine]
    level = first[other] == first[mine]
    return (above | (level & (better | (same & later)))).sum(2)


def _weighted(rank: Array, parents: Array) -> Array:
    """CMA-ES's weights [E, b]: ln(mu + 1/2) - ln(rank + 1) for the best mu, summing to 1; zero where mu is 0."""
    mu = parents[:, None].astype(jnp.float32)
    raw = jnp.where(rank < mu, jnp.log(mu + 0.5) - jnp.log(rank + 1.0), 0)
    return raw / jnp.where(mu > 0, raw.sum(1, keepdims=True), 1)


def _rule(part: EvolutionStrategies, parents: Array, turn: Array) -> Any:
    if part.restart_rule == "no_improvement":
        return parents == 0
    if part.restart_rule == "basic":
        return jnp.zeros(part.count, bool)
    return jnp.broadcast_to(turn % part.restart_rule == 0, (part.count,))
