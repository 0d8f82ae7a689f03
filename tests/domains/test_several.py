"""Domains of several objectives: fronts that are known, and texts that are good and short."""

import numpy as np
import pytest

from domains.dtlz import DTLZ
from domains.text.brief import BriefTexts
from qd.support.errors import UserError


def points(domain: DTLZ, rest: float, n: int = 20) -> np.ndarray:
    """Rows whose genes beyond the first K - 1 are all ``rest``."""
    x = np.full((n, domain.dim), rest, np.float32)
    x[:, : domain.objectives - 1] = np.random.default_rng(0).random((n, domain.objectives - 1))
    return x


@pytest.mark.parametrize("k", [2, 3])
def test_dtlz_fronts_are_those_of_the_paper(k):
    one, two, seven = (DTLZ(name, k) for name in ("dtlz1", "dtlz2", "dtlz7"))
    losses = -np.asarray(one.evaluate(None, points(one, 0.5)).objective)
    np.testing.assert_allclose(losses.sum(axis=1), 0.5, rtol=1e-4)
    losses = -np.asarray(two.evaluate(None, points(two, 0.5)).objective)
    np.testing.assert_allclose((losses**2).sum(axis=1), 1, rtol=1e-5)
    x = points(seven, 0.0)
    losses, where = -np.asarray(seven.evaluate(None, x).objective), x[:, : k - 1]
    height = 2 * (k - (where / 2 * (1 + np.sin(3 * np.pi * where))).sum(axis=1))
    np.testing.assert_allclose(losses[:, :-1], where, rtol=1e-6)
    np.testing.assert_allclose(losses[:, -1], height, rtol=1e-5)
    for domain in (one, two, seven):
        low, high = np.array(domain.objective_range).T
        goals = np.asarray(domain.evaluate(None, points(domain, 0.9)).objective)
        assert (
            len(low) == k and (goals <= high).all() and np.asarray(domain.evaluate(None, x).features["genes"]).shape == (20, 2)
        )


def test_dtlz_says_what_it_cannot_be():
    for settings, words in (
        ({"function": "dtlz9"}, "dtlz9"),
        ({"objectives": 1}, "no front"),
        ({"dim": 2}, "more than 2 genes"),
    ):
        with pytest.raises(UserError, match=words):
            DTLZ(**settings)


def test_brevity_falls_with_the_number_of_words():
    grade = lambda texts: np.array([[0.75, 0.5] if text else [np.nan] * 2 for text in texts])
    domain = BriefTexts(None, grade, longest=4)  # type: ignore[arg-type]
    objective, features = domain.evaluate(None, ["one", "one two three four five", ""])
    np.testing.assert_array_equal(objective, [[0.75, 0.75], [0.75, 0.0], [np.nan, np.nan]])
    assert features["words"].shape == (3, 1)
    with pytest.raises(UserError, match="leaves no brevity"):
        BriefTexts(None, grade, longest=0)  # type: ignore[arg-type]
