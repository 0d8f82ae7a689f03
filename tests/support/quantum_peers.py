"""Circuits by other means: by Kronecker products in NumPy, and by qiskit."""

import numpy as np

from domains.quantum.gates import CONTROLLED, KINDS, Circuits
from domains.quantum.observables import _PAULIS


def random_circuits(n: int, count: int, slots: int, seed: int) -> Circuits:
    rng = np.random.default_rng(seed)
    kind = rng.integers(0, len(KINDS), (count, slots))
    target = rng.integers(0, n, (count, slots))
    control = (target + rng.integers(1, n, (count, slots))) % n
    return Circuits(kind, target, control, rng.uniform(-7, 7, (count, slots)).astype(np.float32))


def gate_matrix(kind: int, target: int, control: int, angle: float, n: int) -> np.ndarray:
    """[2^n, 2^n] by Kronecker products; qubit 0 is the leftmost factor."""
    name = KINDS[kind]
    if name == "none":
        return np.eye(2**n, dtype=complex)
    pauli = _PAULIS[name[-1].upper()]
    half = angle / 2
    matrix = pauli if name in ("cx", "cz") else np.cos(half) * np.eye(2) - 1j * np.sin(half) * pauli
    if not CONTROLLED[kind]:
        return _product(n, {target: matrix})
    zero, one = np.diag([1, 0]), np.diag([0, 1])
    return _product(n, {control: zero}) + _product(n, {control: one, target: matrix})


def circuit_of(*rows: tuple) -> Circuits:
    """A circuit of rows (name of the gate, target, control, angle)."""
    return Circuits(*(np.array(column) for column in zip(*((KINDS.index(r[0]), *r[1:]) for r in rows), strict=True)))


def state_by_products(circuit: Circuits, n: int, start: int = 0) -> np.ndarray:
    psi = np.zeros(2**n, complex)
    psi[start] = 1
    for kind, target, control, angle in zip(*circuit, strict=True):
        psi = gate_matrix(kind, target, control, float(angle), n) @ psi
    return psi


def to_qiskit(circuit: Circuits, n: int):
    from qiskit import QuantumCircuit

    made = QuantumCircuit(n)
    for kind, target, control, angle in zip(*circuit, strict=True):
        name, wires = KINDS[kind], [int(control), int(target)] if CONTROLLED[kind] else [int(target)]
        if name in ("cx", "cz"):
            getattr(made, name)(*wires)
        elif name != "none":
            getattr(made, name)(float(angle), *wires)
    return made


def _product(n: int, factors: dict) -> np.ndarray:
    result = np.eye(1)
    for qubit in range(n):
        result = np.kron(result, factors.get(qubit, np.eye(2)))
    return result
