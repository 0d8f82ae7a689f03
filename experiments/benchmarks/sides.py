"""Sides of the benchmarks of MAP-Elites: our drivers, pyribs' scheduler, and the limit of the evaluation alone."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from ribs.archives import CVTArchive, GridArchive
from ribs.emitters import GaussianEmitter, IsoLineEmitter
from ribs.schedulers import Scheduler

from domains.arm import Arm
from experiments.benchmarks.rounds import Side
from feedback.descriptors.select import Select
from qd import fused, keys
from qd.archives import Grid
from qd.emitters.vary import Gaussian, Vary
from qd.search import start, step
from qd.types import Search, State

ISO, LINE, WARM = 0.01, 0.2, 200_000  # evaluations before any side starts


def describe(domain: Any) -> Select:
    return Select("gripper", ((-1.0, 1.0),) * 2) if isinstance(domain, Arm) else Select("projection", domain.bounds)


def begin(search: Search) -> State:
    return start(search, keys.new(0), search.domain.sample(keys.new(1), 1024))[0]


def end(search: Search, state: State, until: int, generator: str = "hash") -> State:
    for state, _ in fused.run(search, state, until, generator):
        pass
    return state


def steps(search: Search, state: State, until: int) -> State:
    """Runs the host loop."""
    while state.evaluations < until:
        state, _ = step(search, state)
    return state


def continuing(state: State, evaluations: int, advance: Callable[[State, int], State]) -> Side:
    """A side that goes on with one search. Rows and archive reach the host, as in any run.

    Args:
        evaluations: how many more each time.
        advance: (state, number of evaluations to stop at) -> state.
    """

    def side() -> int:
        nonlocal state
        before = state.evaluations
        state = advance(state, before + evaluations)
        return state.evaluations - before

    return side


def ours(search: Search, evaluations: int, generator: str) -> Side:
    """The fused driver, from a filled archive on."""
    advance = lambda state, until: end(search, state, until, generator)
    return continuing(advance(begin(search), WARM), evaluations, advance)


def host(search: Search, evaluations: int) -> Side:
    """The host loop, from a filled archive on."""
    return continuing(end(search, begin(search), WARM), evaluations, lambda state, until: steps(search, state, until))


def limit(search: Search, solutions: np.ndarray, batch: int, evaluations: int) -> Side:
    """The evaluation alone, of the same solutions again and again; each result hangs on the one before."""
    n, x = -(-evaluations // batch), jnp.asarray(np.resize(solutions, (batch, solutions.shape[1])))

    @jax.jit
    def program(x: Any, n: Any) -> Any:
        def body(i: Any, x: Any) -> Any:
            evaluation = search.domain.evaluate(None, x)
            measures = evaluation.features[search.descriptor.reads[0]]
            touched = jnp.minimum(evaluation.objective.min() + measures.min(), 0) * 1e-30
            return jax.lax.dynamic_update_slice(x, (x[:1, :1] + touched), (0, 0))

        return jax.lax.fori_loop(0, n, body, x)

    def side() -> int:
        jax.block_until_ready(program(x, n))
        return n * batch

    return side


def pyribs(search: Search, elites: dict, evaluate: Callable, evaluations: int) -> Side:
    """pyribs' own scheduler, emitter and grid."""
    settings, cells = search.emitter, search.archive
    assert isinstance(settings, Vary) and isinstance(cells, Grid)
    batch, dim = settings.batch_size, elites["solution"].shape[1]
    archive = GridArchive(solution_dim=dim, dims=cells.dims, ranges=search.descriptor.bounds, seed=0, dtype=np.float32)
    archive.add(elites["solution"], elites["objective"], elites["measures"])
    emitter = IsoLineEmitter(archive, iso_sigma=ISO, line_sigma=LINE, x0=np.zeros(dim), batch_size=batch, seed=0)
    return scheduling(Scheduler(archive, [emitter]), evaluate, batch, evaluations)


def pyribs_cvt(search: Search, state: State, evaluations: int) -> Side:
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
    return scheduling(scheduler, jit_evaluation(search), batch, evaluations)


def scheduling(scheduler: Scheduler, evaluate: Callable, batch: int, evaluations: int) -> Side:
    """A side that goes on with a scheduler of pyribs, which asks for ``batch`` solutions at a time."""
    n = -(-evaluations // batch)

    def side() -> int:
        for _ in range(n):
            scheduler.tell(*evaluate(scheduler.ask()))
        return n * batch

    return side


def jit_evaluation(search: Search) -> Callable:
    @jax.jit
    def evaluate(solutions: Any) -> tuple[Any, Any]:
        evaluation = search.domain.evaluate(None, solutions)
        return evaluation.objective, evaluation.features[search.descriptor.reads[0]]

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
