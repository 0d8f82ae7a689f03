"""Optimisers of angles, packing of states, inheritance of tuned angles, and OpenQASM files of a run."""

import json

import jax
import numpy as np
import pytest

from domains.quantum import export, gates, qasm, tune
from domains.quantum.compression import Compression
from domains.quantum.domain import QuantumCircuits
from domains.quantum.observables import Molecule
from feedback.descriptors.select import Select
from qd import keys
from qd.archives import Grid
from qd.cli.main import main
from qd.emitters import Mixed, Vary
from qd.search import run, start
from qd.types import Search
from tests.support.quantum_peers import circuit_of, state_by_products, to_qiskit

H2 = {"task": Molecule("h2_2"), "slots": 6}


@pytest.fixture(scope="module")
def untuned():
    """12 circuits of H2, and their objectives with the angles that they have."""
    plain = QuantumCircuits(**H2, steps=0)
    x = plain.sample(keys.new(3), 12)
    return x, np.asarray(plain.evaluate(None, x).objective)


@pytest.mark.ci
@pytest.mark.parametrize("name", tune.PASSES)
def test_every_optimiser_improves_and_its_angles_are_what_counts(name, untuned):
    x, before = untuned
    domain = QuantumCircuits(**H2, steps=30, optimiser=name)
    evaluation = domain.evaluate(None, x)
    after = np.asarray(evaluation.objective)
    assert domain.pure == (name != "cobyla")
    assert (after >= before - 1e-3).all() and (after - before).max() > 1
    tuned = np.asarray(evaluation.features["tuned"])
    again = QuantumCircuits(**H2, steps=0).evaluate(None, tuned).objective
    np.testing.assert_allclose(again, after, atol=1e-2)  # millihartree, of single precision
    others = np.arange(tuned.shape[1]) % gates.PER_SLOT != 3
    np.testing.assert_array_equal(tuned[:, others], x[:, others])
    assert np.abs(tuned[:, ~others]).max() <= gates.TURN / 2


def test_a_spent_optimiser_stops():
    calls = []
    value = lambda angle, circuit: calls.append(1) or -float(np.sum(angle**2))
    angles = tune.cobyla(value, 4, 0.1, np.ones((1, 9), np.float32), [None], np.ones((1, 9), bool))
    assert len(calls) == 4 and angles.shape == (1, 9)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"optimiser": "adma"}, "unknown optimiser 'adma'; type adam"),
        ({"rate": 0.0}, "moves no angle"),
        ({"task": lambda: Compression("isin")}, "unknown family of states 'isin'"),
        ({"task": lambda: Compression(kept=4)}, "kept=4 of 4 qubits packs nothing; type kept=1 to 3"),
        ({"task": lambda: Compression(split="all")}, "unknown split 'all'"),
    ],
)
def test_settings_that_cannot_be(settings, message):
    with pytest.raises(ValueError, match=message):
        QuantumCircuits(**{name: value() if callable(value) else value for name, value in settings.items()})


@pytest.mark.ci
def test_a_packed_family_is_judged_by_states_that_angles_were_not_tuned_on():
    """One CNOT and a rotation pack (a|00> + b|11>) into one qubit; of two qubits the chain's ground states are nearly such."""
    task = Compression("ising", 2, 1)
    assert task.held_out is not None and task.held_out.held_out is None
    train, test = task.states("train"), task.states("test")
    assert train.shape == (10, 4) and test.shape == (9, 4) and not any(np.allclose(train[0], state) for state in test)
    domain = QuantumCircuits(task, slots=6, steps=40)
    x = gates.encode(circuit_of(("ry", 1, 0, 0.3), ("cx", 1, 0, 0.0), ("ry", 1, 0, 0.1)), 6, 2)[None]
    found = float(domain.evaluate(None, x).objective[0])
    assert 0.9 < found <= task.bound + 1e-5
    held_out = domain.held_out
    assert held_out is not None
    judged = float(held_out.evaluate(None, x).objective[0])
    np.testing.assert_array_equal(domain.tuned(x).angle, held_out.tuned(x).angle)
    circuit = jax.device_get(domain.tuned(x))
    matrix = np.stack([state_by_products(gates.Circuits(*(c[0] for c in circuit)), 2, i) for i in range(4)], 1)
    for states, mean in ((train, found), (test, judged)):
        assert abs(mean - (np.abs(states @ matrix.T)[:, ::2] ** 2).sum(1).mean()) < 1e-5


@pytest.mark.ci
def test_no_circuit_packs_better_than_the_bound_and_noise_makes_it_worse():
    domain = QuantumCircuits(Compression("subspace", 3, 1), slots=6, steps=0)
    x = domain.sample(keys.new(0), 20)
    found = np.asarray(domain.evaluate(None, x).objective)
    noisy = np.asarray(QuantumCircuits(domain.task, slots=6, steps=0, noise=0.05).evaluate(None, x).objective)
    assert (found <= domain.task.bound + 1e-5).all() and abs(noisy - found).max() > 1e-3
    empty = gates.encode(gates.Circuits(*np.zeros((4, 0))), 6, 3)[None]
    clean, noise = (QuantumCircuits(domain.task, 6, 0, noise=p).evaluate(None, empty).objective for p in (0.0, 0.05))
    np.testing.assert_allclose(clean, noise, atol=1e-6)


class Stored:
    """Elites whose columns are constant: 1 of solutions, 2 of tuned ones."""

    def draw(self, key, n, *names):
        columns = {"id": np.arange(n), "solution": np.ones((n, 3)), "tuned": np.full((n, 3), 2.0)}
        return tuple(columns[name] for name in names)


@pytest.mark.parametrize(("column", "value"), [("solution", 1), ("tuned", 2)])
def test_parents_are_taken_from_the_column(column, value):
    emitter = Vary(Mixed(((0.0, 9.0)), sigma=1e-9), 4, column=column)
    _, offspring = emitter.ask(keys.new(0), (), Stored())
    np.testing.assert_allclose(offspring.solutions, value, atol=1e-6)
    assert offspring.parents.shape == (4, 2) and emitter.steady(2).column == column


@pytest.fixture(scope="module")
def small_search():
    domain = QuantumCircuits(**H2, steps=3)
    emitter = Vary(Mixed(domain.space, rate=0.01, sigma=1e-6, cross=0.0), 16, column="tuned")
    return Search(domain, Select("cost", domain.bounds), Grid(domain.dims), emitter, keep=("tuned",))


@pytest.mark.ci
def test_children_are_made_from_tuned_angles(small_search):
    state, _ = start(small_search, keys.new(0), small_search.domain.sample(keys.new(1), 32))
    columns = state.archive.data(("id", "tuned", "solution"))
    tuned = dict(zip(columns["id"].tolist(), columns["tuned"], strict=True))
    _, batch = next(iter(run(small_search, state, state.evaluations + 16)))
    for parents, child in zip(batch.parents, batch.solutions, strict=True):
        assert (np.abs(child - tuned[int(parents[0])]) > 1e-3).sum() <= 4  # but for the genes that changed
    assert not np.allclose(columns["tuned"], columns["solution"])


@pytest.mark.ci
def test_a_column_that_is_not_kept_is_refused(small_search):
    emitter = Vary(small_search.emitter.variation, 16, column="tuend")
    with pytest.raises(
        ValueError, match="no column 'tuend' of the solutions' shape .24.; type column=solution or column=tuned"
    ):
        start(small_search._replace(emitter=emitter), keys.new(0), small_search.domain.sample(keys.new(1), 8))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A run of H2, and the folder that it lies in."""
    where = tmp_path_factory.mktemp("circuits")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(where)
        words = ["domain=quantum", "domain.task.name=h2_2", "domain.slots=6", "domain.steps=5", "budget=96", "initial=32"]
        assert main(["run", *words, "domain_defaults.batch_size=32", "name=q"]) == 0
    return next((where / "runs" / "q").iterdir())


def test_an_exported_circuit_is_read_again(untuned, tmp_path):
    x, before = untuned
    domain, lines = QuantumCircuits(**H2, steps=0), []
    (report,) = export.export(domain, [7], [3], x[:1], tmp_path / "files", lines.append)
    circuit, qubits = qasm.parse((tmp_path / "files" / report["file"]).read_text())
    assert report["deployable"] and (report["id"], report["cell"], len(lines)) == (7, 3, 1)
    assert abs(-1000 * (_energy(state_by_products(circuit, qubits)) - H2["task"].exact) - before[0]) < 1e-2


@pytest.mark.ci
def test_a_run_is_queried_by_cnots_and_written_as_openqasm(folder, capsys):
    assert main(["query", str(folder), "cnots<=2", "--json"]) == 0
    (elite,) = json.loads(capsys.readouterr().out)["elites"]
    assert elite["cnots"] <= 2 and "tuned[0]" not in elite
    assert main(["export", str(folder), "--format", "qasm", "--where", "cnots<=2"]) == 0
    report = json.loads((folder / "deployable.json").read_text())[0]
    text = (folder / "deployable" / report["file"]).read_text()
    assert report["deployable"] and report["cnots"] == elite["cnots"] and text.startswith("OPENQASM 3.0;")
    assert abs(report["objective"] - elite["objective"]) < 1e-2
    circuit, qubits = qasm.parse(text)
    energy = _energy(state_by_products(circuit, qubits))
    assert abs(-1000 * (energy - H2["task"].exact) - elite["objective"]) < 1e-2
    reader = pytest.importorskip("qiskit_qasm3_import", reason="needs the extra 'quantum'")
    quantum_info = pytest.importorskip("qiskit.quantum_info", reason="needs the extra 'quantum'")
    theirs = quantum_info.Statevector(reader.parse(text)).reverse_qargs().data
    assert abs(_energy(theirs) - energy) < 1e-6 and to_qiskit(circuit, qubits).num_qubits == 2


def _energy(psi: np.ndarray) -> float:
    return float((psi.conj() @ H2["task"].observable().matrix @ psi).real)
