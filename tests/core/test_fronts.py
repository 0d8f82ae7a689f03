"""A front in every cell: against a brute-force front, whatever the order of the rows, and with one objective a grid."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from feedback.descriptors.select import Select
from qd import abilities, archives, keys, metrics, referee
from qd.archives import Fronts, Grid
from qd.archives.pareto import crowding, hypervolume, hypervolumes, improvement, select, shares
from qd.emitters.fronts import VaryFronts
from qd.emitters.vary import IsoLine, Vary
from qd.search import run, start
from qd.support.errors import UserError
from qd.types import Evaluation, Rows, Search
from tests.support.fronts import BOUNDS, adversarial, brute_force, contents, offer, opened

SLOW = pytest.mark.slow


@pytest.mark.parametrize(
    ("k", "n"), [(2, 6_000), (3, 4_000), pytest.param(2, 60_000, marks=SLOW), pytest.param(3, 40_000, marks=SLOW)]
)
def test_every_cell_holds_its_brute_force_front(k, n):
    rng, archive = np.random.default_rng(k), opened(k, 500, dims=(6, 5))
    measures, goals = adversarial(rng, n, k)
    cells = np.full(n, -1)
    start, mismatches, sizes = 0, 0, set()
    while start < n:
        stop = min(start + int(rng.integers(1, 900)), n)
        cells[start:stop] = offer(archive, start, measures[start:stop], goals[start:stop])["cell"]
        if stop == n or start // (n // 4) != stop // (n // 4):
            fronts = contents(archive)
            mismatches += sum(len(fronts[cell] ^ brute_force(goals[cells == cell])) for cell in np.unique(cells[cells >= 0]))
            sizes |= set(map(len, fronts.values()))
            assert set(fronts) == set(cells[cells >= 0])
        start = stop
    assert mismatches == 0 and max(sizes) > 15
    assert np.array_equal(cells < 0, ~np.isfinite(goals).all(axis=1))
    data = archive.data()
    assert len(np.unique(data["id"])) == len(archive)
    assert np.array_equal(goals[data["id"]], data["objectives"]) and (archive.index_of(data["measures"]) == data["index"]).all()


def test_the_order_of_the_rows_of_a_batch_changes_no_front():
    rng = np.random.default_rng(0)
    one, other = opened(2, 5), opened(2, 5)
    for first in range(0, 3000, 100):
        measures, goals = adversarial(rng, 100, 2)
        offer(one, first, measures, goals)
        offer(other, first, measures, goals, rng.permutation(100))
        assert contents(one) == contents(other)
    assert max(map(len, contents(one).values())) == 5


def test_status_and_duplicates():
    archive, here = opened(2, 4), np.full((4, 2), 0.1, np.float32)
    goals = np.array([[1, 2], [2, 1], [0, 0], [1, 2]], np.float32)
    assert offer(archive, 0, here, goals)["status"].tolist() == [2, 2, 2, 2]  # the cell was empty before the batch
    assert sorted(archive.data("id")) == [0, 1]  # the dominated row is not kept, of equal ones the older
    goals = np.array([[1, 2], [1, 1], [3, 0], [0.5, 2]], np.float32)
    assert offer(archive, 4, here, goals)["status"].tolist() == [0, 0, 1, 0]
    offer(archive, 8, here, np.array([[5, 5], [5, 5], [np.inf, 9], [0, 0]], np.float32))
    assert archive.data("id").tolist() == [8] and len(archive) == 1 and archive.stats.num_elites == 1


def test_one_objective_is_a_grid():
    rng, fronts = np.random.default_rng(1), opened(1, 3)
    goals = np.zeros((2, 1), np.float32)
    example = Rows(np.arange(2), np.zeros((2, 2), np.float32), goals[:, 0], {}, np.ones(2, bool))
    grid = Grid((3, 2)).open(example, BOUNDS, (), 0)
    for first in range(0, 2000, 50):
        measures, goals = adversarial(rng, 50, 1)
        ours = offer(fronts, first, measures, goals)
        theirs = archives.insert(
            grid, np.arange(first, first + 50), np.zeros((50, 2)), goals[:, 0] + 1 + goals[:, 0] * 0, measures, {}
        )
        assert np.array_equal(ours["status"], theirs["status"]) and np.array_equal(ours["cell"], theirs["cell"])
        a, b = fronts.data(["id", "index"]), grid.data(["id", "index"])
        assert dict(zip(a["index"].tolist(), a["id"].tolist(), strict=True)) == dict(
            zip(b["index"].tolist(), b["id"].tolist(), strict=True)
        )


def test_the_most_crowded_row_goes_first_and_the_ends_stay():
    goals = np.array([[0, 10], [1, 9], [1.1, 8.9], [5, 5], [10, 0]], np.float32)
    assert np.isinf(crowding(goals)).tolist() == [True, False, False, False, True]
    assert crowding(goals)[1] == pytest.approx(0.11 + 0.11)
    assert select(goals, 4).tolist() == [0, 2, 3, 4]
    assert select(goals, 2).tolist() == [0, 4]


def test_scores_are_sums_of_hypervolumes():
    pytest.importorskip("moocore", reason="needs the extra objectives")
    archive = opened(2, 4, dims=(2, 1))
    measures = np.array([[0.1, 0.5], [0.1, 0.5], [0.9, 0.5]], np.float32)
    goals = np.array([[10, -1 + 5.5], [-1 + 5.5, 10], [-1 + 5.5, -1 + 5.5]], np.float32)  # 1 x 0.5, 0.5 x 1, 0.5 x 0.5
    offer(archive, 0, measures, goals)
    scores = metrics.of_archive(archive, (0.0, 1.0))
    assert scores["qd_score"] == pytest.approx(100 * (0.75 + 0.25) / 2) and scores["hypervolume"] == pytest.approx(0.75)
    assert (scores["coverage"], scores["elites"]) == (100.0, 3)
    data = archive.data()
    assert archive.score_of(data["index"], data["objectives"]) == pytest.approx(scores["qd_score"])
    worse = np.float32([[-1, -1], [np.nan, 3], [4.4, 4.4]])  # a failed row, and one that is dominated, change nothing
    cells, both = np.append(data["index"], [0, 1, data["index"][0]]), np.concatenate([data["objectives"], worse])
    assert archive.score_of(cells, both) == pytest.approx(scores["qd_score"])
    rng = np.random.default_rng(0)
    fronts = [front[select(front, 99)] for front in rng.random((20, 30, 2)) - 0.1]
    groups = np.repeat(np.arange(20), [len(front) for front in fronts])
    assert hypervolumes(groups, np.concatenate(fronts)) == pytest.approx([hypervolume(front) for front in fronts], abs=1e-12)


def test_the_value_of_a_row_is_what_it_adds_to_the_hypervolume_of_its_front():
    pytest.importorskip("moocore", reason="needs the extra objectives")
    rng = np.random.default_rng(0)
    for k in (2, 3):
        present, filled, rows = rng.random((40, 6, k)), rng.random((40, 6)) < 0.7, rng.random((40, k))
        for value, front, there, row in zip(improvement(rows, present, filled), present, filled, rows, strict=True):
            gain = hypervolume([*front[there], row]) - hypervolume(front[there])
            beaten = (front[there] >= row).all(1).any()
            assert value == pytest.approx(gain) if not beaten else value < 0
            assert not beaten or not (front[there] >= row - value + 1e-9).all(1).any()  # a step of that size leads out
    archive = opened(2, 4, improvement=True)
    here = np.full((2, 2), 0.1, np.float32)
    assert offer(archive, 0, here, np.float32([[10, 4.5], [4.5, 4.5]]))["value"] == pytest.approx([0.5, 0.25])
    assert offer(archive, 2, here, np.float32([[4.5, 10], [-1, 3.4]]))["value"] == pytest.approx([0.25, -0.1])
    assert np.isnan(offer(opened(2, 4), 0, here, np.float32([[10, 4.5], [4.5, 4.5]]))["value"]).all()


def test_what_does_not_fit_is_refused():
    archive, here = opened(2, 4), np.full((3, 2), 0.1, np.float32)
    with pytest.raises(UserError, match=r"reference point \(-1\.0, -1\.0\), which is above all 3 rows: .* \(-2\.0, -2\.0\)"):
        offer(archive, 0, here, np.full((3, 2), -2, np.float32))
    offer(archive, 0, here, np.ones((3, 2), np.float32))
    with pytest.raises(UserError, match="a batch has 3 objectives, and those before it 2"):
        offer(archive, 3, here, np.ones((3, 3), np.float32))
    rows = Rows(np.arange(2), np.zeros((2, 2)), np.zeros(2), {"objectives": np.zeros((2, 3))}, np.ones(2, bool))
    with pytest.raises(UserError, match="archive.ranges has 2 pairs, and each row 3 objectives"):
        Fronts((2, 2), ((0, 1), (0, 1))).open(rows, BOUNDS, ("objectives",), 0)
    with pytest.raises(UserError, match="this domain has one; type archive=grid"):
        Fronts((2, 2), ((0, 1), (0, 1))).open(rows._replace(features={}), BOUNDS, (), 0)
    with pytest.raises(UserError, match=r"front_size=0 keeps no row"):
        Fronts((2, 2), ((0, 1), (0, 1)), 0).open(rows, BOUNDS, ("objectives",), 0)


@dataclass(frozen=True)
class Two:
    """Two objectives by NumPy, or one as [B, 1]."""

    count: int = 2
    objective_range: Any = ((-3.0, 1.0), (-3.0, 1.0))
    broken: tuple[int, ...] = ()  # objectives that are never numbers
    pure: bool = False

    def sample(self, key, n):
        return keys.uniform(key, (n, 2), -1, 1)

    def evaluate(self, keys, solutions):
        x, y = solutions.T
        objectives = np.stack([x - y**2, y - x**2], 1)[:, : self.count]
        objectives[:, list(self.broken)] = np.nan
        return Evaluation(np.where(x[:, None] < -0.7, np.nan, objectives), {"xy": solutions})


def search_of(domain, archive) -> Search:
    return Search(domain, Select("xy", ((-1.0, 1.0), (-1.0, 1.0))), archive, Vary(IsoLine(), 40))


def test_a_search_of_two_objectives_keeps_fronts_and_the_own_hypervolume_as_objective():
    domain = Two()
    search = search_of(domain, Fronts((4, 4), domain.objective_range, 5))
    state, batch = start(search, keys.new(0), domain.sample(keys.new(1), 60))
    failed = batch.solutions[:, 0] < -0.7
    assert failed.any() and np.array_equal(batch.status < 0, failed)
    for state, batch in run(search, state, 600):
        pass
    data, goals = state.archive.data(), batch.evaluation.features["objectives"]
    own = ((goals + 3) / 4).clip(0).prod(axis=1)
    assert np.allclose(batch.evaluation.objective, own, equal_nan=True)
    assert np.allclose(data["objective"], ((data["objectives"] + 3) / 4).clip(0).prod(axis=1), rtol=1e-5)
    assert len(np.unique(data["index"])) < len(data["index"]) <= 16 * 5
    one = Two(1, (-3.0, 1.0))
    plain = search_of(one, Grid((4, 4)))
    _, batch = start(plain, keys.new(0), one.sample(keys.new(1), 60))
    assert batch.evaluation.objective.shape == (60,) and "objectives" not in batch.evaluation.features


def test_what_generation_0_cannot_go_on_from_is_named():
    domain = Two(objective_range=((5.0, 6.0), (-3.0, 1.0)))
    for archive, seen in (
        (Fronts((4, 4), domain.objective_range), r": their best .* are \(0\.\d+, 0\.\d+\)"),
        (Grid((4, 4)), "; type"),
    ):
        with pytest.raises(UserError, match=rf"reference point \(5\.0, -3\.0\) is above all 60 rows of generation 0{seen}"):
            start(search_of(domain, archive), keys.new(0), domain.sample(keys.new(1), 60))
    domain = Two(broken=(1,))
    with pytest.raises(UserError, match=r"all 60 solutions .* failed: .*\(number 1, counted from 0, is so in all"):
        start(search_of(domain, Fronts((4, 4), domain.objective_range)), keys.new(0), domain.sample(keys.new(1), 60))


def test_one_objective_may_state_its_range_as_one_pair_of_several():
    one, plain = Two(1, ((-3.0, 1.0),)), Two(1, (-3.0, 1.0))
    assert abilities.of_domain(one).objective_range == (-3.0, 1.0) and abilities.of_domain(one).objective_ranges is None
    states = [start(search_of(each, Grid((4, 4))), keys.new(0), each.sample(keys.new(1), 60))[0] for each in (one, plain)]
    assert states[0].archive.stats.obj_max == states[1].archive.stats.obj_max > -3


@dataclass(frozen=True)
class Noisy(Two):
    """Two objectives with noise, so that fronts keep the lucky."""

    def evaluate(self, each, solutions):
        objectives, features = super().evaluate(each, solutions)
        return Evaluation(objectives + 0.5 * np.array([keys.normal(key, (2,)) for key in each]), features)


def test_corrected_fronts_hold_the_means_of_several_objectives():
    domain = Noisy()
    search = search_of(domain, Fronts((2, 2), domain.objective_range, 5))
    state, _ = start(search, keys.new(0), domain.sample(keys.new(1), 60))
    for state, _ in run(search, state, 300):
        pass
    lucky, fair = state.archive.data(), referee.corrected_archive(search, state, 40).data()
    bias = [np.mean(data["objectives"] - Two().evaluate(None, data["solution"]).objective) for data in (lucky, fair)]
    assert bias[0] > 0.4 and abs(bias[1]) < 0.2 and len(fair["id"]) <= len(lucky["id"])
    assert np.allclose(fair["objective"], ((fair["objectives"] + 3) / 4).clip(0).prod(axis=1), rtol=1e-4)


@dataclass(frozen=True)
class Changing(Two):
    """Two objectives in the rehearsal and generation 0, then another number."""

    then: int = 3
    batches: list = field(default_factory=list, compare=False)

    def evaluate(self, keys, solutions):
        objectives, features = super().evaluate(keys, solutions)
        self.batches.append(len(solutions))
        if len(self.batches) > 2:
            objectives = np.repeat(objectives[:, :1], self.then, axis=1) if self.then else objectives[:, 0]
        return Evaluation(objectives, features)


@pytest.mark.parametrize("then", [0, 1, 3])
@pytest.mark.parametrize("fronts", [True, False])
def test_batches_that_differ_in_their_number_of_objectives_are_refused(then, fronts):
    domain = Changing(then=then)
    archive = Fronts((4, 4), domain.objective_range, 5) if fronts else Grid((4, 4))
    search = search_of(domain, archive)
    state, _ = start(search, keys.new(0), domain.sample(keys.new(1), 60))
    before = state.archive.data("objective").tolist()
    with pytest.raises(UserError, match=f"gave {max(then, 1)} objectives? for each solution, .* an objective_range of 2 pairs"):
        next(run(search, state, 200))
    assert state.archive.data("objective").tolist() == before and domain.batches == [2, 60, 40]


def test_ranges_of_another_number_are_refused_before_anything_is_evaluated():
    domain = Two(objective_range=((0.0, 1.0),) * 3)
    with pytest.raises(UserError, match="gave 2 objectives for each .* an objective_range of 3 pairs"):
        start(search_of(domain, Fronts((4, 4), domain.objective_range)), keys.new(0), domain.sample(keys.new(1), 60))
    domain = Two(objective_range=((0.0, 1.0), (1.0, 0.0)))
    with pytest.raises(UserError, match=r"Two.objective_range\[1\] = \(1\.0, 0\.0\) is reversed"):
        start(search_of(domain, Grid((4, 4))), keys.new(0), domain.sample(keys.new(1), 60))


def test_parents_are_drawn_by_cells_and_within_a_front_evenly_or_by_crowding():
    goals = np.array([[[0, 10], [1, 9], [10, 0]], [[3, 3], [0, 0], [0, 0]], [[0, 0], [1, 2], [2, 1]]], np.float32)
    filled = np.array([[1, 1, 1], [1, 0, 0], [0, 1, 1]], bool)
    assert np.allclose(shares(goals, filled), [[0.4, 2, 3.6], [1, 0, 0], [0, 4, 4]])  # an end has its only gap twice
    archive = opened(2, 3)
    offer(archive, 0, np.repeat(np.float32([[0.1, 0.1], [0.9, 0.9]]), [3, 1], axis=0), goals[[0, 0, 0, 1], [0, 1, 2, 0]])
    slots, ends = archive.drawn(keys.new(0), 6000, False), archive.drawn(keys.new(0), 6000, True)
    assert np.allclose(np.bincount(slots) / 6000, [1 / 6] * 3 + [0] * 12 + [1 / 2], atol=0.03)
    assert np.allclose(np.bincount(ends)[:3] / 6000, [1 / 30, 1 / 6, 3 / 10], atol=0.03)
    domain = Two()
    search = search_of(domain, Fronts((4, 4), domain.objective_range, 5))
    search = search._replace(emitter=VaryFronts(IsoLine(), 40, crowding=True))
    state, _ = start(search, keys.new(0), domain.sample(keys.new(1), 60))
    ids = state.archive.data("id")
    for state, batch in run(search, state, 100):
        assert batch.parents.shape == (40, 2) and np.isin(batch.parents, ids).all()
    with pytest.raises(UserError, match="draws parents from fronts, and the archive has none; type archive=fronts"):
        start(search._replace(archive=Grid((4, 4))), keys.new(0), domain.sample(keys.new(1), 60))
