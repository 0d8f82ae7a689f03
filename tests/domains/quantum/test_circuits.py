"""Molecules, states to prepare, costs, OpenQASM, pictures, and what is refused."""

import time
from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from domains.quantum import drawing, gates, qasm
from domains.quantum.classifier import QuantumClassifier, entanglement
from domains.quantum.domain import QuantumCircuits
from domains.quantum.gates import KINDS, Circuits
from domains.quantum.observables import Molecule, Target, _molecules
from qd import keys
from tests.support.quantum_peers import circuit_of as circuit
from tests.support.quantum_peers import random_circuits, state_by_products, to_qiskit

SMALL = QuantumCircuits(Molecule("h2_2"), slots=6, steps=15)
PLAIN = QuantumCircuits(Molecule("h2_2"), slots=6, steps=0)


@cache
def program(domain):
    return jax.jit(lambda x: domain.evaluate(None, x))


@pytest.fixture(scope="module")
def sampled():
    """40 circuits, evaluated with angles tuned and as they are."""
    x = SMALL.sample(keys.new(0), 40)
    x[0] = gates.encode(circuit(("rx", 0, 1, np.pi), ("ry", 1, 0, 0.1), ("cx", 0, 1, 0.0)), 6, 2)
    return x, program(SMALL)(x), program(PLAIN)(x)


@pytest.mark.parametrize("name", _molecules())
def test_exact_energies_are_those_of_the_file(name):
    molecule = Molecule(name)
    assert abs(molecule.exact - molecule.record["ground"]) < 1e-9
    start = molecule.observable().matrix[molecule.start, molecule.start].real
    assert abs(start - molecule.record["hartree_fock"]) < 1e-9


def test_published_energy_of_h2():
    assert abs(Molecule("h2_4").exact + 1.13727017) < 1e-8


def test_one_entangler_and_one_angle_reach_h2(sampled):
    _, tuned, plain = sampled
    assert plain.objective[0] < -1.6 < tuned.objective[0] and float(tuned.features["cnots"][0]) == 1


@pytest.mark.ci
def test_tuning_never_makes_worse_and_noise_does(sampled):
    x, tuned, plain = sampled
    gain = np.asarray(tuned.objective) - np.asarray(plain.objective)
    assert (gain >= -1e-3).all() and (gain > 1).sum() > 10
    noisy = np.asarray(program(QuantumCircuits(SMALL.task, slots=6, steps=0, noise=0.01))(x).objective)
    empty = np.asarray(plain.features["gates"]) == 0
    assert noisy[0] < plain.objective[0] and np.allclose(noisy[empty], plain.objective[empty], atol=1e-2)


def test_costs_of_a_circuit():
    rows = circuit(
        ("rx", 0, 1, 1.0), ("none", 2, 1, 0.0), ("ry", 1, 0, 1.0), ("cx", 2, 0, 0.0), ("crz", 2, 1, 0.5), ("rz", 0, 1, 0.1)
    )
    costs = gates.costs(Circuits(*(column[None] for column in rows)), 3)
    assert [float(column[0]) for column in costs] == [3, 5, 2, 3]


def test_targets_are_reached_by_the_textbook_circuits():
    ghz = circuit(("ry", 0, 1, np.pi / 2), ("cx", 1, 0, 0.0), ("cx", 2, 1, 0.0))
    assert abs(np.vdot(Target("ghz", 3).vector(), state_by_products(ghz, 3))) > 1 - 1e-9
    w = circuit(
        ("ry", 0, 1, 2 * np.arcsin(np.sqrt(1 / 3))),
        ("rx", 1, 0, np.pi),
        ("cx", 1, 0, 0.0),
        ("cry", 2, 1, np.pi / 2),
        ("cx", 1, 2, 0.0),
    )
    psi = state_by_products(w, 3)
    assert abs(np.abs(psi[[1, 2, 4]]) ** 2 - 1 / 3).max() < 1e-6
    assert abs(np.vdot(np.abs(psi), Target("w", 3).vector())) > 1 - 1e-6
    random = Target("random", 3, 5).vector()
    assert abs(np.linalg.norm(random) - 1) < 1e-12 and not np.allclose(random, Target("random", 3, 6).vector())


def test_genes_and_circuits_are_the_same():
    rows = random_circuits(4, 1, 9, 0)
    rows = Circuits(*(column[0] for column in rows))
    back = gates.decode(gates.encode(rows, 12, 4)[None], 4)
    used = rows.kind > 0
    for ours, theirs in zip(rows, back, strict=True):
        np.testing.assert_allclose(np.asarray(theirs)[0, :9][used], ours[used], atol=1e-6)
    assert (np.asarray(back.kind)[0, 9:] == 0).all()


def test_openqasm_comes_back_and_is_what_qiskit_builds():
    rows = Circuits(*(column[0] for column in random_circuits(3, 1, 20, 1)))
    text = qasm.write(rows, 3, 5)
    assert text.startswith("OPENQASM 3.0;") and "x q[0];\nx q[2];" in text
    back, n = qasm.parse(text)
    psi = state_by_products(back, n)
    start = state_by_products(circuit(("rx", 0, 1, np.pi), ("rx", 2, 1, np.pi)), 3)
    assert abs(np.vdot(start, np.eye(8)[5])) > 1 - 1e-9
    whole = Circuits(
        *(np.concatenate(pair) for pair in zip(circuit(("rx", 0, 1, np.pi), ("rx", 2, 1, np.pi)), rows, strict=True))
    )
    assert abs(np.vdot(psi, state_by_products(whole, 3))) > 1 - 1e-9
    qasm3 = pytest.importorskip("qiskit_qasm3_import", reason="needs the extra 'quantum'")
    operators = pytest.importorskip("qiskit.quantum_info", reason="needs the extra 'quantum'")
    theirs = operators.Statevector(qasm3.parse(text)).reverse_qargs().data
    assert abs(np.vdot(psi, theirs)) > 1 - 1e-6 and to_qiskit(rows, 3).num_qubits == 3


def test_a_circuit_of_ones_own_is_among_the_initial_ones(tmp_path):
    path = tmp_path / "own.qasm"
    path.write_text('OPENQASM 3.0;\ninclude "stdgates.inc";\nqubit[2] q; // two\nry(-pi/2) q[1];\ncx q[0], q[1];\n')
    domain = QuantumCircuits(Molecule("h2_2"), slots=6, steps=0, circuit=str(path))
    first = gates.decode(domain.sample(keys.new(0), 3), 2)
    assert [KINDS[kind] for kind in np.asarray(first.kind)[0]] == ["rx", "rx", "ry", "cx", "none", "none"]  # from |00>
    assert abs(float(first.angle[0, 2]) + np.pi / 2) < 1e-6


def test_a_circuit_of_ones_own_begins_with_zeros(tmp_path):
    """Molecules begin with another state: x gates of an exported file are that state, a file without them takes it back."""
    path, start = tmp_path / "own.qasm", Molecule("h2_4").start
    rows = circuit(("ry", 0, 1, 0.3), ("cx", 1, 0, 0.0), ("rz", 2, 1, 0.5))
    for text, written in ((qasm.write(rows, 4, start), start), (qasm.write(rows, 4), 0)):
        path.write_text(text)
        domain = QuantumCircuits(Molecule("h2_4"), slots=8, steps=0, circuit=str(path))
        own = Circuits(*(np.asarray(column)[0] for column in gates.decode(domain.sample(keys.new(0), 1), 4)))
        theirs = Circuits(*(np.concatenate(pair) for pair in zip(_flips(written), rows, strict=True)))
        ours = Circuits(*(np.concatenate(pair) for pair in zip(_flips(start), own, strict=True)))
        assert abs(np.vdot(state_by_products(ours, 4), state_by_products(theirs, 4))) > 1 - 1e-6


def _flips(start):
    return circuit(
        *((("rx", qubit, (qubit + 1) % 4, np.pi)) for qubit in range(4) if start >> (3 - qubit) & 1), ("rz", 0, 1, 0.0)
    )


HEAD = "OPENQASM 3.0;\nqubit[2] q;\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("hello", "no OpenQASM 3: it begins with 'hello'"),
        ("OPENQASM 3.0;\n", "declares no qubits"),
        (HEAD + "cx q[0], q[2];", r"acts on qubit 2; qubits are 0..1"),
        (HEAD + "cx q[1], q[1];", "acts on qubit 1 twice"),
        (HEAD + "toffoli q[0];", "unknown gate 'toffoli'"),
        (HEAD + "rx(a) q[0];", "is no number"),
        (HEAD + "rx q[0];", "has not the qubits or the angle"),
        (HEAD + "measure;", "is no gate on qubits of the register"),
        ("OPENQASM 3.0;\nqubit[30] q;\n", r"2\^30 = 1,073,741,824 entries.*2.05e\+03 GiB"),
    ],
)
def test_a_file_that_is_no_circuit_of_ours(text, message, tmp_path):
    (tmp_path / "bad.qasm").write_text(text)
    began = time.perf_counter()
    with pytest.raises(ValueError, match=message):
        QuantumCircuits(Molecule("h2_2"), circuit=str(tmp_path / "bad.qasm"))
    assert time.perf_counter() - began < 0.5


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: QuantumCircuits(Target("ghz", 12)), r"2\^12 = 4,096 entries of 8 bytes.*type qubits=10"),
        (lambda: QuantumCircuits(Target("ghz", 6), noise=0.1), r"4\^6 .*type qubits=5 or fewer, or noise=0"),
        (lambda: Target("ghz", 1), "no two qubits"),
        (lambda: Molecule("h3"), "unknown molecule 'h3'"),
        (lambda: Target("cat"), "unknown state 'cat'"),
        (lambda: QuantumCircuits(kinds=("rx", "cx")), "has no 'none'"),
        (lambda: QuantumCircuits(kinds=("none", "h")), "unknown gate 'h'"),
        (lambda: QuantumCircuits(noise=2.0), "no probability"),
        (lambda: QuantumCircuits(slots=0), "make no circuits"),
        (lambda: QuantumCircuits(circuit="not/there.qasm"), "cannot be read"),
        (lambda: QuantumClassifier(numbers=99), "cannot be taken of 64 pixels"),
    ],
)
def test_settings_that_cannot_be(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_a_picture_has_every_gate_and_the_first_state():
    picture = drawing.draw(circuit(("rx", 0, 1, 1.0), ("none", 1, 0, 0.0), ("cx", 1, 0, 0.0), ("crz", 0, 1, 0.5)), 2, 1)
    assert picture.count("<rect") == 2 and picture.count('r="11"') == 1 and picture.count('r="4.5"') == 2
    assert picture.count("|0⟩") == picture.count("|1⟩") == 1


@pytest.mark.ci
def test_a_classifier_learns_and_is_judged_by_other_images():
    """Two rotations that add the first principal components, on the qubit that answers."""
    trained, untrained = (QuantumClassifier(2, slots=2, numbers=2, steps=steps) for steps in (25, 0))
    x = np.array([[2, 0, 0, 0.3, 1, 2, 0, 0, 0.1, 2]], np.float32)
    after, before = (float(program(domain)(x).objective[0]) for domain in (trained, untrained))
    assert trained.held_out == QuantumClassifier(2, 2, 2, 25, split="test") and trained.held_out.held_out is None
    assert after > before and after > 80


def test_entanglement_of_known_states():
    states = jnp.stack([jnp.eye(8)[3], *(jnp.asarray(Target(name, 3).vector()) for name in ("ghz", "w"))])
    np.testing.assert_allclose(entanglement(states, 3), [0, 1, 8 / 9], atol=1e-6)


def test_a_classifier_has_a_twin_on_test_images():
    domain = QuantumClassifier(2, slots=2, numbers=2)
    assert domain.held_out == QuantumClassifier(2, 2, 2, split="test") and domain.held_out.held_out is None
    assert domain.sample(keys.new(0), 3).shape == (3, len(domain.space)) == (3, 10)
