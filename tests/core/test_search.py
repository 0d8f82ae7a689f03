"""The loop: what a generation, a refit and a stored state promise."""

import pickle
from dataclasses import dataclass

import jax
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from domains.arm import Arm
from feedback.descriptors.pca import PCA
from feedback.descriptors.select import Select
from qd import keys, programs
from qd.archives import CVT, DensityGrid, Grid, HostElites, SlidingBoundaries
from qd.emitters.pool import Pool
from qd.emitters.vary import Gaussian, Vary
from qd.referee import Referee, corrected_archive
from qd.search import refit, run, start, step
from qd.types import Array, Evaluation, Features, Fresh, Params, Rows, Search
from tests.support.searches import CMA_MAE, CMA_ME, THRESHOLDS, VARY, advance, begin, columns, same
from tests.support.toys import SQUARE, Bowl, Failing, Flip, Matrices, OnHost, Respell, Words


def test_first_batch_after_a_refit_carries_the_new_measures() -> None:
    search = Search(Bowl(), Flip(), Grid((8, 8)), VARY)
    state = advance(search, begin(search), 2)
    old = state.params
    state, batch = step(search, refit(search, state))
    now = programs.describe(search.descriptor, state.params, batch.evaluation.features)[0]
    before = programs.describe(search.descriptor, old, batch.evaluation.features)[0]
    np.testing.assert_allclose(batch.measures, now, atol=1e-6)
    assert np.abs(batch.measures - before).max() > 0.1
    elites = HostElites(state.archive)
    (measures,), rows = elites.take(np.arange(elites.size), "measures"), elites.rows()
    np.testing.assert_allclose(measures, programs.describe(search.descriptor, state.params, rows.features)[0], atol=1e-6)


@pytest.mark.parametrize("archive", [Grid((12, 12)), CVT(50, samples=500), Grid((12, 12), **THRESHOLDS)], ids=str)
@pytest.mark.parametrize("emitter", [VARY, CMA_ME, CMA_MAE, Pool((VARY, CMA_ME))], ids=["vary", "cma_me", "cma_mae", "pool"])
def test_a_stored_state_goes_on_like_the_uninterrupted_run_across_a_refit(archive, emitter) -> None:
    search = Search(Bowl(), PCA(reads=("all",)), archive, emitter, keep=("half",))
    state = advance(search, begin(search), 3)
    stored = pickle.dumps(state)
    whole = advance(search, refit(search, state), 3)
    resumed = refit(search, pickle.loads(stored))
    resumed = advance(search, pickle.loads(pickle.dumps(resumed)), 3)
    same(whole, resumed)
    assert len(whole.archive) > 10


@dataclass(frozen=True)
class Given:
    """A domain whose solutions are (row, objective): what a test wants stored."""

    pure: bool = False

    def sample(self, key, n):
        raise AssertionError("seeds are given by hand")

    def evaluate(self, keys, solutions) -> Evaluation:
        return Evaluation(solutions[:, 1], {"row": solutions[:, 0]})


@dataclass(frozen=True)
class Tables:
    """Measures looked up by row in one of two tables; each fit turns to the other."""

    tables: tuple[tuple[tuple[float, float], ...], tuple[tuple[float, float], ...]]
    reads: tuple[str, ...] = ("row",)
    bounds: tuple[tuple[float, float], ...] = SQUARE
    pure: bool = False

    def init(self, key, rows: Rows, fresh: Fresh) -> Params:
        return 0

    def fit(self, key, params: Params, rows: Rows, fresh: Fresh) -> Params:
        return 1 - params

    def __call__(self, params: Params, features: Features) -> np.ndarray:
        return np.array(self.tables[params], np.float32)[features["row"].astype(int)]


place = st.sampled_from([-1.0, -0.5, -0.1, 0.0, 0.3, 0.5, 1.0, 7.0])


rough = st.one_of(place, st.sampled_from([float("nan"), float("inf"), -1e30]))


row = st.tuples(st.sampled_from([-3.0, 0.0, 0.5, 0.5, 2.0]), st.tuples(place, place), st.tuples(rough, rough))


SMALL = [Grid((4, 4)), Grid((4, 4), 0.1, -20.0), CVT(9, 200)]


@settings(max_examples=60, deadline=None)
@given(rows=st.lists(row, min_size=1, max_size=40), archive=st.sampled_from(SMALL))
def test_no_elite_is_lost_by_one_refit(rows, archive) -> None:
    objective, a, b = zip(*rows, strict=True)
    search = Search(Given(), Tables((a, b)), archive, Vary(Gaussian(), 1))
    seeds = np.stack([np.arange(len(rows)), np.array(objective)], axis=1).astype(np.float32)
    state, _ = start(search, keys.new(0), seeds)
    before = columns(state.archive)
    assume(np.isfinite(np.array(b)[before["id"]]).all(1).any())

    state = refit(search, state)
    kept = np.concatenate([HostElites(state.archive).rows().ids, state.reserve.rows.ids])
    assert sorted(kept) == sorted(before["id"]), "each elite is in the archive or in the reserve, once"
    assert state.reserve.n_dropped == 0
    now = columns(state.archive)
    np.testing.assert_array_equal(now["threshold"], now["objective"])

    after = columns(refit(search, state).archive)
    assert dict(zip(before["cells"], before["id"], strict=True)) == dict(zip(after["cells"], after["id"], strict=True))
    np.testing.assert_array_equal(after["threshold"], after["objective"])


def test_thresholds_restart_at_the_elites_objectives() -> None:
    search = Search(Bowl(), Flip(), Grid((8, 8), **THRESHOLDS), VARY)
    state = advance(search, begin(search), 5)
    (then, objective) = (columns(state.archive)[name] for name in ("threshold", "objective"))
    assert (then < objective).any(), "thresholds lag behind while a search runs"
    after = columns(refit(search, state).archive)
    np.testing.assert_array_equal(after["threshold"], after["objective"])


def test_a_full_reserve_drops_the_worst_and_counts_them() -> None:
    @dataclass(frozen=True)
    class Crowd(Flip):
        def __call__(self, params, features):
            return super().__call__(0, features) * (params == 0)  # after a fit all share one cell

    search = Search(Bowl(), Crowd(), Grid((8, 8)), VARY, reserve=5)
    state = begin(search)
    elites = HostElites(state.archive).rows()
    state = refit(search, state)
    assert len(state.archive) == 1
    best_first = elites.ids[np.argsort(-elites.objective, kind="stable")]
    assert HostElites(state.archive).rows().ids == best_first[0]
    assert sorted(state.reserve.rows.ids) == sorted(best_first[1:6])
    assert state.reserve.n_dropped == len(elites.ids) - 6


def test_fresh_rows_take_ids_and_count_but_enter_nothing() -> None:
    asked = []

    @dataclass(frozen=True)
    class Curious(Flip):
        def fit(self, key, params, rows, fresh):
            asked.append(fresh(key, 7))
            return super().fit(key, params, rows, fresh)

    search = Search(Bowl(), Curious(), Grid((8, 8)), VARY)
    state = advance(search, begin(search), 1)
    evaluations = state.evaluations
    state, batch = step(search, refit(search, state))
    np.testing.assert_array_equal(asked[0].ids, np.arange(evaluations, evaluations + 7))
    assert batch.ids[0] == evaluations + 7 and state.evaluations == evaluations + 7 + 32
    assert not np.isin(asked[0].ids, HostElites(state.archive).rows().ids).any()


def test_failed_rows_stay_out_are_counted_and_cost_nothing_else() -> None:
    search = Search(Failing(Bowl()), Select("xy", SQUARE), Grid((12, 12)), VARY)
    state = begin(search)
    failed = 0
    for state, batch in run(search, state, until=64 + 32 * 20):
        bad = ~np.isfinite(batch.evaluation.objective)
        np.testing.assert_array_equal(bad, batch.status == -1)
        assert (batch.cell[bad] == -1).all() and np.isnan(batch.value[bad]).all()
        assert (batch.status[~bad] >= 0).all() and (batch.cell[~bad] >= 0).all() and np.isfinite(batch.value[~bad]).all()
        failed += bad.sum()
    assert state.evaluations == 64 + 32 * 20 and state.generation == 21
    assert 0.2 < failed / (32 * 20) < 0.4
    assert np.isfinite(HostElites(state.archive).rows().objective).all()


def test_measures_that_are_not_finite_fail_their_row() -> None:
    @dataclass(frozen=True)
    class Holes(Select):
        def __call__(self, params, features):
            m = super().__call__(params, features)
            return jax.numpy.where(m[:, :1] > 0, jax.numpy.inf, m)

    search = Search(Bowl(), Holes("xy", SQUARE), Grid((8, 8)), VARY)
    _, batch = step(search, begin(search))
    out = ~np.isfinite(batch.measures).all(axis=1)
    assert out.any() and not out.all()
    np.testing.assert_array_equal(out, batch.status == -1)


def test_python_objects_run_through_the_same_loop() -> None:
    search = Search(Words(), OnHost(), Grid((20, 5)), Vary(Respell(), batch_size=16, pure=False))
    state = begin(search, n=30)
    failed = 0
    for state, batch in run(search, state, until=30 + 16 * 25):
        assert batch.solutions.dtype == object and batch.parents.shape == (16, 2)
        failed += (batch.status == -1).sum()
        assert all("bad" in word for word in batch.solutions[batch.status == -1])
    assert failed > 0
    elites = HostElites(state.archive).rows()
    assert len(elites.ids) > 10 and elites.solutions.dtype == object and all(isinstance(w, str) for w in elites.solutions)
    np.testing.assert_array_equal([float(w.count("a")) for w in elites.solutions], elites.objective)
    again = pickle.loads(pickle.dumps(state))
    same(advance(search, refit(search, state), 2), advance(search, refit(search, again), 2))


def test_a_search_repeats_itself_and_another_seed_differs() -> None:
    search = Search(Arm(joints=5), Select("gripper", SQUARE), Grid((12, 12)), VARY)
    one, again, other = (advance(search, begin(search, seed), 5) for seed in (3, 3, 4))
    same(one, again)
    assert not np.array_equal(columns(one.archive)["id"], columns(other.archive)["id"])


def test_run_stops_at_until_and_the_batch_names_its_generation() -> None:
    search = Search(Bowl(), Select("xy", SQUARE), Grid((8, 8)), VARY)
    state = begin(search)
    seen = [(batch.first, batch.ids[0], state.evaluations) for state, batch in run(search, state, until=64 + 33)]
    assert seen == [(1, 64, 96), (2, 96, 128)]


def test_only_what_is_read_or_kept_is_handed_out_and_stored() -> None:
    search = Search(Bowl(), Select("xy", SQUARE), Grid((8, 8)), VARY, keep=("half",))
    state, batch = step(search, begin(search))
    assert set(batch.evaluation.features) == {"xy", "half"} == set(HostElites(state.archive).features)


@dataclass(frozen=True)
class Hoarder:
    """Varies as VARY does, and remembers its last batch: recalls the rows, describes them anew."""

    batch_size: int = 32
    pure: bool = False

    def init(self, key, elites):
        return {}

    def ask(self, key, memory, elites):
        return memory, VARY.ask(key, (), elites)[1]

    def tell(self, memory, batch):
        ids, solutions, (objective, features) = batch.ids, batch.solutions, batch.evaluation
        return {"rows": Rows(ids, solutions, objective, features, np.ones(len(ids), bool)), "measures": batch.measures}

    def recall(self, memory):
        return memory.get("rows")

    def redescribe(self, memory, describe):
        return memory | {"measures": describe(memory["rows"].features)}


def test_what_an_emitter_recalls_is_learned_from_once_and_described_anew() -> None:
    lessons = []

    @dataclass(frozen=True)
    class Attentive(Flip):
        def fit(self, key, params, rows, fresh):
            lessons.append(rows)
            return super().fit(key, params, rows, fresh)

    for emitter in (Hoarder(), Pool((Hoarder(), Vary(Gaussian(0.1), 8)))):
        search = Search(Failing(Bowl()), Attentive(), Grid((6, 6)), emitter)
        state, batch = step(search, begin(search))
        last = batch.ids[:32]
        elites = HostElites(state.archive).rows().ids
        state = refit(search, state)
        rows = lessons[-1]
        recalled = last[np.isfinite(batch.evaluation.objective[:32])]
        assert sorted(rows.ids) == sorted({*elites, *recalled}), "the failed are left out, each other row stands once"
        assert rows.valid.all() and np.isfinite(rows.objective).all() and len(recalled) < 32
        memory = state.memory.members[0] if isinstance(emitter, Pool) else state.memory
        expected = programs.describe(search.descriptor, state.params, memory["rows"].features)[0]
        np.testing.assert_array_equal(memory["measures"], expected)


def test_a_refit_that_loses_everyone_says_so() -> None:
    @dataclass(frozen=True)
    class Diverging(Flip):
        def __call__(self, params, features):
            return super().__call__(params, features) * jax.numpy.where(params == 0, 1, jax.numpy.nan)

    search = Search(Bowl(), Diverging(), Grid((6, 6)), VARY)
    state = begin(search)
    elites = len(state.archive)
    with pytest.raises(ValueError, match=r"after the refit none of .* elites has finite measures; Diverging"):
        refit(search, state)
    assert len(state.archive) == elites > 0


def test_an_emitter_that_asks_for_nothing_does_not_hang() -> None:
    @dataclass(frozen=True)
    class Silent(Hoarder):
        def ask(self, key, memory, elites):
            memory, offspring = super().ask(key, memory, elites)
            return memory, offspring._replace(solutions=offspring.solutions[:0], parents=None)

    search = Search(Bowl(), Flip(), Grid((6, 6)), Silent())
    with pytest.raises(ValueError, match="Silent proposed no solutions"):
        list(run(search, begin(search), until=100))


def test_solutions_of_any_shape_run() -> None:
    search = Search(Matrices(), Select("xy", SQUARE), Grid((6, 6)), VARY)
    state, batch = step(search, begin(search))
    assert batch.solutions.shape == (32, 3, 5) and HostElites(state.archive).rows().solutions.shape[1:] == (3, 5)


def test_describing_rounds_alike_whatever_the_number_of_rows() -> None:
    x = np.random.default_rng(0).normal(size=(2500, 4)).astype(np.float32)
    pca = PCA(reads=("all",))
    everyone = Rows(np.arange(2500), x, x[:, 0], {"all": x}, np.ones(2500, bool))
    params = pca.init(keys.new(0), everyone, None)  # type: ignore[arg-type]
    measures, _ = programs.describe(pca, params, {"all": x})
    np.testing.assert_allclose(measures, pca(params, {"all": x}), atol=1e-5)
    for n in (1, 700, 1024, 1025):
        np.testing.assert_array_equal(programs.describe(pca, params, {"all": x[:n]})[0], measures[:n])


@dataclass(frozen=True)
class Counter:
    """A domain on the host: objectives are 20,000,000 and a solution's first number, in a dtype of NumPy."""

    dtype: str = "float64"
    pure: bool = False

    def sample(self, key: Array, n: int) -> Array:
        return np.arange(n, dtype=np.float32)[:, None]

    def evaluate(self, keys: Array, solutions: Array) -> Evaluation:
        return Evaluation(solutions[:, 0].astype(self.dtype) + np.asarray(2e7, self.dtype), {"x": solutions * 0})


@pytest.mark.parametrize("dtype", ["float64", "longdouble", "int64", "int32"])
@pytest.mark.parametrize("archive", [Grid((1,)), CVT(1, samples=9), SlidingBoundaries((1,)), DensityGrid((1,))], ids=str)
def test_objectives_of_a_domain_on_the_host_keep_all_digits(archive, dtype) -> None:
    recipe = Search(Counter(dtype), Select("x", ((-1.0, 1.0),)), archive, VARY)
    state, batch = start(recipe, keys.new(0), recipe.domain.sample(None, 2))
    assert float(state.archive.best_elite["objective"]) == batch.evaluation.objective[1] == 20_000_001.0
    assert state.archive.data("objective").tolist() == [20_000_001.0]
    single = Referee(recipe.descriptor, archive).open(batch)
    single.add(batch)
    assert single.archive.data("objective").tolist() == [20_000_001.0]
    again = corrected_archive(recipe, state, 2)
    assert again.data("objective").tolist() == [20_000_001.0]


def test_objectives_of_a_pure_domain_stay_float32() -> None:
    recipe = Search(Bowl(), Select("xy", SQUARE), Grid((4, 4)), VARY)
    state = begin(recipe)
    assert state.archive.dtypes["objective"] == np.float32
    float32 = Search(Counter("float32"), Select("x", ((-1.0, 1.0),)), Grid((1,)), VARY)
    assert start(float32, keys.new(0), float32.domain.sample(None, 2))[0].archive.dtypes["objective"] == np.float32
