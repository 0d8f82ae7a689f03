"""Genes of different kinds: what a space may be, the variation, the evolution strategies, both drivers."""

import math

import jax
import numpy as np
import pytest

from feedback.descriptors.select import Select
from qd import fused, genes, keys, search
from qd.archives import Grid
from qd.emitters import EvolutionStrategies, Mixed, Vary
from qd.emitters.cma.mixed import MixedGenes
from qd.types import Search
from tests.support.mixed_toy import BEST, SPACE, MixedToy
from tests.support.searches import begin

PLACES = Select("spot", ((0, 41), (0, 5)))
EMITTERS = {
    "mixed": Vary(Mixed(SPACE), 60),
    "cma_me_mixed": EvolutionStrategies(count=3, samples=20, sigma0=0.2, es="mixed", space=SPACE),
}


def within(x: np.ndarray) -> bool:
    of = genes.columns(SPACE)
    discrete = of.is_whole | of.is_choice
    return bool(((x >= of.low) & (x <= of.low + of.width)).all() and (x[:, discrete] == np.round(x[:, discrete])).all())


def test_a_space_in_each_of_its_forms():
    assert genes.of_space((-1.0, 2), 3) == (genes.real(-1, 2),) * 3
    assert genes.of_space((2, 8), 2) == (genes.choice(2), genes.choice(8))
    assert genes.of_space(SPACE, 6) == SPACE


@pytest.mark.parametrize(
    ("space", "message"),
    [
        ((2, 8), "2 genes, but a solution has 6"),
        (("a",) * 6, "says not what each gene is"),
        ((genes.Gene("hue", 0, 1),) * 6, "unknown kind of gene 'hue'"),
        ((genes.Gene("whole", 0, 1.5),) * 6, "no whole number"),
        ((genes.Gene("real", 1, 1),) * 6, "cannot lie between 1 and 1"),
    ],
)
def test_a_space_that_cannot_be(space, message):
    with pytest.raises(ValueError, match=message):
        genes.of_space(space, 6)


def test_each_kind_of_gene_varies_as_it_should():
    parents = np.tile(BEST, (4000, 2, 1))
    children = Mixed(SPACE, rate=1.0, cross=0.0)(keys.new(0), parents)
    assert within(children) and (children[:, 2:] != BEST[2:]).all()  # a discrete gene that changes is another number
    share = np.bincount(children[:, 4].astype(int), minlength=5) / 4000
    assert share[2] == 0 and np.allclose(share[[0, 1, 3, 4]], 0.25, atol=0.03)
    turn = np.angle(np.exp(1j * (children[:, 1] - BEST[1])))  # it goes round at pi
    assert abs(turn.std() / (0.1 * 2 * math.pi) - 1) < 0.05 and abs(turn.mean()) < 0.05
    assert abs((children[:, 2] - 17).std() / 4 - 1) < 0.1


def test_a_child_changes_in_one_gene_at_least_and_seldom_in_more():
    children = Mixed(SPACE, rate=0.0, cross=0.0)(keys.new(1), np.tile(BEST, (500, 2, 1)))
    assert ((children != BEST).sum(1) == 1).all()
    only = Mixed((genes.choice(1), genes.choice(2)), rate=1.0)(keys.new(1), np.zeros((9, 2, 2), np.int32))
    assert only.dtype == np.int32 and (only == [0, 1]).all()


def test_crossover_takes_the_end_of_the_second_parent():
    pair = np.stack([np.zeros((300, 6)), np.ones((300, 6))], 1).astype(np.float32)
    space = (genes.choice(2),) * 6
    children = Mixed(space, rate=0.0, cross=1.0)(keys.new(2), pair)
    assert (np.diff(children, axis=1) < 0).sum(1).max() <= 1  # the one gene that changes


def test_host_and_trace_agree_in_kind():
    variation = Mixed(SPACE)
    traced = jax.jit(variation)(jax.random.key(0), np.tile(BEST, (200, 2, 1)))
    assert within(np.asarray(traced)) and 1 <= (np.asarray(traced) != BEST).sum(1).mean() < 2.2


@pytest.mark.parametrize(
    ("name", "driver"),
    [
        ("mixed", search.run),
        pytest.param("mixed", fused.run, marks=pytest.mark.slow),
        pytest.param("cma_me_mixed", search.run, marks=pytest.mark.slow),
        ("cma_me_mixed", fused.run),
    ],
)
def test_both_drivers_find_the_optimum_of_mixed_genes(name, driver):
    recipe = Search(MixedToy(), PLACES, Grid((41, 5)), EMITTERS[name])
    state = begin(recipe)
    for state, batch in driver(recipe, state, 6000):
        assert within(np.asarray(batch.solutions))
    best = state.archive.best_elite
    assert best["objective"] > -0.02 and (best["solution"][[3, 4, 5]] == BEST[[3, 4, 5]]).all()


def test_the_margin_keeps_neighbours_of_a_whole_number_within_reach():
    """Without it a step of 1e-3 would never leave the mean's number."""
    space = (genes.whole(0, 9), genes.whole(0, 9))
    strategy = MixedGenes(space)
    sample, update = jax.jit(strategy.sample), jax.jit(strategy.update)
    state = strategy.fresh(np.array([[4.0, 0.0]], np.float32), 1e-3, 20)
    z = np.random.default_rng(0).standard_normal((1, 20, 2)).astype(np.float32)
    assert (np.asarray(sample(state, z)) == [4, 0]).all()
    state = update(state, z, sample(state, z), np.full((1, 20), 1 / 20, np.float32))
    many = np.random.default_rng(1).standard_normal((1, 4000, 2)).astype(np.float32)
    moved = (np.asarray(sample(state, many))[0] != [4, 0]).mean(0)
    assert 0.01 < moved[0] < 0.1 and 0.01 < moved[1] < 0.1  # alpha = 1 / 40


def test_choices_move_to_better_options_and_keep_a_least_chance():
    space = (genes.choice(4), genes.choice(2))
    strategy = MixedGenes(space)
    state = strategy.fresh(np.zeros((1, 2), np.float32), 0.2, 10)
    update, x = jax.jit(strategy.update), np.array([[[3.0, 1.0]] * 10], np.float32)
    for _ in range(30):
        state = update(state, np.zeros_like(x), x, np.full((1, 10), 0.1, np.float32))
    chances = np.asarray(state.shape.chances)[0]
    np.testing.assert_allclose(chances.sum(1), 1, rtol=1e-6)
    assert chances[0, 3] > 0.8 and chances[1, 1] > 0.8 and (chances[0, :3] > 0.04).all() and (chances[1, 2:] == 0).all()


def test_settings_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="es=mixed wants space"):
        EvolutionStrategies(es="mixed")
    with pytest.raises(ValueError, match="do not fit"):
        EvolutionStrategies(space=SPACE)
    with pytest.raises(ValueError, match="rate=2 is no probability"):
        Mixed(SPACE, rate=2)
    recipe = Search(MixedToy(), PLACES, Grid((41, 5)), Vary(Mixed(SPACE[:5]), 60))
    with pytest.raises(ValueError, match="5 genes, but a solution has 6"):
        begin(recipe)
