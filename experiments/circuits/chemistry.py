"""Ground states of H2 and LiH by circuits of at most 20 gates: MAP-Elites, mixed CMA-ME, random circuits, two greedy rivals.

All have the same evaluations; each tunes angles by 30 steps of Adam. Error: of the best circuit, in millihartree (chemical
accuracy is 1.6). Map: the best objective in each cell of depth and two-qubit gates, on the scale -100..0, 100 x the mean over
cells. Accurate: cells within chemical accuracy. With noise: a depolarising error after each gate with probability 0.001;
angles are tuned without it.

MAP-Elites makes children from elites with their tuned angles; "angles not inherited" from their genes as they are, and
with the mutation rate of the study before it.
"greedy" grows one circuit of our gates by the energy after tuning: each time it tries 128 random extensions by one to three
gates (one alone seldom helps), and keeps the best. When none helps it begins again. Every extension is an evaluation.
"ADAPT-VQE" grows circuits of Pauli rotations by their slope, as Grimsley et al. 2019 (arXiv:1812.11173) do: see adapt.py.
Its circuits of more than 20 gates count in "any size" only.

    qd study circuits.chemistry budget=quick|first
"""

import time
from itertools import product
from typing import Annotated, Any, NamedTuple

import jax
import numpy as np

from domains.quantum import gates
from domains.quantum.domain import QuantumCircuits
from domains.quantum.observables import CHEMICAL_ACCURACY, Molecule
from experiments import command, study
from experiments.circuits import adapt
from experiments.command import Names
from feedback.descriptors.select import Select
from qd import keys
from qd.archives import Grid
from qd.emitters import EvolutionStrategies, Mixed, Vary
from qd.report.table import Row, Runs, summary
from qd.search import run, start
from qd.types import Search

BUDGETS = {"quick": 1, "first": 5}  # seeds
MOLECULES = {"H2, 2 qubits": "h2_2", "H2, 4 qubits": "h2_4", "LiH, 4 qubits": "lih_4"}
NOISE = 0.001
CASES = {name: (of, 0.0) for name, of in MOLECULES.items()} | {f"{name}, noise": (of, NOISE) for name, of in MOLECULES.items()}
METHODS = ("MAP-Elites", "angles not inherited", "mixed CMA-ME", "random", "greedy", "ADAPT-VQE")
EVALUATIONS = {"H2, 2 qubits": 2048, "H2, 4 qubits": 4096, "LiH, 4 qubits": 12_288}  # with noise 2,048 each
BATCH, SLOTS, STEPS = 128, 20, 30
RATES = {"MAP-Elites": 0.03, "angles not inherited": 0.1}  # of mutation; the first was chosen on seeds 0 and 1
FIRST_SEED = 300  # fresh: no setting was chosen on these, and no version looked at them
METRICS = ("error", "map", "accurate", "least two-qubit", "least depth", "error, any size")


class Found(NamedTuple):
    """All circuits that a method evaluated, [N]."""

    objective: np.ndarray
    depth: np.ndarray
    two_qubit: np.ndarray


def main(
    budget: Annotated[str, BUDGETS] = "quick",
    seeds: int = 0,
    cases: str = "",
    methods: Annotated[Names, METHODS] = (),
    out: str = "",
) -> None:
    """Does the missing runs, then writes and prints the table.

    Args:
        budget: a name in BUDGETS.
        seeds: number of seeds; 0: as the budget says.
        cases: beginning of the names of cases; empty: all.
        methods: names of methods; empty: all.
        out: folder of the results; empty: the default one.
    """
    folder = study.folder("circuits_chemistry", budget, out)
    runs = study.runs(folder)
    names, count = study.beginning(CASES, cases), seeds or BUDGETS[budget]
    for noisy in (False, True):
        some = [name for name in names if (CASES[name][1] > 0) == noisy]
        known = METHODS[:-1] if noisy else METHODS  # ADAPT-VQE's states are without noise
        plan = product(some, [m for m in methods or METHODS if m in known], range(FIRST_SEED, FIRST_SEED + count))
        for key in study.missing(runs, plan):
            study.add(runs, *key, play(*key, 256 if budget == "quick" else EVALUATIONS.get(key[0], 2048)))
    study.report(folder, rows(runs), METRICS, 3)


def play(case: str, method: str, seed: int, evaluations: int) -> dict[str, float]:
    """Searches, and returns the metrics.

    Args:
        case: a name in CASES.
        method: a name in METHODS.
        seed: of the search.
        evaluations: in all.
    """
    molecule, noise = CASES[case]
    task = Molecule(molecule)
    domain = QuantumCircuits(task, SLOTS, STEPS, noise=noise)
    began = time.process_time()
    if method == "ADAPT-VQE":
        grown = adapt.grow(task, seed, evaluations)
        small = grown.gates <= SLOTS
        found = Found(-grown.error[small], grown.depth[small], grown.two_qubit[small])
        return scores(found) | adapt.scores(grown) | {"cpu_seconds": time.process_time() - began}
    search = {"random": at_random, "greedy": greedy}.get(method)
    found = search(domain, seed, evaluations) if search else by_search(domain, method, seed, evaluations)
    return scores(found) | {"cpu_seconds": time.process_time() - began}


def by_search(domain: QuantumCircuits, method: str, seed: int, evaluations: int) -> Found:
    """MAP-Elites or CMA-ME on mixed genes.

    Args:
        domain: the task.
        method: its name.
        seed: of the search.
        evaluations: in all.
    """
    if method == "mixed CMA-ME":
        emitter: Any = EvolutionStrategies(4, BATCH // 4, 0.1, es="mixed", space=domain.space)
    else:
        variation = Mixed(domain.space, rate=RATES[method], sigma=0.03, cross=0.25)
        emitter = Vary(variation, BATCH, column="tuned" if method == "MAP-Elites" else "solution")
    key, sample_key = keys.split(keys.new(seed))
    search = Search(domain, Select("cost", domain.bounds), Grid(domain.dims), emitter, keep=("tuned",))
    state, batch = start(search, key, domain.sample(sample_key, BATCH))
    batches = [batch]
    batches += [batch for state, batch in run(search, state, evaluations)]
    objective = np.concatenate([batch.evaluation.objective for batch in batches])
    return Found(objective, *np.concatenate([batch.measures for batch in batches]).T)


def at_random(domain: QuantumCircuits, seed: int, evaluations: int) -> Found:
    """Samples circuits.

    Args:
        domain: the task.
        seed: of the samples.
        evaluations: in all.
    """
    every = [_evaluated(domain, domain.sample(key, BATCH)) for key in keys.split(keys.new(seed), evaluations // BATCH)]
    return Found(*(np.concatenate(column) for column in zip(*(found for found, _ in every), strict=True)))


def greedy(domain: QuantumCircuits, seed: int, evaluations: int) -> Found:
    """Grows one circuit, each time by the best of 128 random extensions; begins again when none helps.

    Args:
        domain: the task.
        seed: of the extensions.
        evaluations: in all.
    """
    rng, every, circuit, value, slot = np.random.default_rng(seed), [], _empty(), -np.inf, 0
    for _ in range(evaluations // BATCH):
        tried, used = _extensions(circuit, slot, domain.task.qubits, rng)
        found, tuned = _evaluated(domain, tried.reshape(BATCH, -1))
        every.append(found)
        best = np.argmax(found.objective)
        if found.objective[best] > value + 1e-3 and slot + used[best] < SLOTS:
            circuit, value, slot = tried[best], found.objective[best], slot + used[best]
            circuit[:] = tuned[best]
        else:
            circuit, value, slot = _empty(), -np.inf, 0
    return Found(*(np.concatenate(column) for column in zip(*every, strict=True)))


def _empty() -> np.ndarray:
    return np.zeros((SLOTS, gates.PER_SLOT), np.float32)


def _extensions(circuit: np.ndarray, slot: int, qubits: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Returns a circuit [S, 4] with one to three more gates from a slot on, at random: [B, S, 4], and how many gates, [B]."""
    tried, used = np.repeat(circuit[None], BATCH, 0), rng.integers(1, 4, BATCH)
    for row, count in zip(tried, used, strict=True):
        some = row[slot : slot + count]
        some[:, 0] = rng.integers(1, len(gates.KINDS), len(some))
        some[:, 1] = rng.integers(0, qubits, len(some))
        some[:, 2] = rng.integers(0, qubits - 1, len(some))
        some[:, 3] = rng.uniform(-0.2, 0.2, len(some))
    return tried, used


def _evaluated(domain: QuantumCircuits, solutions: np.ndarray) -> tuple[Found, np.ndarray]:
    """Evaluates in a batch of fixed size, so that one program serves all; also returns the genes as tuned, [N, S, 4]."""
    n = len(solutions)
    objective, features = jax.device_get(domain.evaluate(None, np.resize(solutions, (BATCH, solutions.shape[1]))))
    found = Found(objective[:n], features["depth"][:n], features["two_qubit"][:n])
    return found, features["tuned"][:n].reshape(n, -1, gates.PER_SLOT)


def scores(found: Found) -> dict[str, float]:
    """Returns the metrics of all circuits that a method evaluated."""
    side = SLOTS + 1
    cells = (found.depth * side + found.two_qubit).astype(int)
    best = np.full(side * side, np.nan)
    np.fmax.at(best, cells, found.objective)
    occupied = np.isfinite(best)
    accurate = found.objective >= -CHEMICAL_ACCURACY
    least = {
        "least two-qubit": float(found.two_qubit[accurate].min()) if accurate.any() else float("nan"),
        "least depth": float(found.depth[accurate].min()) if accurate.any() else float("nan"),
    }
    return {
        "error": -float(found.objective.max()),
        "map": 100 * float(((best[occupied] + 100) / 100).sum()) / len(best),
        "accurate": int((best >= -CHEMICAL_ACCURACY).sum()),
        "coverage": 100 * float(occupied.mean()),
        **{name: value for name, value in least.items() if np.isfinite(value)},
        "evaluations": len(found.objective),
    }


def rows(runs: Runs) -> list[Row]:
    """Returns medians, and differences of MAP-Elites from each other method, paired by seed."""
    pairs = ((case, "MAP-Elites", method) for case in study.cases(runs) for method in METHODS[1:])
    return [*summary(runs), *study.differences(runs, pairs, METRICS[:3])]


if __name__ == "__main__":
    command.run()
