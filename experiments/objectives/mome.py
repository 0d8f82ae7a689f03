"""A front in every cell: archive=fronts beside QDax' MOME and plain MAP-Elites, on two Rastrigin functions.

The same function, iso+line, batch, cells, and size of a front; parents from a cell drawn evenly, then evenly from it. The
MOQD score (100 x the mean over cells of hypervolumes in units of the objectives' ranges), the hypervolume of all rows together,
and coverage, all by one function on both archives. `qd study objectives.speed` has the speeds.

    qd study objectives.mome budget=quick|first      QDax' side where it is installed, in an environment of its own
"""

import importlib.util
from functools import partial
from typing import Annotated, Any

import jax
import numpy as np

from experiments import command, study
from experiments.benchmarks import equivalence
from experiments.objectives.rivals import BATCH, FRONT, SIDE, Found, own_hypervolume, rastrigins, scores, weighted_sum
from qd import fused, keys
from qd.archives import Fronts
from qd.emitters.fronts import VaryFronts
from qd.report.table import Row, Runs, summary
from qd.search import run, start
from qd.types import OBJECTIVES, Search, State

BUDGETS = {"quick": 1, "first": 10}  # seeds
EVALUATIONS = 20_000
PROBLEM = rastrigins()
CASE, SCORES = "rastrigins, 10 genes", ("moqd_score", "hypervolume", "coverage")


def main(budget: Annotated[str, BUDGETS] = "quick", out: str = "") -> None:
    """Does the missing runs, then writes and prints the table.

    Args:
        budget: a name in BUDGETS.
        out: folder of the results; empty: the default one.
    """
    folder = study.folder("mome", budget, out)
    runs = study.runs(folder)
    sides = {
        "fronts": partial(ours, False, fused.run),
        "fronts, crowding": partial(ours, True, fused.run),
        "fronts, host": partial(ours, False, run),
        "grid of own hypervolumes": partial(own_hypervolume, PROBLEM, EVALUATIONS),
        "grid of weighted sums": partial(weighted_sum, PROBLEM, EVALUATIONS),
        **({"QDax": by_qdax} if importlib.util.find_spec("qdax") else {}),
    }
    for key in study.missing(runs, ((CASE, method, seed) for seed in range(BUDGETS[budget]) for method in sides)):
        study.add(runs, *key, scores(PROBLEM, sides[key[1]](key[2])))
    study.report(folder, rows(runs), SCORES, 3, ("numpy", "ribs", "jax", "moocore", "qdax"))
    print(equivalence.verdicts(rows(runs)))


def ours(crowding: bool, driver: Any, seed: int) -> Found:
    """Searches with fronts.

    Args:
        crowding: parents by crowding distance.
        driver: fused or host.
        seed: of the search.
    """
    search = search_of(crowding)
    state = started(search, seed)
    for state, _ in driver(search, state, EVALUATIONS):
        pass
    data = state.archive.data()
    return data[OBJECTIVES], data["index"]


def search_of(crowding: bool) -> Search:
    """Returns the recipe.

    Args:
        crowding: parents by crowding distance.
    """
    archive = Fronts((SIDE, SIDE), PROBLEM.domain.objective_range, FRONT)
    return Search(PROBLEM.domain, PROBLEM.descriptor, archive, VaryFronts(PROBLEM.variation, BATCH, crowding=crowding))


def started(search: Search, seed: int) -> State:
    """Returns the state after generation 0.

    Args:
        search: the recipe.
        seed: of the search.
    """
    key, sample_key = keys.split(keys.new(seed))
    return start(search, key, PROBLEM.domain.sample(sample_key, BATCH))[0]


def by_qdax(seed: int) -> Found:
    """Searches with QDax' MOME."""
    program, carry = carry_of_qdax(seed)
    scan = jax.jit(lambda carry: jax.lax.scan(program.scan_update, carry, None, length=EVALUATIONS // BATCH - 1)[0])
    repertoire = jax.block_until_ready(scan(carry))[0]
    fitness = np.asarray(repertoire.fitnesses)
    there = np.isfinite(fitness).all(axis=2)
    return fitness[there], np.nonzero(there)[0]


def carry_of_qdax(seed: int) -> tuple[Any, Any]:
    """Returns QDax' MOME and what its scan begins with, after generation 0.

    Args:
        seed: of the search.
    """
    from qdax.core.containers.mapelites_repertoire import compute_euclidean_centroids  # pyright: ignore[reportMissingImports]
    from qdax.core.emitters.mutation_operators import isoline_variation  # pyright: ignore[reportMissingImports]
    from qdax.core.emitters.standard_emitters import MixingEmitter  # pyright: ignore[reportMissingImports]
    from qdax.core.mome import MOME  # pyright: ignore[reportMissingImports]

    def score(solutions: Any, key: Any) -> tuple[Any, Any, dict]:
        evaluation = PROBLEM.domain.evaluate(None, solutions)
        return evaluation.objective, evaluation.features[PROBLEM.feature], {}

    vary = partial(isoline_variation, iso_sigma=PROBLEM.iso, line_sigma=PROBLEM.line)
    emitter = MixingEmitter(lambda x, key: (x, key), vary, 1.0, BATCH)
    program = MOME(score, emitter, lambda repertoire: {}, FRONT)
    low, high = np.array(PROBLEM.bounds).T.tolist()
    centroids = compute_euclidean_centroids((SIDE, SIDE), low, high)
    first = np.asarray(PROBLEM.domain.sample(keys.split(keys.new(seed))[1], BATCH))
    repertoire, state, _ = program.init(first, centroids, jax.random.key(seed))
    return program, (repertoire, state, jax.random.key(1000 + seed))


def rows(runs: Runs) -> list[Row]:
    """Returns medians, and the differences from QDax with their 90 % intervals."""
    differences = (
        equivalence.mean_differences(runs, [CASE], SCORES[:2], method, "QDax") for method in ("fronts", "fronts, host")
    )
    return [*summary(runs), *(row for several in differences for row in several)]


if __name__ == "__main__":
    command.run()
