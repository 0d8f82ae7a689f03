"""Novelty search and what it selects by: neighbours, fronts, surprise; what it remembers across a refit."""

import itertools
import pickle
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feedback.descriptors.select import Select
from qd import keys
from qd.archives import DNS, Grid, HostElites, objects
from qd.emitters import selection
from qd.emitters.novelty import NoveltySearch
from qd.emitters.pool import Pool
from qd.emitters.selection import EvaluatedSolutions
from qd.search import refit, step
from qd.types import Search
from tests.support.searches import advance, begin, same
from tests.support.sparse import SQUARE, Spots, Turning

PLACE = Select("where", SQUARE)
SMALL = NoveltySearch(population=20, neighbours=5, sigma=0.2)
NOVELTY = Search(Spots(), PLACE, Grid((10, 10)), SMALL)
TAXONS = Search(Spots(), Turning(), DNS(64), replace(SMALL, criteria=("novelty", "surprise"), choose="either"))


def make_rows(n: int, seed: int = 0, **signals) -> EvaluatedSolutions:
    x = np.random.default_rng(seed).normal(size=(n, 2)).astype(np.float32)
    return EvaluatedSolutions(np.arange(n), x, x[:, 0], x, {"where": x}, signals)


def test_novelty_is_the_mean_distance_to_the_nearest_others():
    x = make_rows(30).measures
    distance = np.sort(np.sqrt(((x[:, None] - x[None]) ** 2).sum(-1)), axis=1)
    np.testing.assert_allclose(selection.novelty(x[:10], x, 4), distance[:10, 1:5].mean(1), rtol=1e-5)
    np.testing.assert_allclose(selection.novelty(x[:3], x[:3], 15), distance_of_few(x[:3]), rtol=1e-5)
    assert selection.novelty(x[:1], x[:1], 15) == [0]


def distance_of_few(x):
    return [np.linalg.norm(np.delete(x, i, 0) - x[i], axis=1).mean() for i in range(len(x))]


@settings(deadline=None, max_examples=40)
@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=25))
def test_nobody_of_a_front_is_dominated_but_by_an_earlier_one(points):
    values = np.array(points, float)
    rank = selection.fronts(values)
    for i, a in enumerate(values):
        by = [j for j, b in enumerate(values) if (b >= a).all() and (b > a).any()]
        assert rank[i] == (1 + max(rank[j] for j in by) if by else 0)


def test_the_least_crowded_of_a_front_live_on():
    values = np.array([[0, 4], [1, 3], [1.1, 2.9], [1.2, 2.8], [4, 0], [0, 0]])
    np.testing.assert_array_equal(selection.fronts(values), [0, 0, 0, 0, 0, 1])
    assert set(selection.survivors(values, 3)) == {0, 3, 4}  # both ends, and the row with the most distant neighbours
    assert set(selection.survivors(values[:, :1], 2)) == {4, 3}


def test_it_spreads_and_its_archive_only_grows():
    state = begin(NOVELTY, n=20)
    archives, spread = [], []
    for _ in range(15):
        state, batch = step(NOVELTY, state)
        archives.append(state.memory.archive.ids)
        spread.append(np.ptp(state.memory.population.measures, axis=0).min())
        assert len(batch.ids) == 40 and len(state.memory.population.ids) == 20
    assert spread[-1] > 2 * spread[0]
    for before, after in itertools.pairwise(archives):
        np.testing.assert_array_equal(after[: len(before)], before)
        assert len(after) == len(before) + 5
    assert len(np.unique(archives[-1])) == 75


def test_children_stay_in_the_box_and_name_their_parents():
    bound = replace(SMALL, sigma=5.0, low=-0.4, high=0.4)
    search = NOVELTY._replace(emitter=bound)
    _state, batch = step(search, begin(search, n=20))
    assert np.abs(batch.solutions).max() == pytest.approx(0.4) and (np.abs(batch.solutions) == np.float32(0.4)).mean() > 0.5
    assert batch.parents.shape == (40, 1) and set(batch.parents[:, 0]) <= set(range(20))


def test_survivors_are_the_best_by_each_criterion():
    children = make_rows(30, seed=1, surprise=np.arange(30.0))
    memory = SMALL.init(keys.new(0), begin_elites())
    nobody = children.take(np.arange(0))
    by = {"objective": children.objective, "surprise": children.signals["surprise"]}
    for criterion, values in by.items():
        emitter = replace(SMALL, population=8, criteria=(criterion,))
        alone = memory._replace(population=nobody, archive=nobody)
        kept = emitter.select(alone, children, nobody).population
        assert set(kept.ids) == set(np.argsort(-values)[:8])
    pareto = replace(SMALL, population=8, criteria=("objective", "surprise"))
    kept = pareto.select(memory._replace(population=nobody, archive=nobody), children, nobody).population
    rank = selection.fronts(np.stack(list(by.values()), 1))
    assert rank[np.isin(children.ids, kept.ids)].max() <= rank[~np.isin(children.ids, kept.ids)].min()


def begin_elites():
    return HostElites(begin(NOVELTY, n=20).archive)


def test_either_criterion_gets_its_turn():
    children = make_rows(30, seed=1, surprise=np.random.default_rng(0).normal(size=30))
    emitter = replace(SMALL, population=5, criteria=("objective", "surprise"), choose="either")
    nobody, kept = children.take(np.arange(0)), []
    memory = SMALL.init(keys.new(0), begin_elites())
    for seed in range(20):
        alone = memory._replace(key=keys.new(seed), population=nobody, archive=nobody)
        kept.append(frozenset(emitter.select(alone, children, nobody).population.ids))
    best = [frozenset(np.argsort(-v)[:5]) for v in (children.objective, children.signals["surprise"])]
    assert set(kept) == set(best) and 4 < kept.count(best[0]) < 16


def test_the_most_novel_join_the_archive_where_that_is_asked_for():
    search = NOVELTY._replace(emitter=replace(SMALL, at_random=False))
    state = begin(search, n=20)
    before = state.memory
    state, batch = step(search, state)
    reference = np.concatenate([before.population.measures, batch.measures])
    novel = selection.novelty(batch.measures, reference, 5)
    assert set(state.memory.archive.ids) == set(batch.ids[np.argsort(-novel)[:5]])


def test_what_fails_stays_out():
    search = NOVELTY._replace(domain=Spots(fails_above=0.1))
    state = advance(search, begin(search, n=20), 6)
    for part in (state.memory.population, state.memory.archive, state.memory.children):
        assert np.isfinite(part.objective).all() and part.measures[:, 0].max() <= 0.1
    everything = NOVELTY._replace(domain=Spots(fails_above=-2.0))
    with pytest.raises(ValueError, match="every objective is NaN"):
        begin(everything, n=20)


def test_across_a_refit_it_is_described_anew_and_learned_from():
    state = advance(TAXONS, begin(TAXONS, n=20), 4)
    old, ids = state.memory, state.memory.archive.ids
    rows = TAXONS.emitter.recall(old)
    assert set(old.archive.ids) | set(old.population.ids) | set(old.children.ids) == set(rows.ids)
    state = refit(TAXONS, state)
    assert state.params == 2
    for part in state.memory[1:]:
        np.testing.assert_allclose(part.measures, TAXONS.descriptor(2, part.features), atol=1e-6)
        np.testing.assert_allclose(part.signals["surprise"], 2 * np.hypot(*part.features["where"].T), rtol=1e-5)
    np.testing.assert_array_equal(state.memory.archive.ids, ids)


@pytest.mark.parametrize(
    "search", [NOVELTY, TAXONS, NOVELTY._replace(emitter=Pool((SMALL, SMALL)))], ids=["ns", "taxons", "pool"]
)
def test_a_stored_state_goes_on_like_the_uninterrupted_run(search):
    state = advance(search, begin(search, n=20), 2)
    again = pickle.loads(pickle.dumps(state))
    state, again = (advance(search, refit(search, s), 3) for s in (state, again))
    same(state, again)


def test_what_cannot_be_is_refused():
    with pytest.raises(ValueError, match="chooses by 'surprise', which Select does not give; type descriptor=autoencoder"):
        begin(NOVELTY._replace(emitter=replace(SMALL, criteria=("novelty", "surprise"))), n=20)
    doubt = NOVELTY._replace(descriptor=Turning(), emitter=replace(SMALL, criteria=("doubt",)))
    with pytest.raises(ValueError, match="chooses by 'doubt', but the descriptor's signals are surprise"):
        step(doubt, begin(doubt, n=20))
    with pytest.raises(ValueError, match="vectors of real numbers, but solutions are Python objects"):
        SMALL.check(keys.new(0), objects([["a"], ["b"]]), None)
    for wrong in ({"population": 0}, {"sigma": 0.0}, {"criteria": ()}, {"choose": "both"}):
        with pytest.raises(ValueError, match="1 or more|type criteria"):
            replace(SMALL, **wrong)
