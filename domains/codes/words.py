"""A variation of graph codes that chooses the words of the logical qubits for the graph, instead of at random.

An error X^s Z^z does to a graph code what Z^(z + A s) does: z + A s is its word. Where no sum of a code's words is the word of
an error of weight r or less, the distance is above r (Looi, Yu, Gheorghiu and Griffiths 2008, arXiv:0712.1979; codes of which
such an error leaves all states as they are are missed). The words of all light errors are a table for each graph, in which
the best words are looked up one after another.

B codes, n qubits, K logical qubits at most, P parents of one child, E errors of one weight.
"""

from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import combinations, product
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from domains.codes import graph
from qd import keys
from qd.support.errors import UserError
from qd.types import Array


@dataclass(frozen=True)
class BestWords:
    """Children of another variation, of which a share get words that fit their graph best, ties at random.

    >>> from domains.codes.domain import StabilizerCodes
    >>> from qd import keys
    >>> from qd.emitters import Mixed
    >>> domain = StabilizerCodes(5)
    >>> vary = BestWords(Mixed(domain.space), domain.qubits, domain.logical)
    >>> vary(keys.new(0), domain.sample(keys.new(1), 12).reshape(6, 2, -1)).shape
    (6, 20)
    """

    variation: Any  # makes the children
    qubits: int  # n
    logical: int  # K
    share: float = 0.5  # of children
    reach: int = 3  # heaviest errors that words are to differ from

    def __post_init__(self) -> None:
        if not 0 <= self.share <= 1:
            raise UserError(f"share={self.share} is no share of the children", "type a number between 0 and 1")
        if not 1 <= self.reach <= 4:
            raise UserError(f"reach={self.reach} is no weight that is looked at", "type 1 to 4")

    @property
    def parents(self) -> int:
        return self.variation.parents

    def __call__(self, key: Array, parents: Array) -> Array:
        """Varies parents.

        Args:
            key: of the draws.
            parents: [B, P, n (n - 1) / 2 + n K] of 0 and 1.

        Returns:
            Children [B, n (n - 1) / 2 + n K], of the parents' dtype.
        """
        vary_key, which_key, count_key, tie_key = keys.split(key, 4)
        x = self.variation(vary_key, parents)
        which = keys.uniform(which_key, (len(x), 1)) < self.share
        count = keys.integers(count_key, (len(x),), 1, self.logical + 1)
        ties = keys.uniform(tie_key, (len(x), self.logical, 2**self.qubits))
        bits = _bits(self.qubits, self.logical, self.reach, x, count, ties)
        xp, edges = x.__array_namespace__(), self.qubits * (self.qubits - 1) // 2
        words = xp.where(which, xp.asarray(bits).astype(x.dtype), x[:, edges:])
        return xp.concatenate([x[:, :edges], words], 1)


@partial(jax.jit, static_argnums=(0, 1, 2))
def _bits(qubits: int, logical: int, reach: int, solutions: Array, count: Array, ties: Array) -> Array:
    """Genes [B, n K] of the best ``count`` words [B] for the graphs of solutions; the other words are empty."""
    graphs = graph.decode(solutions, qubits, logical).graph
    words = jax.vmap(partial(_best, reach))(graphs, count, ties)  # [B, K]
    return (words[:, None] >> jnp.arange(qubits, dtype=jnp.uint32)[:, None] & 1).reshape(len(words), -1)


def _best(reach: int, rows: Array, count: Array, ties: Array) -> Array:
    """[K] words of one graph, each with the largest least weight of errors with its word or a sum of it with those before."""
    index, weight = jnp.arange(2 ** len(rows), dtype=jnp.uint32), _least_weights(reach, rows)
    span, words = jnp.zeros(1, jnp.uint32), []
    for j, tie in enumerate(ties):
        score = jnp.min(weight[index[:, None] ^ span[None]], 1)
        score = jnp.where((index[:, None] == span[None]).any(1), -1, score)
        word = jnp.where(j < count, jnp.argmax(score + tie).astype(jnp.uint32), 0)
        span = jnp.concatenate([span, span ^ word])
        words.append(word)
    return jnp.stack(words)


def _least_weights(reach: int, rows: Array) -> Array:
    """[2^n]: the least weight of an error with each word, reach + 1 where none has so few; rows [n] are the graph's."""
    place = jnp.uint32(1) << jnp.arange(len(rows), dtype=jnp.uint32)
    single = jnp.concatenate([place, rows, rows ^ place])  # Z, X and Y of each qubit
    least = jnp.full(2 ** len(rows), reach + 1)
    for weight in range(1, reach + 1):
        chosen = single[_errors(len(rows), weight)]  # [E, weight]
        word = chosen[:, 0]
        for column in range(1, weight):
            word = word ^ chosen[:, column]
        least = least.at[word].min(weight)
    return least


@lru_cache(maxsize=64)
def _errors(qubits: int, weight: int) -> np.ndarray:
    """[E, weight]: all errors of a weight, as places among Z, X and Y of each qubit."""
    rows = [
        [qubit + qubits * letter for qubit, letter in zip(some, letters, strict=True)]
        for some in combinations(range(qubits), weight)
        for letters in product(range(3), repeat=weight)
    ]
    return np.array(rows, np.int32).reshape(-1, weight)
