"""CMA-ME and CMA-MAE in JAX: many evolution strategies that improve the archive.

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

from qd import abilities, genes, keys
from qd.emitters.cma import strategies
from qd.emitters.cma.mixed import MixedGenes
from qd.emitters.cma.strategies import Full, LowMemory, Separable, Strategy, StrategyState
from qd.support.errors import UserError
from qd.support.spelling import unknown
from qd.types import Array, Batch, Elites, Offspring

_STRATEGIES: dict[str, Strategy] = {"cma_es": Full(), "sep_cma_es": Separable(), "lm_ma_es": LowMemory()}
_RANKERS = ("imp", "2imp", "obj", "2obj", "rd", "2rd", "nov")
_NEEDS = {"imp": "value", "nov": "novelty"}  # ranker -> the column that the archive must give
_FLAT = 1e-12  # best and worst that differ by less


class StrategiesMemory(NamedTuple):
    state: StrategyState
    restart: Array  # [E] bool: restarts at the next ask
    turn: Array  # generations since the beginning
    direction: Array  # [E, M] along which "rd" and "2rd" rank
    widths: Array  # [M] of the measures
    z: Array  # [E, b, D] the draws behind the samples, for LM-MA-ES and mixed genes; else [E, 0, D]


@dataclass(frozen=True)
class EvolutionStrategies:
    """``count`` evolution strategies of ``samples`` solutions each: CMA-ME by default.

    >>> from qd.emitters import EvolutionStrategies
    >>> EvolutionStrategies(count=5, samples=20, sigma0=0.2).batch_size
    100
    >>> cma_mae = EvolutionStrategies(ranker="imp", selection_rule="mu", restart_rule="basic")
    """

    count: int = 15  # strategies
    samples: int = 36  # solutions of each strategy in a generation
    sigma0: float = 0.5  # first step size, in the units of the genes
    es: str = "cma_es"  # or sep_cma_es, lm_ma_es, mixed
    ranker: str = "2imp"  # imp, obj, rd (random direction), nov; 2...: new cells and improvements first
    selection_rule: str = "filter"  # parents are all that entered the archive; mu: the better half
    restart_rule: str | int = "no_improvement"  # or basic, or a number of generations
    x0: float | tuple[float, ...] | None = None  # first mean: one number, one per gene; None: an elite for each strategy
    space: tuple[Any, ...] = ()  # of es=mixed: what each gene is (qd.genes); sigma0 is then in units of a gene's range
    pure: bool = True  # the fused driver compiles an emitter that is

    def __post_init__(self) -> None:
        choices = {
            "es": (*_STRATEGIES, "mixed"),
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
        if (self.es == "mixed") != bool(self.space):
            raise UserError(
                f"es={self.es} and space={self.space} do not fit", 'es=mixed wants space: "@domain.space", others none'
            )

    @property
    def batch_size(self) -> int:
        return self.count * self.samples

    def check(self, key: Array, solutions: Array, archive: Any) -> None:
        """Checks that solutions are vectors of real numbers and that the archive gives what the ranker ranks by.

        Args:
            key: not used.
            solutions: [N, D] of the domain.
            archive: the open archive.

        Raises:
            UserError: they are not, it does not, there are too many samples for LM-MA-ES, or x0 has another length.
        """
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
        if self.es == "mixed":
            genes.of_space(self.space, dim)
        if isinstance(self.x0, tuple) and len(self.x0) != dim:
            raise UserError(f"x0 has {len(self.x0)} numbers, but a solution has {dim}", f"type one, or {dim} of them")

    def init(self, key: Array, elites: Elites) -> StrategiesMemory:
        """Starts E strategies.

        Args:
            key: of the elites that they start from and of the random directions.
            elites: of the initial population.

        Returns:
            Memory of NumPy arrays.
        """
        draw_key, direction_key = keys.split(key)
        (begin,) = elites.draw(draw_key, self.count, "solution")
        begin = np.asarray(begin, np.float32)
        if self.x0 is not None:
            begin = np.broadcast_to(np.asarray(self.x0, np.float32), begin.shape)
        archive = elites.archive  # type: ignore[attr-defined]
        widths = np.asarray(archive.upper_bounds - archive.lower_bounds, np.float32)
        direction = keys.normal(direction_key, (self.count, len(widths))) * widths
        state = self._strategy.fresh(jnp.asarray(begin), self.sigma0, self.samples)
        z = np.zeros((self.count, self._n_draws, begin.shape[1]), np.float32)
        memory = StrategiesMemory(state, np.zeros(self.count, bool), np.int32(0), direction, widths, z)
        return jax.tree.map(np.asarray, memory)

    def ask(self, key: Array, memory: StrategiesMemory, elites: Elites) -> tuple[StrategiesMemory, Offspring]:
        """Restarts marked strategies, then samples.

        Args:
            key: of the samples and of restarts.
            memory: of the generation before.
            elites: that strategies restart from.

        Returns:
            The memory, and solutions [B, D], strategy by strategy.
        """
        draw_key, direction_key, z_key = keys.split(key, 3)
        (begin,) = elites.draw(draw_key, self.count, "solution")
        direction = keys.normal(direction_key, memory.direction.shape)
        z = keys.normal(z_key, (self.count, self.samples, begin.shape[1]))
        memory, solutions = _ask(self, memory, begin, direction, z)
        if isinstance(key, np.ndarray):
            memory, solutions = jax.tree.map(np.asarray, (memory, solutions))
        return memory, Offspring(solutions)

    def tell(self, memory: StrategiesMemory, batch: Batch) -> StrategiesMemory:
        """Ranks the batch, adapts each strategy and decides which of them restart.

        Args:
            memory: as ``ask`` returned it.
            batch: the same B solutions, evaluated and inserted.

        Returns:
            The memory of the next generation.
        """
        columns = {"imp": batch.value, "obj": batch.evaluation.objective, "nov": batch.info.get("novelty"), "rd": None}
        memory = _tell(self, memory, batch.solutions, columns[self._by], batch.measures, batch.status)
        return jax.tree.map(np.asarray, memory) if isinstance(batch.status, np.ndarray) else memory

    @property
    def _strategy(self) -> Strategy:
        return MixedGenes(self.space) if self.es == "mixed" else _STRATEGIES[self.es]

    @property
    def _by(self) -> str:
        return self.ranker.removeprefix("2")

    @property
    def _n_draws(self) -> int:
        return self.samples if self.es in ("lm_ma_es", "mixed") else 0


@partial(jax.jit, static_argnums=0)
def _ask(
    part: EvolutionStrategies, memory: StrategiesMemory, begin: Array, direction: Array, z: Array
) -> tuple[StrategiesMemory, Array]:
    """Restarts marked strategies from elites, then samples."""
    strategy = part._strategy
    memory = jax.lax.cond(memory.restart.any(), lambda m: _restart(part, m, begin, direction), lambda m: m, memory)
    state = strategy.prepare(memory.state, memory.turn, part.samples)
    solutions = strategy.sample(state, z).reshape(part.batch_size, -1)
    return memory._replace(state=state, z=z[:, : part._n_draws]), solutions


def _restart(part: EvolutionStrategies, memory: StrategiesMemory, begin: Array, direction: Array) -> StrategiesMemory:
    fresh = part._strategy.fresh(begin.astype(jnp.float32), part.sigma0, part.samples)

    def where_restart(new: Array, old: Array) -> Array:
        return jnp.where(memory.restart.reshape(-1, *(1,) * (old.ndim - 1)), new, old)

    state = jax.tree.map(where_restart, fresh, memory.state)
    restart = jnp.zeros_like(memory.restart)
    return memory._replace(state=state, restart=restart, direction=where_restart(direction * memory.widths, memory.direction))


@partial(jax.jit, static_argnums=0)
def _tell(
    part: EvolutionStrategies, memory: StrategiesMemory, x: Array, by: Array | None, measures: Array, status: Array
) -> StrategiesMemory:
    """Ranks, selects, adapts, and marks strategies to restart. Failed rows are the worst, and never parents.

    Args:
        by: [B] numbers to rank by; None for the random directions, along which the measures are.
    """
    is_failed, status = status < 0, jnp.maximum(status, 0)
    shape = part.count, part.samples
    if by is None:
        along = jnp.where(is_failed[:, None], 0, measures).reshape(*shape, -1)
        by = jnp.einsum("ebm,em->eb", along, memory.direction).reshape(-1)
    numbers = _worst(by.astype(jnp.float32), is_failed).reshape(shape)
    first = status.reshape(shape) if part.ranker.startswith("2") else jnp.zeros(shape, jnp.int32)
    rank = _rank(first, numbers)
    parents = (status.reshape(shape) > 0).sum(1)
    weights = _recombination_weights(
        rank, parents if part.selection_rule == "filter" else jnp.full(part.count, part.samples // 2)
    )
    x = x.reshape(*shape, -1)
    state = strategies.advance(memory.state, part._strategy.update(memory.state, memory.z, x, weights), weights)
    flat = (numbers.max(1) - numbers.min(1) < _FLAT) & (first.max(1) == first.min(1))
    restart = part._strategy.should_stop(state) | flat | _restart_by_rule(part, parents, memory.turn + 1)
    return memory._replace(state=state, restart=restart, turn=memory.turn + 1)


def _worst(numbers: Array, is_failed: Array) -> Array:
    """Puts failed rows below the worst of the rest."""
    worst = jnp.where(is_failed, jnp.inf, numbers).min()
    worst = jnp.where(jnp.isfinite(worst), worst, 0)
    return jnp.where(is_failed, worst - 1 - jnp.abs(worst), numbers)


def _rank(first: Array, numbers: Array) -> Array:
    """Ranks [E, b], 0 the best: by ``first``, ``numbers``, then the later one, as pyribs does. Counted, for b is small."""
    mine, other = (slice(None), slice(None), None), (slice(None), None, slice(None))
    later = jnp.arange(first.shape[1])[None, None, :] > jnp.arange(first.shape[1])[None, :, None]
    better = numbers[other] > numbers[mine]
    same = numbers[other] == numbers[mine]
    above = first[other] > first[mine]
    level = first[other] == first[mine]
    return (above | (level & (better | (same & later)))).sum(2)


def _recombination_weights(rank: Array, parents: Array) -> Array:
    """CMA-ES's weights [E, b]: ln(mu + 1/2) - ln(rank + 1) for the best mu, summing to 1; zero where mu is 0."""
    mu = parents[:, None].astype(jnp.float32)
    raw = jnp.where(rank < mu, jnp.log(mu + 0.5) - jnp.log(rank + 1.0), 0)
    return raw / jnp.where(mu > 0, raw.sum(1, keepdims=True), 1)


def _restart_by_rule(part: EvolutionStrategies, parents: Array, turn: Array) -> Any:
    if part.restart_rule == "no_improvement":
        return parents == 0
    if part.restart_rule == "basic":
        return jnp.zeros(part.count, bool)
    return jnp.broadcast_to(turn % part.restart_rule == 0, (part.count,))
