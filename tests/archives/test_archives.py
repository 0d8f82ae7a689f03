"""Archives against plain pyribs, row by row, and what a view of one shows."""

import pickle
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ribs.archives import CVTArchive, GridArchive
from scipy.stats import chisquare

from qd import archives, keys
from qd.archives import CVT, DensityGrid, Grid, HostElites, insert, objects
from tests.support.searches import BOUNDS, columns, example

MAE = {"learning_rate": 0.1, "threshold_min": -5.0}


class ByBorders(GridArchive):
    """pyribs' grid with cells by the rule of docs/concepts.md, in fractions."""

    def index_of(self, measures):
        measures, cell = np.asarray(measures, np.float32), np.zeros(len(measures), np.int32)
        for dims, (low, high), column in zip((4, 3), BOUNDS, measures.T, strict=True):
            width, rounding = Fraction(high - low) / dims, 4 * Fraction(1, 2**23) * Fraction(max(abs(low), abs(high)))
            place = [(Fraction(float(m)) + min(rounding, width / 20) - Fraction(low)) // width for m in column]
            cell = cell * dims + np.clip(np.array(place, object), 0, dims - 1).astype(np.int32)
        return cell


def pair(kind: str, thresholds: dict):
    """Ours and pyribs' archive with the same cells."""
    plain = {
        "solution_dim": 3, "ranges": BOUNDS, "extra_fields": {"id": ((), np.int64)}, "seed": 0,
        "solution_dtype": np.float32, "objective_dtype": np.float32, "measures_dtype": np.float32, **thresholds,
    }  # fmt: skip
    if kind == "grid":
        return Grid((4, 3), **thresholds).open(example(), BOUNDS, (), 0), ByBorders(dims=(4, 3), **plain)
    ours = CVT(12, 300, **thresholds).open(example(), BOUNDS, (), 0)
    return ours, CVTArchive(centroids=ours.centroids, **plain)


FAR = [-2001, -3000], [2001, 3003]  # 1000 widths beyond the bounds


HUGE = [3e38, -3e38, 1e30]


border = st.sampled_from([-1.0, -0.5, 0.0, 0.5, 1.0, 2.0, 3.0, np.nextafter(np.float32(1), 2), np.nextafter(np.float32(0), -1)])
border |= st.sampled_from(
    [*np.float32([0.5 - 4e-7, 0.5 - 6e-7, 2 - 1.3e-6, 2 - 1.6e-6]).tolist()]
)  # on either side of rounding


measure = st.one_of(border, st.floats(-2, 4, width=32), st.sampled_from([*HUGE, np.nan, np.inf, -np.inf]))


objective = st.one_of(st.sampled_from([0.0, 1.0, 1.0, -4.0, *HUGE, np.nan, np.inf, -np.inf]), st.floats(-9, 9, width=32))


batch = st.lists(st.tuples(objective, measure, measure), min_size=1, max_size=24)


some = given(batches=st.lists(batch, min_size=1, max_size=4), kind=st.sampled_from(["grid", "cvt"]), mae=st.booleans())


@pytest.mark.filterwarnings("ignore:overflow")  # in pyribs' own sums
@settings(max_examples=40, deadline=None)
@some
def test_insert_says_and_stores_what_plain_pyribs_does(batches, kind, mae) -> None:
    agrees_with_plain_pyribs(batches, kind, mae)


@pytest.mark.ci
@pytest.mark.filterwarnings("ignore:overflow")
@settings(max_examples=120, deadline=None)
@some
def test_insert_does_so_in_more_examples(batches, kind, mae) -> None:
    agrees_with_plain_pyribs(batches, kind, mae)


def agrees_with_plain_pyribs(batches, kind, mae) -> None:
    ours, plain = pair(kind, MAE if mae else {})
    first = 0
    for rows in batches:
        f, m = np.array([r[0] for r in rows], np.float32), np.array([r[1:] for r in rows], np.float32)
        ids = np.arange(first, first + len(rows))
        solutions = np.stack([ids, ids, -ids], 1).astype(np.float32)
        first += len(rows)
        said = insert(ours, ids, solutions, f, m, {})
        ok = np.isfinite(f) & np.isfinite(m).all(1)
        np.testing.assert_array_equal(said["status"] == -1, ~ok)
        assert (said["cell"][~ok] == -1).all() and np.isnan(said["value"][~ok]).all()
        if not ok.any():
            continue
        near = np.clip(m[ok], *FAR)  # plain pyribs sends what is further out to the wrong end
        np.testing.assert_array_equal(said["cell"][ok], plain.index_of(near))
        expected = plain.add(solutions[ok], f[ok], near, id=ids[ok])
        np.testing.assert_array_equal(said["status"][ok], expected["status"])
        np.testing.assert_array_equal(said["value"][ok], expected["value"])
    mine = columns(ours)
    for name, column in columns(plain).items():
        np.testing.assert_array_equal(mine[name], column, err_msg=name)


@pytest.mark.parametrize("kind", ["grid", "cvt"])
def test_many_ordinary_rows_agree_with_plain_pyribs_too(kind) -> None:
    ours, plain = pair(kind, {})
    rng = np.random.default_rng(0)
    for i in range(20):
        f, m = rng.normal(size=200).astype(np.float32), rng.uniform(-1, 3, (200, 2)).astype(np.float32)
        solutions, ids = rng.normal(size=(200, 3)).astype(np.float32), np.arange(200) + 200 * i
        said, expected = insert(ours, ids, solutions, f, m, {}), plain.add(solutions, f, m, id=ids)
        np.testing.assert_array_equal(said["status"], expected["status"])
        np.testing.assert_array_equal(said["value"], expected["value"])
    for name, column in columns(plain).items():
        np.testing.assert_array_equal(columns(ours)[name], column)
    assert ours.stats == plain.stats


def test_huge_measures_land_at_the_near_end() -> None:
    archive = Grid((4, 3)).open(example(), BOUNDS, (), 0)
    huge = np.array([[3e38, 3e38], [-3e38, -3e38], [3e38, 0]], np.float32)
    said = insert(archive, np.arange(3), np.zeros((3, 3), np.float32), np.ones(3), huge, {})
    np.testing.assert_array_equal(said["cell"], [11, 0, 9])


@pytest.fixture
def small():
    """Twelve elites of which row i has id 10 i and feature "f" [12, 2] of i; cells filled in a mixed order."""
    n, order = 12, np.random.default_rng(1).permutation(12)
    rows = example(n)._replace(features={"f": np.zeros((n, 2), np.int16)})
    archive = Grid((4, 3)).open(rows, BOUNDS, ("f",), 0)
    measures = (np.stack([order // 3 / 2 - 0.75, order % 3 + 0.5], 1)).astype(np.float32)
    solutions = np.repeat(np.arange(n, dtype=np.float32)[:, None], 3, 1)
    features = {"f": np.repeat(np.arange(n, dtype=np.int16)[:, None], 2, 1)}
    insert(archive, 10 * np.arange(n), solutions, np.arange(n), measures, features)
    return archive


def test_elites_show_their_columns(small) -> None:
    elites = HostElites(small)
    assert elites.size == 12 and elites.features == ("f",)
    ids, f, place = elites.take(np.array([3, 3, 0]), "id", "f", "place")
    np.testing.assert_array_equal(f, np.repeat(ids[:, None] // 10, 2, 1))
    assert f.dtype == np.int16 and place.shape == (3, 2)
    (measures,) = elites.take(np.array([3, 3, 0]), "measures")
    np.testing.assert_allclose(place, (measures - [-0.75, 0.5]) / [0.5, 1.0])
    rows = elites.rows()
    np.testing.assert_array_equal(rows.ids, rows.objective * 10)
    with pytest.raises(ValueError, match=r"unknown column 'objectiv' of the archive; type objective"):
        elites.take(np.array([0]), "objectiv")


def test_draws_are_even_and_repeat_by_key(small) -> None:
    elites = HostElites(small)
    ids, solutions = elites.draw(keys.new(0), 12_000)
    np.testing.assert_array_equal(ids, solutions[:, 0] * 10)
    assert chisquare(np.bincount(ids // 10, minlength=12)).pvalue > 1e-3
    np.testing.assert_array_equal(elites.draw(keys.new(0), 12_000)[0], ids)
    assert (elites.draw(keys.new(1), 12_000)[0] != ids).any()


def test_what_an_elites_view_hands_out_does_not_change_with_the_archive(small) -> None:
    rows = HostElites(small).rows()
    before = pickle.loads(pickle.dumps(rows))
    nines = np.full((1, 3), 9, np.float32), np.array([99.0]), np.array([[-0.9, 0.1]])
    insert(small, np.array([999]), *nines, {"f": np.full((1, 2), 9)})
    small.clear()
    for one, other in zip((*rows[:3], rows.features["f"]), (*before[:3], before.features["f"]), strict=True):
        np.testing.assert_array_equal(one, other)


def test_objects_of_equal_length_are_not_stacked() -> None:
    packed = objects([[1, 2], [3, 4]])
    assert packed.shape == (2,) and packed[1] == [3, 4]


def test_centroids_are_the_same_whatever_the_seed_of_the_run() -> None:
    one, other = (CVT(12, 300).open(example(), BOUNDS, (), seed) for seed in (0, 1))
    np.testing.assert_array_equal(one.centroids, other.centroids)
    moved = CVT(12, 300, centroid_seed=1).open(example(), BOUNDS, (), 0)
    assert not np.array_equal(one.centroids, moved.centroids)


def test_capacity_and_cells() -> None:
    assert archives.capacity(Grid((4, 3)).open(example(), BOUNDS, (), 0)) == 12
    assert archives.capacity(CVT(7, 300).open(example(), BOUNDS, (), 0)) == 7
    assert archives.count_cells(Grid((4, 3)).open(example(), BOUNDS, (), 0)) == 12


def test_a_cleared_density_knows_nothing_of_the_measures_before() -> None:
    rng = np.random.default_rng(0)
    cleared, fresh = (DensityGrid((4, 3)).open(example(), BOUNDS, (), 0) for _ in range(2))
    insert(cleared, np.arange(50), np.zeros((50, 3), np.float32), np.ones(50), np.full((50, 2), 0.9), {})
    cleared.clear()
    rows = np.arange(20), np.zeros((20, 3), np.float32), np.ones(20), rng.uniform(0, 1, (20, 2)).astype(np.float32), {}
    np.testing.assert_array_equal(insert(cleared, *rows)["info"]["density"], insert(fresh, *rows)["info"]["density"])
