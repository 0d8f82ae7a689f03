"""States to prepare and a family of states to pack, by depth and two-qubit gates: MAP-Elites beside random circuits.

Prepared: GHZ, W and a random state of four qubits; the objective is the fidelity. Packed: ground states of an Ising chain into
one and into two of four qubits, after Romero et al. 2017 (arXiv:1612.02806); the objective is the mean probability that the
other qubits end as 0, on ten states on which angles are tuned; "held out" that of the best circuit on nine others; "bound"
what no circuit exceeds on the ten.
Best: of all circuits. Two-qubit gates and depth: of the cheapest circuit at 0.99 of the bound (1 for states to prepare).
Within N: the best with at most N two-qubit gates.

    qd study circuits.states budget=quick|first
"""

import time
from itertools import product
from typing import Annotated

import numpy as np

from domains.quantum.compression import Compression
from domains.quantum.domain import QuantumCircuits
from domains.quantum.observables import Target, Task
from experiments import command, study
from feedback.descriptors.select import Select
from qd import keys
from qd.archives import Grid
from qd.emitters import Mixed, Vary
from qd.report.table import Row, Runs, summary
from qd.search import run, start
from qd.types import Search

BUDGETS = {"quick": 1, "first": 5}  # seeds
CASES: dict[str, Task] = {
    "GHZ": Target("ghz", 4),
    "W": Target("w", 4),
    "random state": Target("random", 4),
    "Ising chain into 1": Compression("ising", 4, 1),
    "Ising chain into 2": Compression("ising", 4, 2),
}
METHODS = ("MAP-Elites", "random")
EVALUATIONS, BATCH, SLOTS, STEPS, RATE = 2048, 128, 20, 30, 0.1
CLOSE = 0.99  # of the bound
WITHIN = (1, 2, 3, 5)  # two-qubit gates
FIRST_SEED = 300  # no setting was chosen on these
METRICS = ("best", "two-qubit gates", "depth", "held out")


def main(budget: Annotated[str, BUDGETS] = "quick", seeds: int = 0, cases: str = "", out: str = "") -> None:
    """Does the missing runs, then writes and prints the table.

    Args:
        budget: a name in BUDGETS.
        seeds: number of seeds; 0: as the budget says.
        cases: beginning of the names of cases; empty: all.
        out: folder of the results; empty: the default one.
    """
    folder = study.folder("circuits_states", budget, out)
    runs = study.runs(folder)
    names, count = study.beginning(CASES, cases), seeds or BUDGETS[budget]
    for key in study.missing(runs, product(names, METHODS, range(FIRST_SEED, FIRST_SEED + count))):
        study.add(runs, *key, play(*key, 256 if budget == "quick" else EVALUATIONS))
    study.report(folder, rows(runs), METRICS, 3)


def play(case: str, method: str, seed: int, evaluations: int = EVALUATIONS) -> dict[str, float]:
    """Searches, and returns the metrics.

    Args:
        case: a name in CASES.
        method: a name in METHODS.
        seed: of the search.
        evaluations: in all.
    """
    domain, began = QuantumCircuits(CASES[case], SLOTS, STEPS, RATE), time.process_time()
    emitter = Vary(Mixed(domain.space, rate=0.03, sigma=0.03, cross=0.25), BATCH, column="tuned")
    key, sample_key = keys.split(keys.new(seed))
    search = Search(domain, Select("cost", domain.bounds), Grid(domain.dims), emitter, keep=("tuned",))
    state, batch = start(search, key, domain.sample(sample_key, BATCH))
    batches = [batch]
    if method == "random":
        for each in keys.split(sample_key, evaluations // BATCH)[1:]:
            batches.append(start(search, key, domain.sample(each, BATCH))[1])
    else:
        batches += [batch for state, batch in run(search, state, evaluations)]
    tuned = np.concatenate([batch.evaluation.features["tuned"] for batch in batches])
    objective = np.concatenate([batch.evaluation.objective for batch in batches])
    measures = np.concatenate([batch.measures for batch in batches])
    return scores(domain, tuned, objective, measures) | {"cpu_seconds": time.process_time() - began}


def scores(domain: QuantumCircuits, tuned: np.ndarray, objective: np.ndarray, measures: np.ndarray) -> dict[str, float]:
    """Returns the metrics of all circuits of a run.

    Args:
        domain: of the run.
        tuned: [N, 4 S] genes with tuned angles.
        objective: [N].
        measures: [N, 2] depth and two-qubit gates.
    """
    depth, two_qubit = measures.T
    bound = domain.task.bound if isinstance(domain.task, Compression) else 1.0
    metrics = {"best": float(objective.max()), "bound": bound}
    metrics |= {f"within {most}": float(objective[two_qubit <= most].max()) for most in WITHIN}
    close = objective >= CLOSE * bound
    if close.any():
        metrics |= {"two-qubit gates": float(two_qubit[close].min()), "depth": float(depth[close].min())}
    if domain.held_out is not None:
        best = np.repeat(tuned[[objective.argmax()]], BATCH, 0)
        metrics["held out"] = float(domain.held_out.evaluate(None, best).objective[0])
    return metrics


def rows(runs: Runs) -> list[Row]:
    """Returns medians, and differences of MAP-Elites from random circuits, paired by seed."""
    pairs = ((case, *METHODS) for case in study.cases(runs))
    return [*summary(runs), *study.differences(runs, pairs, ("best", *(f"within {most}" for most in WITHIN)))]


if __name__ == "__main__":
    command.run()
