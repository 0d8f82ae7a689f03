"""Vendi scores and distances: equal to closed forms, and to the package vendi-score where that is right."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qd.diversity import ORDERS, gaussian, nearest, pairwise_mean, profile, vendi, vendi_of_kernel

ALL = (0.0, *ORDERS)


def package():
    return pytest.importorskip("vendi_score.vendi", reason="wants pip install vendi-score, to compare with it")


def low_rank(n: int = 60, rank: int = 16, seed: int = 0) -> np.ndarray:
    """Unit vectors that span only ``rank`` directions."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, rank)) @ rng.normal(size=(rank, 128))
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def of_shares(shares: np.ndarray, order: float) -> float:
    """Hill number: how many kinds there are, counted by order."""
    if order == 1:
        return float(np.exp(-(shares * np.log(shares)).sum()))
    return float(1 / shares.max()) if math.isinf(order) else float((shares**order).sum() ** (1 / (1 - order)))


@pytest.mark.parametrize("order", ALL)
@pytest.mark.parametrize("n", [1, 2, 7, 40])
def test_identical_is_one_and_orthogonal_is_n(n, order):
    assert vendi(np.tile([3.0, 4.0, 0.0], (n, 1)), order) == pytest.approx(1, abs=1e-9)
    assert vendi(np.diag(np.arange(1.0, n + 1)), order) == pytest.approx(n, rel=1e-9)
    assert vendi_of_kernel(np.ones((n, n)), order) == pytest.approx(1, abs=1e-9)
    assert vendi_of_kernel(np.eye(n), order) == pytest.approx(n, rel=1e-9)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(1, 9), min_size=1, max_size=12), st.sampled_from(ALL))
def test_a_mixture_of_kinds_has_the_hill_number_of_their_shares(counts, order):
    kinds = np.repeat(np.eye(len(counts)), counts, axis=0)
    shares = np.array(counts) / sum(counts)
    assert vendi(kinds, order) == pytest.approx(of_shares(shares, order), rel=1e-9)
    assert vendi_of_kernel(kinds @ kinds.T, order) == pytest.approx(of_shares(shares, order), rel=1e-9)
    assert vendi(np.eye(len(counts)), order, weights=np.array(counts)) == pytest.approx(of_shares(shares, order), rel=1e-9)


@pytest.mark.parametrize("cosine", [-1.0, -0.3, 0.0, 0.5, 0.999])
def test_two_items_have_the_eigenvalues_of_their_angle(cosine):
    two = np.array([[1.0, 0.0], [cosine, math.sqrt(1 - cosine**2)]])
    shares = np.array([(1 + cosine) / 2, (1 - cosine) / 2])
    for order in ORDERS:
        expected = of_shares(shares[shares > 0], order)
        assert vendi(two, order) == pytest.approx(expected, rel=1e-7)
        assert vendi_of_kernel(two @ two.T, order) == pytest.approx(expected, rel=1e-7)


def test_order_two_is_the_kernels_norm_and_scores_fall_with_the_order():
    x = low_rank()
    assert vendi(x, 2) == pytest.approx(len(x) ** 2 / (x @ x.T).ravel().dot((x @ x.T).ravel()), rel=1e-9)
    found = list(profile(x, ALL).values())
    assert found == sorted(found, reverse=True) and len(set(found)) == len(ALL)


@pytest.mark.parametrize("order", ALL)
def test_twice_the_same_set_is_as_diverse_and_its_rank_is_seen_through_rounding(order):
    x = low_rank()
    both = [vendi(x, order), vendi_of_kernel(x @ x.T, order)]
    assert both[0] == pytest.approx(both[1], rel=1e-6)
    assert vendi(np.concatenate([x, x]), order) == pytest.approx(both[0], rel=1e-9)
    assert vendi(x.astype(np.float32), order) == pytest.approx(both[0], rel=1e-4)
    single = x.astype(np.float32)
    assert vendi_of_kernel(np.float32(single @ single.T), order) == pytest.approx(both[0], rel=1e-3)
    assert 1 <= both[0] <= 16 + 1e-9
    assert vendi(x, 0) == pytest.approx(16)


def test_a_vector_of_zeros_is_like_no_other():
    assert vendi(np.array([[1.0, 0], [0, 0], [0, 0]]), 1) == pytest.approx(3)
    assert pairwise_mean(np.array([[1.0, 0], [0, 0]]), "cosine") == pytest.approx(1)


@pytest.mark.parametrize("order", [1, 2])
def test_equal_to_the_package_where_it_is_right(order):
    theirs, x = package(), low_rank()
    assert vendi(x, order) == pytest.approx(theirs.score_K(x @ x.T, q=order), abs=1e-9)
    assert vendi(x, order) == pytest.approx(theirs.score_dual(x, q=order), abs=1e-6)
    p = np.arange(1.0, 61) / np.arange(1.0, 61).sum()
    assert vendi(x, order, p) == pytest.approx(theirs.score_K(x @ x.T, q=order, p=p), abs=1e-9)
    assert vendi(x, math.inf) == pytest.approx(theirs.score_K(x @ x.T, q="inf"), abs=1e-9)


def test_first_defect_of_the_package_score_x_ignores_the_order():
    theirs, x = package(), low_rank()
    assert theirs.score_X(x, q=2) == theirs.score_X(x, q=1) == pytest.approx(vendi(x, 1))
    assert vendi(x, 2) < vendi(x, 1) - 0.1


def test_second_defect_of_the_package_small_orders_count_what_rounding_left():
    theirs, x = package(), low_rank()
    assert theirs.score_K(x @ x.T, q=0) > 17 and theirs.score_K(x @ x.T, q=0.1) > 16  # and there are 16 directions
    assert vendi(x, 0) == pytest.approx(16) and vendi(x, 0.1) < 16
    exact = np.linalg.eigvalsh(x.T @ x / len(x))[-16:]
    assert vendi(x, 0.1) == pytest.approx(of_shares(exact / exact.sum(), 0.1), rel=1e-9)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_third_defect_of_the_package_an_infinite_order_is_not_a_number():
    theirs, x = package(), low_rank()
    assert math.isnan(theirs.score_K(x @ x.T, q=np.inf))
    assert vendi(x, np.inf) == pytest.approx(1 / np.linalg.eigvalsh(x @ x.T / len(x)).max(), rel=1e-9)


def test_distances_are_those_of_the_definition(monkeypatch):
    from qd import diversity

    monkeypatch.setattr(diversity, "_BLOCK", 7)  # several blocks
    rng = np.random.default_rng(3)
    x = rng.normal(size=(20, 5)) + 100
    far = np.linalg.norm(x[:, None] - x[None], axis=2)
    assert pairwise_mean(x) == pytest.approx(far[~np.eye(20, dtype=bool)].mean(), rel=1e-7)
    np.testing.assert_allclose(nearest(x), np.where(np.eye(20, dtype=bool), np.inf, far).min(axis=1), rtol=1e-7)
    unit = x / np.linalg.norm(x, axis=1, keepdims=True)
    cosine = 1 - unit @ unit.T
    assert pairwise_mean(x, "cosine") == pytest.approx(cosine[~np.eye(20, dtype=bool)].mean(), rel=1e-7)
    np.testing.assert_allclose(
        nearest(x, "cosine"), np.where(np.eye(20, dtype=bool), np.inf, cosine).min(axis=1), rtol=1e-5, atol=1e-12
    )
    np.testing.assert_allclose(gaussian(x, 2.0), np.exp(-(far**2) / 8), rtol=1e-6, atol=1e-12)


def test_twins_are_at_distance_zero_and_one_alone_has_none():
    x = np.random.default_rng(0).normal(size=(6, 4)) * 1e3
    twice = np.concatenate([x, x])
    assert (nearest(twice) == 0).all() and nearest(twice, "cosine") == pytest.approx(0, abs=1e-12)
    assert np.isnan(nearest(x[:1])).all() and math.isnan(pairwise_mean(x[:1]))


def test_messages():
    with pytest.raises(ValueError, match="nothing to compare; give vectors"):
        vendi(np.zeros((0, 3)))
    with pytest.raises(ValueError, match="1 of 2 vectors are not finite; leave those out"):
        vendi(np.array([[1.0, np.nan], [0, 1]]))
    with pytest.raises(ValueError, match="no Vendi score of order -1; type an order of 0 or more"):
        vendi(np.eye(2), -1)
    with pytest.raises(ValueError, match=r"shape \[2, 3\].*is no kernel; type vendi\(vectors\)"):
        vendi_of_kernel(np.ones((2, 3)))
    with pytest.raises(ValueError, match="eigenvalue of -0.5.*none of a kernel is below 0"):
        vendi_of_kernel(np.array([[1.0, 2.0], [2.0, 1.0]]))
    with pytest.raises(ValueError, match=r"weights of shape \[3\] for 2 items"):
        vendi(np.eye(2), weights=np.ones(3))
    with pytest.raises(ValueError, match="unknown distance 'manhattan'; type euclidean or cosine"):
        nearest(np.eye(2), "manhattan")
    with pytest.raises(ValueError, match="a width of 0 cannot be"):
        gaussian(np.eye(2), 0)
