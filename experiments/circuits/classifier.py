"""Quantum circuits that tell two digits apart, beside logistic regression on the same numbers.

Accuracy on test images of the circuit that was best on validation images, and of scikit-learn's logistic regression with its
usual settings, trained on the same images. Parameters: trained angles of that circuit; weights and intercept.

    qd study circuits.classifier budget=quick|first
"""

import time
from itertools import product
from typing import Annotated

import numpy as np

from domains.quantum import digits
from domains.quantum.classifier import QuantumClassifier
from experiments import command, study
from feedback.descriptors.select import Select
from qd import keys
from qd.archives import Grid
from qd.emitters import Mixed, Vary
from qd.report.table import Row, Runs, summary
from qd.search import run, start
from qd.types import Search

BUDGETS = {"quick": 1, "first": 5}  # seeds
CASES = {"3 or 6, 4 numbers": ((3, 6), 4), "3 or 8, 4 numbers": ((3, 8), 4), "8 or 9, 4 numbers": ((8, 9), 4)}
METHODS = ("MAP-Elites", "random", "logistic regression")
EVALUATIONS, BATCH, QUBITS, SLOTS = 384, 32, 3, 12
FIRST_SEED = 100  # no setting was chosen on these
METRICS = ("validation", "test", "parameters", "coverage")


def main(budget: Annotated[str, BUDGETS] = "quick", seeds: int = 0, cases: str = "", out: str = "") -> None:
    """Does the missing runs, then writes and prints the table.

    Args:
        budget: a name in BUDGETS.
        seeds: number of seeds; 0: as the budget says.
        cases: beginning of the names of cases; empty: all.
        out: folder of the results; empty: the default one.
    """
    folder = study.folder("circuits_classifier", budget, out)
    runs = study.runs(folder)
    names, count = study.beginning(CASES, cases), seeds or BUDGETS[budget]
    plan = product(names, METHODS, range(FIRST_SEED, FIRST_SEED + count))
    for key in study.missing(runs, ((c, m, s) for c, m, s in plan if m != METHODS[2] or s == FIRST_SEED)):
        study.add(runs, *key, play(*key, 64 if budget == "quick" else EVALUATIONS))
    study.report(folder, rows(runs), METRICS, 1, ("jax", "numpy", "ribs", "scikit-learn"))


def play(case: str, method: str, seed: int, evaluations: int = EVALUATIONS) -> dict[str, float]:
    """Searches or fits, and returns accuracies in per cent.

    Args:
        case: a name in CASES.
        method: a name in METHODS.
        seed: of the search.
        evaluations: in all.
    """
    (pair, numbers), began = CASES[case], time.process_time()
    if method == METHODS[2]:
        return logistic(numbers, pair) | {"cpu_seconds": time.process_time() - began}
    domain = QuantumClassifier(QUBITS, SLOTS, numbers, pair=pair)
    search = Search(domain, Select("shape", domain.bounds), Grid((SLOTS + 1, 10)), _emitter(domain))
    key, sample_key = keys.split(keys.new(seed))
    state, batch = start(search, key, domain.sample(sample_key, BATCH))
    batches = [batch]
    if method == "random":
        for each in keys.split(sample_key, evaluations // BATCH)[1:]:
            state, batch = start(search, key, domain.sample(each, BATCH))
            batches.append(batch)
    else:
        batches += [batch for state, batch in run(search, state, evaluations)]
    solutions, accuracy, measures = (
        np.concatenate(column)
        for column in zip(*((b.solutions, b.evaluation.objective, b.measures) for b in batches), strict=True)
    )
    best = np.lexsort((measures[:, 0], -accuracy))[0]  # of equals the one with the fewest gates
    held_out = domain.held_out
    assert held_out is not None
    test = held_out.evaluate(None, np.repeat(solutions[best : best + 1], BATCH, 0))
    cells = {(int(gates), int(10 * entangled)) for gates, entangled in measures}
    return {
        "validation": float(accuracy[best]),
        "test": float(test.objective[0]),
        "parameters": float(measures[best, 0]),
        "coverage": 100 * len(cells) / (10 * (SLOTS + 1)),
        "cpu_seconds": time.process_time() - began,
    }


def logistic(numbers: int, pair: tuple[int, int]) -> dict[str, float]:
    """Fits logistic regression, and returns its accuracies in per cent.

    Args:
        numbers: of each image.
        pair: the two digits.
    """
    from sklearn.linear_model import LogisticRegression

    train, validation, test = (digits.load(split, numbers, pair) for split in ("train", "validation", "test"))
    model = LogisticRegression().fit(train.numbers, train.labels)
    scores = {
        name: 100 * float(model.score(of.numbers, of.labels)) for name, of in (("validation", validation), ("test", test))
    }
    return scores | {"parameters": numbers + 1.0}


def _emitter(domain: QuantumClassifier) -> Vary:
    return Vary(Mixed(domain.space, rate=0.1, sigma=0.03, cross=0.25), BATCH)


def rows(runs: Runs) -> list[Row]:
    """Returns medians, and differences of MAP-Elites from random circuits, paired by seed."""
    return [
        *summary(runs),
        *study.differences(runs, ((case, "MAP-Elites", "random") for case in study.cases(runs)), ("validation", "test")),
    ]


if __name__ == "__main__":
    command.run()
