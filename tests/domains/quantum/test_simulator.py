"""States, gradients and noise beside Kronecker products, finite differences and qiskit."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from domains.quantum import density, gates, observables, simulator
from domains.quantum.gates import CONTROLLED, KINDS, Circuits
from tests.support.quantum_peers import gate_matrix, random_circuits, state_by_products, to_qiskit

QISKIT = "needs the extra 'quantum'"


def states(circuits: Circuits, n: int) -> np.ndarray:
    return np.asarray(jax.jit(simulator.states, static_argnums=1)(circuits, n))


def test_qubit_0_is_the_most_significant_bit():
    flip = Circuits(*(np.array([[value]]) for value in (KINDS.index("cx"), 2, 0)), np.zeros((1, 1), np.float32))
    psi = np.asarray(jax.jit(simulator.states, static_argnums=(1, 2))(flip, 3, 4))[0]  # |100>: the control is 1
    assert np.flatnonzero(psi).tolist() == [5]


@pytest.mark.parametrize("n", [2, 4])
def test_states_equal_products_of_matrices(n):
    circuits = random_circuits(n, 40, 25, n)
    ours = states(circuits, n)
    for psi, *circuit in zip(ours, *circuits, strict=True):
        np.testing.assert_allclose(psi, state_by_products(Circuits(*circuit), n), atol=1e-6)


def _beside_qiskit(n: int, count: int, slots: int) -> None:
    quantum_info = pytest.importorskip("qiskit.quantum_info", reason=QISKIT)
    circuits = random_circuits(n, count, slots, 100 + n)
    ours = states(circuits, n)
    for psi, *circuit in zip(ours, *circuits, strict=True):
        theirs = quantum_info.Statevector(to_qiskit(Circuits(*circuit), n)).reverse_qargs().data
        np.testing.assert_allclose(psi, theirs, atol=1e-6)


def test_states_equal_qiskits():
    _beside_qiskit(5, 25, 30)


@pytest.mark.slow
@pytest.mark.parametrize(("n", "count"), [(2, 200), (3, 200), (5, 200), (8, 200), (10, 200)])
def test_1000_states_equal_qiskits(n, count):
    _beside_qiskit(n, count, 40)


@pytest.fixture(scope="module")
def energy():
    hamiltonian = jnp.asarray(observables.matrix(observables.Molecule("lih_4").record["terms"]), jnp.complex64)

    def energy(angle, circuit):
        psi = simulator.state(circuit._replace(angle=angle), 4)
        return (psi.conj() * (hamiltonian @ psi)).sum().real

    return energy


def test_gradients_equal_finite_differences_and_jax_own(energy):
    """Forward differentiation goes round the backward pass that undoes gates."""
    circuits = random_circuits(4, 12, 20, 3)
    backwards = np.asarray(jax.jit(jax.vmap(jax.grad(energy)))(circuits.angle, circuits))

    def without(angle, circuit):
        first = (jnp.arange(16) == 0).astype(jnp.complex64)
        psi = simulator._forward(4, first, circuit._replace(angle=angle))
        hamiltonian = jnp.asarray(observables.matrix(observables.Molecule("lih_4").record["terms"]), jnp.complex64)
        return (psi.conj() * (hamiltonian @ psi)).sum().real

    own = np.asarray(jax.jit(jax.vmap(jax.grad(without)))(circuits.angle, circuits))
    np.testing.assert_allclose(backwards, own, atol=2e-5)
    value, step = jax.jit(jax.vmap(energy)), 2e-2
    for slot in range(20):
        by = np.zeros((12, 20), np.float32)
        by[:, slot] = step
        differences = [np.asarray(value(circuits.angle + k * by, circuits), np.float64) for k in (-2, -1, 1, 2)]
        slope = (differences[0] - 8 * differences[1] + 8 * differences[2] - differences[3]) / (12 * step)
        np.testing.assert_allclose(backwards[:, slot], slope, atol=2e-4)
    assert np.abs(backwards).max() > 0.05 and (backwards[~gates.ROTATES[circuits.kind]] == 0).all()


def noisy_by_products(circuit: Circuits, n: int, noise: float) -> np.ndarray:
    """Sums over Paulis, as the channel is defined."""
    from itertools import product

    paulis = [observables._PAULIS[letter] for letter in "IXYZ"]
    rho = np.zeros((2**n, 2**n), complex)
    rho[0, 0] = 1
    for kind, target, control, angle in zip(*circuit, strict=True):
        if KINDS[kind] == "none":
            continue
        u = gate_matrix(kind, target, control, float(angle), n)
        rho = u @ rho @ u.conj().T
        wires = (control, target) if CONTROLLED[kind] else (target,)
        mixed = np.zeros_like(rho)
        for errors in list(product(range(4), repeat=len(wires)))[1:]:
            word = np.eye(1)
            for qubit in range(n):
                word = np.kron(word, paulis[errors[wires.index(qubit)]] if qubit in wires else np.eye(2))
            mixed += word @ rho @ word.conj().T
        rho = (1 - noise) * rho + noise / (4 ** len(wires) - 1) * mixed
    return rho


def test_depolarising_noise_is_the_sum_over_paulis():
    circuits = random_circuits(3, 6, 12, 5)
    ours = np.asarray(jax.jit(density.matrices, static_argnums=(1, 2))(circuits, 3, 0.05))
    for rho, *circuit in zip(ours, *circuits, strict=True):
        np.testing.assert_allclose(rho, noisy_by_products(Circuits(*circuit), 3, 0.05), atol=1e-6)


@pytest.mark.ci
def test_noise_equals_qiskits():
    quantum_info = pytest.importorskip("qiskit.quantum_info", reason=QISKIT)
    one, two = (_channel(quantum_info, 0.03, k) for k in (1, 2))
    circuits = random_circuits(4, 4, 15, 6)
    ours = np.asarray(jax.jit(density.matrices, static_argnums=(1, 2))(circuits, 4, 0.03))
    for rho, *circuit in zip(ours, *circuits, strict=True):
        theirs = quantum_info.DensityMatrix.from_int(0, 16)
        for instruction in to_qiskit(Circuits(*circuit), 4).data:
            wires = [qubit._index for qubit in instruction.qubits]
            theirs = theirs.evolve(instruction.operation, wires).evolve(one if len(wires) == 1 else two, wires)
        np.testing.assert_allclose(rho, theirs.reverse_qargs().data, atol=1e-6)


def _channel(quantum_info, noise: float, qubits: int):
    from itertools import product

    words = ["".join(word) for word in product("IXYZ", repeat=qubits)]
    chances = [1 - noise] + [noise / (len(words) - 1)] * (len(words) - 1)
    operators = [np.sqrt(p) * quantum_info.Pauli(word).to_matrix() for p, word in zip(chances, words, strict=True)]
    return quantum_info.Kraus(operators)


@pytest.mark.ci
def test_no_noise_is_the_pure_state():
    circuits = random_circuits(3, 5, 10, 7)
    rho = np.asarray(jax.jit(density.matrices, static_argnums=(1, 2))(circuits, 3, 0.0))
    psi = states(circuits, 3)
    np.testing.assert_allclose(rho, psi[:, :, None] * psi[:, None].conj(), atol=1e-6)
