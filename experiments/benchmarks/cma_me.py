"""CMA-ME on the sphere, 36 samples of each strategy, 100 x 100 cells: our strategies in the fused driver against pyribs'.

pyribs runs its scheduler with jitted evaluation; both start at 0 with sigma 0.5, in float32, one BLAS thread. Quality is
that of the same number of evaluations, over seeds: elites found and best objective.

    OPENBLAS_NUM_THREADS=1 python -m experiments.benchmarks.cma_me budget=quick|first|full seeds=20
"""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from ribs.archives import GridArchive
from ribs.emitters import EvolutionStrategyEmitter
from ribs.schedulers import Scheduler

from domains.functions import LinearProjection
from experiments.benchmarks import qdax_cma_me, qdax_map_elites
from experiments.benchmarks.equal import equivalence, told
from experiments.benchmarks.map_elites import describe, jitted
from experiments.benchmarks.rounds import Side, race, report, rounds
from qd import fused, keys
from qd.archives import Grid
from qd.emitters.cma.cma_me import EvolutionStrategies
from qd.report import table
from qd.report.table import Runs
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
FOUND = ("elites", "best", "qd_score")
RULES: dict[str, Any] = {"learning_rate": 0.01, "threshold_min": 0.0}  # of CMA-MAE's archive
PAIRS = {"fused hash / pyribs": ("fused, hash", "pyribs"), "fused threefry / pyribs": ("fused, threefry", "pyribs")} | {
    "fused threefry / QDax": ("fused, threefry", "QDax")
}


def main(budget: str = "quick", seeds: str = "20", out: str = "experiments/results/cma_me") -> None:
    """Does what is missing, then writes and prints the table."""
    n, folder = rounds(budget), Path(out)
    runs = table.Runs(folder / "runs.jsonl")
    for case, settings in CASES.items():
        race(runs, case, lambda settings=settings: sides(*settings), n)
    for case, settings in QUALITY.items():
        for seed in range(int(seeds)):
            quality(runs, case, settings, seed)
    rows = equivalence(runs, tuple(QUALITY), FOUND, "fused, threefry", "pyribs")
    report(runs, folder, PAIRS, rows)
    print(told(rows))


def sides(es: str, dim: int, count: int, done: int) -> dict[str, Side]:
    found = {
        "fused, hash": _advancing(*_ours(es, dim, count, 0), done, "hash"),
        "fused, threefry": _advancing(*_ours(es, dim, count, 0), done, "threefry"),
        "pyribs": _pyribs(es, dim, count, 0, done // 4)[0],
    }
    if es == "cma_es" and qdax_map_elites.installed():
        found["QDax"] = qdax_cma_me.side(_ours(es, dim, count, 0)[0], DIMS, count, SAMPLES, SIGMA, done // 10)
    return found


def quality(runs: Runs, case: str, settings: tuple, seed: int) -> None:
    """Runs both sides once from one seed, and notes what they found."""
    es, dim, count, done, annealed = settings
    if not runs.has(case, "fused, threefry", seed):
        search, state = _ours(es, dim, count, seed, annealed)
        runs.add(case, "fused, threefry", seed, _found(_end(search, state, done, "threefry").archive))
    if not runs.has(case, "pyribs", seed):
        side, archive = _pyribs(es, dim, count, seed, done, annealed)
        side()
        runs.add(case, "pyribs", seed, _found(archive))


def _found(archive: GridArchive) -> dict[str, float]:
    objective = archive.data("objective")
    return {"elites": len(objective), "best": float(np.max(objective)), "qd_score": float(objective.sum() / archive.cells)}


def _ours(es: str, dim: int, count: int, seed: int, annealed: bool = False) -> tuple[Search, State]:
    domain = LinearProjection("sphere", dim)
    rules = ("imp", "mu", "basic") if annealed else ("2imp", "filter", "no_improvement")
    emitter = EvolutionStrategies(count, SAMPLES, SIGMA, es, *rules, x0=0.0)
    search = Search(domain, describe(domain), Grid(DIMS, **RULES) if annealed else Grid(DIMS), emitter)
    key, sample_key = keys.split(keys.new(seed))
    return search, start(search, key, domain.sample(sample_key, 1))[0]


def _end(search: Search, state: State, until: int, generator: str) -> State:
    for state, _ in fused.run(search, state, until, generator):
        pass
    return state


def _advancing(search: Search, state: State, done: int, generator: str) -> Side:
    def side() -> int:
        nonlocal state
        before = state.evaluations
        state = _end(search, state, before + done, generator)
        return state.evaluations - before

    return side


def _pyribs(
    es: str, dim: int, count: int, seed: int, done: int, annealed: bool = False
) -> tuple[Callable[[], int], GridArchive]:
    domain = LinearProjection("sphere", dim)
    archive = GridArchive(
        solution_dim=dim, dims=DIMS, ranges=domain.bounds, seed=seed, dtype=np.float32, **(RULES if annealed else {})
    )
    rules = {"ranker": "imp", "selection_rule": "mu", "restart_rule": "basic"} if annealed else {"ranker": "2imp"}
    settings: dict[str, Any] = {"sigma0": SIGMA, "es": es, "batch_size": SAMPLES, "x0": np.zeros(dim)} | rules
    emitters = [EvolutionStrategyEmitter(archive, **settings, seed=1000 * seed + i) for i in range(count)]
    scheduler = Scheduler(archive, emitters)
    evaluate = jitted(Search(domain, describe(domain), Grid(DIMS), None))  # type: ignore[arg-type]
    n = -(-done // (count * SAMPLES))

    def side() -> int:
        for _ in range(n):
            scheduler.tell(*evaluate(scheduler.ask()))
        return n * count * SAMPLES

    return side, archive


if __name__ == "__main__":
    main(**dict(word.split("=", 1) for word in sys.argv[1:]))
