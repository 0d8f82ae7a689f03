"""What experiments/qdhf/study.py compares: tasks with a known truth, and ways to learn similarity.

A task is a domain, the feature that holds the truth, and the features that a learner may look at. A method is a
descriptor, whether it is refitted on QDHF's schedule, and the size of the reserve.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, NamedTuple

import jax.numpy as jnp

from domains.arm import Arm
from feedback.descriptors.autoencoder import Autoencoder
from feedback.descriptors.pca import PCA
from feedback.descriptors.qdhf import QDHFPaper
from feedback.descriptors.random_projection import RandomProjection
from feedback.descriptors.select import Select
from feedback.descriptors.triplets import Triplets
from feedback.judges import Flips, Judge, Oracle, ShuffledAnswers
from qd.support.spelling import unknown
from qd.types import Array, Features, Fresh, Params, Rows


@dataclass(frozen=True)
class QDHFTask:
    """A domain, its truth, and the budget it is searched with."""

    domain: Any
    truth: Select
    reads: tuple[str, ...]
    length: int  # of all features that are read
    sigma: float  # of the Gaussian variation
    generations: int
    batch: int
    initial: int
    dims: tuple[int, int] = (50, 50)
    coarse: tuple[int, int] = (25, 25)


REFITS = (0.10, 0.25, 0.50)  # of all generations, as published; the first fit is to the initial population


class MeasureMethod(NamedTuple):
    descriptor: Any
    refits: tuple[float, ...] = REFITS
    reserve: int | None = None


@dataclass(frozen=True)
class RotatedTruth:
    """A control: the first two measures of a descriptor, turned by an angle, which carries no information."""

    of: Select
    degrees: float
    pure: bool = True
    learns: bool = False

    @property
    def reads(self) -> tuple[str, ...]:
        return self.of.reads

    @property
    def bounds(self) -> tuple[tuple[float, float], ...]:
        return self.of.bounds

    def init(self, key: Array, rows: Rows, fresh: Fresh) -> Params:
        """Learns nothing; arguments as in ``Descriptor``."""
        return ()

    def fit(self, key: Array, params: Params, rows: Rows, fresh: Fresh) -> Params:
        """Learns nothing; arguments as in ``Descriptor``."""
        return params

    def __call__(self, params: Params, features: Features) -> Array:
        cos, sin = math.cos(math.radians(self.degrees)), math.sin(math.radians(self.degrees))
        return self.of((), features) @ jnp.array([[cos, sin], [-sin, cos]])


@lru_cache(maxsize=16)
def task(name: str) -> QDHFTask:
    """Returns a task by name; "-quick" at its end makes it small."""
    if name.endswith("-quick"):
        whole = task(name.removesuffix("-quick"))
        return replace(whole, generations=min(whole.generations, 150), batch=min(whole.batch, 100))
    if name not in _TASKS:
        raise unknown("task", name, _TASKS)
    return _TASKS[name]()


def method(name: str, of: QDHFTask, answers: int, flips: float, seed: int) -> MeasureMethod:
    """Returns a method by name, for a task and a judge that flips a share of its answers.

    Args:
        name: of the method.
        of: the task.
        answers: number of comparisons.
        flips: share of answers that the judge reverses.
        seed: of the judge.
    """
    if name not in METHODS:
        raise unknown("method", name, METHODS)
    judge: Judge = Oracle(of.truth.feature)
    if flips:
        judge = Flips(judge, flips, seed)
    return METHODS[name](of, judge, answers, seed)


def _quarters(answers: int) -> tuple[int, ...]:
    return tuple(answers // 4 + (i < answers % 4) for i in range(4))


def _tight(of: QDHFTask, judge: Judge, answers: int, **more: Any) -> Triplets:
    """The learner as it was when the rows of "ours" were made: bounds without room, and a λ of 1 and 3 for any features."""
    prior = {"prior_few": 1 / of.length, "prior_many": 3 / of.length}
    return Triplets(judge, of.reads, _quarters(answers), padding=(0.0,), **prior, **more)


def _arm() -> QDHFTask:
    truth = Select("gripper", ((-10, 10), (-10, 10)))
    return QDHFTask(Arm(10, length=10), truth, ("angles",), 20, 0.1, 1000, 100, 100)


def _maze() -> QDHFTask:
    from domains.maze import Maze
    from domains.maze.controller import Mlp

    truth = Select("position", ((0, 1), (0, 1)))
    return QDHFTask(Maze(points=25, controller=Mlp(hidden=(8,))), truth, ("trace",), 50, 0.2, 100, 100, 200, (25, 25), (12, 12))


def _published_maze() -> QDHFTask:
    """The maze as QDHF ran it: 200,000 evaluations, a grid of 50 x 50, the place at each of 250 steps as features."""
    from domains.maze import Maze
    from domains.maze.controller import Mlp

    truth = Select("position", ((0, 1), (0, 1)))
    return QDHFTask(Maze(points=250, controller=Mlp(hidden=(8,))), truth, ("trace",), 500, 0.2, 1000, 200, 200)


def _images() -> QDHFTask:
    from domains.images import Pictures

    return QDHFTask(Pictures(), Select("look", ((0, 1), (0, 1))), ("view",), 61, 0.1, 100, 50, 200, (25, 25), (12, 12))


def _digits() -> QDHFTask:
    from domains.images.digits import Digits

    return QDHFTask(Digits(), Select("look", ((0, 1), (0, 1))), ("pixels",), 64, 0.2, 200, 100, 200, (25, 25), (12, 12))


_TASKS: dict[str, Callable[[], QDHFTask]] = {
    "arm": _arm,
    "maze": _maze,
    "published maze": _published_maze,
    "images": _images,
    "digits": _digits,
}


# "wide": the prior is that directions of large variance matter most; "now": the defaults of today, with room beyond the elites
METHODS: dict[str, Callable[[QDHFTask, Judge, int, int], MeasureMethod]] = {
    "truth": lambda of, judge, n, seed: MeasureMethod(of.truth, ()),
    "truth turned 15": lambda of, judge, n, seed: MeasureMethod(RotatedTruth(of.truth, 15.0), ()),
    "paper": lambda of, judge, n, seed: MeasureMethod(QDHFPaper(judge, of.reads, _quarters(n)), reserve=0),
    "base": lambda of, judge, n, seed: MeasureMethod(QDHFPaper(judge, of.reads, (n,)), ()),
    "pca": lambda of, judge, n, seed: MeasureMethod(PCA(of.reads, margin=0.0), reserve=0),
    "pca once": lambda of, judge, n, seed: MeasureMethod(PCA(of.reads, margin=0.0), ()),
    "autoencoder": lambda of, judge, n, seed: MeasureMethod(Autoencoder(of.reads), reserve=0),
    "autoencoder once": lambda of, judge, n, seed: MeasureMethod(Autoencoder(of.reads), ()),
    "random": lambda of, judge, n, seed: MeasureMethod(RandomProjection(of.reads), reserve=0),
    "ours": lambda of, judge, n, seed: MeasureMethod(_tight(of, judge, n)),
    "ours uniform": lambda of, judge, n, seed: MeasureMethod(_tight(of, judge, n, active=False)),
    "ours wide": lambda of, judge, n, seed: MeasureMethod(_tight(of, judge, n, covariance_power=1.0)),
    "ours wide uniform": lambda of, judge, n, seed: MeasureMethod(_tight(of, judge, n, active=False, covariance_power=1.0)),
    "ours now": lambda of, judge, n, seed: MeasureMethod(Triplets(judge, of.reads, _quarters(n))),
    "ours shuffled": lambda of, judge, n, seed: MeasureMethod(_tight(of, ShuffledAnswers(judge, seed), n, active=False)),
}
