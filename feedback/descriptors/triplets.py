"""Measures learned from answers to "is a or b more like x?", robust where answers are few or wrong.

A linear map of the features is fitted by its posterior (``feedback.preferences.posterior``): slips of each rater are
learned, the prior says that measures lie along directions in which elites vary, few answers are averaged over and many
are climbed. Compared with the published recipe (``feedback.descriptors.qdhf``, Ding et al. 2024) nothing is split off and
nothing stops early.

N answers, F feature length, M measures, S samples, R raters.
"""

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from feedback.descriptors.scaling import Box, around, check_varies, into_bounds
from feedback.features import flat
from feedback.preferences import acquisition, posterior
from feedback.preferences import comparisons as answers
from feedback.preferences.comparisons import Answers
from feedback.preferences.posterior import Chains, Theta, Told
from qd import keys
from qd.support.errors import UserError
from qd.types import Array, Features, Fresh, Rows

_STRETCHES = 10  # of a full exploration: 135 steps to burn in, 315 to look around, in each of 8 chains
_REFRESH = 25  # steps to burn in between two sub-batches, before 20 more


class Learned(NamedTuple):
    answers: Answers
    fits: Array  # int32 []
    middle: Array  # [F] mean of the elites' features, about which the doubt is measured
    weights: Array  # [F, M]
    box: Box
    samples: Array  # [S, F, M] other maps that the answers allow, turned to lie on ``weights``
    slips: Array  # [R] share of each rater's answers that are flipped


@dataclass(frozen=True)
class Triplets:
    """Asks ``spend[i]`` questions about elites at fit i. ``signals`` gives each solution's "doubt", in units of the bounds.

    The prior: features are multiplied by C^(g/2), C the covariance of the elites' features, before W ~ N(0, 1 / λ). With
    g = 1 measures lie along directions in which elites vary much, which a judge may not look at; with g = 0 anywhere, which
    few answers can't tell. Half way does well by both.
    """

    judge: Any = field(compare=False)  # asked in fit only: learners that differ only in it share their programs
    reads: tuple[str, ...]
    spend: tuple[int, ...] = (50, 50, 50, 50)
    measures: int = 2
    active: bool = True  # ask what tells most, in sub-batches; False: ask about random elites
    together: int = 5  # questions in a sub-batch, at least
    sittings: int = 10  # sub-batches of one fit, at most: where there is much to ask, more is asked together
    raters: int = 1
    few: int = 500  # below as many answers the map is averaged over its posterior, from there on it is the mode
    lean: float = 0.5  # g; on the arm anything from 0.25 to 1 does, pictures want less than 1
    prior_few: float = 1.0  # λ
    prior_many: float = 3.0
    padding: float = 0.0  # room beyond minimum and maximum of the elites, a share of the half width
    pure: bool = True
    learns: bool = True

    def __post_init__(self) -> None:
        if not self.spend or min(self.spend) < 0 or self.spend[0] == 0:
            raise UserError(
                f"spend={self.spend} asks nothing at the first fit", "type numbers of questions, e.g. (50, 50, 50, 50)"
            )
        if min(self.together, self.sittings, self.raters) < 1:
            raise UserError(f"together={self.together}, sittings={self.sittings} and raters={self.raters} must be 1 or more")

    @property
    def bounds(self) -> tuple[tuple[float, float], ...]:
        return ((-1.0, 1.0),) * self.measures

    def init(self, key: Array, rows: Rows, fresh: Fresh) -> Learned:
        """Asks the first questions about the seeds, and fits. Raises ValueError where there are too few to ask about."""
        given = answers.none(sum(self.spend), flat(rows.features, self.reads).shape[1])
        return self._taught(key, given, 0, rows)

    def fit(self, key: Array, params: Learned, rows: Rows, fresh: Fresh) -> Learned:
        """Asks more questions, and fits anew to all answers; after the last of ``spend`` it asks no more."""
        return self._taught(key, params.answers, int(params.fits), rows)

    def __call__(self, params: Learned, features: Features) -> Array:
        return into_bounds(flat(features, self.reads) @ params.weights, params.box)

    def agreement(self, params: Learned) -> tuple[int, int]:
        """Returns how many of the clear answers this map agrees with, and how many there are."""
        return answers.agreement(self, params)

    def signals(self, params: Learned, features: Features) -> Features:
        """Returns "doubt" [B]: how far the maps that the answers allow put a solution apart (root mean square)."""
        x = flat(features, self.reads) - params.middle
        apart = x @ (params.samples - params.weights)  # [S, B, M]
        return {"doubt": ((apart / params.box.half) ** 2).sum(2).mean(0) ** 0.5}

    def _taught(self, key: Array, given: Answers, fits: int, rows: Rows) -> Learned:
        x = np.asarray(flat(rows.features, self.reads), np.float32)
        check_varies(x, self.reads, 3)
        ask_key, fit_key = keys.split(key)
        n = self.spend[fits] if fits < len(self.spend) else 0
        if n and self.active and int(given.count) + n <= self.few:
            given = self._ask_actively(ask_key, given, rows, x, n)
        elif n:
            triplets = answers.distinct(ask_key, n, len(x))
            given = answers.ask(self.judge, given, rows, triplets, self.reads, self.raters)
        samples, weights, root = self._fitted(fit_key, given, x)
        weights = weights.astype(np.float32)
        turned = _turned(root @ np.asarray(samples.weights, np.float64), weights, np.cov(x.T.astype(np.float64)))
        slips = np.asarray(0.5 / (1 + np.exp(-samples.slip)), np.float32).mean(0)
        box = around(x @ weights, self.padding)
        return Learned(given, np.int32(fits + 1), x.mean(0), weights, box, turned.astype(np.float32), slips)

    def _ask_actively(self, key: Array, given: Answers, rows: Rows, x: np.ndarray, n: int) -> Answers:
        key, start_key = keys.split(key)
        root = _root(x, self.lean)
        chains, samples, _ = self._explored(start_key, given, root)
        seen = x @ root.astype(np.float32)
        together = max(self.together, -(-n // self.sittings))
        for start in range(0, n, together):
            key, choose_key, walk_key = keys.split(key, 3)
            size = min(together, n - start)
            triplets = acquisition.telling(choose_key, size, seen, samples)
            given = answers.ask(self.judge, given, rows, triplets, self.reads, self.raters)
            if start + size < n:
                chains, samples, _ = posterior.walk(walk_key, chains, self._told(given, root), self.prior_few, _REFRESH)
        return given

    def _fitted(self, key: Array, given: Answers, x: np.ndarray) -> tuple[Theta, np.ndarray, np.ndarray]:
        """Returns S samples in the coordinates of the prior, the map of raw features [F, M], and those coordinates."""
        key, sample_key = keys.split(key)
        root = _root(x, self.lean)
        if int(given.count) < self.few:
            _, samples, gram = self._explored(key, given, root)
            values, axes = np.linalg.eigh(np.asarray(gram, np.float64))
            best = np.argsort(values)[::-1][: self.measures]
            return samples, root @ (axes[:, best] * np.sqrt(values[best])), root
        told = self._told(given, root)
        modes, densities = posterior.climb(key, told, self.prior_many, self.measures, self.raters)
        mode = Theta(*(np.asarray(column)[int(np.nanargmax(densities))] for column in modes))
        return posterior.curvature(sample_key, mode, told, self.prior_many), root @ mode.weights, root

    def _explored(self, key: Array, given: Answers, root: np.ndarray) -> tuple[Chains, Theta, Array]:
        climb_key, walk_key = keys.split(key)
        told = self._told(given, root)
        modes, _ = posterior.climb(climb_key, told, self.prior_few, self.measures, self.raters)
        return posterior.explore(keys.split(walk_key, _STRETCHES), modes, told, self.prior_few)

    def _told(self, given: Answers, root: np.ndarray) -> Told:
        """Answers in the coordinates of the prior, cut to ``few`` where that holds them: one program for each size."""
        size = min(self.few, len(given.said)) if int(given.count) < self.few else len(given.said)
        shown = given.shown[:size] @ root.astype(np.float32)
        there = np.arange(size) < int(given.count)
        return Told(shown[:, 0] - shown[:, 1], shown[:, 0] - shown[:, 2], given.said[:size], given.rater[:size], there)


def _root(x: np.ndarray, lean: float) -> np.ndarray:
    """Returns C^(g/2) [F, F] of rows [N, F]: eigenvalues of C plus a thousandth of their mean, to the g, scaled to mean 1."""
    x = x.astype(np.float64)
    values, axes = np.linalg.eigh(np.atleast_2d(np.cov(x.T)))
    mean = values.mean()
    values = (np.maximum(values, 0) / mean + 1e-3) ** lean
    return axes * np.sqrt(values / values.mean()) @ axes.T * np.sqrt(0.5 / mean)


def _turned(samples: np.ndarray, weights: np.ndarray, covariance: np.ndarray) -> np.ndarray:
    """Rotates each sample [S, F, M] to lie on ``weights`` as well as it can, for rows of this covariance (Procrustes)."""
    left, _, right = np.linalg.svd(samples.transpose(0, 2, 1) @ covariance @ weights)
    return samples @ (left @ right)
