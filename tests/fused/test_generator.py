"""The hash generator's numbers look random, are fresh for every key and counter, and lead where threefry's lead."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import kstest, norm

from qd import fused, keys
from qd.archives import Grid
from qd.fused.generator import key_of
from qd.types import Search
from tests.support.fused import VARY, XY, begin
from tests.support.toys import Bowl

N = 400_000
KEY = np.array([3, 7], np.uint32)


def bits(key=KEY, n: int = N) -> np.ndarray:
    return np.asarray(jax.random.bits(key_of(key, "hash"), (n,), jnp.uint32))


def test_every_bit_is_even_and_free_of_its_neighbours() -> None:
    drawn = np.unpackbits(bits()[:, None].view(np.uint8), axis=1).astype(np.float64)
    assert (np.abs(drawn.mean(0) - 0.5) < 5 * 0.5 / N**0.5).all()
    correlated = np.corrcoef(drawn.T) - np.eye(32)
    assert np.abs(correlated).max() < 5 / N**0.5
    for lag in (1, 2, 3, 100, 1024):
        assert np.abs(np.corrcoef(drawn[lag:].T, drawn[:-lag].T)[:32, 32:]).max() < 5.5 / N**0.5


@pytest.mark.parametrize("generator", ["threefry", "hash"])
def test_normals_are_normal_far_into_the_tails(generator) -> None:
    drawn = np.asarray(keys.normal(key_of(KEY, generator), (N,)), np.float64)
    first, second = drawn[: N // 2], drawn[N // 2 :]  # which are made in pairs: the same radius, at a right angle
    for a, b in ((first, second), (first**2, second**2), (np.abs(first), second)):
        assert abs(np.corrcoef(a, b)[0, 1]) < 4.5 / (N / 2) ** 0.5
    for power, expected, spread in ((1, 0, 1), (2, 1, 2**0.5), (3, 0, 15**0.5), (4, 3, 96**0.5)):
        assert abs((drawn**power).mean() - expected) < 4.5 * spread / N**0.5
    assert kstest(drawn, norm.cdf).pvalue > 1e-3
    for z in (2, 3, 4):
        share = 2 * norm.sf(z)
        assert abs((np.abs(drawn) > z).sum() - N * share) < 5 * (N * share) ** 0.5


def test_normals_come_in_any_shape_and_without_a_trace() -> None:
    for shape in ((), (1,), (3, 5), (0, 4)):
        drawn = keys.normal(jax.random.key(3), shape)
        assert drawn.shape == shape and drawn.dtype == jnp.float32 and bool(jnp.isfinite(drawn).all())
    each = jax.vmap(lambda key: keys.normal(key, (7,)))(jax.random.split(jax.random.key(0), 5))
    assert len(np.unique(np.asarray(each))) == 35


@pytest.mark.ci
def test_keys_that_differ_in_one_bit_or_are_split_or_folded_share_nothing() -> None:
    key = key_of(KEY, "hash")
    some = [bits(KEY ^ np.array(flip, np.uint32), 20_000) for flip in ((0, 0), (1, 0), (0, 1), (2**31, 0), (0, 2**31))]
    some += [bits(np.array([7, 3], np.uint32), 20_000)]
    some += [np.asarray(jax.random.bits(k, (20_000,), jnp.uint32)) for k in jax.random.split(key, 3)]
    some += [np.asarray(jax.random.bits(jax.random.fold_in(key, i), (20_000,), jnp.uint32)) for i in range(4)]
    real = np.stack(some) / 2**32
    assert np.abs(np.corrcoef(real) - np.eye(len(real))).max() < 5 / 20_000**0.5
    assert len(np.unique(np.concatenate(some))) > 0.9999 * 20_000 * len(some)
    many = np.asarray(jax.random.key_data(jax.random.split(key, 100_000)))
    assert len(np.unique(many, axis=0)) == 100_000
    folded = np.asarray(jax.random.key_data(jax.vmap(lambda i: jax.random.fold_in(key, i))(jnp.arange(100_000))))
    assert len(np.unique(np.concatenate([many, folded]), axis=0)) == 200_000


def test_our_threefry_is_jaxs_own_of_before_it_was_spread_over_devices() -> None:
    with jax.threefry_partitionable(False):
        for shape in ((8,), (30, 7), (1000,)):
            theirs = jax.random.bits(jax.random.wrap_key_data(KEY), shape, jnp.uint32)
            np.testing.assert_array_equal(jax.random.bits(key_of(KEY, "threefry"), shape, jnp.uint32), theirs)
    assert jax.random.bits(key_of(KEY, "threefry"), (7,), jnp.uint32).shape == (7,)
    assert jax.random.bits(key_of(KEY, "threefry"), (5,), jnp.uint8).dtype == jnp.uint8


def test_it_repeats_itself_and_differs_from_threefry() -> None:
    np.testing.assert_array_equal(bits(n=100), bits(n=100))
    assert not np.array_equal(bits(n=100), np.asarray(jax.random.bits(key_of(KEY, "threefry"), (100,), jnp.uint32)))


@pytest.mark.slow
def test_over_twenty_seeds_results_do_not_differ_from_threefrys() -> None:
    """Means of coverage and QD score over 20 seeds lie within 3 standard errors of each other, and spread alike."""
    recipe = Search(Bowl(), XY, Grid((30, 30)), VARY)
    found = {}
    for generator in ("threefry", "hash"):
        stats = []
        for seed in range(20):
            for state, _ in fused.run(recipe, begin(recipe, seed), 5000, generator):
                pass
            stats.append((len(state.archive), float(state.archive.stats.qd_score)))
        found[generator] = np.array(stats)
    a, b = found.values()
    error = np.sqrt(a.var(0, ddof=1) / 20 + b.var(0, ddof=1) / 20)
    assert (np.abs(a.mean(0) - b.mean(0)) < 3 * error).all()
    assert (np.abs(np.log(a.std(0) / b.std(0))) < np.log(2.2)).all()
