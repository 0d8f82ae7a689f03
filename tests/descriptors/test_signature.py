"""Signatures of paths: against iterated sums, what they do not change with, signax, and as measures."""

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feedback.descriptors.signature import Signature, lyndon, signature, signed
from qd import keys
from qd.types import Rows

quick = jax.jit(signed, static_argnames=("depth", "log", "time"))
RNG = np.random.default_rng(0)
PATHS = RNG.uniform(-1, 1, (3, 8, 2)).cumsum(1).astype(np.float32) / 4


def rows(path: np.ndarray) -> Rows:
    n = len(path)
    return Rows(np.arange(n), np.zeros((n, 1)), np.zeros(n), {"trace": path}, np.ones(n, bool))


def test_level_by_level_it_is_the_iterated_integrals():
    """The first two levels by hand: increments, and sums over pairs of pieces i < j, half of i = j."""
    one, two = (np.asarray(level) for level in signature(PATHS, 2))
    dx = np.diff(PATHS, axis=1)
    np.testing.assert_allclose(one, PATHS[:, -1] - PATHS[:, 0], atol=1e-6)
    before = np.cumsum(dx, axis=1) - dx / 2
    np.testing.assert_allclose(two.reshape(-1, 2, 2), np.einsum("bti,btj->bij", before, dx), atol=1e-6)


def test_a_straight_path_is_an_exponential():
    straight = np.linspace(0, 1, 9, dtype=np.float32)[None, :, None] * np.array([2.0, -1.0], np.float32)
    _, two, three = (np.asarray(level)[0] for level in signature(straight, 3))
    v = np.array([2.0, -1.0])
    np.testing.assert_allclose(two, np.kron(v, v) / 2, atol=1e-5)
    np.testing.assert_allclose(three, np.kron(np.kron(v, v), v) / 6, atol=1e-5)
    logarithm = np.asarray(quick(straight, depth=3, log=True))[0]
    np.testing.assert_allclose(logarithm, [*v, 0, 0, 0], atol=1e-5)  # nothing else is new


@settings(deadline=None, max_examples=10)
@given(st.integers(1, 6), st.floats(0.1, 0.9))
def test_it_forgets_where_a_path_begins_and_how_it_is_sampled(piece, share):
    between = PATHS[:, piece] + np.float32(share) * (PATHS[:, piece + 1] - PATHS[:, piece])
    finer = np.insert(PATHS, piece + 1, between, axis=1)
    moved = np.insert(PATHS + np.float32(3), 4, PATHS[:, 4] + 3, axis=1)  # and stands still once
    plain = np.asarray(quick(PATHS, depth=3))
    np.testing.assert_allclose(quick(finer, depth=3), plain, atol=1e-5)
    np.testing.assert_allclose(quick(moved, depth=3), plain, atol=1e-5)


def test_time_tells_a_hurry_from_a_rest_and_there_and_back_is_nothing():
    hurried = np.insert(PATHS, [8] * 5, PATHS[:, -1:], axis=1)
    np.testing.assert_allclose(quick(hurried, depth=2), quick(PATHS, depth=2), atol=1e-6)
    assert np.abs(quick(hurried, depth=2, time=True) - quick(PATHS, depth=2, time=True)).max() > 0.01
    back = np.concatenate([PATHS, PATHS[:, ::-1]], axis=1)
    np.testing.assert_allclose(quick(back, depth=4), 0, atol=1e-5)
    assert np.abs(quick(back, depth=2, time=True)).max() > 0.5


def test_sizes_are_the_published_ones():
    assert [len(Signature(("trace",), depth=k).bounds) for k in (2, 3, 4, 5)] == [12, 39, 120, 363]
    assert [len(Signature(("trace",), depth=k, log=True).bounds) for k in (2, 3, 4)] == [6, 14, 32]
    assert lyndon(2, 3) == [(0,), (1,), (0, 1), (0, 0, 1), (0, 1, 1)]


@pytest.mark.parametrize("depth", [2, 3, 4, 5])
def test_it_is_what_signax_says(depth):
    signax = pytest.importorskip("signax", reason="needs signax: pip install signax")
    for path in (PATHS, np.concatenate([PATHS, PATHS[..., ::-1] ** 2], axis=2)[..., :3]):
        np.testing.assert_allclose(quick(path, depth=depth), signax.signature(path, depth), atol=1e-6)
        np.testing.assert_allclose(quick(path, depth=depth, log=True), signax.logsignature(path, depth), atol=1e-6)


@pytest.mark.parametrize("log", [False, True])
def test_as_measures_it_fills_the_bounds_by_one_scale(log):
    learner = Signature(("trace",), log=log)
    path = RNG.uniform(-1, 1, (50, 10, 2)).cumsum(1).astype(np.float32)
    box = learner.init(keys.new(0), rows(path), lambda key, n: rows(path))
    measures = np.asarray(learner(box, {"trace": path}))
    assert measures.shape == (50, len(learner.bounds)) and np.abs(measures).max() == pytest.approx(1, abs=1e-5)
    raw = np.asarray(quick(path, depth=2, log=log, time=True))
    pairs = np.triu_indices(50, 1)
    ratio = np.linalg.norm(raw[pairs[0]] - raw[pairs[1]], axis=1) / np.linalg.norm(
        measures[pairs[0]] - measures[pairs[1]], axis=1
    )
    np.testing.assert_allclose(ratio, ratio[0], rtol=1e-3)


def test_what_is_no_path_is_refused():
    learner = Signature(("trace",))
    for wrong in (PATHS[:, :, 0], PATHS[:, :1], np.zeros((5, 4, 3), np.float32)):
        with pytest.raises(ValueError, match="a signature is of paths"):
            learner.init(keys.new(0), rows(wrong), lambda key, n: rows(PATHS))
    with pytest.raises(ValueError, match="is the same in all 4 solutions"):
        learner.init(keys.new(0), rows(np.ones((4, 5, 2), np.float32)), lambda key, n: rows(PATHS))
    with pytest.raises(ValueError, match="a signature is of one path"):
        Signature(("trace", "readings"))
    with pytest.raises(ValueError, match="at least 1 of each"):
        Signature(("trace",), depth=0)
