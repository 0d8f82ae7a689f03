"""An ADAPT-VQE on Pauli rotations (qubit-ADAPT, Tang et al. 2021, arXiv:1911.10205), 32 circuits at a time.

    state = exp(-i t_K/2 P_K) ... exp(-i t_1/2 P_1) |Hartree-Fock>          P_k: Pauli words with an odd number of Y

Each time the word whose angle has the steepest slope at 0 is added, and all angles are tuned again by 30 steps of Adam from
where they were. The first circuit of a seed takes the steepest; the others draw a word with a chance in proportion to its
squared slope. Each word becomes gates: rotations of the basis, a ladder of CNOTs, rz; neighbouring gates that undo each other
are removed. One tuning counts as one evaluation, as elsewhere in the study; the slopes of all words count as two passes each,
and an evaluation has 3 x 30 passes.

L circuits at a time, K words, W words to choose from, N = 2^n.
"""

from functools import partial
from itertools import pairwise, product
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from domains.quantum import gates
from domains.quantum.gates import KINDS, Circuits
from domains.quantum.observables import CHEMICAL_ACCURACY, Molecule

CIRCUITS, WORDS, STEPS, RATE = 32, 12, 30, 0.1
_BASIS = {"X": ("ry", -np.pi / 2), "Y": ("rx", np.pi / 2)}  # rotations that turn a letter into Z


class Words(NamedTuple):
    """W Pauli words as they act: P |i> = phase[i] |i ^ flip>."""

    names: tuple[str, ...]
    flip: np.ndarray  # [W]
    phase: np.ndarray  # [W, N] complex


class Grown(NamedTuple):
    """N circuits that were tuned, in the order of growth."""

    error: np.ndarray  # millihartree
    gates: np.ndarray
    depth: np.ndarray
    two_qubit: np.ndarray


def grow(molecule: Molecule, seed: int, evaluations: int) -> Grown:
    """Grows circuits until the evaluations are used up.

    Args:
        molecule: whose ground state is wanted.
        seed: of the draws.
        evaluations: in all, tunings and slopes.
    """
    words, rng, spent, found = pool(molecule.qubits), np.random.default_rng(seed), 0.0, []
    slopes_cost = 2 * len(words.names) / (3 * STEPS)
    tune, slopes = _programs(molecule, words)
    while spent + CIRCUITS * WORDS * (1 + slopes_cost) <= evaluations or not found:
        chosen, angles = np.zeros((CIRCUITS, WORDS), int), np.zeros((CIRCUITS, WORDS), np.float32)
        for k in range(WORDS):
            steep = np.asarray(slopes(chosen, angles, k), float) ** 2
            share = steep / np.maximum(steep.sum(1, keepdims=True), 1e-30)
            drawn = (share.cumsum(1) < rng.random((CIRCUITS, 1))).sum(1).clip(0, len(words.names) - 1)
            chosen[:, k] = drawn
            if not found:
                chosen[0, k] = steep[0].argmax()
            angles, error = (np.array(part) for part in tune(chosen, angles, k + 1))
            found.append(_costed(words, chosen[:, : k + 1], angles, error, molecule.qubits))
            spent += CIRCUITS * (1 + slopes_cost)
    return Grown(*(np.concatenate(column) for column in zip(*found, strict=True)))


def scores(grown: Grown) -> dict[str, float]:
    """Returns the least error of any size, and the fewest gates within chemical accuracy.

    Args:
        grown: all circuits of a run.
    """
    accurate = grown.error <= CHEMICAL_ACCURACY
    metrics = {"error, any size": float(grown.error.min())}
    for name, column in (("two-qubit", grown.two_qubit), ("depth", grown.depth)):
        metrics |= {f"least {name}, any size": float(column[accurate].min())} if accurate.any() else {}
    return metrics


def pool(qubits: int) -> Words:
    """Returns all Pauli words with an odd number of Y.

    Args:
        qubits: n.
    """
    names = tuple(word for word in map("".join, product("IXYZ", repeat=qubits)) if word.count("Y") % 2)
    index = np.arange(2**qubits)
    flip = np.array([sum(1 << (qubits - 1 - q) for q, letter in enumerate(word) if letter in "XY") for word in names])
    phase = np.ones((len(names), len(index)), complex)
    for row, word in zip(phase, names, strict=True):
        for q, letter in enumerate(word):
            bit = index >> (qubits - 1 - q) & 1
            row *= np.where(bit, -1, 1) if letter == "Z" else np.where(bit, -1j, 1j) if letter == "Y" else 1
    return Words(names, flip, phase)


def _programs(molecule: Molecule, words: Words) -> tuple:
    """Returns compiled tune(chosen [L, K], angles, count) and slopes(chosen, angles, count)."""
    hamiltonian, (_, flip, phase) = jnp.asarray(molecule.observable().matrix, jnp.complex64), words
    index, flips, phases = jnp.arange(phase.shape[1]), jnp.asarray(flip), jnp.asarray(phase, jnp.complex64)
    applied = lambda psi, w: (phases[w] * psi)[index ^ flips[w]]

    def state(chosen: jax.Array, angles: jax.Array, count: jax.Array) -> jax.Array:
        def turn(psi: jax.Array, row: tuple) -> tuple:
            w, t, k = row
            t = jnp.where(k < count, t, 0)
            return jnp.cos(t / 2) * psi - 1j * jnp.sin(t / 2) * applied(psi, w), None

        first = (index == molecule.start).astype(jnp.complex64)
        return jax.lax.scan(turn, first, (chosen, angles, jnp.arange(WORDS)))[0]

    def error(angles: jax.Array, chosen: jax.Array, count: jax.Array) -> jax.Array:
        psi = state(chosen, angles, count)
        return 1000 * ((psi.conj() * (hamiltonian @ psi)).sum().real - molecule.exact)

    def tuned(chosen: jax.Array, angles: jax.Array, count: jax.Array) -> tuple:
        optimiser = optax.adam(RATE)

        def step(carry: tuple, _: None) -> tuple:
            angles, memory, best, least = carry
            now, slope = jax.value_and_grad(error)(angles, chosen, count)
            best, least = jnp.where(now < least, angles, best), jnp.minimum(now, least)
            update, memory = optimiser.update(slope, memory)
            return (angles + update, memory, best, least), None

        carry = (angles, optimiser.init(angles), angles, jnp.float32(jnp.inf))
        return jax.lax.scan(step, carry, length=STEPS)[0][2:]

    def steepness(chosen: jax.Array, angles: jax.Array, count: jax.Array) -> jax.Array:
        psi = state(chosen, angles, count)
        each = jax.vmap(lambda w: applied(psi, w))(jnp.arange(len(flip)))
        return (each @ (hamiltonian @ psi).conj()).imag  # d<H>/dt at 0 of exp(-i t/2 P)

    both = (0, 0, None)
    return jax.jit(jax.vmap(tuned, both)), jax.jit(jax.vmap(steepness, both))


def _costed(words: Words, chosen: np.ndarray, angles: np.ndarray, error: np.ndarray, qubits: int) -> Grown:
    rows = [circuit(words, *row, qubits) for row in zip(chosen, angles, strict=True)]
    longest = -(-max(len(row.kind) for row in rows) // 32) * 32  # few shapes to compile for
    padded = (np.stack([np.resize(np.append(c, [0] * longest), longest) for c in column]) for column in zip(*rows, strict=True))
    costs = jax.device_get(_costs(Circuits(*padded), qubits))
    return Grown(error, costs.gates, costs.depth, costs.two_qubit)


_costs = partial(jax.jit, static_argnums=1)(gates.costs)


def circuit(words: Words, chosen: np.ndarray, angles: np.ndarray, qubits: int) -> Circuits:
    """Returns Pauli rotations as gates, without neighbours that undo each other.

    Args:
        words: to choose from.
        chosen: [K] which.
        angles: [K] or more.
        qubits: n.

    Returns:
        A circuit [S].
    """
    made: list[tuple[str, int, int, float]] = []  # kind, target, control, angle
    for w, angle in zip(chosen, angles, strict=False):
        word = words.names[w]
        support = [q for q in range(qubits) if word[q] != "I"]
        turns = [(_BASIS[word[q]][0], q, q, _BASIS[word[q]][1]) for q in support if word[q] in _BASIS]
        ladder = [("cx", b, a, 0.0) for a, b in pairwise(support)]
        back = [(kind, target, control, -turn) for kind, target, control, turn in turns]
        for gate in [*turns, *ladder, ("rz", support[-1], support[-1], float(angle)), *reversed(ladder), *back]:
            _add(made, gate)
    columns = zip(*((KINDS.index(kind), *rest) for kind, *rest in made), strict=True)
    kind, target, control, angle = map(np.array, columns)
    return Circuits(kind, target, np.where(control == target, (target + 1) % qubits, control), angle)


def _add(made: list[tuple[str, int, int, float]], gate: tuple[str, int, int, float]) -> None:
    """Adds a gate, or joins it with the last one on its qubits where both are of one kind on the same qubits."""
    kind, target, control, angle = gate
    wires = {target, control}
    last = next((i for i in reversed(range(len(made))) if wires & {made[i][1], made[i][2]}), None)
    if last is None or made[last][:3] != gate[:3]:
        made.append(gate)
        return
    total = made[last][3] + angle
    if kind == "cx" or abs(total) < 1e-6:
        del made[last]
    else:
        made[last] = (kind, target, control, total)
