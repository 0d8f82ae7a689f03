"""Learning from triplets: what is learned, from how little, from whom; and what is refused."""

import pickle

import jax
import numpy as np
import pytest

from feedback.descriptors.qdhf import QDHFPaper
from feedback.descriptors.random_projection import RandomProjection
from feedback.descriptors.triplets import TripletParams, Triplets, _root
from feedback.judges import CANT_TELL, Flips, Judge, Oracle, RaterPool, ShuffledAnswers
from feedback.preferences import acquisition, comparisons
from qd import keys
from qd.referee import aligned_r2
from qd.support.errors import UserError
from qd.types import Rows
from tests.support.comparisons import KNOWS, Always, F, N, fresh, rows

ROUND = 80


def learner(judge: Judge = KNOWS, **settings) -> Triplets:
    return Triplets(judge, ("seen",), (ROUND, ROUND), **({"active": False, "raters": 2} | settings))


def taught(descriptor, seed: int = 0):
    first = descriptor.init(keys.new(seed), rows(), fresh)
    return descriptor.fit(keys.new(seed + 1), first, rows(seed=1), fresh)


def score(descriptor, params) -> float:
    strangers = rows(400, seed=3)
    return aligned_r2(np.asarray(descriptor(params, strangers.features)), strangers.features["truth"])


@pytest.mark.parametrize(
    "settings",
    [pytest.param({}, marks=pytest.mark.ci), {"active": True, "min_batch": 20}, {"averaging_below": 1}],
    ids=["averaged", "active", "mode"],
)
def test_few_answers_teach_the_truth_and_wrong_ones_teach_nothing(settings):
    descriptor = learner(**settings)
    params = taught(descriptor)
    assert score(descriptor, params) > 0.8
    assert params.answers.count == 2 * ROUND and params.lapse_rates[0] < 0.15
    if not settings:
        control = learner(ShuffledAnswers(Oracle("truth")))
        assert score(control, taught(control)) < 0.5


def test_slips_are_learned_and_weaken_what_is_learned_less_than_it_might():
    descriptor = learner(Flips(Oracle("truth"), 0.2))
    params = taught(descriptor)
    assert params.lapse_rates[0] > 0.1 and score(descriptor, params) > 0.65


def test_each_rater_has_a_reliability_of_their_own():
    pool = RaterPool((Oracle("truth"), Flips(Oracle("truth"), 0.5)))
    params = taught(learner(pool))
    assert params.lapse_rates[1] > 2 * params.lapse_rates[0]


@pytest.mark.parametrize("judge", [Always(1), Always(CANT_TELL), Oracle("truth", unsure=0.2)], ids=["a", "never", "unsure"])
def test_one_sided_and_undecided_judges_leave_a_usable_map(judge):
    descriptor = learner(judge)
    params = taught(descriptor)
    measures = np.asarray(descriptor(params, rows(seed=1).features))
    assert np.isfinite(measures).all() and (np.ptp(measures, axis=0) > 1).all()
    if isinstance(judge, Oracle):
        assert score(descriptor, params) > 0.8


def test_bounds_leave_room_while_questions_are_to_come_and_params_keep_their_shapes():
    descriptor = learner(padding=(0.0, 0.5))
    first = descriptor.init(keys.new(0), rows(), fresh)
    last = descriptor.fit(keys.new(1), first, rows(), fresh)
    later = descriptor.fit(keys.new(2), last, rows(), fresh)
    for params, reach in ((first, 1 / 1.5), (last, 1), (later, 1)):
        measures = np.asarray(descriptor(params, rows().features))
        np.testing.assert_allclose(measures.min(0), -reach, atol=1e-5)
        np.testing.assert_allclose(measures.max(0), reach, atol=1e-5)
    for padding in ((), (0.1, -0.1)):
        with pytest.raises(UserError, match=r"type padding=\[0.05,0.3,1.0,2.0\]"):
            learner(padding=padding)
    params = [first]
    for fit in range(3):
        params.append(descriptor.fit(keys.new(fit), params[-1], rows(seed=fit), fresh))
    shapes = [jax.tree.map(lambda x: (np.shape(x), np.asarray(x).dtype), p) for p in params]
    assert all(shape == shapes[0] for shape in shapes)
    assert [int(p.answers.count) for p in params] == [ROUND, 2 * ROUND, 2 * ROUND, 2 * ROUND]


def test_the_same_key_learns_the_same_and_params_are_stored():
    descriptor, other = learner(), learner(Flips(Oracle("truth"), 0.1))
    one, two = (descriptor.init(keys.new(4), rows(), fresh) for _ in range(2))
    jax.tree.map(np.testing.assert_array_equal, one, pickle.loads(pickle.dumps(two)))
    assert isinstance(one, TripletParams) and descriptor == other and hash(descriptor) == hash(other)  # they share programs


def test_doubt_is_less_after_more_answers_and_more_far_away():
    descriptor = learner()
    first = descriptor.init(keys.new(0), rows(), fresh)
    second = descriptor.fit(keys.new(1), first, rows(), fresh)
    near = {name: column[:50] for name, column in rows(seed=3).features.items()}
    far = {name: 5 * column for name, column in near.items()}
    before, after, beyond = (
        np.asarray(descriptor.signals(p, f)["doubt"]) for p, f in ((first, near), (second, near), (second, far))
    )
    assert before.shape == (50,) and after.mean() < before.mean() and beyond.mean() > 3 * after.mean()


def test_what_the_judge_looks_at_may_vary_much_or_little():
    def lopsided(n: int, seed: int, kept: int) -> Rows:
        plain = rows(n, seed)
        seen = (plain.features["seen"] * np.array([4, 4, 1, 1, 1, 1])).astype(np.float32)
        return plain._replace(features={"seen": seen, "truth": seen[:, kept : kept + 2]})

    def accuracy(covariance_power: float, directions: int) -> float:
        descriptor = learner(covariance_power=covariance_power)
        params = descriptor.init(keys.new(0), lopsided(N, 0, directions), fresh)
        strangers = lopsided(400, 3, directions)
        return aligned_r2(np.asarray(descriptor(params, strangers.features)), strangers.features["truth"])

    assert accuracy(0.5, 0) > 0.9 and accuracy(0.5, 4) > 0.8
    assert accuracy(1.5, 0) > accuracy(0.0, 0) and accuracy(0.0, 4) > accuracy(1.5, 4)


def test_active_questions_tell_more_than_random_ones():
    given = comparisons.empty(2 * ROUND, F)
    given = comparisons.ask(KNOWS, given, rows(), comparisons.distinct(keys.new(0), ROUND, N), ("seen",))
    descriptor, x = learner(), rows().features["seen"]
    root = _root(x, descriptor.covariance_power)
    _, samples, _ = descriptor._explore(keys.new(1), given, root)
    x = (x @ root).astype(np.float32)
    chosen = acquisition.select_triplets(keys.new(2), 20, x, samples)
    random = comparisons.distinct(keys.new(3), 200, N)
    assert len({tuple(t) for t in chosen.tolist()}) == 20
    assert np.mean(acquisition._gain(x[chosen], samples)) > 2 * np.mean(acquisition._gain(x[random], samples))


def test_a_feature_that_never_varies_is_no_harm_and_features_that_all_do_not_are_named():
    still = rows()
    still.features["seen"][:, 2] = 4.0
    descriptor = learner()
    params = descriptor.init(keys.new(0), still, fresh)
    assert np.isfinite(descriptor(params, still.features)).all()
    still.features["seen"][:] = 1.0
    for each in (learner(), QDHFPaper(Oracle("truth"), ("seen",), (9,)), RandomProjection(("seen",))):
        with pytest.raises(ValueError, match="is the same in all 120 solutions"):
            each.init(keys.new(0), still, lambda key, n: rows(n))


def test_too_few_solutions_and_wrong_settings_are_named():
    with pytest.raises(ValueError, match="2 solutions are too few to learn from: 3 are needed; begin with more"):
        learner().init(keys.new(0), rows(2), fresh)
    for settings in ({"questions_per_fit": ()}, {"questions_per_fit": (0, 5)}, {"min_batch": 0}, {"raters": 0}):
        with pytest.raises(ValueError):
            Triplets(**({"judge": Oracle("truth"), "reads": ("seen",)} | settings))  # type: ignore[arg-type]


def test_the_published_recipe_asks_about_strangers_first_and_learns_from_many_answers():
    asked: list[np.ndarray] = []

    class Listening(Oracle):
        def __call__(self, x: Rows, a: Rows, b: Rows) -> np.ndarray:
            asked.append(x.ids)
            return super().__call__(x, a, b)

    descriptor = QDHFPaper(Listening("truth"), ("seen",), (200, 200))
    params = taught(descriptor)
    assert (asked[0] >= 70_000).all() and len(asked[0]) == 200  # fresh ones
    assert np.isin(asked[1], rows(seed=1).ids).all()
    assert score(descriptor, params) > 0.7 and 11 <= params.epochs <= 1000 and 0.6 < params.accuracy <= 1
    measures = np.asarray(descriptor(params, rows(seed=1).features))
    np.testing.assert_allclose([measures.min(), measures.max()], [-1, 1], atol=1e-5)
    again = descriptor.fit(keys.new(9), params, rows(seed=2), fresh)
    assert len(asked) == 2 and again.answers.count == 400


def test_a_random_projection_only_moves_its_bounds():
    descriptor = RandomProjection(("seen",))
    first = descriptor.init(keys.new(0), rows(), fresh)
    second = descriptor.fit(keys.new(1), first, rows(seed=1), fresh)
    np.testing.assert_array_equal(first.weights, second.weights)
    assert (first.box.half != second.box.half).all()
