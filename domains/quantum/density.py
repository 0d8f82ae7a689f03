"""Density matrices of circuits whose every gate is followed by depolarising noise; up to 5 qubits.

    one qubit      rho -> (1 - p) rho + p/3 sum of P rho P over X, Y, Z            = (1 - l) rho + l I/2 x tr rho, l = 4p/3
    two qubits     rho -> (1 - p) rho + p/15 sum over the 15 pairs of Paulis       = (1 - l) rho + l I/4 x tr rho, l = 16p/15

as PennyLane's DepolarizingChannel(p), stim's DEPOLARIZE1 and DEPOLARIZE2, TensorCircuit's isotropicdepolarizing; qiskit-aer's
parameter is l. A matrix is a state of 2n qubits: rows are the first n bits. n qubits, N = 2^n, S slots, B circuits.
"""

from typing import Any

import jax
import jax.numpy as jnp

from domains.quantum import gates
from domains.quantum.gates import Circuits
from domains.quantum.simulator import apply, gate_of
from qd.types import Array


def matrices(circuits: Circuits, qubits: int, noise: float, start: Any = 0) -> Array:
    """Returns the density matrices of circuits.

    Args:
        circuits: [B, S].
        qubits: n, 5 at most.
        noise: p, the probability of an error after each gate, on the qubits on which it acts.
        start: the basis state that they begin with, or a density matrix [N, N].

    Returns:
        [B, N, N], complex.
    """
    size = 2**qubits
    basis = jnp.zeros((size, size), jnp.complex64)
    first = (basis.at[start, start].set(1) if isinstance(start, int) else jnp.asarray(start, jnp.complex64)).reshape(-1)

    def step(rho: Array, slot: Circuits) -> tuple[Array, None]:
        gate = gate_of(slot, qubits)
        on_columns = gate._replace(b=jnp.conj(gate.b))  # rho -> U rho U+: columns take the conjugate
        rows = gate._replace(target=gate.target + qubits, control=gate.control << qubits)
        phase = jnp.where(gate.pauli == 1, -1, 1)  # the conjugate of Y is -Y
        rho = apply(on_columns._replace(b=on_columns.b * phase), apply(rows, rho))
        return _depolarised(rho, slot, qubits, noise), None

    one = lambda circuit: jax.lax.scan(step, first, circuit)[0].reshape(size, size)
    return jax.vmap(one)(circuits)


def _depolarised(rho: Array, slot: Circuits, qubits: int, noise: float) -> Array:
    target, control = (1 << (qubits - 1 - qubit) for qubit in (slot.target, slot.control))
    two = jnp.asarray(gates.CONTROLLED)[slot.kind]
    mixed = _traced_out(rho, target, qubits)
    mixed = jnp.where(two, _traced_out(mixed, control, qubits), mixed)
    share = jnp.where(slot.kind == 0, 0, jnp.where(two, 16 / 15, 4 / 3) * noise)
    return (1 - share) * rho + share * mixed


def _traced_out(rho: Array, mask: Array, qubits: int) -> Array:
    """Replaces one qubit by the completely mixed state."""
    index = jnp.arange(rho.shape[0])
    both = mask | (mask << qubits)
    same = ((index >> qubits) ^ index) & mask == 0
    return jnp.where(same, (rho + rho[index ^ both]) / 2, 0)
