"""States of circuits in JAX, whatever their gates: kinds, qubits and angles are data, so that one program serves all circuits.

A gate a I + b P moves amplitude i to a psi[i] + b phase(bit) psi[i ^ flip]: one gather, no matrix. Gradients go backwards
through the circuit by undoing its gates, so that no state is stored (adjoint differentiation, Jones and Gacon 2020,
arXiv:2009.02823). complex64 unless JAX computes in 64 bits.

n qubits, N = 2^n amplitudes, S slots, B circuits.
"""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from domains.quantum import gates
from domains.quantum.gates import Circuits
from qd.types import Array

_PHASES = np.array([[1, 1], [-1j, 1j], [1, -1], [0, 0]], np.complex64)  # [P, bit of the row] of X, Y, Z and none


class Gate(NamedTuple):
    """One gate, as it acts on amplitudes."""

    a: Array  # real
    b: Array  # complex
    pauli: Array
    target: Array  # the bit's place, from the least significant
    control: Array  # a mask; 0 where there is none


def states(circuits: Circuits, qubits: int, start: Any = 0) -> Array:
    """Returns the states of circuits.

    Args:
        circuits: [B, S].
        qubits: n.
        start: the basis state that they begin with, of which qubit 0 is the most significant bit; or amplitudes [N].

    Returns:
        Amplitudes [B, N], complex.
    """
    return jax.vmap(lambda circuit: state(circuit, qubits, start))(circuits)


def state(circuit: Circuits, qubits: int, start: Any = 0) -> Array:
    """Returns the state of one circuit; its derivative by the angles costs about two more passes.

    Args:
        circuit: [S].
        qubits: n.
        start: the basis state that it begins with, or amplitudes [N], by which nothing is differentiated.

    Returns:
        Amplitudes [N], complex.
    """
    dtype = jnp.result_type(circuit.angle, jnp.complex64)
    first = jnp.arange(2**qubits) == start if isinstance(start, int) else jnp.asarray(start)
    return _state(qubits, first.astype(dtype), *circuit)


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def _state(qubits: int, first: Array, kind: Array, target: Array, control: Array, angle: Array) -> Array:
    return _forward(qubits, first, Circuits(kind, target, control, angle))


def _forward(qubits: int, first: Array, circuit: Circuits) -> Array:
    return jax.lax.scan(lambda psi, gate: (apply(gate_of(gate, qubits), psi), None), first, circuit)[0]


def _remember(qubits: int, first: Array, *circuit: Array) -> tuple[Array, tuple]:
    psi = _forward(qubits, first, Circuits(*circuit))
    return psi, (psi, circuit)


def _backward(qubits: int, memory: tuple, cotangent: Array) -> tuple:
    """dL = Re sum cotangent dpsi; the gradient by a gate's angle is Re <lambda| -i/2 P |psi after the gate>."""
    psi, circuit = memory

    def back(carry: tuple[Array, Array], slot: Circuits) -> tuple[tuple[Array, Array], Array]:
        psi, bra = carry
        gate = gate_of(slot, qubits)
        turned = apply(gate._replace(a=jnp.zeros_like(gate.a), b=jnp.ones_like(gate.b)), psi, outside=0)
        slope = jnp.where(jnp.asarray(gates.ROTATES)[slot.kind], (jnp.conj(bra) * (-0.5j * turned)).sum().real, 0)
        undo = gate._replace(b=jnp.conj(gate.b))
        return (apply(undo, psi), apply(undo, bra)), slope

    _, slopes = jax.lax.scan(back, (psi, jnp.conj(cotangent)), Circuits(*circuit), reverse=True)
    return (None, None, None, None, slopes.astype(circuit[3].dtype))


_state.defvjp(_remember, _backward)


def gate_of(slot: Circuits, qubits: int) -> Gate:
    """Returns the gate of one slot.

    Args:
        slot: scalars.
        qubits: n.
    """
    kind, target, control, angle = slot
    rotates, controlled = jnp.asarray(gates.ROTATES)[kind], jnp.asarray(gates.CONTROLLED)[kind]
    half = jnp.where(rotates, angle / 2, jnp.where(kind == 0, 0, jnp.pi / 2))
    a = jnp.where(rotates | (kind == 0), jnp.cos(half), 0)
    b = jnp.where(rotates, -1j, 1) * jnp.where(rotates | (kind > 0), jnp.sin(half), 0)
    mask = jnp.where(controlled, 1 << (qubits - 1 - control), 0)
    return Gate(a, b, gates.pauli(kind), qubits - 1 - target, mask)


def apply(gate: Gate, psi: Array, outside: int = 1) -> Array:
    """Applies a gate to amplitudes [N].

    Args:
        gate: of one slot.
        psi: [N].
        outside: by what amplitudes with the control at 0 are multiplied.
    """
    index = jnp.arange(psi.shape[0])
    bit = (index >> gate.target) & 1
    flip = jnp.where(gate.pauli <= 1, 1 << gate.target, 0)
    phase = jnp.asarray(_PHASES)[gate.pauli, bit].astype(psi.dtype)
    new = gate.a.astype(psi.dtype) * psi + gate.b.astype(psi.dtype) * phase * psi[index ^ flip]
    inside = index & gate.control == gate.control
    return jnp.where(inside, new, outside * psi)
