"""A front in every cell: archive=fronts beside QDax' MOME and plain MAP-Elites, on two Rastrigin functions.

The same function, iso+line, batch, cells, and size of a front; parents from a cell drawn evenly, then evenly from it. The
MOQD score (100 x the mean over cells of hypervolumes in units of the objectives' ranges), the hypervolume of all rows together,
and coverage, all by one function on both archives; evaluations a CPU-second without the first fifth, in which programs compile.

    qd study objectives.mome budget=quick|first      QDax' side where it is installed, in an environment of its own
"""

import importlib.util
import time
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any

import jax
import numpy as np

from domains.several import Rastrigins
from experiments import command, study
from experiments.benchmarks import equivalence
from feedback.descriptors.select import Select
from qd import keys
from qd.archives import Fronts, Grid
from qd.archives.fronts import hypervolume
from qd.emitters.fronts import VaryFronts
from qd.emitters.vary import IsoLine, Vary
from qd.report.table import Row, Runs, summary
from qd.search import run, start
from qd.types import Evaluation, Search

BUDGETS = {"quick": 1, "first": 10}  # seeds
EVALUATIONS, BATCH, SIDE, FRONT, ISO, LINE = 20_000, 100, 16, 16, 0.05, 0.1
DOMAIN = Rastrigins(10)
BOUNDS = ((-2.0, 4.0), (-2.0, 4.0))
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
        "fronts": partial(ours, False),
        "fronts, crowding": partial(ours, True),
        "grid of own hypervolumes": partial(one_elite, DOMAIN),
        "grid of weighted sums": partial(one_elite, WeightedSum(DOMAIN.dim)),
        **({"QDax": by_qdax} if importlib.util.find_spec("qdax") else {}),
    }
    for key in study.missing(runs, ((CASE, method, seed) for seed in range(BUDGETS[budget]) for method in sides)):
        study.add(runs, *key, sides[key[1]](key[2]))
    study.report(folder, rows(runs), (*SCORES, "per_cpu_s"), 3, ("numpy", "ribs", "jax", "moocore", "qdax"))
    print(equivalence.verdicts(rows(runs)))


def ours(crowding: bool, seed: int) -> dict[str, float]:
    """Searches with fronts.

    Args:
        crowding: parents by crowding distance.
        seed: of the search.
    """
    emitter = VaryFronts(IsoLine(ISO, LINE), BATCH, crowding=crowding)
    search = Search(DOMAIN, Select("corner", BOUNDS), Fronts((SIDE, SIDE), DOMAIN.objective_range, FRONT), emitter)
    rate, archive = timed(search, seed)
    data = archive.data()
    return scores(data["objectives"], data["index"]) | rate


@dataclass(frozen=True)
class WeightedSum(Rastrigins):
    """The same functions with one objective, the mean of the two in units of their ranges; both are a feature."""

    @property
    def objective_range(self) -> Any:
        """Of the mean."""
        return (0.0, 1.0)

    def evaluate(self, keys: Any, solutions: Any) -> Evaluation:
        """Evaluates as Rastrigins does.

        Args:
            keys: unused.
            solutions: [B, D].

        Returns:
            Objective [B]; features corner [B, 2] and objectives [B, 2].
        """
        objectives, features = super().evaluate(keys, solutions)
        low, high = np.array(DOMAIN.objective_range, np.float32).T
        return Evaluation(((objectives - low) / (high - low)).mean(axis=1), features | {"objectives": objectives})


def one_elite(domain: Rastrigins, seed: int) -> dict[str, float]:
    """Plain MAP-Elites: one row a cell.

    Args:
        domain: one objective, or the own hypervolume of two.
        seed: of the search.
    """
    grid = Grid((SIDE, SIDE))
    search = Search(domain, Select("corner", BOUNDS), grid, Vary(IsoLine(ISO, LINE), BATCH), keep=("objectives",))
    rate, archive = timed(search, seed)
    data = archive.data()
    return scores(data["objectives"], data["index"]) | rate


def timed(search: Search, seed: int) -> tuple[dict[str, float], Any]:
    """Searches, and returns evaluations a CPU-second, and the archive.

    Args:
        search: its components.
        seed: of the search.
    """
    key, sample_key = keys.split(keys.new(seed))
    state, _ = start(search, key, DOMAIN.sample(sample_key, BATCH))
    for until in (EVALUATIONS // 5, EVALUATIONS):
        began, before = time.process_time(), state.evaluations
        for state, _ in run(search, state, until):
            pass
    return {"per_cpu_s": (state.evaluations - before) / (time.process_time() - began)}, state.archive


def by_qdax(seed: int) -> dict[str, float]:
    """QDax' MOME."""
    from qdax.core.containers.mapelites_repertoire import compute_euclidean_centroids  # pyright: ignore[reportMissingImports]
    from qdax.core.emitters.mutation_operators import isoline_variation  # pyright: ignore[reportMissingImports]
    from qdax.core.emitters.standard_emitters import MixingEmitter  # pyright: ignore[reportMissingImports]
    from qdax.core.mome import MOME  # pyright: ignore[reportMissingImports]

    def score(solutions: Any, key: Any) -> tuple[Any, Any, dict]:
        evaluation = DOMAIN.evaluate(None, solutions)
        return evaluation.objective, evaluation.features["corner"], {}

    vary = partial(isoline_variation, iso_sigma=ISO, line_sigma=LINE)
    emitter = MixingEmitter(lambda x, key: (x, key), vary, 1.0, BATCH)
    program = MOME(score, emitter, lambda repertoire: {}, FRONT)
    low, high = np.array(BOUNDS).T.tolist()
    centroids = compute_euclidean_centroids((SIDE, SIDE), low, high)
    sample_key = keys.split(keys.new(seed))[1]
    first = np.asarray(DOMAIN.sample(sample_key, BATCH))
    repertoire, state, _ = program.init(first, centroids, jax.random.key(seed))
    carry, n = (repertoire, state, jax.random.key(1000 + seed)), EVALUATIONS // BATCH // 5
    scan = jax.jit(lambda carry: jax.lax.scan(program.scan_update, carry, None, length=n)[0])
    carry = jax.block_until_ready(scan(carry))
    began = time.process_time()
    for _ in range(4):
        carry = jax.block_until_ready(scan(carry))
    rate = {"per_cpu_s": 4 * n * BATCH / (time.process_time() - began)}
    fitness = np.asarray(carry[0].fitnesses)
    there = np.isfinite(fitness).all(axis=2)
    return scores(fitness[there], np.nonzero(there)[0]) | rate


def scores(goals: np.ndarray, cells: np.ndarray) -> dict[str, float]:
    """Returns the MOQD score, the hypervolume of all rows, and coverage in per cent.

    Args:
        goals: [N, 2].
        cells: [N].
    """
    low, high = np.array(DOMAIN.objective_range).T
    scaled = (goals.astype(np.float64) - low) / (high - low)
    occupied = np.unique(cells)
    total = sum(hypervolume(scaled[cells == cell]) for cell in occupied)
    count = SIDE * SIDE
    return {
        "moqd_score": 100 * total / count,
        "hypervolume": hypervolume(scaled),
        "coverage": 100 * len(occupied) / count,
        "rows": len(goals),
    }


def rows(runs: Runs) -> list[Row]:
    """Returns medians, and the difference from QDax with its 90 % interval."""
    return [*summary(runs), *equivalence.mean_differences(runs, [CASE], SCORES[:2], "fronts", "QDax")]


if __name__ == "__main__":
    command.run()
