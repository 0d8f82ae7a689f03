"""Simulated answers to "is a or b more similar to x?": an oracle with the ground truth, noisy judges, a pool of raters.

A judge is a function ``judge(x, a, b) -> [T]`` of three Rows of T solutions each. Its answers are A (1), B (-1) or
CANT_TELL (0), int8. A judge of several raters also has ``raters(x, a, b) -> [T]``, the rater of each answer, numbered from 0.
The judges of this module have no state: the same triplet always gets the same answer, noise included, so a resumed run
gets the same answers as an uninterrupted one.

T triplets.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from qd import abilities
from qd.support.errors import UserError
from qd.types import Array, Rows

A, B, CANT_TELL = 1, -1, 0


class Judge(Protocol):
    """Answers T triplets. See also qd.abilities.JudgeAbilities."""

    def __call__(self, x: Rows, a: Rows, b: Rows) -> np.ndarray:
        """Returns A where a is more similar to x, B where b is, else CANT_TELL: int8 [T]."""
        ...


@dataclass(frozen=True)
class Oracle:
    """Answers by ground truth: the smaller Euclidean distance in a feature that the search reads or keeps.

    It answers CANT_TELL where the two distances differ by less than ``unsure`` times their sum; with 0 it always decides.
    """

    feature: str
    unsure: float = 0.0

    @property
    def keep(self) -> tuple[str, ...]:
        return (self.feature,)

    def __call__(self, x: Rows, a: Rows, b: Rows) -> np.ndarray:
        """Answers T triplets, int8 [T]. Raises UserError where the rows lack the feature."""
        to_a, to_b = distances(x, a, b, self.feature)
        answer = np.where(to_a < to_b, A, B)
        return np.where(np.abs(to_a - to_b) < self.unsure * (to_a + to_b), CANT_TELL, answer).astype(np.int8)


@dataclass(frozen=True)
class Flips:
    """Another judge with a share of its answers flipped."""

    judge: Judge
    rate: float
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.rate <= 1:
            raise UserError(f"rate={self.rate} is no share of the answers", "type a number between 0 and 1")

    @property
    def keep(self) -> tuple[str, ...]:
        return abilities.of_judge(self.judge).keep

    def __call__(self, x: Rows, a: Rows, b: Rows) -> np.ndarray:
        flips = chance(self.seed, x, a, b) < self.rate  # [T]
        return np.where(flips, -self.judge(x, a, b), self.judge(x, a, b)).astype(np.int8)


@dataclass(frozen=True)
class CloseCalls:
    """Another judge that errs on close comparisons, with probability ½ exp(-|d_a - d_b| / width).

    d are distances in ``feature``, and width is in the units of that feature.
    """

    judge: Judge
    feature: str
    width: float
    seed: int = 0

    def __post_init__(self) -> None:
        if self.width <= 0:
            raise UserError(f"width={self.width} is no distance", "type a number above 0")

    @property
    def keep(self) -> tuple[str, ...]:
        return (self.feature, *abilities.of_judge(self.judge).keep)

    def __call__(self, x: Rows, a: Rows, b: Rows) -> np.ndarray:
        to_a, to_b = distances(x, a, b, self.feature)
        flips = chance(self.seed, x, a, b) < 0.5 * np.exp(-np.abs(to_a - to_b) / self.width)
        answer = self.judge(x, a, b)
        return np.where(flips, -answer, answer).astype(np.int8)


@dataclass(frozen=True)
class RaterPool:
    """Several raters; each triplet goes to one of them, all with the same probability."""

    judges: tuple[Judge, ...]
    seed: int = 0

    def __post_init__(self) -> None:
        if not self.judges:
            raise UserError("a pool needs a judge or more", "type judges=(Oracle('feature'),) or more")

    @property
    def keep(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(name for judge in self.judges for name in abilities.of_judge(judge).keep))

    def raters(self, x: Rows, a: Rows, b: Rows) -> np.ndarray:
        """Draws the rater of each triplet; arguments as in ``People``.

        Returns:
            Numbers of judges, from 0, int32 [T].
        """
        return (chance(self.seed ^ 0x5EED, x, a, b) * len(self.judges)).astype(np.int32)

    def __call__(self, x: Rows, a: Rows, b: Rows) -> np.ndarray:
        raters, answer = self.raters(x, a, b), np.zeros(len(x.ids), np.int8)
        for rater, judge in enumerate(self.judges):
            mine = np.flatnonzero(raters == rater)
            if len(mine):
                answer[mine] = judge(pick(x, mine), pick(a, mine), pick(b, mine))
        return answer


@dataclass(frozen=True)
class ShuffledAnswers:
    """A control: another judge's answers in random order, so that they say nothing about their triplets."""

    judge: Judge
    seed: int = 0

    @property
    def keep(self) -> tuple[str, ...]:
        return abilities.of_judge(self.judge).keep

    def __call__(self, x: Rows, a: Rows, b: Rows) -> np.ndarray:
        answer = self.judge(x, a, b)
        return answer[np.argsort(chance(self.seed, x, a, b), kind="stable")]


def pick(rows: Rows, index: Array) -> Rows:
    """Returns some rows, in the order of the index.

    Args:
        rows: N solutions.
        index: their positions, whole numbers [T].

    Returns:
        T solutions.
    """
    features = {name: column[index] for name, column in rows.features.items()}
    return Rows(rows.ids[index], rows.solutions[index], rows.objective[index], features, rows.valid[index])


def distances(x: Rows, a: Rows, b: Rows, feature: str) -> tuple[np.ndarray, np.ndarray]:
    """Returns the Euclidean distances of x to a and to b in one feature.

    Args:
        x: T solutions.
        a: T solutions.
        b: T solutions.
        feature: its name; a feature of any shape is flattened.

    Returns:
        Distances to a and to b in the feature's units, [T] each.

    Raises:
        UserError: the rows lack the feature.
    """
    if feature not in x.features:
        raise UserError(
            f"the judge looks at {feature!r}, which the search neither reads nor keeps (it has "
            f"{', '.join(x.features) or 'no features'})",
            f"type Search(..., keep=({feature!r},)), or keep=[{feature}]",
        )
    here, near, far = (np.asarray(rows.features[feature], np.float64).reshape(len(rows.ids), -1) for rows in (x, a, b))
    return np.linalg.norm(here - near, axis=1), np.linalg.norm(here - far, axis=1)


def chance(seed: int, x: Rows, a: Rows, b: Rows) -> np.ndarray:
    """Returns a number in [0, 1) for each triplet, by its ids and the seed; the order of a and b does not matter.

    The ids are mixed by SplitMix64's finalizer (Steele et al. 2014).

    Args:
        seed: the same seed gives the same numbers.
        x: T solutions.
        a: T solutions.
        b: T solutions.

    Returns:
        float64 [T].
    """
    low, high = np.minimum(a.ids, b.ids), np.maximum(a.ids, b.ids)
    z = np.full(len(x.ids), np.uint64(seed & 0xFFFFFFFFFFFFFFFF))
    with np.errstate(over="ignore"):
        for ids in (x.ids, low, high):
            z = _mix(z + np.asarray(ids).astype(np.uint64) + np.uint64(0x9E3779B97F4A7C15))
    return (z >> np.uint64(11)).astype(np.float64) / 2**53


def _mix(z: np.ndarray) -> np.ndarray:
    """SplitMix64's finalizer (Steele et al. 2014)."""
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))
