"""Graph codes: their stabilizers, exact distance and least check weight, for many codes at once.

A graph with adjacency matrix A [n, n] and a matrix W [n, K] of bits give the stabilizer group

    { X^s Z^(A s) : s in GF(2)^n with W^T s = 0 }            n - k generators, k = rank W
    { X^s Z^(A s + W u) }                                    all Paulis that commute with it: the logical operators and itself

Every stabilizer code is such a code but for a rotation of single qubits, which changes neither weights nor distance
(Schlingemann 2001, quant-ph/0111080). A Pauli of the second set lies in the group itself where W u = 0 and W^T s = 0.
Words of n bits are whole numbers; bit i (of value 2^i) is qubit i. B codes.
"""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from qd.types import Array

MOST = 14  # qubits: 2^(n + K) operators are looked at for each code


class Codes(NamedTuple):
    """B codes; rows as words of n bits."""

    graph: Array  # [B, n] uint32, row i of A: the neighbours of qubit i
    words: Array  # [B, K] uint32, column j of W


class Figures(NamedTuple):
    """What codes are worth, [B] each, int32."""

    logical: Array  # k, the number of logical qubits
    distance: Array  # least weight of an operator that changes the logical state; of k = 0 the least weight of a stabilizer
    share: Array  # float32: of the operators of least weight among all that change the logical state
    total: Array  # least total weight of n - k generators
    largest: Array  # weight of the heaviest of them


@partial(jax.jit, static_argnums=(1, 2))
def decode(bits: Array, qubits: int, logical: int) -> Codes:
    """Reads genes [B, n (n - 1) / 2 + n K]: the edges of the graph, row by row, and then W.

    Args:
        bits: 0 or 1.
        qubits: n.
        logical: K.
    """
    bits = jnp.round(jnp.asarray(bits)).astype(jnp.uint32)
    edges, words = bits[:, : qubits * (qubits - 1) // 2], bits[:, qubits * (qubits - 1) // 2 :]
    upper = np.triu_indices(qubits, 1)
    matrix = jnp.zeros((len(bits), qubits, qubits), jnp.uint32).at[:, upper[0], upper[1]].set(edges)
    matrix = matrix + matrix.transpose(0, 2, 1)
    place = jnp.uint32(1) << jnp.arange(qubits, dtype=jnp.uint32)
    return Codes(
        (matrix * place).sum(2, dtype=jnp.uint32),
        (words.reshape(-1, qubits, logical) * place[:, None]).sum(1, dtype=jnp.uint32),
    )


@jax.jit
def figures(codes: Codes) -> Figures:
    """Returns exact figures of B codes, by looking at all 2^(n + K) operators of each."""
    return jax.vmap(_figures)(codes.graph, codes.words)


def _figures(graph: Array, words: Array) -> Figures:
    qubits, most = len(graph), len(words)
    s = jnp.arange(2**qubits, dtype=jnp.uint32)
    z = _combinations(graph)  # A s for every s
    syndrome = sum((_parity(s & word) << j for j, word in enumerate(words)), jnp.zeros_like(s))  # W^T s
    shifts = _combinations(words)  # W u for every u
    logical = jnp.int32(np.log2(2**most)) - jnp.log2((shifts == 0).sum().astype(jnp.float32)).round().astype(jnp.int32)
    weight = _weight(s[None] | (z[None] ^ shifts[:, None]))  # [2^K, 2^n]
    changes = (shifts != 0)[:, None] | (syndrome != 0)[None]
    changes = jnp.where(logical == 0, (s != 0)[None] & (shifts == 0)[:, None], changes)
    distance = jnp.where(changes, weight, qubits + 1).min()
    share = (changes & (weight == distance)).sum() / jnp.maximum(changes.sum(), 1)
    total, largest = _least_generators(s, jnp.where(syndrome == 0, _weight(s | z), qubits + 1), qubits, qubits - logical)
    return Figures(logical, distance, share.astype(jnp.float32), total, largest)


def _least_generators(s: Array, weight: Array, qubits: int, count: Array) -> tuple[Array, Array]:
    """Takes stabilizers from the lightest on, each that the ones before do not generate: the greedy choice is the least."""
    order = jnp.argsort(weight, stable=True)

    def going(carry: tuple) -> Array:
        return (carry[2] < count) & (carry[0] < len(s))

    def take(carry: tuple) -> tuple:
        i, basis, found, total, largest = carry
        rest = s[order[i]]
        for bit in reversed(range(qubits)):
            rest = jnp.where((rest >> bit) & 1 == 1, rest ^ basis[bit], rest)
        top = jnp.where(rest == 0, qubits, jnp.int32(31) - jax.lax.clz(rest.astype(jnp.int32)))
        new = rest != 0
        basis = basis.at[top].set(rest, mode="drop")
        own = weight[order[i]]
        return i + 1, basis, found + new, total + jnp.where(new, own, 0), jnp.where(new, own, largest)

    carry = (jnp.int32(0), jnp.zeros(qubits, jnp.uint32), jnp.int32(0), jnp.int32(0), jnp.int32(0))
    return jax.lax.while_loop(going, take, carry)[3:]


def _combinations(rows: Array) -> Array:
    """[R] words -> [2^R]: the sum over GF(2) of the rows in each subset; subset j has row i where bit i of j is set."""
    sums = jnp.zeros(1, jnp.uint32)
    for row in rows:
        sums = jnp.concatenate([sums, sums ^ row])
    return sums


def _weight(words: Array) -> Array:
    return jax.lax.population_count(words).astype(jnp.int32)


def _parity(words: Array) -> Array:
    return jax.lax.population_count(words) & 1


def generators(graph: np.ndarray, words: np.ndarray) -> list[str]:
    """Returns the n - k lightest generators of one code as Pauli words, the leftmost letter on qubit 0.

    Args:
        graph: [n] words of the neighbours.
        words: [K].
    """
    qubits = len(graph)
    group = [s for s in range(1, 2**qubits) if all(bin(s & int(word)).count("1") % 2 == 0 for word in words)]
    pairs = sorted(((s, _z(graph, s)) for s in group), key=lambda pair: bin(pair[0] | pair[1]).count("1"))
    chosen, basis = [], []
    for s, z in pairs:
        rest = s
        for other in basis:
            rest = min(rest, rest ^ other)
        if rest:
            basis = sorted([*basis, rest], reverse=True)
            chosen.append(letters(s, z, qubits))
    return chosen


def logical_operators(graph: np.ndarray, words: np.ndarray) -> list[tuple[str, str]]:
    """Returns k pairs (X, Z) of logical operators that anticommute with each other and commute with all else.

    Args:
        graph: [n] words of the neighbours.
        words: [K]; columns that others generate are left out.
    """
    qubits, kept, span = len(graph), [], {0}
    for word in (int(word) for word in words):
        if word not in span:
            span |= {word ^ other for other in span}
            kept.append(word)
    pairs = []
    for j in range(len(kept)):
        wanted = 1 << j  # an s with W^T s = e_j; then X^s Z^(A s) anticommutes with Z^(W e_j) alone
        s = next(s for s in range(2**qubits) if sum((bin(s & w).count("1") & 1) << i for i, w in enumerate(kept)) == wanted)
        pairs.append((letters(s, _z(graph, s), qubits), letters(0, kept[j], qubits)))
    return pairs


def letters(x: int, z: int, qubits: int) -> str:
    """Returns X^x Z^z as a word of I, X, Y, Z; qubit 0 is leftmost.

    Args:
        x: bits with an X.
        z: bits with a Z.
        qubits: n.
    """
    return "".join("IXZY"[(x >> i & 1) + 2 * (z >> i & 1)] for i in range(qubits))


def _z(graph: np.ndarray, s: int) -> int:
    z = 0
    for i, row in enumerate(graph):
        z ^= int(row) if s >> i & 1 else 0
    return z
