"""Who answers "is a or b more like x?": an oracle that knows the truth, its noisy forms, and a pool of raters.

A judge is a function ``more_alike(x, a, b) -> [T]`` of three Rows of T solutions each; its answers are A (1), B (-1) or
CANT_TELL (0), int8. It may also say who answered, ``raters(x, a, b) -> [T]``, numbered from 0; without that it is one
rater. Judges here are stateless: the same triplet gets the same answer, noise included, whichever run asks and however
often, so that a resumed run is told what it was told before.

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

    def __call__(self, x: Rows, a: Rows, b: Rows) -> np.ndarray: ...


@dataclass(frozen=True)
class Oracle:
    """Knows the truth: nearer by Euclidean distance in a feature that the search reads or keeps.

    It cannot tell where the two distances differ by less than ``unsure`` of their sum; with 0 it always answers.
    """

    feature: str
    unsure: float = 0.0

    @property
    def keep(self) -> tuple[str, ...]:
        return (self.feature,)

    def __call__(self, x: Rows, a: Rows, b: Rows) -> np.ndarray:
        """Raises ValueError where the rows lack the feature."""
        to_a, to_b = distances(x, a, b, self.feature)
        answer = np.where(to_a < to_b, A, B)
        return np.where(np.abs(to_a - to_b) < self.unsure * (to_a + to_b), CANT_TELL, answer).astype(np.int8)


@dataclass(frozen=True)
class Flips:
    """Another judge, of whose answers a share is flipped."""

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
        flipped = chance(self.seed, x, a, b) < self.rate
        return np.where(flipped, -self.judge(x, a, b), self.judge(x, a, b)).astype(np.int8)


@dataclass(frozen=True)
class CloseCalls:
    """Another judge, which errs where a call is close: with probability ½ exp(-|d_a - d_b| / width).

    d are distances in ``feature``, width is in its units.
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
        flipped = chance(self.seed, x, a, b) < 0.5 * np.exp(-np.abs(to_a - to_b) / self.width)
        answer = self.judge(x, a, b)
        return np.where(flipped, -answer, answer).astype(np.int8)


@dataclass(frozen=True)
class RaterPool:
    """Several raters; each triplet goes to one of them, evenly by chance."""

    judges: tuple[Judge, ...]
    seed: int = 0

    def __post_init__(self) -> None:
        if not self.judges:
            raise UserError("a pool without judges answers nothing", "type judges=(Oracle('feature'),) or more")

    @property
    def keep(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(name for judge in self.judges for name in abilities.of_judge(judge).keep))

    def raters(self, x: Rows, a: Rows, b: Rows) -> np.ndarray:
        """Who is asked, [T]."""
        return (chance(self.seed ^ 0x5EED, x, a, b) * len(self.judges)).astype(np.int32)

    def __call__(self, x: Rows, a: Rows, b: Rows) -> np.ndarray:
        who, answer = self.raters(x, a, b), np.zeros(len(x.ids), np.int8)
        for rater, judge in enumerate(self.judges):
            mine = np.flatnonzero(who == rater)
            if len(mine):
                answer[mine] = judge(pick(x, mine), pick(a, mine), pick(b, mine))
        return answer


@dataclass(frozen=True)
class Shuffled:
    """A control: another judge's answers, dealt out to the wrong triplets. What is learned from it is no judgement."""

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
        index: which, whole numbers [T].

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
        feature: its name; the feature may have any shape.

    Returns:
        Distances to a and to b in the feature's units, [T] each.

    Raises:
        ValueError: the rows lack the feature.
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
