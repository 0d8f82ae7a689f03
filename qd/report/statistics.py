"""Means and medians over seeds and differences between methods, with intervals that cover at few seeds; all vectorised.

    a = np.array([61.2, 60.8, 61.9, 61.1, 60.4])        # one number of one method, one value a seed
    mean(a), median(a)                                  # with their 95 % intervals
    difference(a, b, paired=True)                       # a - b: interval, p, effect size
    holm([0.01, 0.04, 0.03])                            # p-values corrected for the number of comparisons

Axis -1 holds n seeds of one method and m of the other; all axes before it are separate data sets. Intervals of means are
Student's (1908) and Welch's (1947), those of medians lie between two order statistics (Hettmansperger and Sheather 1986).
How often each covers, beside bootstrap intervals (percentile, BCa), is measured in tests/report/test_statistics.py.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy import stats
from scipy.special import gamma, ndtr

from qd.types import Array

LEVEL = 0.95  # of all intervals
ALPHA, POWER = 0.05, 0.8  # a finding's probability where there is none, and where the difference is as observed
MOST_SEEDS = 10_000  # more than that are not proposed
FEW = 5  # below so many seeds the values themselves are shown beside an interval
_NO_SPREAD = 1e-12  # a standard error below this share of the values is that of rounding


class Mean(NamedTuple):
    value: Array  # [...]
    low: Array  # [...] NaN where no interval can be given: below two seeds, or all equal
    high: Array  # [...]


class Difference(NamedTuple):
    """Method a minus method b."""

    value: Array  # [...] of the means
    low: Array  # [...] NaN where no interval can be given
    high: Array  # [...]
    p: Array  # [...] two-sided, of the t-test that belongs to the interval; NaN where there is no interval
    effect: Array  # [...] Hedges' g: the difference in standard deviations of one method's runs
    superiority: Array  # [...] share of pairs of runs (one of a, one of b) in which a is higher; ties count half
    seeds: Array  # [...] how many of each method find this difference with 80 % probability; NaN where none do


def mean(values: Array) -> Mean:
    """Returns the mean over seeds and Student's 95 % interval.

    Args:
        values: [..., n], one number for each seed.
    """
    values = np.asarray(values, np.float64)
    n = values.shape[-1]
    middle = values.mean(-1)
    error = _standard_error(values)
    half = stats.t.ppf((1 + LEVEL) / 2, n - 1) * error if n > 1 else np.full_like(middle, np.nan)
    return Mean(middle, middle - half, middle + half)


def median(values: Array) -> Mean:
    """Returns the median over seeds and its 95 % interval, which holds for any distribution from five seeds on.

    From five values on the interval lies between two order statistics, interpolated to 95 % (Hettmansperger and Sheather 1986);
    of five values it is the smallest and the largest, which hold the median in 93.75 % of all studies. No two of fewer values
    do so (3: 75 %, 4: 87.5 %): there the interval is Student's, of the mean, which always holds the median of the sample.

    Args:
        values: [..., n], one number for each seed.
    """
    values = np.sort(np.asarray(values, np.float64), axis=-1)
    n = values.shape[-1]
    middle = np.median(values, axis=-1)
    if n < FEW:
        return mean(values)._replace(value=middle)
    spread = np.isfinite(_standard_error(values))
    rank, share = _ranks(n)
    low = (1 - share) * values[..., rank - 1] + share * values[..., rank]
    high = (1 - share) * values[..., n - rank] + share * values[..., n - rank - 1]
    return Mean(middle, np.where(spread, low, np.nan), np.where(spread, high, np.nan))


def _ranks(n: int) -> tuple[int, float]:
    """Returns rank d and a share: ends of the interval lie that share of the way from the d-th value of each side inwards."""
    coverage = lambda d: float(1 - 2 * stats.binom.cdf(d - 1, n, 0.5))  # of the d-th smallest to the d-th largest
    rank = max(1, int(stats.binom.ppf((1 - LEVEL) / 2, n, 0.5)))
    if coverage(rank) <= LEVEL:
        return rank, 0.0
    part = (coverage(rank) - LEVEL) / (coverage(rank) - coverage(rank + 1))
    return rank, float((n - rank) * part / (rank + (n - 2 * rank) * part))


def difference(a: Array, b: Array, paired: bool, alpha: float = ALPHA, level: float = LEVEL) -> Difference:
    """Compares two methods: Student's interval of paired differences, or Welch's of independent runs.

    Args:
        a: [..., n] of one method, one number for each seed.
        b: [..., m] of the other.
        paired: the values at one place belong to one seed; then n = m.
        alpha: of the test that ``seeds`` is for; smaller where many comparisons are corrected for.
        level: of the interval.

    Returns:
        a minus b; arrays of the shape [...].
    """
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    assert not paired or a.shape == b.shape
    value = a.mean(-1) - b.mean(-1)
    if paired:
        error, freedom = _standard_error(a - b), np.full(value.shape, a.shape[-1] - 1.0)
        error = _without_rounding(error, np.abs(a).max(-1) + np.abs(b).max(-1))
        spread = error * np.sqrt(a.shape[-1])  # of one difference
    else:
        error, freedom = _welch(a, b)
        spread = np.sqrt(_variance(a) + _variance(b))
    with np.errstate(divide="ignore", invalid="ignore"):
        half = stats.t.ppf((1 + level) / 2, freedom) * error
        p = 2 * stats.t.sf(np.abs(value) / error, freedom)
        seeds = seeds_needed(value / spread, paired, alpha)
    return Difference(value, value - half, value + half, p, hedges(a, b), superiority(a, b), seeds)


def hedges(a: Array, b: Array) -> Array:
    """Returns Hedges' g (1981): the difference of the means in pooled standard deviations, corrected for few seeds.

    Args:
        a: [..., n]
        b: [..., m]

    Returns:
        [...]; NaN where neither varies over seeds or one has a single seed.
    """
    freedom = a.shape[-1] + b.shape[-1] - 2
    if min(a.shape[-1], b.shape[-1]) < 2:
        return np.full(a.shape[:-1], np.nan)
    pooled = np.sqrt(((a.shape[-1] - 1) * _variance(a) + (b.shape[-1] - 1) * _variance(b)) / freedom)
    pooled = _without_rounding(pooled, np.abs(a).max(-1) + np.abs(b).max(-1))
    correction = gamma(freedom / 2) / (np.sqrt(freedom / 2) * gamma((freedom - 1) / 2)) if freedom < 300 else 1.0  # eq. 6e
    return correction * (a.mean(-1) - b.mean(-1)) / pooled


def superiority(a: Array, b: Array) -> Array:
    """Returns the share of pairs in which a is higher (Vargha and Delaney's A, 2000); ties count half.

    Arguments as in ``hedges``.
    """
    x, y = a[..., :, None], b[..., None, :]
    return ((x > y) + 0.5 * (x == y)).mean((-2, -1))


def holm(p: Sequence[float] | Array) -> np.ndarray:
    """Corrects p-values for their number (Holm 1979): below 0.05 at most once in 20 studies without any difference.

    Args:
        p: [..., k] of all k comparisons of one study; NaN, where there was no test, is not counted.

    Returns:
        [..., k], each at least as large as before and at most 1.
    """
    p = np.asarray(p, np.float64)
    order = np.argsort(p, axis=-1)  # NaN last
    tests = np.isfinite(p).sum(-1, keepdims=True)
    factors = np.maximum(tests - np.arange(p.shape[-1]), 1)
    stepped = np.maximum.accumulate(np.take_along_axis(p, order, -1) * factors, axis=-1)
    corrected = np.empty_like(p)
    np.put_along_axis(corrected, order, np.minimum(stepped, 1.0), -1)
    return corrected


def seeds_needed(size: Array, paired: bool, alpha: float = ALPHA) -> np.ndarray:
    """Returns how many seeds of each method find a difference with 80 % probability.

    Args:
        size: [...] the difference in standard deviations: of the paired differences; or, unpaired, divided by the root of the
            sum of both variances.
        paired: as in ``difference``.
        alpha: of the two-sided test.

    Returns:
        [...] the smallest number from 2 on; NaN where more than 10,000 would be needed, or ``size`` is not finite.
    """
    size = np.abs(np.asarray(size, np.float64))
    low, high = np.full(size.shape, 1), np.full(size.shape, MOST_SEEDS)
    while (high - low > 1).any():  # power grows with n: bisection, for all at once
        middle = (low + high) // 2
        enough = _power(size, middle, paired, alpha) >= POWER
        low, high = np.where(enough, low, middle), np.where(enough, middle, high)
    return np.where(np.isfinite(size) & (_power(size, high, paired, alpha) >= POWER), high, np.nan)


def _power(size: np.ndarray, n: np.ndarray, paired: bool, alpha: float) -> np.ndarray:
    """Returns the probability that the two-sided test of n seeds finds the difference, by Johnson and Welch's (1940) normal
    approximation of the noncentral t distribution."""
    freedom = (n - 1.0) if paired else 2 * (n - 1.0)
    freedom = np.maximum(freedom, 1.0)
    bound = stats.t.ppf(1 - alpha / 2, freedom)
    shift = size * np.sqrt(n)
    power = 1 - ndtr((bound * (1 - 1 / (4 * freedom)) - shift) / np.sqrt(1 + bound**2 / (2 * freedom)))
    return np.where(n < 2, 0.0, np.nan_to_num(power))


def _welch(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns the standard error of the difference and its degrees of freedom (Welch 1947)."""
    if min(a.shape[-1], b.shape[-1]) < 2:
        nothing = np.full(np.broadcast_shapes(a.shape[:-1], b.shape[:-1]), np.nan)
        return nothing, nothing
    part_a, part_b = _variance(a) / a.shape[-1], _variance(b) / b.shape[-1]
    error = _without_rounding(np.sqrt(part_a + part_b), np.abs(a).max(-1) + np.abs(b).max(-1))
    with np.errstate(divide="ignore", invalid="ignore"):
        freedom = (part_a + part_b) ** 2 / (part_a**2 / (a.shape[-1] - 1) + part_b**2 / (b.shape[-1] - 1))
    return error, freedom


def _standard_error(values: np.ndarray) -> np.ndarray:
    error = np.sqrt(_variance(values) / values.shape[-1])
    return _without_rounding(error, np.abs(values).max(-1))


def _variance(values: np.ndarray) -> np.ndarray:
    return values.var(-1, ddof=1) if values.shape[-1] > 1 else np.full(values.shape[:-1], np.nan)


def _without_rounding(error: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """NaN where all seeds are equal but for rounding: what does not vary has no interval."""
    return np.where(error > _NO_SPREAD * scale, error, np.nan)
