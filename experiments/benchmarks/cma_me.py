"""CMA-ME on the sphere, 36 samples of each strategy, 100 x 100 cells: our strategies in the fused driver against pyribs'.

pyribs runs its scheduler with jitted evaluation; both start at 0 with sigma 0.5, in float32, one BLAS thread. Quality is
that of the same number of evaluations, over seeds: elites found and best objective.

    OPENBLAS_NUM_THREADS=1 python -m experiments.benchmarks.cma_me budget=quick|first|full seeds=20
"""

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
from ribs.archives import GridArchive
from ribs.emitters import EvolutionStrategyEmitter
from ribs.schedulers import Scheduler

from domains.functions import LinearProjection
from experiments.benchmarks.map_elites import describe, jitted
from experiments.benchmarks.rounds import Side, race, report, rounds
from qd import fused, keys, table
from qd.archives import Grid
from qd.emitters.cma import EvolutionStrategies
from qd.search import start
from qd.table import Row, Runs
from qd.types import Search, State

SAMPLES, DIMS, SIGMA = 36, (100, 100), 0.5
CASES = {  # name -> strategy, dimensions, strategies, evaluations of a round
    "10-D, 5 full": ("cma_es", 10, 5, 60_000),
    "100-D, 15 separable": ("sep_cma_es", 100, 15, 120_000),
    "100-D, 5 full": ("cma_es", 100, 5, 40_000),
    "100-D, 5 LM-MA": ("lm_ma_es", 100, 5, 60_000),
}
QUALITY = {  # name -> as above, with the evaluations of a whole run
    "quality, 10-D, 5 full": ("cma_es", 10, 5, 54_000),
    "quality, 100-D, 15 separable": ("sep_cma_es", 100, 15, 54_000),
}
MARGIN = 0.05  # of pyribs' mean: differences within it count as none
PAIRS = {"fused hash / pyribs": ("fused, hash", "pyribs"), "fused threefry / pyribs": ("fused, threefry", "pyribs")}


def main(budget: str = "quick", seeds: str = "20", out: str = "experiments/results/cma_me") -> None:
    """Does what is missing, then writes and prints the table."""
    n, folder = rounds(budget), Path(out)
    runs = table.Runs(folder / "runs.jsonl")
    for case, settings in CASES.items():
        race(runs, case, lambda settings=settings: sides(*settings), n)
    for case, settings in QUALITY.items():
        for seed in range(int(seeds)):
            quality(runs, case, settings, seed)
    report(runs, folder, PAIRS)
    for row in equivalence(runs):
        print(f"{row.case}: {row.metric}: {row.value:+.3f} [{row.low:+.3f}, {row.high:+.3f}] of pyribs' mean, margin {MARGIN}")


def sides(es: str, dim: int, count: int, done: int) -> dict[str, Side]:
    return {
        "fused, hash": _advancing(*_ours(es, dim, count, 0), done, "hash"),
        "fused, threefry": _advancing(*_ours(es, dim, count, 0), done, "threefry"),
        "pyribs": _pyribs(es, dim, count, 0, done // 4)[0],
    }


def quality(runs: Runs, case: str, settings: tuple, seed: int) -> None:
    """Runs both sides once from one seed, and notes what they found."""
    es, dim, count, done = settings
    if not runs.has(case, "fused, threefry", seed):
        search, state = _ours(es, dim, count, seed)
        archive = _end(search, state, done, "threefry").archive
        runs.add(case, "fused, threefry", seed, {"elites": len(archive), "best": float(archive.stats.obj_max)})
    if not runs.has(case, "pyribs", seed):
        side, archive = _pyribs(es, dim, count, seed, done)
        side()
        runs.add(case, "pyribs", seed, {"elites": len(archive), "best": float(np.max(archive.data("objective")))})


def equivalence(runs: Runs) -> list[Row]:
    """90 % intervals (t, Welch) of the difference of means over pyribs' mean: inside the margin, the two are equivalent."""
    from scipy.stats import t

    rows = []
    for case in QUALITY:
        for metric in ("elites", "best"):
            a, b = (np.array(list(runs.column(case, m, metric).values())) for m in ("fused, threefry", "pyribs"))
            if min(len(a), len(b)) < 2:
                continue
            errors = a.var(ddof=1) / len(a), b.var(ddof=1) / len(b)
            error = sum(errors) ** 0.5
            freedom = sum(errors) ** 2 / sum(e**2 / (len(x) - 1) for e, x in zip(errors, (a, b), strict=True))
            reach, scale = t.ppf(0.95, freedom) * error, abs(b.mean())
            middle = (a.mean() - b.mean()) / scale
            rows.append(Row(case, "fused - pyribs", metric, middle, middle - reach / scale, middle + reach / scale, len(a)))
    return rows


def _ours(es: str, dim: int, count: int, seed: int) -> tuple[Search, State]:
    domain = LinearProjection("sphere", dim)
    emitter = EvolutionStrategies(count, SAMPLES, SIGMA, es, x0=0.0)
    search = Search(domain, describe(domain), Grid(DIMS), emitter)
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


def _pyribs(es: str, dim: int, count: int, seed: int, done: int) -> tuple[Callable[[], int], GridArchive]:
    domain = LinearProjection("sphere", dim)
    archive = GridArchive(solution_dim=dim, dims=DIMS, ranges=domain.bounds, seed=seed, dtype=np.float32)
    settings = {"sigma0": SIGMA, "ranker": "2imp", "es": es, "batch_size": SAMPLES, "x0": np.zeros(dim)}
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
