"""The small network: it learns what no linear map can, and is refused what cannot be."""

import jax
import numpy as np
import pytest

from feedback.descriptors.triplet_network import TripletNetwork
from feedback.descriptors.triplets import Triplets
from feedback.judges import Flips
from qd import keys
from qd.referee import aligned_r2
from qd.types import Rows
from tests.support.comparisons import KNOWS, Always, fresh, rows

LEARNER = TripletNetwork(KNOWS, ("seen",), (600, 10), restarts=32)


def bent(n: int, seed: int) -> Rows:
    plain = rows(n, seed)
    seen = plain.features["seen"]
    return plain._replace(features={"seen": seen, "truth": np.stack([np.abs(seen[:, 0]), seen[:, 1]], axis=1)})


def score(descriptor, params) -> float:
    strangers = bent(400, 3)
    return aligned_r2(np.asarray(descriptor(params, strangers.features)), strangers.features["truth"])


@pytest.mark.slow
def test_it_learns_what_no_linear_map_can():
    linear = Triplets(KNOWS, ("seen",), (600, 10), active=False)
    params = LEARNER.init(keys.new(0), bent(400, 0), fresh)
    assert score(LEARNER, params) > 0.85 > 0.75 > score(linear, linear.init(keys.new(0), bent(400, 0), fresh))
    measures = np.asarray(LEARNER(params, bent(400, 0).features))
    np.testing.assert_allclose([measures.min(), measures.max()], [-1, 1], atol=1e-4)
    again = LEARNER.fit(keys.new(1), params, bent(400, 1), fresh)
    assert again.answers.count == 610 and params.lapse_rates[0] < 0.15
    assert jax.tree.map(np.shape, again) == jax.tree.map(np.shape, params)


@pytest.mark.ci
@pytest.mark.parametrize("judge", [Always(1), Flips(KNOWS, 0.5)])
def test_judges_without_a_truth_leave_a_finite_map(judge):
    descriptor = TripletNetwork(judge, ("seen",), (600, 10), restarts=32)
    params = descriptor.init(keys.new(0), bent(400, 0), fresh)
    assert np.isfinite(descriptor(params, bent(50, 1).features)).all()


def test_settings_and_rows_that_cannot_be_are_named():
    with pytest.raises(ValueError, match="1 or more"):
        TripletNetwork(KNOWS, ("seen",), ())
    with pytest.raises(ValueError, match="too few"):
        LEARNER.init(keys.new(0), bent(2, 0), fresh)
