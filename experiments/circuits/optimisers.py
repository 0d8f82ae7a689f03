"""Optimisers of angles inside the evaluation, all with 90 passes of a circuit: Adam, SPSA, COBYLA.

A pass is one simulation of a circuit. A step of Adam takes three on a simulator, which has the gradient by undoing gates;
a device has it by the parameter-shift rule, two passes for each rotation, so that 90 passes are three steps on a circuit of 15
rotations ("Adam, shift rule").
Sampled: mean error over 128 sampled circuits in millihartree, each tuned once; the share within chemical accuracy, in per
cent. Search: MAP-Elites with inherited angles, its best error after 512 evaluations; not with COBYLA, of which scipy's takes a
hundred times as long.

    qd study circuits.optimisers budget=quick|first
"""

import time
from itertools import product
from typing import Annotated

import numpy as np

from domains.quantum import tune
from domains.quantum.domain import QuantumCircuits
from domains.quantum.observables import CHEMICAL_ACCURACY, Molecule
from experiments import command, study
from feedback.descriptors.select import Select
from qd import keys
from qd.archives import Grid
from qd.emitters import Mixed, Vary
from qd.report.table import Row, Runs, summary
from qd.search import run, start
from qd.types import Search

BUDGETS = {"quick": 1, "first": 5}  # seeds
CASES = {"LiH, 4 qubits": "lih_4"}
PASSES, SHIFT_STEPS = 90, 3
METHODS = {  # name -> optimiser, steps
    "not tuned": ("adam", 0),
    "Adam": ("adam", PASSES // tune.PASSES["adam"]),
    "Adam, shift rule": ("adam", SHIFT_STEPS),
    "SPSA": ("spsa", PASSES // tune.PASSES["spsa"]),
    "SPSA with Adam's steps": ("adam_spsa", PASSES // tune.PASSES["adam_spsa"]),
    "COBYLA": ("cobyla", PASSES),
}
EVALUATIONS, BATCH, SLOTS = 512, 128, 20
FIRST_SEED = 300  # no setting was chosen on these
METRICS = ("sampled error", "sampled accurate", "search error")


def main(budget: Annotated[str, BUDGETS] = "quick", seeds: int = 0, cases: str = "", out: str = "") -> None:
    """Does the missing runs, then writes and prints the table.

    Args:
        budget: a name in BUDGETS.
        seeds: number of seeds; 0: as the budget says.
        cases: beginning of the names of cases; empty: all.
        out: folder of the results; empty: the default one.
    """
    folder = study.folder("circuits_optimisers", budget, out)
    runs = study.runs(folder)
    names, count = study.beginning(CASES, cases), seeds or BUDGETS[budget]
    for key in study.missing(runs, product(names, METHODS, range(FIRST_SEED, FIRST_SEED + count))):
        study.add(runs, *key, play(*key, BATCH if budget == "quick" else EVALUATIONS))
    study.report(folder, rows(runs), METRICS, 2, ("jax", "numpy", "ribs", "scipy"))


def play(case: str, method: str, seed: int, evaluations: int = EVALUATIONS) -> dict[str, float]:
    """Tunes sampled circuits and goes on with a search; returns the metrics.

    Args:
        case: a name in CASES.
        method: a name in METHODS.
        seed: of the search.
        evaluations: in all.
    """
    optimiser, steps = METHODS[method]
    domain, began = QuantumCircuits(Molecule(CASES[case]), SLOTS, steps, optimiser=optimiser), time.process_time()
    emitter = Vary(Mixed(domain.space, rate=0.03, sigma=0.03, cross=0.25), BATCH, column="tuned")
    key, sample_key = keys.split(keys.new(seed))
    search = Search(domain, Select("cost", domain.bounds), Grid(domain.dims), emitter, keep=("tuned",))
    state, first = start(search, key, domain.sample(sample_key, BATCH))
    sampled, best = -np.asarray(first.evaluation.objective), -float(first.evaluation.objective.max())
    for state, batch in run(search, state, BATCH if method == "COBYLA" else evaluations):
        best = min(best, -float(batch.evaluation.objective.max()))
    metrics = {
        "sampled error": float(sampled.mean()),
        "sampled accurate": 100 * float((sampled <= CHEMICAL_ACCURACY).mean()),
        "cpu_seconds": time.process_time() - began,
    }
    return metrics | ({} if method == "COBYLA" else {"search error": best})


def rows(runs: Runs) -> list[Row]:
    """Returns medians, and differences of Adam from each other optimiser, paired by seed."""
    pairs = ((case, "Adam", other) for case in study.cases(runs) for other in METHODS if other != "Adam")
    return [*summary(runs), *study.differences(runs, pairs, ("sampled error", "search error"))]


if __name__ == "__main__":
    command.run()
