"""Measures learned from answers to "is a or b more like x?", robust where answers are few or wrong.

A linear map of the features is fitted by its posterior (``feedback.preferences.posterior``): the lapse rate of each rater is
learned, the prior says that measures lie along directions in which elites vary, few answers are averaged over and with many
the mode is used. Compared with the published recipe (``feedback.descriptors.qdhf``, Ding et al. 2024) nothing is split off and
nothing stops early.

N answers, F feature length, M measures, S samples, R raters.
"""

from dataclasses import dataclass, field
from typing import Any, ClassVar, NamedTuple

import numpy as np

from feedback.descriptors.scaling import Box, around, check_varies, into_bounds, padding_at
from feedback.features import flat
from feedback.preferences import acquisition, comparisons, posterior
from feedback.preferences.comparisons import Answers
from feedback.preferences.posterior import Chains, Comparisons, Theta
from qd import keys
from qd.support.errors import UserError
from qd.types import Array, Features, Fresh, Rows

_SEGMENTS = 10  # of a full exploration: 135 steps to burn in, 315 to look around, in each of 8 chains
_REFRESH = 25  # steps to burn in between two sub-batches, before 20 more


class TripletParams(NamedTuple):
    """What a linear map has learned from comparisons."""

    answers: Answers
    fits: Array  # int32 []
    middle: Array  # [F] mean of the elites' features, about which the posterior uncertainty is measured
    weights: Array  # [F, M]
    box: Box
    samples: Array  # [S, F, M] other maps that the answers allow, rotated onto ``weights``
    lapse_rates: Array  # [R] share of each rater's answers that are slips, each way


@dataclass(frozen=True)
class Triplets:
    """Learns measures from comparisons: ``questions_per_fit[i]`` questions about elites at fit i.

    ``signals`` gives each solution's posterior uncertainty ("doubt"), in units of the bounds.

    The prior: features are multiplied by C^(g/2), C the covariance of the elites' features, before W ~ N(0, 1 / λ). With
    g = 1 measures lie along directions in which elites vary much, which a judge may not look at; with g = 0 anywhere, which
    few answers can't tell. Half way does well by both.
    """

    judge: Any = field(compare=False)  # used in fit only: learners that differ only in it share compiled programs
    reads: tuple[str, ...]
    questions_per_fit: tuple[int, ...] = (50, 50, 50, 50)
    measures: int = 2
    active: bool = True  # select questions by information gain, in sub-batches; False: random elites
    min_batch: int = 5  # questions in a sub-batch, at least
    max_batches: int = 10  # sub-batches of one fit, at most: where there is much to ask, batches are larger
    raters: int = 1
    averaging_below: int = 500  # below as many answers the map is averaged over its posterior, from there on it is the mode
    covariance_power: float = 0.5  # g; on the arm anything from 0.25 to 1 does, pictures want less than 1
    prior_few: float = 0.25  # λ for each feature, so that distances between elites are as large a priori with 6 features or 80
    prior_many: float = 0.15
    padding: tuple[float, ...] = (0.05, 0.3, 1.0, 2.0)  # room beyond the elites at the last fit with questions, before it, ...
    pure: bool = True
    learns: bool = True
    fewest: ClassVar[int] = 3  # solutions that a fit needs

    def __post_init__(self) -> None:
        if not self.questions_per_fit or min(self.questions_per_fit) < 0 or self.questions_per_fit[0] == 0:
            raise UserError(
                f"questions_per_fit={self.questions_per_fit} asks nothing at the first fit",
                "type numbers of questions, e.g. (50, 50, 50, 50)",
            )
        if min(self.min_batch, self.max_batches, self.raters) < 1:
            raise UserError(
                f"min_batch={self.min_batch}, max_batches={self.max_batches} and raters={self.raters} must be 1 or more"
            )

        if not self.padding or min(self.padding) < 0:
            raise UserError(
                f"padding={self.padding} must be a share of the half width for each fit, the last one first",
                "type padding=[0.05,0.3,1.0,2.0]",
            )

    @property
    def bounds(self) -> tuple[tuple[float, float], ...]:
        """M pairs (-1, 1)."""
        return ((-1.0, 1.0),) * self.measures

    def init(self, key: Array, rows: Rows, fresh: Fresh) -> TripletParams:
        """Asks the first questions about the initial population, and fits.

        Args:
            key: of questions and posterior.
            rows: generation 0, features [N, ...].
            fresh: unused.

        Returns:
            Answers, map, samples of the posterior and lapse rates.

        Raises:
            UserError: fewer than three rows, the rows do not vary, or the judge answers other than 1, -1 and 0.
        """
        buffer = comparisons.empty(sum(self.questions_per_fit), flat(rows.features, self.reads).shape[1])
        return self._ask_and_fit(key, buffer, 0, rows)

    def fit(self, key: Array, params: TripletParams, rows: Rows, fresh: Fresh) -> TripletParams:
        """Asks more questions, and refits to all answers; after the last of ``questions_per_fit`` it asks no more.

        Args:
            key: of questions and posterior.
            params: with the answers so far.
            rows: elites and whatever else is learned from, features [N, ...].
            fresh: unused.

        Returns:
            Answers, map, samples of the posterior and lapse rates.

        Raises:
            UserError: fewer than three rows, the rows do not vary, or the judge answers other than 1, -1 and 0.
        """
        return self._ask_and_fit(key, params.answers, int(params.fits), rows)

    def __call__(self, params: TripletParams, features: Features) -> Array:
        """Projects; arguments as in ``Descriptor``."""
        return into_bounds(flat(features, self.reads) @ params.weights, params.box)

    def agreement(self, params: TripletParams) -> tuple[int, int]:
        """Returns how many of the clear answers this map agrees with, and how many there are."""
        return comparisons.agreement(self, params)

    def signals(self, params: TripletParams, features: Features) -> Features:
        """Computes the posterior uncertainty: how far the maps that the answers allow put a solution apart (root mean square).

        Arguments as in ``Autoencoder``.

        Returns:
            "doubt" [B], in half widths of the bounds.
        """
        x = flat(features, self.reads) - params.middle
        apart = x @ (params.samples - params.weights)  # [S, B, M]
        return {"doubt": ((apart / params.box.half) ** 2).sum(2).mean(0) ** 0.5}

    def _ask_and_fit(self, key: Array, buffer: Answers, fits: int, rows: Rows) -> TripletParams:
        x = np.asarray(flat(rows.features, self.reads), np.float32)
        check_varies(x, self.reads, self.fewest)
        ask_key, fit_key = keys.split(key)
        n = self.questions_per_fit[fits] if fits < len(self.questions_per_fit) else 0
        if n and self.active and int(buffer.count) + n <= self.averaging_below:
            buffer = self._ask_actively(ask_key, buffer, rows, x, n)
        elif n:
            triplets = comparisons.distinct(ask_key, n, len(x))
            buffer = comparisons.ask(self.judge, buffer, rows, triplets, self.reads, self.raters)
        samples, weights, root = self._fit_map(fit_key, buffer, x)
        weights = weights.astype(np.float32)
        maps = _align(root @ np.asarray(samples.weights, np.float64), weights, np.cov(x.T.astype(np.float64)))
        lapse_rates = np.asarray(0.5 / (1 + np.exp(-samples.lapse_logit)), np.float32).mean(0)
        box = around(x @ weights, padding_at(self.padding, len(self.questions_per_fit) - 1 - fits))
        return TripletParams(buffer, np.int32(fits + 1), x.mean(0), weights, box, maps.astype(np.float32), lapse_rates)

    def _ask_actively(self, key: Array, buffer: Answers, rows: Rows, x: np.ndarray, n: int) -> Answers:
        key, start_key = keys.split(key)
        root = _root(x, self.covariance_power)
        chains, samples, _ = self._explore(start_key, buffer, root)
        points = x @ root.astype(np.float32)
        batch = max(self.min_batch, -(-n // self.max_batches))
        for start in range(0, n, batch):
            key, choose_key, chain_key = keys.split(key, 3)
            size = min(batch, n - start)
            triplets = acquisition.select_triplets(choose_key, size, points, samples)
            buffer = comparisons.ask(self.judge, buffer, rows, triplets, self.reads, self.raters)
            if start + size < n:
                answers, prior = self._comparisons(buffer, root), self.prior_few * len(root)
                chains, samples, _ = posterior.hmc_segment(chain_key, chains, answers, prior, _REFRESH)
        return buffer

    def _fit_map(self, key: Array, buffer: Answers, x: np.ndarray) -> tuple[Theta, np.ndarray, np.ndarray]:
        """Returns S samples in the coordinates of the prior, the map of raw features [F, M], and those coordinates."""
        key, sample_key = keys.split(key)
        root = _root(x, self.covariance_power)
        if int(buffer.count) < self.averaging_below:
            _, samples, gram = self._explore(key, buffer, root)
            values, axes = np.linalg.eigh(np.asarray(gram, np.float64))
            best = np.argsort(values)[::-1][: self.measures]
            return samples, root @ (axes[:, best] * np.sqrt(values[best])), root
        comparisons = self._comparisons(buffer, root)
        prior = self.prior_many * len(root)
        modes, densities = posterior.find_modes(key, comparisons, prior, self.measures, self.raters)
        mode = Theta(*(np.asarray(column)[int(np.nanargmax(densities))] for column in modes))
        return posterior.curvature(sample_key, mode, comparisons, prior), root @ mode.weights, root

    def _explore(self, key: Array, buffer: Answers, root: np.ndarray) -> tuple[Chains, Theta, Array]:
        mode_key, chain_key = keys.split(key)
        comparisons, prior = self._comparisons(buffer, root), self.prior_few * len(root)
        modes, _ = posterior.find_modes(mode_key, comparisons, prior, self.measures, self.raters)
        return posterior.explore(keys.split(chain_key, _SEGMENTS), modes, comparisons, prior)

    def _comparisons(self, buffer: Answers, root: np.ndarray) -> Comparisons:
        """Answers in the coordinates of the prior, cut to ``averaging_below`` rows where that is enough."""
        size = min(self.averaging_below, len(buffer.answer)) if int(buffer.count) < self.averaging_below else len(buffer.answer)
        features = buffer.features[:size] @ root.astype(np.float32)
        valid = np.arange(size) < int(buffer.count)
        return Comparisons(
            features[:, 0] - features[:, 1], features[:, 0] - features[:, 2], buffer.answer[:size], buffer.rater[:size], valid
        )


def _root(x: np.ndarray, covariance_power: float) -> np.ndarray:
    """Returns C^(g/2) [F, F] of rows [N, F]: eigenvalues of C plus a thousandth of their mean, to the g, scaled to mean 1."""
    x = x.astype(np.float64)
    values, axes = np.linalg.eigh(np.atleast_2d(np.cov(x.T)))
    mean = values.mean()
    values = (np.maximum(values, 0) / mean + 1e-3) ** covariance_power
    return axes * np.sqrt(values / values.mean()) @ axes.T * np.sqrt(0.5 / mean)


def _align(samples: np.ndarray, weights: np.ndarray, covariance: np.ndarray) -> np.ndarray:
    """Rotates each sample [S, F, M] to lie on ``weights`` as well as it can, for rows of this covariance (Procrustes)."""
    u, _, vt = np.linalg.svd(samples.transpose(0, 2, 1) @ covariance @ weights)
    return samples @ (u @ vt)
