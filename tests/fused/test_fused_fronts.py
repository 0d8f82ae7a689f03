"""Fronts inside a program: the same as on the host, row by row and slot by slot; where chunks end changes nothing."""

from dataclasses import replace

import numpy as np
import pytest

from domains.several import Rastrigins
from feedback.descriptors.select import Select
from qd import fused, keys
from qd.archives import Fronts
from qd.emitters.fronts import VaryFronts
from qd.emitters.vary import IsoLine, Vary
from qd.fused import fronts, mirror
from qd.search import start
from qd.types import Search
from tests.support.fronts import BOUNDS, Rehearsed, adversarial, brute_force, opened
from tests.support.fronts import contents as sets
from tests.support.fused import begin, end, same
from tests.support.scripted import Table, contents, replay

SLOW = pytest.mark.slow  # they compile


def rehearsed(k: int, size: int, dims, generations: int, batch: int) -> tuple:
    """A search that offers adversarial rows, its state after two plain ones, and the rows' table."""
    domain = Rehearsed(k)
    search = Search(domain, Select("xy", BOUNDS), Fronts(dims, domain.objective_range, size), Table(), keep=("row",))
    seeds = np.float32([[*[1.0] * k, 0.1, 0.1, 0], [*[2.0] * k, 0.7, 0.3, 1]])
    state, first = start(search, keys.new(0), seeds)
    other = search.archive.open(_rows(first), BOUNDS, ("xy", "row", "objectives"), 0)
    replay(other, first, len(seeds))
    measures, goals = adversarial(np.random.default_rng(k), generations * batch, k)
    goals[batch : 2 * batch] = 1e-41 * np.arange(batch)[:, None] * np.where(np.arange(k) % 2, -1, 1)  # subnormal
    crowd = np.repeat(np.arange(generations) % 7 == 3, batch)
    measures[crowd] = 0.45  # all rows of some generations in one cell
    table = np.column_stack([goals, measures, np.arange(len(goals))]).astype(np.float32)
    return search, state._replace(memory=(table.reshape(generations, batch, -1), np.int32(0))), other, table


@pytest.mark.ci
@pytest.mark.parametrize(
    ("k", "size", "generations"),
    [(2, 4, 60), *(pytest.param(*case, marks=SLOW) for case in ((3, 6, 60), (2, 4, 800), (3, 6, 800)))],
)
def test_every_slot_is_that_of_the_host(k, size, generations):
    search, state, other, _ = rehearsed(k, size, (3, 2), generations, 64)
    ((state, batch),) = fused.run(search, state, 2 + generations * 64)
    host = replay(other, batch, 64)
    np.testing.assert_array_equal(batch.cell, host["cell"])
    np.testing.assert_array_equal(batch.status, host["status"])
    assert np.isnan(batch.value).all() and set(batch.status) == {-1, 0, 1, 2}
    theirs = contents(other)
    for column, mine in contents(state.archive).items():
        np.testing.assert_array_equal(mine, theirs[column], err_msg=column)
    assert (state.archive.stats.num_elites, state.archive.stats.obj_max) == (len(other), other.stats.obj_max)
    assert max(map(len, sets(other).values())) == size


@SLOW
def test_fronts_that_are_not_full_are_those_of_brute_force():
    search, state, _, table = rehearsed(2, 100, (3, 2), 40, 64)
    ((state, batch),) = fused.run(search, state, 2 + 40 * 64)
    goals = np.concatenate([[[1, 1], [2, 2]], table[:, :2]]).astype(np.float32)
    cells = np.concatenate([state.archive.index_of(np.float32([[0.1, 0.1], [0.7, 0.3]])), batch.cell])
    expected = {cell: brute_force(goals[cells == cell]) for cell in np.unique(cells[cells >= 0])}
    assert sets(state.archive) == expected and max(map(len, expected.values())) > 12


@SLOW
def test_one_objective_is_a_grid():
    import jax

    from qd.archives import Grid
    from qd.types import Rows

    goals = np.zeros((2, 1), np.float32)
    example = Rows(np.arange(2), np.zeros((2, 2), np.float32), goals[:, 0], {}, np.ones(2, bool))
    grid = mirror.opened(Grid((3, 2)).open(example, BOUNDS, (), 0), (), 50)
    several = mirror.opened(opened(1, 3), (), 50)
    rng, insert = np.random.default_rng(0), jax.jit(mirror.insert)
    for generation in range(20):
        cell, goals = rng.integers(0, 6, 50), np.round(rng.normal(size=(50, 1)), 1).astype(np.float32)
        arguments = np.int32(generation), cell, rng.random(50) < 0.9, goals[:, 0], np.zeros((50, 2), np.float32)
        grid, said = insert(grid, *arguments, {})
        several, ours = insert(several, *arguments, {"objectives": goals})
        np.testing.assert_array_equal(said.status, ours.status)
        stamps = np.asarray(several.stamp).reshape(6, 3)[np.arange(6), np.argmax(several.fronts.goals[0], axis=1)]
        np.testing.assert_array_equal(grid.stamp, stamps)
        assert (np.asarray(several.fronts.goals[0]) != fronts.LOWEST).sum(1).max() <= 1


DOMAIN = Rastrigins(4)
RECIPE = Search(
    DOMAIN, Select("corner", ((-2.0, 4.0),) * 2), Fronts((6, 6), DOMAIN.objective_range, 4), VaryFronts(IsoLine(0.05, 0.1), 32)
)


OTHERS = VaryFronts(IsoLine(0.05, 0.1), 32, True), Vary(IsoLine(0.05, 0.1), 32)


@pytest.mark.ci
@pytest.mark.parametrize("emitter", [RECIPE.emitter, *(pytest.param(emitter, marks=SLOW) for emitter in OTHERS)])
def test_where_chunks_end_changes_nothing(emitter):
    recipe = RECIPE._replace(emitter=emitter)
    assert fused.applies(recipe) is None
    assert "on the host" in str(fused.applies(recipe._replace(archive=replace(recipe.archive, improvement=True))))
    whole = end(recipe, begin(recipe), 1600)
    parts = begin(recipe)
    for until in (300, 310, 900):
        parts = end(recipe, parts, until, length=3)
    same(end(recipe, parts, 1600, length=3), whole)
    data = whole.archive.data()
    assert len(np.unique(data["id"])) == len(data["id"]) > len(np.unique(data["index"])) > 20
    assert np.array_equal(whole.archive.index_of(data["measures"]), data["index"])
    evaluation = DOMAIN.evaluate(None, data["solution"])
    np.testing.assert_allclose(evaluation.objective, data["objectives"], rtol=1e-5, atol=1e-4)


@pytest.mark.ci
def test_parents_come_evenly_from_cells_and_within_a_front_evenly_or_by_crowding():
    import jax

    goals = np.float32([[3, 3], [0, 10], [1, 9], [10, 0], [1, 2], [2, 1]])
    there = fronts.opened(goals, np.array([9, 4, 5, 6, 0, 2]), 4, 4)
    assert there.order[:3].tolist() == [2, 1, 0] and there.cells == 3
    assert fronts.listing(there)[0][:6].tolist() == [9, 4, 5, 6, 0, 2]
    for crowded, large in ((False, [1 / 3] * 3), (True, [1 / 15, 1 / 3, 3 / 5])):
        slots = np.asarray(fronts.draw(there, jax.random.key(0), 9000, crowded))
        shares = np.bincount(slots, minlength=10) / 3000
        assert np.allclose(shares, [0.5, 0, 0.5, 0, *large, 0, 0, 1], atol=0.06)


@pytest.mark.parametrize("width", [5, 32, 70])
def test_the_nth_flag_is_found(width):
    flags = np.random.default_rng(0).random((200, width)) < 0.4
    rank = np.random.default_rng(1).integers(0, np.maximum(flags.sum(1), 1))
    places = np.array([np.flatnonzero(row)[i] if row.any() else 0 for row, i in zip(flags, rank, strict=True)])
    np.testing.assert_array_equal(fronts.nth(flags, rank.astype(np.int32)), places)


def _rows(batch):
    from qd.types import Rows

    return Rows(batch.ids, batch.solutions, *batch.evaluation, batch.status >= 0)
