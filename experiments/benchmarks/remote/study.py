"""Evaluations by workers: what they cost, how busy they are, and whether they grow.

*Overhead*: milliseconds of the wall beside evaluations that take no time, in chunks of 16, of our pool and our Dask
engine, and in the same round of a plain ``ProcessPoolExecutor.map`` and Dask's ``client.map``, all with two workers.
*Busy*: evaluations that burn 50 ms of CPU by two workers over this process; that sleep 100 ms by 32 workers over the
ideal. *Unlike durations*: asleep for a lognormal time (median 20 ms, sigma 1), 16 workers, driver=steady over
generations of 16 and of 64. *Simulated clock*: the same on a clock that no other load disturbs, with coverage and QD
score at equal evaluations. *Memory*: megabytes of driver and workers over 1,000 generations, also drawn in memory.png.

    qd study benchmarks.remote budget=quick|first|full [cases=overhead]
"""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from typing import Annotated, Any

import numpy as np

from experiments import command, study
from experiments.benchmarks import equivalence
from experiments.benchmarks.remote import worker_memory
from experiments.benchmarks.remote.durations import INSTANT, Durations, Simulated, evaluate_at_once
from feedback.descriptors.select import Select
from qd import keys, metrics, remote
from qd.archives import Grid
from qd.emitters.vary import IsoLine, Vary
from qd.remote.steady import Steady
from qd.report.table import Row, Runs, of_ratios, summary
from qd.search import run, start
from qd.types import Search

BUDGETS = {"quick": 1, "first": 3, "full": 10}  # rounds; and seeds of the quality, 10 but for quick
CHUNK, FEW, MANY = 16, 2, 32
BURN, SLEEP = Durations(0.05, at_work=True), Durations(0.1)
UNLIKE = Durations(0.02, sigma=1.0)
SCORES = "qd_score", "coverage"
WORKERS, SIMULATED = 16, 3_000  # of unlike durations; evaluations on the simulated clock
SHOWN = ("ms an evaluation", "speed", "efficiency", "per_s", "idle", "driver growth", "workers growth", "qd_score", "coverage")


def main(budget: Annotated[str, BUDGETS] = "quick", cases: str = "", out: str = "") -> None:
    """Does the missing rounds, then writes and prints the table; arguments as in ``study``."""
    folder = study.folder("remote", budget, out)
    runs, n = study.runs(folder), BUDGETS[budget]
    measurements = list(plan(n, seeds=2 if budget == "quick" else 10))
    names = study.beginning([case for case, *_ in measurements], cases)
    for case, method, seed, measure in measurements:
        if case in names and not runs.has(case, method, seed):
            study.add(runs, case, method, seed, measure())
    study.report(folder, rows(runs), SHOWN, 3, ("numpy", "ribs", "distributed"))
    if runs.column(worker_memory.CASE, "dask, 2 workers", "driver growth"):
        worker_memory.figure(runs).savefig(folder / "memory.png", dpi=130)
    print(equivalence.verdicts(rows(runs)))


def rows(runs: Runs) -> list[Row]:
    """Returns medians, the difference of both drivers' scores, and ratios of the same round."""
    scores = equivalence.mean_differences(runs, ["simulated clock"], SCORES, "steady", "generations")
    return [*summary(runs), *scores, *ratios(runs)]


def plan(n: int, seeds: int) -> Iterator[tuple[str, str, int, Callable[[], dict[str, float]]]]:
    """Yields (case, method, round, what measures it).

    Args:
        n: rounds.
        seeds: of the quality.
    """
    for i in range(n):
        for method, side in OVERHEAD.items():
            yield "overhead, chunks of 16", method, i, side
        for method, domain in (("this process", remote.Serial(BURN)), ("2 workers", remote.Pool(BURN, FEW))):
            yield "50 ms of CPU", method, i, lambda domain=domain: rate(domain, 60)
        for method, side in (("32 workers", asleep), ("ProcessPoolExecutor, 32", asleep_in_executor)):
            yield "sleep of 100 ms", method, i, side
        for method, size, steady in (("steady", 1, True), ("generations of 16", 16, False), ("generations of 64", 64, False)):
            yield "unlike durations", method, i, lambda size=size, steady=steady, i=i: unlike(UNLIKE, size, steady, i, 1000)
    for seed in range(seeds):
        for method, size, steady in (("steady", 1, True), ("generations", 16, False), ("generations of 64", 64, False)):
            yield "simulated clock", method, seed, lambda size=size, steady=steady, seed=seed: simulated(size, steady, seed)
    yield from worker_memory.plan()


def rate(domain: remote.Remote, n: int) -> dict[str, float]:
    """Returns evaluations a second, without the start of the workers.

    Args:
        domain: what evaluates.
        n: evaluations.
    """
    with domain:
        wait_for_all(domain)
        solutions, each = batch(n)
        began = time.perf_counter()
        domain.evaluate(each, solutions)
        return {"per_s": n / (time.perf_counter() - began)}


def wait_for_all(domain: remote.Remote) -> None:
    """Evaluates until all workers have started."""
    solutions, each = batch(domain.engine.capacity)
    while domain.dispatcher.status().alive < domain.engine.capacity:
        domain.evaluate(each, np.resize(solutions, (len(solutions), *domain.sample(keys.new(0), 1).shape[1:])))


def batch(n: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns n solutions and their keys."""
    return INSTANT.sample(keys.new(0), n), keys.split(keys.new(1), n)


def overhead(evaluate: Callable[[np.ndarray, np.ndarray], Any], n: int = 3_200) -> dict[str, float]:
    """Times evaluations that take no time, after as many untimed ones.

    Args:
        evaluate: of keys and solutions.
        n: evaluations.
    """
    solutions, each = batch(n)
    evaluate(each, solutions)
    began = time.perf_counter()
    evaluate(each, solutions)
    return {"ms an evaluation": 1e3 * (time.perf_counter() - began) / n}


def by_pool() -> dict[str, float]:
    """Our pool."""
    with remote.Pool(INSTANT, FEW, chunk=CHUNK) as domain:
        return overhead(domain.evaluate)


def by_dask() -> dict[str, float]:
    """Our engine on a local cluster."""
    with remote.Dask(INSTANT, workers=FEW, chunk=CHUNK) as domain:
        return overhead(domain.evaluate)


def by_executor() -> dict[str, float]:
    """The standard library's pool, which neither ends a hung evaluation nor outlives a killed worker."""
    with executor(FEW) as pool:
        return overhead(lambda each, solutions: list(pool.map(evaluate_at_once, chunks(each), chunks(solutions))))


def by_client_map() -> dict[str, float]:
    """Dask's own map on a local cluster; evaluations run in the threads of its workers."""
    from distributed import Client, LocalCluster

    with (
        LocalCluster(FEW, threads_per_worker=1, host="127.0.0.1", dashboard_address="127.0.0.1:0", memory_limit=0) as cluster,
        Client(cluster, set_as_default=False) as client,
    ):
        return overhead(
            lambda each, solutions: client.gather(client.map(evaluate_at_once, chunks(each), chunks(solutions), pure=False))
        )


OVERHEAD = {"pool": by_pool, "ProcessPoolExecutor.map": by_executor, "dask": by_dask, "client.map": by_client_map}


def chunks(rows: np.ndarray) -> list[np.ndarray]:
    """Cuts rows into chunks."""
    return [rows[start : start + CHUNK] for start in range(0, len(rows), CHUNK)]


def asleep() -> dict[str, float]:
    """Returns the share of the ideal that 32 workers reach, by evaluations that sleep."""
    n = 10 * MANY
    with remote.Pool(SLEEP, MANY) as domain:
        wait_for_all(domain)
        solutions, each = batch(n)
        began = time.perf_counter()
        domain.evaluate(each, solutions)
        return {"efficiency": n / MANY * SLEEP.seconds / (time.perf_counter() - began)}


def asleep_in_executor() -> dict[str, float]:
    """The same by the standard library's pool."""
    n = 10 * MANY
    with executor(MANY) as pool:
        list(pool.map(time.sleep, [0.5] * MANY))
        began = time.perf_counter()
        list(pool.map(time.sleep, [SLEEP.seconds] * n))
        return {"efficiency": n / MANY * SLEEP.seconds / (time.perf_counter() - began)}


@contextmanager
def executor(workers: int) -> Iterator[ProcessPoolExecutor]:
    """Opens the standard library's pool, spawned as ours is."""
    with ProcessPoolExecutor(workers, get_context("spawn")) as pool:
        yield pool


def unlike(domain: Durations, size: int, steady: bool, seed: int, evaluations: int) -> dict[str, float]:
    """Searches by 16 workers and returns speed, idle share, QD score and coverage.

    Args:
        domain: of unlike durations.
        size: solutions of a generation.
        steady: by the steady-state driver, else generation after generation.
        seed: of the search.
        evaluations: after generation 0.
    """
    with remote.Pool(domain, WORKERS) as workers:
        search = searching(workers, size)
        key, sample_key = keys.split(keys.new(seed))
        state, _ = start(search, key, domain.sample(sample_key, 64))
        wait_for_all(workers)
        workers.dispatcher.workload.open()
        began, before = time.perf_counter(), state.evaluations
        for state, _ in (Steady() if steady else run)(search, state, before + evaluations):
            pass
        seconds, idle = time.perf_counter() - began, workers.dispatcher.workload.idle(WORKERS)
        scores = metrics.of_archive(state.archive, domain.objective_range)
    return {
        "per_s": (state.evaluations - before) / seconds,
        "idle": idle,
        **{name: scores[name] for name in SCORES},
    }


def simulated(size: int, steady: bool, seed: int) -> dict[str, float]:
    """Searches by 16 workers on a simulated clock, median 1 s and sigma 1; the driver itself takes no time.

    Args:
        size: solutions of a generation.
        steady: by the steady-state driver, else generation after generation.
        seed: of the search.
    """
    engine = Simulated(WORKERS)
    search = searching(remote.Remote(INSTANT, engine), size)
    key, sample_key = keys.split(keys.new(seed))
    state, _ = start(search, key, INSTANT.sample(sample_key, 64))
    clock = engine.clocks[0]
    began, busy, before = clock.now, clock.busy, state.evaluations
    for state, _ in (Steady() if steady else run)(search, state, before + SIMULATED):
        pass
    seconds = clock.now - began
    scores = metrics.of_archive(state.archive, INSTANT.objective_range)
    idle = 1 - (clock.busy - busy) / (seconds * WORKERS)
    return {"per_s": (state.evaluations - before) / seconds, "idle": idle, **{name: scores[name] for name in SCORES}}


def searching(domain: Any, size: int) -> Search:
    """Returns a search by iso+line on a grid.

    Args:
        domain: what is searched.
        size: solutions of a generation.
    """
    return Search(domain, Select("xy", ((-1, 1), (-1, 1))), Grid(dims=(32, 32)), Vary(IsoLine(), size))


def ratios(runs: Runs) -> list[Row]:
    """Returns ratios of the same round: speed over this process, of the steady-state driver over generations."""
    pairs = [("50 ms of CPU", "2 workers", "this process")]
    pairs += [("unlike durations", "steady", f"generations of {size}") for size in (16, 64)]
    pairs += [("simulated clock", "steady", other) for other in ("generations", "generations of 64")]
    pairs += [("overhead, chunks of 16", "pool", "ProcessPoolExecutor.map"), ("overhead, chunks of 16", "dask", "client.map")]
    rows = []
    for case, method, other in pairs:
        metric = "ms an evaluation" if case.startswith("overhead") else "per_s"
        ours, theirs = runs.column(case, method, metric), runs.column(case, other, metric)
        values = [ours[i] / theirs[i] for i in sorted(ours.keys() & theirs.keys())]
        if values:
            rows.append(of_ratios(case, f"{method} / {other}", "speed", values))
    return rows


if __name__ == "__main__":
    command.run()
