"""A preview of children before they are evaluated (EMQ's compatibility screening): no failures, repetitions or hopeless ones.

A preview is the correlation on a few configs of one network. Two expressions that rank these in the same order, or in the
reverse, count as one: they have the same value hash.

B children, H hashes remembered.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from domains.proxies.domain import Proxies, pad_to_power_of_two
from domains.proxies.interpreter import CONSTANT, FINE, BenchTables, correlations, scores, tables
from domains.proxies.variation import Subtrees, expression_form
from qd import keys
from qd.types import Array, Batch, Elites, Offspring

_CONFIGS = 64  # of the first network, for a preview


class Preview(NamedTuple):
    """Children on a few configs of the first network."""

    failure: np.ndarray  # [B] as in interpreter
    correlation: np.ndarray  # [B] absolute, over the few configs; 0 where failed
    value: np.ndarray  # [B] uint32 hash of how it ranks them


class ScreeningMemory(NamedTuple):
    """Which expressions were evaluated, and why children were rejected."""

    values: np.ndarray  # [H] hashes of all that were evaluated
    counts: np.ndarray  # [5] children in all; broken, constant, repeated, hopeless


@dataclass(frozen=True)
class ScreenedVariation:
    """Makes ``looks`` times as many children and returns the first that pass; where too few do, the rest is drawn at random."""

    source: Any
    batch_size: int
    share: float = 0.5  # of children by subtree, as Subtrees has it
    rate: float = 0.15
    looks: int = 4
    least: float = 0.05  # a child that correlates less on the few configs is rejected
    pure: bool = False  # the memory grows

    def check(self, key: Array, solutions: Array, archive: Any) -> None:
        """Checks that the domain's solutions are expressions; arguments as in ``DiversityPrompting``."""
        expression_form(self.source, solutions)

    def init(self, key: Array, elites: Elites) -> ScreeningMemory:
        """Starts with the hashes of generation 0; arguments as in ``Emitter``.

        Returns:
            Hashes, and counts of 0.
        """
        values = preview(self.source, elites.take(np.arange(elites.size), "solution")[0]).value
        return ScreeningMemory(np.unique(values), np.zeros(5, np.int64))

    def ask(self, key: Array, memory: ScreeningMemory, elites: Elites) -> tuple[ScreeningMemory, Offspring]:
        """Makes children, and returns those that pass.

        Args:
            key: of parents, variation and new expressions.
            memory: hashes so far.
            elites: of the archive; parents are drawn evenly.

        Returns:
            The memory with new counts, and B expressions with their parents [B, 2], -1 for those drawn at random.
        """
        draw_key, vary_key, fresh_key = keys.split(key, 3)
        many = self.looks * self.batch_size
        ids, parents = elites.draw(draw_key, 2 * many)
        children = Subtrees(self.source, self.share, self.rate)(vary_key, np.asarray(parents).reshape(many, 2, -1))
        passes, counts = select_passing(preview(self.source, children), memory.values, self.least)
        indices = np.flatnonzero(passes)[: self.batch_size]
        lacking = self.batch_size - len(indices)
        fresh = self.source.sample(fresh_key, lacking)
        parent_ids = np.concatenate(
            [np.asarray(ids).reshape(many, 2)[indices], np.full((lacking, 2), -1, np.asarray(ids).dtype)]
        )
        return memory._replace(counts=memory.counts + counts), Offspring(np.concatenate([children[indices], fresh]), parent_ids)

    def tell(self, memory: ScreeningMemory, batch: Batch) -> ScreeningMemory:
        """Adds the hashes of the batch.

        Args:
            memory: hashes so far.
            batch: expressions, [B, G].

        Returns:
            The new memory.
        """
        values = preview(self.source, np.asarray(batch.solutions)).value
        return memory._replace(values=np.union1d(memory.values, values))


def select_passing(preview: Preview, values: np.ndarray, least: float) -> tuple[np.ndarray, np.ndarray]:
    """Chooses the children that pass: no failure, no repetition, not hopeless; of equal children the first passes.

    Args:
        preview: of the B children.
        values: hashes so far, uint32 [H].
        least: absolute correlation below which a child is hopeless.

    Returns:
        Which pass, bool [B]; counts as in ScreeningMemory, int64 [5].
    """
    first = np.zeros(len(preview.value), bool)
    first[np.unique(preview.value, return_index=True)[1]] = True
    fine = preview.failure == FINE
    new = first & ~np.isin(preview.value, values)
    good = preview.correlation >= least
    constant = preview.failure == CONSTANT
    counts = [len(fine), (~fine & ~constant).sum(), constant.sum(), (fine & ~new).sum(), (fine & new & ~good).sum()]
    return fine & new & good, np.array(counts, np.int64)


def preview(source: Proxies, solutions: np.ndarray) -> Preview:
    """Previews B expressions, padded to a power of two so that few programs are compiled.

    Args:
        source: the domain; only the first of its networks is used, and its first 64 configs.
        solutions: genes [B, G].

    Returns:
        Failure, absolute rank correlation and value hash, [B] each.
    """
    n = len(solutions)
    failure, correlation, ranks = (np.asarray(x)[:n] for x in _program(source)(pad_to_power_of_two(solutions)))
    return Preview(failure, correlation, _hash(ranks))


def _ranks(x: Array) -> Array:
    """[B, C] -> half of (how many are less - how many are more): ranks with mean 0, ties at their mean; C is small."""
    return (jnp.sign(x[:, :, None] - x[:, None, :])).sum(-1) / 2


def _hash(ranks: np.ndarray) -> np.ndarray:
    """[B, C] centred ranks, in halves -> uint32; the same for ranks and their negative."""
    odd = np.random.default_rng(0).integers(1, 2**32, ranks.shape[1], dtype=np.uint64)
    codes = np.round(2 * ranks).astype(np.int64)
    each = [(sign * codes).astype(np.uint64) @ odd for sign in (1, -1)]
    return (np.minimum(*each) >> np.uint64(32)).astype(np.uint32)


@lru_cache(maxsize=8)
def _program(source: Proxies) -> Any:
    form = source.form
    few: BenchTables = tables(source.records[:1], 1.0, _CONFIGS)

    def program(solutions: Array) -> tuple[Array, Array, Array]:
        expressions = form.read(jnp.asarray(solutions))
        correlation = correlations(few, expressions)
        ranks = _ranks(scores(few, expressions)[0][:, 0])
        return correlation.failure, jnp.abs(jnp.nan_to_num(correlation.whole[:, 0])), ranks

    return jax.jit(program)
