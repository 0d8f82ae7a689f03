"""Measures learned from 200 answers on arms of 7 to 40 joints, and from raters who err in other ways than by chance.

    qd study qdhf.joints budget=quick|first|full [seeds=10] ['cases=20 joints'] [methods=ours,paper]

Each case is an arm of so many joints and a judge. "20 % flips": one answer in five is reversed. "close calls": wrong with
probability ½ exp(-difference of the two distances), the arm being 10 long. "raters of 2, 18 and 40 %": three with so many
wrong answers; the learner is told who answered (known), or not (pooled). "a rater by another measure": two with 10 and 20 %
wrong answers, the third goes by the middle of the arm. Seeds begin at 2000: none of them chose a setting.

Budgets: quick a small arm and two seeds; first ten seeds of the joints at 20 % flips and of the other judges at 20 joints; full
all.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import product
from typing import Annotated, NamedTuple

import numpy as np

from domains.arm import Arm
from experiments import command, study
from experiments.command import Names
from experiments.qdhf import cases as methods_of
from experiments.qdhf.cases import MeasureMethod, QDHFTask, RotatedTruth
from experiments.qdhf.study import METRICS, play_method
from feedback.descriptors.qdhf import QDHFPaper
from feedback.descriptors.scaling import Box, around, into_bounds, padding_at
from feedback.descriptors.triplets import Triplets
from feedback.judges import CloseCalls, Flips, Judge, Oracle, RaterPool
from qd.report.table import Row, Runs, summary
from qd.types import Array, Features, Fresh, Params, Rows

QUESTIONS, FIRST_SEED = (50, 50, 50, 50), 2000
BUDGETS = {"quick": 2, "first": 10, "full": 20}  # seeds
JOINTS = (20, 7, 10, 14, 40)
TRUTH = Oracle("gripper")


class Noise(NamedTuple):
    """Who answers, and how many raters the learner tells apart."""

    judge: Callable[[int], Judge]  # of a seed
    raters: int = 1


@dataclass(frozen=True)
class MiddleOfArm:
    """A rater by another measure: nearer in the place of the middle joint."""

    keep: tuple[str, ...] = ("angles",)

    def __call__(self, x: Rows, a: Rows, b: Rows) -> np.ndarray:
        """Answers T triplets, int8 [T]; arguments as in ``Judge``."""
        here, near, far = (_middle(np.asarray(rows.features["angles"])) for rows in (x, a, b))
        closer = np.linalg.norm(here - near, axis=1) < np.linalg.norm(here - far, axis=1)
        return np.where(closer, 1, -1).astype(np.int8)


@dataclass(frozen=True)
class BoundedTruth:
    """A control: what a learner would reach that knows the measures at once, but not how far they go, as ``Triplets`` does."""

    of: RotatedTruth
    padding: tuple[float, ...]
    pure: bool = True
    learns: bool = True

    @property
    def reads(self) -> tuple[str, ...]:
        return self.of.reads

    @property
    def bounds(self) -> tuple[tuple[float, float], ...]:
        return ((-1.0, 1.0), (-1.0, 1.0))

    def init(self, key: Array, rows: Rows, fresh: Fresh) -> Params:
        """Sets the bounds by the first solutions; arguments as in ``Descriptor``."""
        return self._around(0, rows)

    def fit(self, key: Array, params: Params, rows: Rows, fresh: Fresh) -> Params:
        """Sets the bounds by the elites; arguments as in ``Descriptor``."""
        return self._around(int(params[0]), rows)

    def __call__(self, params: Params, features: Features) -> Array:
        return into_bounds(self.of((), features), params[1])

    def _around(self, fits: int, rows: Rows) -> tuple[np.int32, Box]:
        padding = padding_at(self.padding, len(QUESTIONS) - 1 - fits)
        return np.int32(fits + 1), around(np.asarray(self.of((), rows.features)), padding)


def _three(seed: int) -> Judge:
    return RaterPool(tuple(Flips(TRUTH, rate, seed + i) for i, rate in enumerate((0.02, 0.18, 0.4))), seed)


def _odd_one(seed: int) -> Judge:
    return RaterPool((Flips(TRUTH, 0.1, seed), Flips(TRUTH, 0.2, seed + 1), MiddleOfArm()), seed)


NOISES: dict[str, Noise] = {
    "20 % flips": Noise(lambda seed: Flips(TRUTH, 0.2, seed)),
    "no flips": Noise(lambda seed: TRUTH),
    "close calls": Noise(lambda seed: CloseCalls(TRUTH, "gripper", 1.0, seed)),
    "raters of 2, 18 and 40 %, known": Noise(_three, 3),
    "raters of 2, 18 and 40 %, pooled": Noise(_three),
    "a rater by another measure, known": Noise(_odd_one, 3),
    "a rater by another measure, pooled": Noise(_odd_one),
}
METHODS: dict[str, Callable[[QDHFTask, Noise, int], MeasureMethod]] = {
    "ours": lambda of, noise, seed: MeasureMethod(Triplets(noise.judge(seed), of.reads, QUESTIONS, raters=noise.raters)),
    "ours, tight bounds, weak prior": lambda of, noise, seed: MeasureMethod(  # as it was, with a λ of 1
        Triplets(
            noise.judge(seed), of.reads, QUESTIONS, raters=noise.raters, padding=(0.0,), prior_few=1 / (2 * of.domain.joints)
        )
    ),
    "paper": lambda of, noise, seed: MeasureMethod(QDHFPaper(noise.judge(seed), of.reads, QUESTIONS), reserve=0),
    "truth turned 15": lambda of, noise, seed: MeasureMethod(RotatedTruth(of.truth, 15.0), ()),
    "truth turned 15, tight bounds": lambda of, noise, seed: MeasureMethod(BoundedTruth(RotatedTruth(of.truth, 15.0), (0.0,))),
    "truth turned 15, padded": lambda of, noise, seed: MeasureMethod(
        BoundedTruth(RotatedTruth(of.truth, 15.0), Triplets.padding)
    ),
}


def main(
    budget: Annotated[str, BUDGETS] = "quick",
    seeds: int = 0,
    cases: str = "",
    methods: Annotated[Names, METHODS] = (),
    out: str = "",
) -> None:
    """Does the missing runs, then writes and prints the table; arguments as in ``study``."""
    plan = {case_of(joints, name): (joints, name) for joints, name in _plan(budget)}
    names = study.beginning(plan, cases)
    folder = study.folder("qdhf_joints", budget, out)
    runs = study.runs(folder)
    several = range(FIRST_SEED, FIRST_SEED + (seeds or BUDGETS[budget]))
    for case, name, seed in study.missing(runs, product(names, methods or METHODS, several)):
        joints, noise = plan[case]
        of = arm(joints, generations=60 if budget == "quick" else 1000)
        study.add(runs, case, name, seed, play_method(of, METHODS[name](of, NOISES[noise], seed), seed), METRICS)
    study.report(folder, rows(runs), METRICS)


def arm(joints: int, generations: int = 1000) -> QDHFTask:
    """Returns QDHF's arm with another number of joints, as long as the one of ten.

    Args:
        joints: how many.
        generations: of a search.
    """
    return replace(methods_of.task("arm"), domain=Arm(joints, length=10), length=2 * joints, generations=generations)


def case_of(joints: int, noise: str) -> str:
    """Returns the name of a case.

    Args:
        joints: of the arm.
        noise: a name in NOISES.
    """
    return f"{joints} joints, {noise}"


def rows(runs: Runs) -> list[Row]:
    """Returns medians, the least of all seeds, and ours minus each other method, paired by seed."""
    table = summary(runs)
    for row in [row for row in table if row.metric == "qd_score_current"]:
        least = min(runs.column(row.case, row.method, row.metric).values())
        table.append(row._replace(metric="least_qd_score_current", value=least, low=np.nan, high=np.nan, values=()))
    pairs = [(case, "ours", method) for case, method in dict.fromkeys(key[:2] for key in runs.records) if method != "ours"]
    return table + study.differences(runs, pairs, ("qd_score_current", "aligned_r2"))


def _plan(budget: str) -> list[tuple[int, str]]:
    if budget == "quick":
        return [(7, "20 % flips")]
    first = [(joints, "20 % flips") for joints in JOINTS] + [(20, noise) for noise in NOISES if noise != "20 % flips"]
    return first if budget == "first" else first + [pair for pair in product(JOINTS, NOISES) if pair not in first]


def _middle(angles: np.ndarray) -> np.ndarray:
    """Returns the place of the middle joint, in links from the base [T, 2], of cosines and sines of headings [T, 2J]."""
    cos, sin = np.split(angles, 2, axis=1)
    half = cos.shape[1] // 2
    return np.stack([cos[:, :half].sum(axis=1), sin[:, :half].sum(axis=1)], axis=1)


if __name__ == "__main__":
    command.run()
