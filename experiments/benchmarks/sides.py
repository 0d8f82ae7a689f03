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
    """Returns the descriptor of the arm or of a function."""
    return Select("gripper", ((-1.0, 1.0),) * 2) if isinstance(domain, Arm) else Select("projection", domain.bounds)


def begin(search: Search) -> State:
    """Starts a search from 1,024 samples."""
    return start(search, keys.new(0), search.domain.sample(keys.new(1), 1024))[0]


def end(search: Search, state: State, until: int, generator: str = "hash") -> State:
    """Runs the fused driver and returns the last state.

    Args:
        search: its components.
        state: where it starts.
        until: evaluations to stop at.
        generator: of random numbers: hash or threefry.
    """
    for state, _ in fused.run(search, state, until, generator):
        pass
    return state


def steps(search: Search, state: State, until: int) -> State:
    """Runs the host loop and returns the last state.

    Args:
        search: its components.
        state: where it starts.
        until: evaluations to stop at.
    """
    while state.evaluations < until:
        state, _ = step(search, state)
    return state


def continuing(state: State, evaluations: int, advance: Callable[[State, int], State]) -> Side:
    """Returns a side that continues one search. Rows and archive reach the host, as in any run.

    Args:
        state: where it starts.
        evaluations: of a round.
        advance: (state, number of evaluations to stop at) -> state.
    """

    def side() -> int:
        nonlocal state
        before = state.evaluations
        state = advance(state, before + evaluations)
        return state.evaluations - before

    return side


def ours(search: Search, evaluations: int, generator: str) -> Side:
    """Returns the fused driver, starting from a filled archive.

    Args:
        search: its components.
        evaluations: of a round.
        generator: of random numbers: hash or threefry.
    """
    advance = lambda state, until: end(search, state, until, generator)
    return continuing(advance(begin(search), WARM), evaluations, advance)


def host(search: Search, evaluations: int) -> Side:
    """Returns the host loop, starting from a filled archive.

    Args:
        search: its components.
        evaluations: of a round.
    """
    return continuing(end(search, begin(search), WARM), evaluations, lambda state, until: steps(search, state, until))


def limit(search: Search, solutions: np.ndarray, batch: int, evaluations: int) -> Side:
    """Returns the evaluation alone, repeated on the same solutions; each result depends on the one before.

    Args:
        search: domain and descriptor.
        solutions: [N, D], repeated to fill the batch.
        batch: solutions evaluated at a time.
        evaluations: of a round.
    """
    n, x = -(-evaluations // batch), jnp.asarray(np.resize(solutions, (batch, solutions.shape[1])))

    @jax.jit
    def program(x: Any, n: Any) -> Any:
        def body(i: Any, x: Any) -> Any:
            evaluation = search.domain.evaluate(None, x)
            measures = evaluation.features[search.descriptor.reads[0]]
            zero = jnp.minimum(evaluation.objective.min() + measures.min(), 0) * 1e-30
            return jax.lax.dynamic_update_slice(x, (x[:1, :1] + zero), (0, 0))

        return jax.lax.fori_loop(0, n, body, x)

    def side() -> int:
        jax.block_until_ready(program(x, n))
        return n * batch

    return side


def pyribs(search: Search, elites: dict, evaluate: Callable, evaluations: int) -> Side:
    """Returns pyribs' own scheduler, emitter and grid.

    Args:
        search: with Vary and Grid, the settings of which are used.
        elites: columns of an archive: name -> array.
        evaluate: solutions [B, D] -> (objective [B], measures [B, M]).
        evaluations: of a round.
    """
    settings, cells = search.emitter, search.archive
    assert isinstance(settings, Vary) and isinstance(cells, Grid)
    batch, dim = settings.batch_size, elites["solution"].shape[1]
    archive = GridArchive(solution_dim=dim, dims=cells.dims, ranges=search.descriptor.bounds, seed=0, dtype=np.float32)
    archive.add(elites["solution"], elites["objective"], elites["measures"])
    emitter = IsoLineEmitter(archive, iso_sigma=ISO, line_sigma=LINE, x0=np.zeros(dim), batch_size=batch, seed=0)
    return scheduling(Scheduler(archive, [emitter]), evaluate, batch, evaluations)


def pyribs_cvt(search: Search, state: State, evaluations: int) -> Side:
    """Returns pyribs' own scheduler, Gaussian emitter and CVT, with the centroids of ours.

    Args:
        search: with Vary and Gaussian, the settings of which are used.
        state: of our search, with its archive.
        evaluations: of a round.
    """
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
    """Returns a side that continues with a scheduler of pyribs.

    Args:
        scheduler: of pyribs.
        evaluate: solutions [B, D] -> (objective [B], measures [B, M]).
        batch: solutions that the scheduler asks for at a time.
        evaluations: of a round.
    """
    n = -(-evaluations // batch)

    def side() -> int:
        for _ in range(n):
            scheduler.tell(*evaluate(scheduler.ask()))
        return n * batch

    return side


def jit_evaluation(search: Search) -> Callable:
    """Returns solutions [B, D] -> (objective [B], measures [B, M]), compiled by JAX, of NumPy arrays."""

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
        projection = np.where(np.abs(x) <= 5.12, x, np.float32(5.12) / x)
        halves = projection.reshape(len(x), 2, -1).sum(2)
        return 100 * (1 - ((x - np.float32(0.4 * 5.12)) ** 2).sum(1) / np.float32(worst)), halves

    return arm if isinstance(domain, Arm) else sphere
