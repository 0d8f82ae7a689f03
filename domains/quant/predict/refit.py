"""Additive tables refitted to true evaluations: Bayesian ridge regression of what a config's layers do to its quality.

The damage of a config is S = -ln(quality), quality in (0, 1]. Beforehand S = b + a sum_l (s[l, w_l] + s'[l, a_l]), with
the tables as measured and a scale a; then a layer, an option wherever it stands, and each entry alone may be off by a
factor of its own (the columns of the regression). Draws from the posterior explore (Thompson 1933).

L layers, W weight options, A activation options, n evaluations, F columns.
"""

from typing import Any, NamedTuple

import numpy as np

from qd.support.errors import UserError
from qd.types import Array

_WORST = 0.03  # a quality at or below this says only that the damage is at least so much
_ROUNDS = 3  # of filling in damages that are known only to be large


class DamageTables(NamedTuple):
    """Damage by layer and option, and of nothing quantized."""

    weights: np.ndarray  # [L, W]
    activations: np.ndarray  # [L, A]
    offset: float

    def damage(self, genomes: Array) -> np.ndarray:
        """Predicts S of genomes [n, 2L]."""
        w, a = np.split(np.asarray(genomes, int), 2, axis=-1)
        rows = np.arange(len(self.weights))
        return self.offset + self.weights[rows, w].sum(-1) + self.activations[rows, a].sum(-1)


class Posterior(NamedTuple):
    """A Gaussian over tables."""

    prior: DamageTables  # as measured, scaled
    mean: np.ndarray  # [F]
    root: np.ndarray  # [F, F] upper triangular: the inverse covariance is root' root

    def expected(self) -> DamageTables:
        return _tables(self.prior, self.mean)

    def draw(self, normal: Array) -> DamageTables:
        """Tables of one draw; ``normal`` [F] are standard normal."""
        from scipy.linalg import solve_triangular

        return _tables(self.prior, self.mean + solve_triangular(self.root, np.asarray(normal, float)))


def columns(sensitivity: Any) -> int:
    """Returns F."""
    (layers, w), a = np.shape(sensitivity.weights), np.shape(sensitivity.activations)[1]
    return 1 + 2 * layers + (w + a) + layers * (w + a)


def damage(quality: Array) -> np.ndarray:
    """S of qualities in 0..1."""
    return -np.log(np.clip(np.asarray(quality, float), _WORST, 1))


def refit(sensitivity: Any, genomes: Array, quality: Array, noise: float = 0.03, doubt: float = 0.5) -> Posterior:
    """Returns the posterior of tables after n evaluations.

    Args:
        sensitivity: the tables as measured, weights [L, W] and activations [L, A].
        genomes: configs [n, 2L].
        quality: of each, [n], in 0..1.
        noise: standard deviation of the best qualities that additive tables leave unexplained; in S it grows as 1 / quality.
        doubt: by how much of itself a layer's or option's entry may be wrong beforehand.

    Raises:
        ValueError: a shape does not fit, or there are no evaluations.
    """
    genomes, quality = np.asarray(genomes, int), np.clip(np.asarray(quality, float), _WORST, 1)
    weights, activations = (np.asarray(t, float) for t in (sensitivity.weights, sensitivity.activations))
    if genomes.ndim != 2 or genomes.shape[1] != 2 * len(weights) or len(genomes) != len(quality) or len(genomes) == 0:
        raise UserError(
            f"genomes {list(genomes.shape)} with {list(quality.shape)} qualities do not fit tables of {len(weights)} layers; "
            f"give [n, {2 * len(weights)}] and [n], n of 1 or more"
        )
    raw = DamageTables(weights, activations, 0.0).damage(genomes)
    least, deviation = damage(quality), noise / quality
    is_censored = quality <= _WORST
    damages, used = least, ~is_censored if (~is_censored).sum() > 2 else np.ones(len(least), bool)
    for _ in range(_ROUNDS if is_censored.any() else 1):
        offset, scale = _line(raw[used], damages[used], deviation[used])
        prior = DamageTables(scale * weights, scale * activations, offset)
        posterior = _ridge(prior, genomes[used], damages[used], deviation[used], doubt)
        used = np.ones(len(least), bool)
        damages = np.where(is_censored, np.maximum(least, posterior.expected().damage(genomes)), least)  # Tobin 1958, filled in
    return posterior


def _ridge(prior: DamageTables, genomes: np.ndarray, damages: np.ndarray, deviation: np.ndarray, doubt: float) -> Posterior:
    design = _design(prior, genomes) / deviation[:, None]
    precision = design.T @ design + np.diag(1 / _spread(prior, doubt) ** 2)
    right = design.T @ ((damages - prior.damage(genomes)) / deviation)
    return Posterior(prior, np.linalg.solve(precision, right), np.linalg.cholesky(precision).T)


def _line(prediction: np.ndarray, damages: np.ndarray, deviation: np.ndarray) -> tuple[float, float]:
    """Weighted least squares of S = b + a x, a > 0; one evaluation alone settles only b."""
    weight = deviation**-2 / np.sum(deviation**-2)
    x, y = prediction - weight @ prediction, damages - weight @ damages
    spread = weight @ x**2
    start = max(float(np.mean(damages)), 0.1) / max(float(np.mean(prediction)), 1e-12)  # a, where no line can be laid
    scale = float(weight @ (x * y) / spread) if spread > 1e-12 else start
    scale = scale if scale > 0 else start
    return float(weight @ damages - scale * (weight @ prediction)), scale


def _design(prior: DamageTables, genomes: np.ndarray) -> np.ndarray:
    """Returns [n, F]: 1; what each layer does; what each option does over all layers; each entry."""
    n, layers = len(genomes), len(prior.weights)
    parts = [np.ones((n, 1))]
    entries = []
    for table, options in zip(prior[:2], np.split(genomes, 2, axis=1), strict=True):
        hot = np.zeros((n, *table.shape))
        hot[np.arange(n)[:, None], np.arange(layers), options] = 1
        entries.append(hot.reshape(n, -1))
        damage_of = hot * table
        parts += [damage_of.sum(axis=2), damage_of.sum(axis=1)]
    return np.concatenate([*parts, *entries], axis=1)


def _spread(prior: DamageTables, doubt: float) -> np.ndarray:
    """Returns the columns' standard deviations beforehand."""
    parts, entries = [np.array([1.0])], []
    for table in prior[:2]:
        typical = max(float(np.median(np.abs(table))), 1e-6)
        parts.append(np.full(sum(table.shape), doubt))
        entries.append((doubt * np.abs(table) + 0.1 * typical).ravel())  # an entry of 0 may be wrong too
    return np.concatenate([*parts, *entries])


def _tables(prior: DamageTables, theta: np.ndarray) -> DamageTables:
    layers = len(prior.weights)
    tables, at, last = [], 1, len(theta)
    ends = [prior.weights.size + prior.activations.size, prior.activations.size]
    for table, end in zip(prior[:2], ends, strict=True):
        by_layer, by_option = theta[at : at + layers], theta[at + layers : at + sum(table.shape)]
        at += sum(table.shape)
        entry = theta[last - end : last - end + table.size].reshape(table.shape)
        tables.append(table * (1 + by_layer[:, None] + by_option) + entry)
    return DamageTables(tables[0], tables[1], prior.offset + float(theta[0]))
