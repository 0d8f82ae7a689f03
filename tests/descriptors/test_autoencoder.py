"""The autoencoder: what its bottleneck holds, and what surprises it."""

import numpy as np
import pytest

from feedback.descriptors.autoencoder import Autoencoder
from qd import keys
from qd.referee import aligned_r2
from qd.types import Rows

N, F = 200, 12
MIX = np.random.default_rng(1).normal(size=(2, F))


def rows(n: int = N, seed: int = 0) -> Rows:
    hidden = np.random.default_rng(seed).uniform(-1, 1, (n, 2))
    seen = (np.tanh(hidden @ MIX) + 3).astype(np.float32)
    return Rows(np.arange(n), seen, seen.sum(1), {"seen": seen, "hidden": hidden}, np.ones(n, bool))


LEARNER = Autoencoder(("seen",), hidden=(32, 16), steps=1500)


@pytest.fixture(scope="module")
def trained():
    return LEARNER.init(keys.new(0), rows(), lambda key, n: rows(n))


@pytest.mark.ci
def test_the_bottleneck_holds_what_varies(trained):
    strangers = rows(300, seed=2)
    assert aligned_r2(np.asarray(LEARNER(trained, strangers.features)), strangers.features["hidden"]) > 0.6
    measures = np.asarray(LEARNER(trained, rows().features))
    np.testing.assert_allclose([measures.min(), measures.max()], [-1, 1], atol=1e-4)


def test_what_it_has_never_seen_surprises_it(trained):
    usual = LEARNER.signals(trained, rows(100, seed=3).features)["surprise"]
    noise = {"seen": np.random.default_rng(0).uniform(2, 4, (100, F)).astype(np.float32)}
    odd = LEARNER.signals(trained, noise)["surprise"]
    assert usual.shape == (100,) and np.median(usual) < 0.2 and np.median(odd) > 4 * np.median(usual)


def test_the_same_key_trains_the_same_and_a_fit_starts_anew(trained):
    again = LEARNER.init(keys.new(0), rows(), lambda key, n: rows(n))
    np.testing.assert_array_equal(again.encoder[0][0], trained.encoder[0][0])
    refit = LEARNER.fit(keys.new(1), trained, rows(), lambda key, n: rows(n))
    assert not np.array_equal(refit.encoder[0][0], trained.encoder[0][0])


def test_rows_that_do_not_vary_are_named():
    still = rows()
    still.features["seen"][:] = 2.0
    with pytest.raises(ValueError, match="is the same in all 200 solutions"):
        LEARNER.init(keys.new(0), still, lambda key, n: still)
    with pytest.raises(ValueError, match="1 or more"):
        Autoencoder(("seen",), steps=0)
