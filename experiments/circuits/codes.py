"""Codes of 3 to 10 qubits: the best distance that a search finds beside the tables', and the least weight of checks.

Distance: the largest found; known: of the tables (Grassl, codetables.de, extending Calderbank, Rains, Shor and Sloane
1998, table III).
Total: the least total weight of n - k generators among codes of that distance. Evaluations: until that distance was
found first. "best words": MAP-Elites in which half of the children get the words that fit their graph best
(domains/codes/words.py), as `qd run domain=codes` does.

    qd study circuits.codes budget=quick|first
"""

import time
from itertools import product
from typing import Annotated, Any

import numpy as np

from domains.codes.domain import StabilizerCodes
from domains.codes.words import BestWords
from experiments import command, study
from feedback.descriptors.select import Select
from qd import keys
from qd.archives import Grid
from qd.emitters import Mixed, Vary
from qd.report.table import Row, Runs, summary
from qd.search import run, start
from qd.types import Search

BUDGETS = {"quick": 1, "first": 5}  # seeds
KNOWN = {  # n -> the best distance of [[n, 1]] and [[n, 2]]
    3: (1, 1), 4: (2, 2), 5: (3, 2), 6: (3, 2), 7: (3, 2), 8: (3, 3), 9: (3, 3), 10: (4, 4),
}  # fmt: skip
CASES = tuple(f"n = {n}" for n in (5, 7, 10, 8, 9, 6, 4, 3))
METHODS = ("best words", "MAP-Elites", "random")
BATCH, EVALUATIONS = 256, 10_240
FIRST_SEED = 300  # no setting was chosen on these
METRICS = ("distance, k=1", "total, k=1", "distance, k=2", "total, k=2")


def main(budget: Annotated[str, BUDGETS] = "quick", seeds: int = 0, cases: str = "", out: str = "") -> None:
    """Does the missing runs, then writes and prints the table.

    Args:
        budget: a name in BUDGETS.
        seeds: number of seeds; 0: as the budget says.
        cases: beginning of the names of cases; empty: all.
        out: folder of the results; empty: the default one.
    """
    folder = study.folder("circuits_codes", budget, out)
    runs = study.runs(folder)
    names, count = study.beginning(CASES, cases), seeds or BUDGETS[budget]
    plan = product(METHODS, names, range(FIRST_SEED, FIRST_SEED + count))
    for key in study.missing(runs, ((case, method, seed) for method, case, seed in plan)):
        study.add(runs, *key, play(*key, 2_560 if budget == "quick" else EVALUATIONS))
    study.report(folder, rows(runs), METRICS, 0)


def play(case: str, method: str, seed: int, evaluations: int = EVALUATIONS) -> dict[str, float]:
    """Searches, and returns the metrics.

    Args:
        case: a name in CASES.
        method: a name in METHODS.
        seed: of the search.
        evaluations: in all.
    """
    n, began = int(case.split()[-1]), time.process_time()
    domain = StabilizerCodes(n, 2)
    key, sample_key = keys.split(keys.new(seed))
    variation: Any = Mixed(domain.space, rate=0.05, cross=0.25)
    emitter = Vary(BestWords(variation, n, domain.logical) if method == "best words" else variation, BATCH)
    keep = ("logical", "distance", "total")
    search = Search(domain, Select("checks", domain.bounds), Grid(domain.dims), emitter, keep)
    state, batch = start(search, key, domain.sample(sample_key, BATCH))
    batches = [batch]
    if method == "random":
        for each in keys.split(sample_key, evaluations // BATCH)[1:]:
            batches.append(start(search, key, domain.sample(each, BATCH))[1])
    else:
        batches += [batch for state, batch in run(search, state, evaluations)]
    found = [np.stack([batch.evaluation.features[name] for name in keep], 1) for batch in batches]
    return scores(np.concatenate(found), n) | {"cpu_seconds": time.process_time() - began}


def scores(found: np.ndarray, n: int) -> dict[str, float]:
    """Returns the metrics for k = 1 and 2.

    Args:
        found: [N, 3] logical qubits, distance and total weight of every code, in order.
        n: qubits.
    """
    metrics = {}
    for k in (1, 2):
        own = np.flatnonzero(found[:, 0] == k)
        distance = found[own, 1].max() if len(own) else 0
        best = own[found[own, 1] == distance] if len(own) else own
        metrics |= {f"distance, k={k}": int(distance), f"known, k={k}": KNOWN[n][k - 1]}
        if len(best):
            metrics |= {f"total, k={k}": int(found[best, 2].min()), f"evaluations, k={k}": int(best[0]) + 1}
    return metrics


def rows(runs: Runs) -> list[Row]:
    """Returns medians over seeds."""
    return summary(runs)


if __name__ == "__main__":
    command.run()
