"""Keys: the same draws in NumPy and in a trace, each key a stream of its own."""

import jax
import numpy as np
import pytest
from scipy.stats import chisquare, kstest

from qd import keys
from qd.support.errors import UserError

HOST, TRACED = keys.new(0), jax.random.key(0)


@pytest.mark.parametrize("key", [HOST, TRACED], ids=["host", "traced"])
def test_draws_have_the_distribution_that_they_say(key) -> None:
    normal_key, uniform_key, integer_key = keys.split(key, 3)
    assert kstest(np.ravel(keys.normal(normal_key, (100, 50))), "norm").pvalue > 1e-3
    uniform = np.asarray(keys.uniform(uniform_key, (5000,), -2, 3))
    assert kstest(uniform, "uniform", (-2, 5)).pvalue > 1e-3 and uniform.min() >= -2 and uniform.max() < 3
    integers = np.asarray(keys.integers(integer_key, (6000,), -1, 5))
    assert set(integers) == {-1, 0, 1, 2, 3, 4} and chisquare(np.bincount(integers + 1)).pvalue > 1e-3


@pytest.mark.parametrize("key", [HOST, TRACED], ids=["host", "traced"])
def test_draws_are_32_bit_and_take_bounds_that_broadcast(key) -> None:
    assert keys.normal(key, (3,)).dtype == keys.uniform(key, (3,)).dtype == np.float32
    options = np.array([1, 2, 50])
    drawn = np.asarray(keys.integers(key, (500, 3), 0, options))
    assert drawn.dtype == np.int32 and (drawn.max(axis=0) == options - 1).all()
    low, high = np.array([0.0, 10.0]), np.array([1.0, 20.0])
    spread = np.asarray(keys.uniform(key, (500, 2), low, high))
    assert (spread >= low).all() and (spread < high).all()


def test_one_key_says_one_thing_and_another_another() -> None:
    for draw in (lambda k: keys.normal(k, (8,)), lambda k: keys.uniform(k, (8,)), lambda k: keys.split(k, 3)):
        np.testing.assert_array_equal(draw(keys.new(5)), draw(keys.new(5)))
        assert not np.array_equal(draw(keys.new(5)), draw(keys.new(6)))


def test_split_keys_are_distinct_and_unlike_what_their_parent_draws() -> None:
    children = keys.split(HOST, 1000)
    assert children.dtype == np.uint32 and children.shape == (1000, 2)
    assert len({tuple(child) for child in children}) == 1000
    np.testing.assert_array_equal(children[:3], keys.split(HOST, 3))
    draws = np.stack([keys.normal(child, (200,)) for child in keys.split(HOST, 40)])
    correlation = np.corrcoef(draws)[np.triu_indices(40, 1)]
    assert kstest(np.arctanh(correlation) * np.sqrt(197), "norm").pvalue > 1e-3  # Fisher's z of unrelated streams
    assert abs(np.corrcoef(keys.normal(HOST, (200,)), draws[0])[0, 1]) < 0.3


def test_keys_do_not_change_when_used() -> None:
    key = keys.new(3)
    before = key.copy()
    keys.split(key)
    keys.normal(key, (4,))
    np.testing.assert_array_equal(key, before)


def test_any_key_comes_to_the_host() -> None:
    np.testing.assert_array_equal(keys.to_host(HOST), HOST)
    assert keys.to_host(jax.random.key(7)).dtype == np.uint32
    np.testing.assert_array_equal(keys.to_host(jax.random.PRNGKey(7)), keys.to_host(jax.random.key(7)))


def test_what_is_no_key_or_no_seed_is_refused() -> None:
    with pytest.raises(ValueError, match=r"a key is uint32 \[2\], but this is float64 \[3\]; type qd.keys.new\(0\)"):
        keys.to_host(np.zeros(3))
    with pytest.raises(ValueError, match="seed -1 is negative; type a seed of 0 or more"):
        keys.new(-1)


def test_draws_that_memory_cannot_hold_are_refused() -> None:
    for draw in (keys.normal, keys.uniform, lambda key, shape: keys.integers(key, shape, 0, 3)):
        for shape in ((10**30,), (10**7, 10**7)):
            with pytest.raises(UserError, match="random numbers do not fit into memory; type a smaller size of the domain"):
                draw(keys.new(0), shape)
