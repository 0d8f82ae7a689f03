"""A border belongs to the cell above it: shares, counts and categories as measures, in every archive with cells."""

from dataclasses import dataclass
from fractions import Fraction

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from feedback.descriptors.select import Select
from qd import keys, search
from qd.archives import DensityGrid, Grid, HostElites, SlidingBoundaries, insert
from qd.archives.lean import OpenCVT
from qd.driver import run
from qd.emitters.vary import Gaussian, Vary
from qd.fused import index
from qd.types import Array, Evaluation, Search
from tests.support.searches import example

UNIT = ((0.0, 1.0),)


def fractions(most: int) -> tuple[np.ndarray, np.ndarray]:
    """All k / n for n to ``most``, each once, as numerators and denominators."""
    n, k = np.tril_indices(most + 1)
    once = (np.gcd(k, n) == 1) & (n > 0)
    return k[once], n[once]


@pytest.mark.ci
def test_every_share_lies_in_the_cell_above_its_border() -> None:
    """Cells rise with the measure, so it is enough to look at the first and the last share of each cell."""
    k, n = fractions(1000)
    order = np.argsort(k / n)
    k, n = k[order], n[order]
    for dims in range(1, 1001):
        expected = np.minimum(k * dims // n, dims - 1)
        last = np.flatnonzero(np.diff(expected))
        rows = np.concatenate([[0], last, last + 1, [len(k) - 1]])
        shares = k[rows] / n[rows]
        by_reciprocal = k[rows].astype(np.float32) * (np.float32(1) / n[rows].astype(np.float32))  # as XLA divides
        for dtype in ("float32", "float64"):
            archive = Grid((dims,), dtype=dtype).open(example(), UNIT, (), 0)
            for measures in (shares.astype(np.float32), shares, by_reciprocal):
                np.testing.assert_array_equal(archive.index_of(measures[:, None]), expected[rows])


@pytest.mark.parametrize("low, high", [(0, 7), (-3, 4), (0.1, 3.7), (-1e-6, 1e-6), (1000, 2000), (-0.5, 9.5)])
def test_borders_of_other_bounds_as_float32_computes_them(low, high) -> None:
    for dims in (1, 2, 3, 7, 10, 49, 100, 365, 1000):
        k = np.arange(dims + 1, dtype=np.float32)
        f = np.float32
        several = f(low) + (f(high) - f(low)) * k / f(dims), f(low) + k * ((f(high) - f(low)) / f(dims))
        for measures in several:
            archive = Grid((dims,)).open(example(), ((low, high),), (), 0)
            np.testing.assert_array_equal(archive.index_of(measures[:, None]), np.minimum(np.arange(dims + 1), dims - 1))


def test_counts_and_categories_have_a_cell_each() -> None:
    for n in range(2, 1001):
        codes = np.arange(n, dtype=np.float32)[:, None]
        for bounds in ((0, n), (-0.5, n - 0.5)):
            archive = Grid((n,)).open(example(), (bounds,), (), 0)
            np.testing.assert_array_equal(archive.index_of(codes), np.arange(n))


def test_a_measure_below_the_border_by_more_than_rounding_stays_below() -> None:
    archive = Grid((10,)).open(example(), UNIT, (), 0)
    below = np.float64([0.3 - 6e-7, 0.3 - 4e-7, -6e-7, 1.0, 7.0, -9.0])
    np.testing.assert_array_equal(archive.index_of(below[:, None]), [2, 3, 0, 9, 9, 0])
    fine = Grid((10,), dtype="float64").open(example(), ((0.0, 1e-6),), (), 0)  # cells of 1e-7: rounding, not a fixed number
    np.testing.assert_array_equal(fine.index_of(np.array([[0.0], [1e-7], [1.5e-7], [0.99e-7]])), [0, 1, 1, 0])
    narrow = Grid((4,), dtype="float64").open(example(), ((1e6, 1e6 + 1),), (), 0)  # rounding is 0.5: a twentieth of a cell
    np.testing.assert_array_equal(narrow.index_of(1e6 + np.array([[0.23], [0.24], [0.25], [0.49]])), [0, 1, 1, 2])


@pytest.mark.parametrize("bounds", [UNIT, ((0.1, 3.7),), ((-1e-6, 1e-6),), ((1000.0, 2000.0),)])
def test_the_compiled_archive_has_the_same_cells(bounds) -> None:
    (low, high), rng = bounds[0], np.random.default_rng(0)
    for dims in (1, 3, 50, 1000):
        archive = Grid((dims,)).open(example(), bounds, (), 0)
        at = np.float32(low + (high - low) * np.arange(dims + 1) / dims)
        steps = [at]
        for towards in (-np.inf, np.inf):
            step = at
            for _ in range(12):  # past 4 x float32's epsilon, in steps of one rounding
                step = np.nextafter(step, np.float32(towards))
                steps.append(step)
        other = np.float32([0.0, -0.0, 1e-45, -1e-45, low - 5 * (high - low), high + 5 * (high - low)])
        measures = np.concatenate([*steps, rng.uniform(low, high, 3000).astype(np.float32), other])[:, None]
        cells, _ = index.cells(index.table(archive), jnp.asarray(measures))
        np.testing.assert_array_equal(cells, archive.index_of(measures))


def test_bins_of_centroids_that_float32_can_hardly_tell_apart_miss_none() -> None:
    """A quotient that is rounded otherwise falls into the bin beside."""
    centroids = np.sort(np.random.default_rng(0).uniform(1, 11, (20_000, 1)).astype(np.float32), axis=0)
    plain = {"solution_dim": 1, "solution_dtype": np.float32, "objective_dtype": np.float32, "measures_dtype": np.float32}
    archive = OpenCVT(centroids=centroids, ranges=((1.0, 11.0),), **plain)
    lookup = index.table(archive)  # its bins begin at 0, where a margin by the lowest number alone would be none
    at = np.float32(lookup.corner + lookup.bin * np.arange(len(lookup.ids) + 1, dtype=np.float64))
    measures = np.concatenate([at, np.nextafter(at, np.float32(-9)), np.nextafter(at, np.float32(99))])[:, None]
    cells, _ = jax.jit(index.cells)(lookup, jnp.asarray(measures))
    np.testing.assert_array_equal(cells, archive.index_of(measures))


@pytest.mark.ci
def test_quotients_of_a_compiled_domain_lie_in_the_cells_of_their_fractions() -> None:
    """JAX divides by a scalar through its rounded reciprocal: 41 / 41 is below 1."""
    for n in (41, 49, 1000):
        k = np.arange(n + 1)
        measures = np.asarray(jax.jit(lambda x, n=n: x / n)(k.astype(np.float32)))[:, None]
        archive = Grid((n,)).open(example(), UNIT, (), 0)
        np.testing.assert_array_equal(archive.index_of(measures), np.minimum(k, n - 1))
        np.testing.assert_array_equal(index.cells(index.table(archive), jnp.asarray(measures))[0], np.minimum(k, n - 1))


@dataclass(frozen=True)
class Rounded:
    """Measures are shares: a solution's first number, rounded to hundredths."""

    pure: bool = True

    def sample(self, key: Array, n: int) -> Array:
        return keys.uniform(key, (n, 1))

    def evaluate(self, keys: Array, solutions: Array) -> Evaluation:
        return Evaluation(solutions[:, 0] * 0, {"share": jnp.round(100 * jnp.clip(solutions, 0, 1)) / 100})


@pytest.mark.parametrize("pure", [True, False], ids=["fused", "host"])
def test_hundredths_fill_a_hundred_cells(pure) -> None:
    recipe = Search(Rounded(pure), Select("share", UNIT), Grid((100,)), Vary(Gaussian(0.3), 64))
    solutions = recipe.domain.sample(keys.new(1), 64)
    state = search.start(recipe, keys.new(0), np.asarray(solutions))[0]
    for state, _ in run(recipe, state, 6000):
        pass
    assert len(state.archive) == 100
    (place,) = HostElites(state.archive).take(np.arange(100), "place")
    (share,) = HostElites(state.archive).take(np.arange(100), "share")
    cells = [int(min(Fraction(round(100 * float(x)), 100) * 100, 99)) for x in share[:, 0]]
    np.testing.assert_array_equal(place[:, 0], cells)


def test_a_density_beside_the_grid_changes_no_cell() -> None:
    measures = np.float32(np.arange(101) / 100)[:, None]
    archive = DensityGrid((100,)).open(example(), UNIT, (), 0)
    np.testing.assert_array_equal(archive.index_of(measures), np.minimum(np.arange(101), 99))


def test_a_grid_of_an_earlier_checkpoint_has_the_same_cells() -> None:
    archive, measures = Grid((97,)).open(example(), ((0.1, 3.7),), (), 0), np.random.default_rng(0).uniform(0.1, 3.7, (500, 1))
    old = type(archive).__new__(type(archive))
    old.__dict__.update({name: value for name, value in vars(archive).items() if name not in ("exact_bounds", "borders")})
    np.testing.assert_array_equal(old.index_of(measures), archive.index_of(measures))


@pytest.mark.parametrize("scale", [1.0, 1000.0])
def test_elites_of_sliding_boundaries_lie_in_the_cells_of_their_measures(scale) -> None:
    bounds, rng = ((0.0, scale), (0.0, scale)), np.random.default_rng(0)
    archive = SlidingBoundaries((12, 12), remap_frequency=40, buffer_capacity=120).open(example(), bounds, (), 0)
    for i in range(20):  # half of the measures beyond the bounds, and some equal ones
        measures = np.round(rng.normal(0.5, 0.6, (30, 2)), 2).astype(np.float32) * np.float32(scale)
        ids = np.arange(30 * i, 30 * i + 30)
        insert(archive, ids, np.zeros((30, 3), np.float32), rng.normal(size=30), measures, {})
        elites = archive.data(return_type="dict")
        np.testing.assert_array_equal(elites["index"], archive.index_of(elites["measures"]))
        np.testing.assert_array_equal(archive.upper_bounds, [scale, scale])
    assert len(archive) > 60


def test_a_border_of_sliding_boundaries_belongs_to_the_upper_cell() -> None:
    archive = SlidingBoundaries((4, 1), remap_frequency=4, buffer_capacity=8).open(example(), ((0.0, 9.0), (0.0, 1.0)), (), 0)
    measures = np.float32([[100.0, 0], [200.1, 0], [300.7, 0], [400.9, 0]])
    insert(archive, np.arange(4), np.zeros((4, 3), np.float32), np.ones(4), measures, {})
    np.testing.assert_array_equal(archive.boundaries[0][:4], measures[:, 0])
    np.testing.assert_array_equal(archive.index_of(measures), [0, 1, 2, 3])
    np.testing.assert_array_equal(archive.index_of(measures[1:] - np.float32([1, 0])), [0, 1, 2])


def test_sliding_boundaries_that_shrank_to_nothing_clamp_nothing() -> None:
    archive = SlidingBoundaries((4, 4), remap_frequency=4, buffer_capacity=8).open(example(), (*UNIT, *UNIT), (), 0)
    same = np.full((4, 2), 0.5, np.float32)
    insert(archive, np.arange(4), np.zeros((4, 3), np.float32), np.ones(4), same, {})
    later = np.float32([[0.1, 0.1], [np.nan, 0.2], [0.9, 0.8]])
    insert(archive, np.arange(4, 7), np.zeros((3, 3), np.float32), 1 + np.arange(3), later, {})
    assert {0.1, 0.9} <= {round(float(m), 6) for m in archive.data("measures")[:, 0]}
