"""MAP-Elites with iso+line variation: whole generations in one program against pyribs and QDax, and against the limit.

The limit is the jitted evaluation alone, in a loop of its own. pyribs runs its scheduler with NumPy evaluation and with
jitted evaluation; QDax 0.5.0 (the extra ``peers``) its MAP-Elites in a scan. All start from the same elites, in float32.
Almost all of the distance to QDax is its cell lookup: it measures the distance to every cell.

    python -m experiments.benchmarks.map_elites budget=quick|first|full
"""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from ribs.archives import CVTArchive, GridArchive
from ribs.emitters import GaussianEmitter, IsoLineEmitter
from ribs.schedulers import Scheduler

from domains.arm import Arm
from domains.functions import LinearProjection
from experiments.benchmarks import qdax_map_elites
from experiments.benchmarks.rounds import Side, race, report, rounds
from feedback.descriptors.select import Select
from qd import fused, keys
from qd.archives import Grid
from qd.emitters.vary import Gaussian, IsoLine, Vary
from qd.report import table
from qd.search import start, step
from qd.types import Search, State

ISO, LINE, WARM = 0.01, 0.2, 200_000  # evaluations before any side starts
ARM100, ARM10, SPHERE = Arm(joints=100), Arm(joints=10), LinearProjection("sphere", 100)
CASES = {  # name -> domain, batch, dims, evaluations of a round
    "arm 100-D, batch 1024, 10,000 cells": (ARM100, 1024, (100, 100), 150_000),
    "sphere 100-D, batch 1024, 10,000 cells": (SPHERE, 1024, (100, 100), 150_000),
    "arm 10-D, batch 100, 10,000 cells": (ARM10, 100, (100, 100), 60_000),
    "arm 10-D, batch 256, 2,500 cells": (ARM10, 256, (50, 50), 100_000),  # what qd run runs by default
    "arm 100-D, batch 1024, 1,000 cells": (ARM100, 1024, (40, 25), 150_000),
}
PAIRS = {
    "fused hash / pyribs": ("fused, hash", "pyribs, NumPy evaluation"),
    "fused threefry / pyribs": ("fused, threefry", "pyribs, NumPy evaluation"),
    "fused hash / pyribs jitted": ("fused, hash", "pyribs, jitted evaluation"),
    "fused threefry / pyribs jitted": ("fused, threefry", "pyribs, jitted evaluation"),
    "fused hash / QDax": ("fused, hash", "QDax"),
    "fused threefry / QDax": ("fused, threefry", "QDax"),
    "fused hash / limit": ("fused, hash", "limit"),
    "fused threefry / limit": ("fused, threefry", "limit"),
    "fused threefry / host loop": ("fused, threefry", "host loop"),
    "limit / pyribs": ("limit", "pyribs, NumPy evaluation"),  # no driver could be faster than this with this evaluation
}


def main(budget: str = "quick", out: str = "experiments/results/map_elites") -> None:
    """Does the rounds that are missing, then writes and prints the table."""
    n, folder = rounds(budget), Path(out)
    runs = table.Runs(folder / "runs.jsonl")
    for case, (domain, batch, dims, done) in CASES.items():
        race(runs, case, lambda a=(domain, batch, dims, done): sides(*a), n)
    report(runs, folder, PAIRS)


def sides(domain: Any, batch: int, dims: tuple[int, int], done: int) -> dict[str, Side]:
    """Opens all that are installed, from the same elites."""
    search = Search(domain, describe(domain), Grid(dims), Vary(IsoLine(ISO, LINE), batch))
    elites = end(search, begin(search), WARM).archive.data()
    found = {
        "limit": limit(search, elites["solution"], batch, done),
        "fused, hash": ours(search, done, "hash"),
        "fused, threefry": ours(search, done, "threefry"),
        "host loop": host(search, done // 4),
        "pyribs, NumPy evaluation": pyribs(search, elites, in_numpy(domain), done // 4),
        "pyribs, jitted evaluation": pyribs(search, elites, jitted(search), done // 4),
    }
    if qdax_map_elites.installed():
        found["QDax"] = qdax_map_elites.side(search, elites, batch, dims, max(2 * batch, done // 50), ISO, LINE)
    return found


def describe(domain: Any) -> Select:
    return Select("gripper", ((-1.0, 1.0),) * 2) if isinstance(domain, Arm) else Select("projection", domain.bounds)


def begin(search: Search) -> State:
    return start(search, keys.new(0), search.domain.sample(keys.new(1), 1024))[0]


def end(search: Search, state: State, until: int, generator: str = "hash") -> State:
    for state, _ in fused.run(search, state, until, generator):
        pass
    return state


def ours(search: Search, done: int, generator: str) -> Side:
    """Rows and archive reach the host, as in any run."""
    state = end(search, begin(search), WARM, generator)

    def side() -> int:
        nonlocal state
        before = state.evaluations
        state = end(search, state, before + done, generator)
        return state.evaluations - before

    return side


def host(search: Search, done: int) -> Side:
    state = end(search, begin(search), WARM)

    def side() -> int:
        nonlocal state
        before = state.evaluations
        while state.evaluations < before + done:
            state, _ = step(search, state)
        return state.evaluations - before

    return side


def limit(search: Search, solutions: np.ndarray, batch: int, done: int) -> Side:
    """The evaluation alone, of the same solutions again and again; each result hangs on the one before."""
    n, x = -(-done // batch), jnp.asarray(np.resize(solutions, (batch, solutions.shape[1])))

    @jax.jit
    def program(x: Any, n: Any) -> Any:
        def body(i: Any, x: Any) -> Any:
            said = search.domain.evaluate(None, x)
            measures = said.features[search.descriptor.reads[0]]
            touched = jnp.minimum(said.objective.min() + measures.min(), 0) * 1e-30
            return jax.lax.dynamic_update_slice(x, (x[:1, :1] + touched), (0, 0))

        return jax.lax.fori_loop(0, n, body, x)

    def side() -> int:
        jax.block_until_ready(program(x, n))
        return n * batch

    return side


def pyribs(search: Search, elites: dict, evaluate: Callable, done: int) -> Side:
    """pyribs' own scheduler, emitter and grid."""
    settings, cells = search.emitter, search.archive
    assert isinstance(settings, Vary) and isinstance(cells, Grid)
    batch, dim = settings.batch_size, elites["solution"].shape[1]
    archive = GridArchive(solution_dim=dim, dims=cells.dims, ranges=search.descriptor.bounds, seed=0, dtype=np.float32)
    archive.add(elites["solution"], elites["objective"], elites["measures"])
    emitter = IsoLineEmitter(archive, iso_sigma=ISO, line_sigma=LINE, x0=np.zeros(dim), batch_size=batch, seed=0)
    scheduler = Scheduler(archive, [emitter])

    def side() -> int:
        for _ in range(-(-done // batch)):
            scheduler.tell(*evaluate(scheduler.ask()))
        return -(-done // batch) * batch

    return side


def pyribs_cvt(search: Search, state: State, done: int) -> Side:
    """pyribs' own scheduler, Gaussian emitter and CVT, with the centroids of ours."""
    settings = search.emitter
    assert isinstance(settings, Vary) and isinstance(settings.variation, Gaussian)
    elites, variation, batch = state.archive.data(), settings.variation, settings.batch_size
    dim, bounds = elites["solution"].shape[1], search.descriptor.bounds
    archive = CVTArchive(solution_dim=dim, centroids=state.archive.centroids, ranges=bounds, seed=0, dtype=np.float32)
    archive.add(elites["solution"], elites["objective"], elites["measures"])
    low, high = np.full(dim, variation.low), np.full(dim, variation.high)
    settings = {"lower_bounds": low, "upper_bounds": high, "batch_size": batch, "seed": 0}
    scheduler = Scheduler(archive, [GaussianEmitter(archive, sigma=variation.sigma, x0=np.zeros(dim), **settings)])
    evaluate = jitted(search)

    def side() -> int:
        for _ in range(-(-done // batch)):
            scheduler.tell(*evaluate(scheduler.ask()))
        return -(-done // batch) * batch

    return side


def jitted(search: Search) -> Callable:
    @jax.jit
    def evaluate(solutions: Any) -> tuple[Any, Any]:
        said = search.domain.evaluate(None, solutions)
        return said.objective, said.features[search.descriptor.reads[0]]

    return lambda solutions: tuple(np.asarray(column) for column in evaluate(solutions))


def in_numpy(domain: Any) -> Callable:
    """The same evaluation in NumPy, float32."""

    def arm(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        heading = np.cumsum(x, axis=1)
        places = np.stack([np.cos(heading).sum(1), np.sin(heading).sum(1)], axis=1) * np.float32(1 / domain.joints)
        return (1 - x.var(axis=1)) * 100, places

    def sphere(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        worst = domain.dim * (5.12 * 1.4) ** 2
        folded = np.where(np.abs(x) <= 5.12, x, np.float32(5.12) / x)
        halves = folded.reshape(len(x), 2, -1).sum(2)
        return 100 * (1 - ((x - np.float32(0.4 * 5.12)) ** 2).sum(1) / np.float32(worst)), halves

    return arm if isinstance(domain, Arm) else sphere


if __name__ == "__main__":
    main(**dict(word.split("=", 1) for word in sys.argv[1:]))
