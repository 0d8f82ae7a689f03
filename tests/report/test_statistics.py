"""Intervals cover as stated, findings are as rare as stated, and both by numbers that textbooks and simulations give."""

import numpy as np
import pytest
from scipy import stats

from qd.report import statistics

STUDIES = 1_000
TRUE = 1.5  # what is planted


def samples(seed: int, n: int, draw) -> tuple[np.ndarray, np.ndarray]:
    """Runs of two methods in STUDIES studies, [STUDIES, n] each; the difference of the means is TRUE."""
    rng = np.random.default_rng(seed)
    shared = draw(rng, (STUDIES, n))  # what both methods have in common at one seed
    return draw(rng, (STUDIES, n)) + shared + TRUE, draw(rng, (STUDIES, n)) + shared


def normal(rng, shape):
    return rng.normal(size=shape)


def skewed(rng, shape):
    return rng.exponential(size=shape)


@pytest.mark.parametrize("n", [3, 5, 10, 20])
@pytest.mark.parametrize("paired", [True, False])
def test_intervals_of_differences_cover_in_95_of_100_studies(n, paired):
    a, b = samples(n, n, normal)
    if not paired:
        b = samples(100 + n, n, normal)[1]
    result = statistics.difference(a, b, paired)
    coverage = 100 * ((result.low <= TRUE) & (result.high >= TRUE)).mean()
    assert 93 <= coverage <= 97


@pytest.mark.parametrize("n", [3, 5, 10, 20])
def test_intervals_of_differences_of_skewed_figures_cover_no_less(n):
    a, b = samples(n, n, skewed)
    result = statistics.difference(a, b, paired=True)
    assert 93 <= 100 * ((result.low <= TRUE) & (result.high >= TRUE)).mean() <= 98.5


@pytest.mark.parametrize("n", [5, 10])
def test_where_there_is_no_difference_a_study_of_nine_comparisons_finds_one_in_at_most_5_of_100(n):
    rng = np.random.default_rng(n)
    methods = rng.normal(size=(3, STUDIES, 3, n)) + rng.normal(size=(STUDIES, 3, n))  # method, study, metric, seed
    p = np.concatenate(
        [statistics.difference(methods[i], methods[j], paired=True).p for i, j in ((0, 1), (0, 2), (1, 2))], axis=-1
    )
    findings = (statistics.holm(p) < statistics.ALPHA).any(-1).mean()
    assert findings <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / STUDIES)
    assert (p < statistics.ALPHA).any(-1).mean() > 0.2  # uncorrected, every fifth study would


def test_a_planted_difference_is_found():
    a, b = samples(0, 10, normal)
    assert (statistics.difference(a, b, paired=True).p < 0.05).mean() > 0.8


@pytest.mark.parametrize(("n", "m"), [(5, 5), (3, 8)])
def test_p_and_interval_are_those_of_scipy(n, m):
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(7, n)), rng.normal(1, 3, size=(7, m))
    ours, theirs = statistics.difference(a, b, paired=False), stats.ttest_ind(a, b, axis=-1, equal_var=False)
    interval = theirs.confidence_interval(0.95)
    np.testing.assert_allclose(ours.p, theirs.pvalue)
    np.testing.assert_allclose((ours.low, ours.high), (interval.low, interval.high))
    if n == m:
        ours, theirs = statistics.difference(a, b, paired=True), stats.ttest_rel(a, b, axis=-1)
        np.testing.assert_allclose(ours.p, theirs.pvalue)
        np.testing.assert_allclose(ours.high, theirs.confidence_interval(0.95).high)


def test_holm_of_a_textbook():
    np.testing.assert_allclose(statistics.holm([0.01, 0.04, 0.03, np.nan, 0.005]), [0.03, 0.06, 0.06, np.nan, 0.02])


def test_effect_sizes_by_hand():
    a, b = np.array([3.0, 4.0, 5.0]), np.array([1.0, 2.0, 3.0])
    assert statistics.hedges(a, b) == pytest.approx(2 * 0.8, rel=0.01)  # J = 1 - 3 / (4 * 4 - 1) = 0.8, approximately
    assert statistics.superiority(a, b) == pytest.approx((8 + 0.5) / 9)


def test_seeds_needed_are_those_of_tables_of_power():
    paired = statistics.seeds_needed([0.5, 1.0], paired=True)
    assert np.abs(paired - [34, 10]).max() <= 1  # Cohen (1988), one sample, 5 % two-sided, 80 %
    unpaired = statistics.seeds_needed(np.array([0.5, 0.8]) / np.sqrt(2), paired=False)
    assert np.abs(unpaired - [64, 26]).max() <= 1
    assert np.isnan(statistics.seeds_needed([0.0, 0.001, np.nan], paired=True)).all()


def test_one_seed_and_equal_seeds_have_no_interval():
    for a, b in (([1.0], [2.0]), ([2.0, 2.0], [1.0, 1.0]), ([0.1 + 0.2, 0.3], [0.1, 0.1])):
        result = statistics.difference(np.array(a), np.array(b), paired=True)
        assert np.isnan(result.low) and np.isnan(result.high) and np.isnan(result.p) and np.isfinite(result.value)
    assert np.isnan(statistics.mean(np.array([3.0])).low) and np.isnan(statistics.median(np.array([3.0])).low)
    assert np.isnan(statistics.median(np.full(7, 2.0))).tolist() == [False, True, True]


DRAWS = {  # name -> how values are drawn, their mean, their median
    "normal": (normal, 0.0, 0.0),
    "skewed": (skewed, 1.0, np.log(2)),
    "bimodal": (lambda rng, shape: rng.normal(size=shape) + 6 * (rng.random(shape) < 0.3), 1.8, 0.5637),  # 3 in 10 fail
}
SEEDS = (3, 4, 5, 6, 8, 10, 15, 20, 40)


def covered(interval, truth: float) -> float:
    """How often an interval holds the truth, in per cent."""
    return 100 * float(((interval.low <= truth) & (truth <= interval.high)).mean())


@pytest.mark.parametrize("n", SEEDS)
def test_the_interval_of_the_mean_covers_where_values_are_normal(n):
    assert 93 <= covered(statistics.mean(normal(np.random.default_rng(n), (10_000, n))), 0) <= 97


@pytest.mark.parametrize("n", SEEDS)
@pytest.mark.parametrize("name", DRAWS)
def test_the_interval_of_the_median_covers_whatever_the_distribution(name, n):
    draw, _, middle = DRAWS[name]
    assert 92.5 <= covered(statistics.median(draw(np.random.default_rng(n), (10_000, n))), middle) <= 97


def bootstrap(x: np.ndarray, rng, bias_corrected: bool, resamples: int = 400) -> statistics.Mean:
    """Bootstrap intervals of the means of studies [N, n]: percentile (Efron 1979) or BCa (Efron 1987)."""
    n = x.shape[1]
    resampled = np.sort(np.take_along_axis(x[:, None], rng.integers(0, n, (len(x), resamples, n)), -1).mean(-1), axis=1)
    middle, z = x.mean(1), np.broadcast_to(stats.norm.ppf([0.025, 0.975]), (len(x), 2))
    if bias_corrected:
        share = np.clip((resampled < middle[:, None]).mean(1), 1 / resamples, 1 - 1 / resamples)
        bias, apart = stats.norm.ppf(share)[:, None], x - middle[:, None]
        acceleration = ((apart**3).sum(1) / (6 * (apart**2).sum(1) ** 1.5))[:, None]
        z = bias + (bias + z) / (1 - acceleration * (bias + z))
    ends = np.take_along_axis(resampled, np.clip((stats.norm.cdf(z) * resamples).astype(int), 0, resamples - 1), 1)
    return statistics.Mean(middle, ends[:, 0], ends[:, 1])


@pytest.mark.parametrize("n", [3, 5, 10])
@pytest.mark.parametrize("name", DRAWS)
def test_bootstrap_intervals_of_a_mean_cover_no_more_than_students(name, n):
    """Of skewed and bimodal values none attains 93 % at 3 and 5 seeds: the tail is not among the values; medians are shown."""
    draw, middle, _ = DRAWS[name]
    rng = np.random.default_rng(n)
    x = draw(rng, (1_000, n))
    student = covered(statistics.mean(x), middle)
    for bias_corrected in (False, True):
        assert covered(bootstrap(x, rng, bias_corrected), middle) < student + 2.5
    assert (student >= 93) if name == "normal" else (student < 93 or n == 10)
