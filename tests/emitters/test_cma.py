"""Evolution strategies in JAX against pyribs' own: same ranks, weights and steps; restarts; refusals."""

from dataclasses import replace
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from ribs.emitters.opt._cma_es import CMAEvolutionStrategy
from ribs.emitters.opt._lm_ma_es import LMMAEvolutionStrategy
from ribs.emitters.opt._sep_cma_es import SeparableCMAEvolutionStrategy

from feedback.descriptors.select import Select
from qd import fused, keys
from qd.archives import DNS, Grid, Proximity
from qd.emitters.cma import cma_me
from qd.emitters.cma.cma_me import EvolutionStrategies
from qd.emitters.cma.strategies import Full, LowMemory, Separable
from qd.search import run, start
from qd.types import Search
from tests.support.toys import SQUARE, Bowl, Failing

XY = Select("xy", SQUARE)
PART = EvolutionStrategies(count=3, samples=12, sigma0=0.3)
DIM, SAMPLES, TELLS = 14, 12, 25


def begin(search: Search, seed: int = 0):
    key, sample_key = keys.split(keys.new(seed))
    return start(search, key, search.domain.sample(sample_key, 64))[0]


@partial(jax.jit, static_argnums=0)
def asked(strategy, state, turn, z):
    state = strategy.prepare(state, turn, z.shape[1])
    return state, strategy.sample(state, z)


@partial(jax.jit, static_argnums=0)
def adapted(strategy, state, z, x, cost, parents):
    weights = cma_me._recombination_weights(
        jnp.argsort(jnp.argsort(cost, axis=1), axis=1), jnp.broadcast_to(parents, (len(x),))
    )
    return cma_me.strategies.advance(state, strategy.update(state, z, x, weights), weights)


def told(strategy, opt, tells: int, parents: int):
    """Tells pyribs' strategy and ours the same samples of a sphere; yields (ours, pyribs')."""
    rng = np.random.default_rng(0)
    opt.reset(np.zeros(DIM))
    state = strategy.fresh(jnp.zeros((1, DIM)), 0.5, SAMPLES)
    for turn in range(tells):
        z = rng.normal(size=(1, SAMPLES, DIM)).astype(np.float32)
        state, x = jax.tree.map(np.asarray, asked(strategy, state, turn, z))
        opt._solutions, opt._solution_z = x[0].astype(np.float64), z[0].astype(np.float64)
        if hasattr(opt.cov, "update_eigensystem") if hasattr(opt, "cov") else False:
            opt.cov.update_eigensystem(opt.current_eval, opt.lazy_gap_evals)
        cost = ((x[0] - 1) ** 2 * np.arange(1, DIM + 1)).sum(1)
        order = np.argsort(cost)
        opt.tell(order, -cost, parents)
        state = adapted(strategy, state, z, x, cost[None], parents)
        yield state, opt


def test_lm_ma_es_steps_as_pyribs_does() -> None:
    for state, opt in told(LowMemory(), LMMAEvolutionStrategy(0.5, DIM, SAMPLES), TELLS, 5):
        np.testing.assert_allclose(state.mean[0], opt.mean, rtol=1e-3, atol=1e-4)
        np.testing.assert_allclose(state.sigma[0], opt.sigma, rtol=1e-3)


@pytest.mark.parametrize("kind", ["full", "separable"])
def test_cma_es_steps_as_pyribs_does_where_its_two_slips_do_not_matter(kind) -> None:
    """Means, path and sigma of the first tells, in which the covariance has hardly moved from the identity."""
    ours, opt = (Full(), CMAEvolutionStrategy) if kind == "full" else (Separable(), SeparableCMAEvolutionStrategy)
    for turn, (state, theirs) in enumerate(told(ours, opt(0.5, DIM, SAMPLES, dtype=np.float64), 3, 5)):
        close = {"rtol": 1e-4, "atol": 1e-5} if turn == 0 else {"rtol": 0.1, "atol": 0.02}
        np.testing.assert_allclose(state.mean[0], theirs.mean, **close)
        np.testing.assert_allclose(state.path[0], theirs.ps, **(close if turn == 0 else {"rtol": 0.2, "atol": 0.1}))
        np.testing.assert_allclose(state.sigma[0], theirs.sigma, rtol=1e-4 if turn == 0 else 0.05)


def evolved(strategy, state, scales, tells: int, samples: int):
    """The state after telling it the squared distance from 0, each gene scaled."""
    rng = np.random.default_rng(1)
    for turn in range(tells):
        z = rng.normal(size=(len(state.mean), samples, state.mean.shape[1])).astype(np.float32)
        state, x = asked(strategy, state, turn, z)
        state = adapted(strategy, state, z, x, (x**2 * scales).sum(2), samples // 2)
    return state


@pytest.mark.parametrize("strategy", [Full(), Separable(), LowMemory()], ids=["full", "separable", "low memory"])
def test_each_strategy_finds_the_bottom_of_a_bowl(strategy) -> None:
    samples = 6 if isinstance(strategy, LowMemory) else SAMPLES  # it wants many fewer than genes
    state = evolved(strategy, strategy.fresh(jnp.full((2, DIM), 2.0), 0.5, samples), np.ones(DIM, np.float32), 200, samples)
    assert (np.linalg.norm(state.mean, axis=1) < 0.5).all() and not strategy.should_stop(state).any()


def test_full_learns_the_covariance_of_an_ellipsoid() -> None:
    state = evolved(Full(), Full().fresh(jnp.full((1, 4), 1.0), 0.5, SAMPLES), np.float32([1, 1, 100, 100]), 80, SAMPLES)
    variances = np.diag(state.shape.matrix[0])
    assert variances[:2].min() > 5 * variances[2:].max()


def test_ranks_are_those_of_pyribs_ties_too() -> None:
    rng = np.random.default_rng(0)
    first, numbers = rng.integers(0, 3, (4, 36)), rng.integers(-3, 3, (4, 36)).astype(np.float32)
    rank = np.asarray(cma_me._rank(jnp.asarray(first), jnp.asarray(numbers)))
    for e in range(4):
        order = np.flip(np.lexsort((numbers[e], first[e])))
        np.testing.assert_array_equal(np.argsort(rank[e]), order)


def test_weights_are_those_of_cma_es_and_vanish_without_parents() -> None:
    weights = np.asarray(cma_me._recombination_weights(jnp.arange(6)[None].repeat(3, 0), jnp.array([3, 6, 0])))
    raw = np.log(3.5) - np.log(np.arange(1, 4))
    np.testing.assert_allclose(weights[0], [*(raw / raw.sum()), 0, 0, 0], rtol=1e-5)
    np.testing.assert_allclose(weights.sum(1), [1, 1, 0], rtol=1e-5)


@pytest.mark.parametrize("ranker", ["imp", "2imp", "obj", "2obj", "rd", "2rd"])
def test_every_ranker_fills_the_archive_on_the_host(ranker) -> None:
    search = Search(Failing(Bowl()), XY, Grid((20, 20)), replace(PART, ranker=ranker))
    state = begin(search)
    before = len(state.archive)
    for state, batch in run(search, state, 2000):
        assert np.isfinite(batch.solutions).all()
    assert len(state.archive) > before + 30


def test_novelty_ranks_where_the_archive_says_it_and_leads_away_from_what_is_known() -> None:
    part = replace(PART, ranker="nov", selection_rule="mu", restart_rule="basic")
    search = Search(Bowl(), XY, Proximity(0.05, 5), part)
    state = begin(search)
    before, state_before = np.abs(state.archive.data("measures")).max(), len(state.archive)
    for state, batch in run(search, state, 2000):
        assert np.isfinite(batch.info["novelty"]).all()
    assert np.abs(state.archive.data("measures")).max() > 2 * before and len(state.archive) > state_before + 100
    with pytest.raises(ValueError, match="ranks by novelty, but .* gives value; .* archive=proximity"):
        begin(search._replace(archive=Grid((9, 9))))


@pytest.mark.ci
def test_cma_mae_in_the_fused_driver_and_a_memory_that_goes_on() -> None:
    part = replace(PART, ranker="imp", selection_rule="mu", restart_rule="basic")
    search = Search(Bowl(), XY, Grid((20, 20), 0.01, -20.0), part)
    for state, _ in fused.run(search, begin(search), 3000):
        pass
    at_once = state
    state = begin(search)
    for stop in (500, 1700, 3000):
        for state, _ in fused.run(search, state, stop):
            pass
    np.testing.assert_array_equal(state.memory.state.mean, at_once.memory.state.mean)
    assert len(state.archive) == len(at_once.archive) > 100
    assert (state.memory.turn, state.memory.state.age.max()) == (82, 82)


@pytest.mark.ci
def test_a_strategy_without_parents_restarts_from_an_elite() -> None:
    """All samples fall in one cell whose elite is the optimum: nothing improves, so all restart, at that elite."""
    search = Search(Bowl(), XY, Grid((1, 1)), replace(PART, x0=0.5))
    state, _ = start(search, keys.new(0), np.zeros((1, 4), np.float32))
    for _ in range(2):
        state, _ = next(fused.run(search, state, state.evaluations + 1, length=1))
    assert not np.asarray(state.memory.state.mean).any() and state.memory.restart.all()


def test_what_makes_no_sense_is_refused() -> None:
    for settings, word in (({"es": "cmaes"}, "cma_es"), ({"ranker": "2img"}, "2imp"), ({"restart_rule": 0}, "basic")):
        with pytest.raises(ValueError, match=word):
            replace(PART, **settings)
    with pytest.raises(ValueError, match="emitter.samples=4"):
        begin(Search(Bowl(), XY, Grid((9, 9)), replace(PART, es="lm_ma_es")))
    with pytest.raises(ValueError, match="emitter.ranker=obj"):
        begin(Search(Bowl(), XY, DNS(50), PART))
