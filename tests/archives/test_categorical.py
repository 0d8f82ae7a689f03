"""Archives of categories, where a row may compete for all cells, and of a learned discount."""

import pickle
from dataclasses import dataclass

import numpy as np
import pytest

from feedback.descriptors.select import Select
from qd import keys
from qd.archives import Categorical, Discount, Grid, HostElites
from qd.archives.discount import Model
from qd.emitters.ribs import Ribs
from qd.emitters.vary import Gaussian, Vary
from qd.search import start
from qd.types import Evaluation, Search
from tests.support.searches import advance, same

NAMES = (("red", "green", "blue"), ("small", "large"))


@dataclass(frozen=True)
class Kinds:
    """Three genes: the largest is the colour, the sign of their sum the size; every cell has an objective of its own."""

    pure: bool = True

    def sample(self, key, n):
        return keys.normal(key, (n, 3))

    def evaluate(self, keys, solutions):
        size = solutions.sum(axis=1) > 0
        own = solutions[:, :, None] * (solutions[:, :1, None] ** 0) * np.float32([1, 2])
        kind = np.asarray if isinstance(solutions, np.ndarray) else lambda x: x
        colour = solutions.argmax(axis=1)
        codes = (colour + 0.0)[:, None] * np.float32([1, 0]) + (size + 0.0)[:, None] * np.float32([0, 1])
        return Evaluation(solutions.max(axis=1), {"kind": kind(codes), "every": own.reshape(len(solutions), -1)})


def search(every: str | None) -> Search:
    bounds = ((-0.5, 2.5), (-0.5, 1.5))
    return Search(Kinds(), Select("kind", bounds), Categorical(NAMES, every), Vary(Gaussian(0.3), 16))


def test_a_row_goes_to_the_cell_of_its_categories():
    state, batch = start(search(None), keys.new(0), Kinds().sample(keys.new(1), 60))
    codes = batch.measures.astype(int)
    np.testing.assert_array_equal(batch.cell, codes[:, 0] * 2 + codes[:, 1])
    elites = HostElites(state.archive)
    objective, cell = elites.take(np.arange(elites.size), "objective", "cell")
    for value, here in zip(objective, cell, strict=True):
        assert value == batch.evaluation.objective[batch.cell == here].max()
    state = advance(search(None), state, 2)
    again = pickle.loads(pickle.dumps(state))
    same(advance(search(None), state, 1), advance(search(None), again, 1))


def test_with_every_each_cell_holds_the_row_that_is_best_there():
    state, batch = start(search("every"), keys.new(0), Kinds().sample(keys.new(1), 60))
    table, best = batch.evaluation.features["every"], []
    elites = HostElites(state.archive)
    assert elites.size == 6
    for objective, cell, ident in zip(*elites.take(np.arange(6), "objective", "cell", "id"), strict=True):
        assert (objective, ident) == (table[:, cell].max(), batch.ids[table[:, cell].argmax()])
        best.append(ident)
    assert set(batch.ids[batch.status > 0]) == set(best)
    before = dict(zip(*elites.take(np.arange(6), "cell", "objective"), strict=True))
    later = HostElites(advance(search("every"), state, 5).archive)
    after = dict(zip(*later.take(np.arange(6), "cell", "objective"), strict=True))
    assert all(after[cell] >= before[cell] for cell in before) and after != before


def test_categories_want_bounds_of_their_numbers():
    wrong = search(None)._replace(descriptor=Select("kind", ((0, 3), (0, 2))))
    with pytest.raises(ValueError, match="has categories for measures within"):
        start(wrong, keys.new(0), Kinds().sample(keys.new(1), 8))


def test_a_discount_begins_at_the_lowest_and_follows_objectives():
    model = Model(Discount((4, 4), epochs=300, enough=1e-5), np.zeros(2), np.ones(2), 0)
    places = keys.uniform(keys.new(0), (200, 2))
    losses = model.training_loop(places, np.full(200, 20.0))
    assert losses[-1] < 1e-3 and np.abs(model.inference(places) - 20).max() < 10
    model.training_loop(places, np.where(places[:, 0] > 0.5, 80.0, 20.0))
    low, high = model.inference(np.array([[0.1, 0.5], [0.9, 0.5]]))
    assert low < 40 < 60 < high


@dataclass(frozen=True)
class Bowl:
    pure: bool = True

    def sample(self, key, n):
        return keys.uniform(key, (n, 4), -1, 1)

    def evaluate(self, keys, solutions):
        return Evaluation(100 - 25 * (solutions**2).sum(axis=1), {"spot": solutions[:, :2]})


@pytest.mark.ci
def test_improvement_is_over_the_discount_and_elites_are_those_of_a_grid():
    descriptor, discount = Select("spot", ((-1, 1), (-1, 1))), Discount((6, 6), first_points=36, empty_points=10)
    emitter = Ribs("EvolutionStrategyEmitter", count=1, settings={"ranker": "imp", "sigma0": 0.3, "batch_size": 12})
    parts = Search(Bowl(), descriptor, discount, emitter)
    state, first = start(parts, keys.new(0), Bowl().sample(keys.new(1), 40))
    plain, _ = start(parts._replace(archive=Grid((6, 6)), emitter=Vary(Gaussian(), 8)), keys.new(0), first.solutions)
    np.testing.assert_array_equal(HostElites(state.archive).rows().objective, HostElites(plain.archive).rows().objective)
    np.testing.assert_allclose(first.value, first.evaluation.objective - first.info["discount"], rtol=1e-4)
    state = advance(parts, state, 3)
    again = pickle.loads(pickle.dumps(state))
    same(advance(parts, state, 2), advance(parts, again, 2))
    with pytest.raises(ValueError, match=r"type archive\.lowest"):
        Discount((6, 6), lowest=5, highest=1).open(HostElites(state.archive).rows(), descriptor.bounds, (), 0)
