"""CMA-ME on the sphere, 36 samples of each strategy, 100 x 100 cells: our strategies in the fused driver against pyribs'.

pyribs runs its scheduler with jitted evaluation; both start at 0 with sigma 0.5, in float32, one BLAS thread. Quality is
that of the same number of evaluations, over seeds: elites found and best objective.

    OPENBLAS_NUM_THREADS=1 qd study benchmarks.cma_me budget=quick|first|full seeds=20
"""

from collections.abc import Callable
from typing import Annotated, Any

import numpy as np
from ribs.archives import GridArchive
from ribs.emitters import EvolutionStrategyEmitter
from ribs.schedulers import Scheduler

from domains.functions import LinearProjection
from experiments import command, study
from experiments.benchmarks import qdax_sides, rounds
from experiments.benchmarks.equivalence import mean_differences, verdicts
from experiments.benchmarks.rounds import BUDGETS, Side
from experiments.benchmarks.sides import continuing, describe, end, jit_evaluation, scheduling
from qd import keys
from qd.archives import Grid
from qd.emitters.cma.cma_me import EvolutionStrategies
from qd.report.table import Row, Runs
from qd.search import start
from qd.types import Search, State

SAMPLES, DIMS, SIGMA = 36, (100, 100), 0.5
CASES = {  # name -> strategy, dimensions, strategies, evaluations of a round
    "10-D, 5 full": ("cma_es", 10, 5, 60_000),
    "100-D, 15 separable": ("sep_cma_es", 100, 15, 120_000),
    "100-D, 5 full": ("cma_es", 100, 5, 40_000),
    "100-D, 5 LM-MA": ("lm_ma_es", 100, 5, 60_000),
}
QUALITY = {  # name -> as above, with the evaluations of a whole run; then whether it is CMA-MAE
    "quality, 10-D, 5 full": ("cma_es", 10, 5, 54_000, False),
    "quality, 100-D, 15 separable": ("sep_cma_es", 100, 15, 54_000, False),
    "quality, CMA-MAE, 10-D, 5 full": ("cma_es", 10, 5, 54_000, True),
}
METRICS, QUALITY_METHODS = ("elites", "best", "qd_score"), ("fused, threefry", "pyribs")
RULES: dict[str, Any] = {"learning_rate": 0.01, "threshold_min": 0.0}  # of CMA-MAE's archive
PAIRS = {"fused hash / pyribs": ("fused, hash", "pyribs"), "fused threefry / pyribs": ("fused, threefry", "pyribs")} | {
    "fused threefry / QDax": ("fused, threefry", "QDax")
}


def main(budget: Annotated[str, BUDGETS] = "quick", seeds: int = 20, out: str = "") -> None:
    """Does the missing rounds and runs, then writes and prints the table; arguments as in ``study``."""
    folder = study.folder("cma_me", out=out)
    runs = study.runs(folder)
    for case, settings in CASES.items():
        rounds.race(runs, case, lambda settings=settings: sides(*settings), BUDGETS[budget])
    todo = ((case, method, seed) for case in QUALITY for seed in range(seeds) for method in QUALITY_METHODS)
    for case, method, seed in study.missing(runs, todo):
        study.add(runs, case, method, seed, quality(method, seed, *QUALITY[case]))
    rounds.report(folder, rows(runs))
    print(verdicts(rows(runs)))


def rows(runs: Runs) -> list[Row]:
    """Returns the rounds with their ratios, and the differences of quality."""
    return [*rounds.rows(runs, PAIRS), *mean_differences(runs, QUALITY, METRICS, *QUALITY_METHODS)]


def sides(es: str, dim: int, count: int, evaluations: int) -> dict[str, Side]:
    """Returns the sides of a case.

    Args:
        es: evolution strategy.
        dim: dimensions of a solution.
        count: number of strategies.
        evaluations: of a round; pyribs does a quarter, QDax a tenth of them.
    """
    sides = {
        "fused, hash": _continuing(es, dim, count, evaluations, "hash"),
        "fused, threefry": _continuing(es, dim, count, evaluations, "threefry"),
        "pyribs": _pyribs(es, dim, count, 0, evaluations // 4)[0],
    }
    if es == "cma_es" and qdax_sides.is_installed():
        sides["QDax"] = qdax_sides.cma_me(_ours(es, dim, count, 0)[0], DIMS, count, SAMPLES, SIGMA, evaluations // 10)
    return sides


def quality(method: str, seed: int, es: str, dim: int, count: int, evaluations: int, mae: bool) -> dict[str, float]:
    """Runs one side once, and returns what its archive holds.

    Args:
        method: name of a side.
        seed: of all randomness.
        es: evolution strategy.
        dim: dimensions of a solution.
        count: number of strategies.
        evaluations: of the run.
        mae: CMA-MAE, with thresholds in the archive; else CMA-ME.

    Returns:
        Number of elites, best objective and QD score.
    """
    if method == "pyribs":
        side, archive = _pyribs(es, dim, count, seed, evaluations, mae)
        side()
    else:
        archive = end(*_ours(es, dim, count, seed, mae), evaluations, "threefry").archive
    objective = archive.data("objective")
    return {"elites": len(objective), "best": float(np.max(objective)), "qd_score": float(objective.sum() / archive.cells)}


def _ours(es: str, dim: int, count: int, seed: int, mae: bool = False) -> tuple[Search, State]:
    domain = LinearProjection("sphere", dim)
    rules = ("imp", "mu", "basic") if mae else ("2imp", "filter", "no_improvement")
    emitter = EvolutionStrategies(count, SAMPLES, SIGMA, es, *rules, x0=0.0)
    search = Search(domain, describe(domain), Grid(DIMS, **RULES) if mae else Grid(DIMS), emitter)
    key, sample_key = keys.split(keys.new(seed))
    return search, start(search, key, domain.sample(sample_key, 1))[0]


def _continuing(es: str, dim: int, count: int, evaluations: int, generator: str) -> Side:
    search, state = _ours(es, dim, count, 0)
    return continuing(state, evaluations, lambda state, until: end(search, state, until, generator))


def _pyribs(
    es: str, dim: int, count: int, seed: int, evaluations: int, mae: bool = False
) -> tuple[Callable[[], int], GridArchive]:
    domain = LinearProjection("sphere", dim)
    archive = GridArchive(
        solution_dim=dim, dims=DIMS, ranges=domain.bounds, seed=seed, dtype=np.float32, **(RULES if mae else {})
    )
    rules = {"ranker": "imp", "selection_rule": "mu", "restart_rule": "basic"} if mae else {"ranker": "2imp"}
    settings: dict[str, Any] = {"sigma0": SIGMA, "es": es, "batch_size": SAMPLES, "x0": np.zeros(dim)} | rules
    emitters = [EvolutionStrategyEmitter(archive, **settings, seed=1000 * seed + i) for i in range(count)]
    scheduler = Scheduler(archive, emitters)
    evaluate = jit_evaluation(Search(domain, describe(domain), Grid(DIMS), None))  # type: ignore[arg-type]
    return scheduling(scheduler, evaluate, count * SAMPLES, evaluations), archive


if __name__ == "__main__":
    command.run()
