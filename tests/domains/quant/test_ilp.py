"""The exact solver: published allocations, brute force, budgets that cannot be met; and the solver as an emitter."""

import itertools
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domains.quant.predict.refit import DamageTables, refit
from domains.quant.solve import allocation, ilp
from domains.quant.solve.allocation import CostLimit, Unmet
from domains.quant.solve.emitter import ILP
from experiments.quant import hawq
from feedback.descriptors.select import Select
from qd import keys
from qd.archives import Grid
from qd.emitters.vary import IntegerReset, Vary
from qd.search import run, start
from qd.types import Search
from tests.support.quant_toy import LAYERS, Toy

BOUNDS, DIMS = ((7.0, 35.0), (-4.0, 0.0)), (12, 12)


def test_the_published_allocations_of_hawq_v3_are_found_exactly():
    differing = []
    for case in hawq.cases():
        begun = time.perf_counter()
        chosen = case.solve()
        took = time.perf_counter() - begun
        assert took < 1 or case.name == "resnet18 modelsize_0.75", took  # the first also imports scipy's solver
        (found, cost), (published, _) = case.of(chosen.options), case.of(case.published_options)
        assert cost <= case.budget.limit and found <= published + 1e-12
        known = hawq.record()["models"][case.name.split()[0]]["optimum_objective"][case.name.split()[1]]
        assert found == pytest.approx(known, abs=1e-6)
        differing += [] if (chosen.options == case.published_options).all() else [case.name]
    assert len(hawq.cases()) == 18 and differing == ["resnet50 modelsize_0.25"]


@settings(deadline=None, max_examples=25, derandomize=True)
@given(seed=st.integers(0, 10_000), floors=st.booleans())
def test_as_good_as_trying_everything(seed, floors):
    rng = np.random.default_rng(seed)
    damage, size, time_ = rng.random((3, 4, 3))
    allowed = rng.random((4, 3)) < 0.8
    allowed[:, 0] = True
    budgets = [CostLimit("size", size, 2.0, 1.2 if floors else -np.inf), CostLimit("time", time_, 2.2)]
    rows, best = np.arange(4), None
    for options in itertools.product(range(3), repeat=4):
        o = np.array(options)
        fits = all(b.floor <= b.cost[rows, o].sum() <= b.limit for b in budgets) and allowed[rows, o].all() and o[0] == o[2]
        if fits and (best is None or damage[rows, o].sum() < best):
            best = damage[rows, o].sum()
    if best is None:
        with pytest.raises(Unmet, match="the nearest has size"):
            allocation.solve(damage, budgets, allowed, tied=[(0, 2)])
        return
    chosen = allocation.solve(damage, budgets, allowed, tied=[(0, 2)])
    assert chosen.objective == pytest.approx(best) and chosen.options[0] == chosen.options[2]


def test_a_budget_no_config_meets_names_the_nearest():
    toy = Toy()
    with pytest.raises(Unmet, match="no config has size <= 1 and bops <= .*; the nearest has size 8") as caught:
        ilp.within(toy.sensitivity, toy.costs, {"size": 1.0, "bops": toy.costs.bops_reference})
    assert caught.value.nearest.costs["size"] == pytest.approx(toy.costs.size[:, 0].sum() / 8000)
    assert ilp.solve(toy.sensitivity, toy.costs, size=1.0) is None


def test_tables_that_cannot_be():
    toy = Toy()
    broken = toy.sensitivity.weights.copy()
    broken[3, 1] = np.nan
    with pytest.raises(ValueError, match="weights is nan for option 1 of layer 3"):
        ilp.solve(toy.sensitivity._replace(weights=broken), toy.costs, size=20)
    with pytest.raises(ValueError, match=r"shapes \[9, 5\] and \[10, 3\] are no tables"):
        ilp.solve(toy.sensitivity._replace(weights=broken[1:]), toy.costs, size=20)
    with pytest.raises(ValueError, match=r"cost of 'size' has shape \[2, 2\], but must be \[layers, options\] = \[3, 2\]"):
        allocation.solve(np.ones((3, 2)), [CostLimit("size", np.ones((2, 2)), 1)])
    with pytest.raises(ValueError, match="holds inf for option 0 of layer 1"):
        allocation.solve([[1, 2], [np.inf, 1]], [])
    with pytest.raises(ValueError, match="tied layers"):
        allocation.solve(np.ones((3, 2)), [], tied=[(0, 3)])
    with pytest.raises(ValueError, match="unknown cost 'weight'"):
        ilp.cost(toy.costs, "weight", (5, 3))
    with pytest.raises(ValueError, match="have no cost here"):
        toy.costs.of(np.zeros((2, 4), int), np.zeros((2, 4), int))


def test_a_front_of_distinct_optima():
    toy = Toy()
    bops = toy.costs.bops_reference * np.array([0.2, 0.5])
    found = ilp.front(toy.sensitivity, toy.costs, (1.0, 12.0, 20.0), bops)
    assert found.shape[1] == 2 * LAYERS and len(np.unique(found, axis=0)) == len(found) >= 3
    told = toy.costs.of(*np.split(found, 2, axis=1))
    assert told["size"].max() <= 20 and told["bops"].max() <= bops[1]


def test_refitted_tables_predict_better_than_the_measured_ones():
    toy, rng = Toy(wrong=0.7, interaction=0.3), np.random.default_rng(0)
    genomes = np.where(rng.random((300, 2 * LAYERS)) < 0.3, toy.sample(keys.new(0), 300), np.array(toy.space) - 1)
    quality = toy.evaluate(None, genomes).objective / 100
    posterior = refit(toy.sensitivity, genomes[:200], quality[:200])
    expected = posterior.expected()
    error = lambda tables: np.median(np.abs(np.exp(-tables.damage(genomes[200:])) - quality[200:]))
    assert error(expected) < 0.5 * error(posterior.prior)
    drawn = posterior.draw(np.zeros(len(posterior.mean)))
    np.testing.assert_allclose(drawn.weights, expected.weights)
    assert isinstance(drawn, DamageTables) and drawn.weights.shape == toy.sensitivity.weights.shape
    with pytest.raises(ValueError, match="do not fit tables of 10 layers"):
        refit(toy.sensitivity, genomes[:, 1:], quality)


def score(toy, emitter, seed, until=112):
    search = Search(toy, Select("cost", bounds=BOUNDS), Grid(dims=DIMS), emitter)
    state, _ = start(search, keys.new(seed), toy.sample(keys.new(seed + 100), 32))
    for state, batch in run(search, state, until=until):
        assert len(np.unique(batch.solutions, axis=0)) == 16
    return float(state.archive.data("objective").sum()), state


@pytest.mark.ci
def test_the_emitter_beats_random_and_map_elites_at_equal_evaluations():
    for seed in range(2):
        toy = Toy(seed)
        ours, _ = score(toy, ILP(toy, BOUNDS, DIMS), seed)
        elites, _ = score(toy, Vary(IntegerReset(toy.space), 16), seed)
        search = Search(toy, Select("cost", bounds=BOUNDS), Grid(dims=DIMS), Vary(IntegerReset(toy.space), 16))
        state, _ = start(search, keys.new(seed), toy.sample(keys.new(seed + 100), 112))
        assert ours > 2 * elites and ours > 2 * float(state.archive.data("objective").sum())


def test_the_emitter_repeats_itself_and_proposes_nothing_twice():
    toy = Toy()
    (_, state), (_, again) = (
        score(
            toy,
            ILP(
                toy,
                BOUNDS,
                DIMS,
            ),
            0,
            64,
        )
        for _ in range(2)
    )
    np.testing.assert_array_equal(state.memory.genomes, again.memory.genomes)
    proposed, before = state.memory.genomes[-32:], state.memory.genomes[:-32]
    assert len(np.unique(proposed, axis=0)) == 32 and not set(map(bytes, proposed)) & set(map(bytes, before))


def test_the_emitter_refuses_what_has_no_tables():
    with pytest.raises(ValueError, match="Toy has no costs, sensitivity; type domain=quant"):

        class Toy:
            objective_range = (0, 1)

        ILP(Toy(), BOUNDS, DIMS).check(None, np.zeros((2, 4)), None)
    with pytest.raises(ValueError, match="1 axes, 2 bounds and 2 dims"):
        ILP(None, BOUNDS, DIMS, axes=("size",))
