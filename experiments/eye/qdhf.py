"""Measures learned from comparisons of pictures: by a trained eye's features, by thumbnails, by statistics made by hand.

    qd study eye.qdhf budget=quick|first|full [seeds=10] [methods=...]

A simulated judge looks at colour (red against blue) and symmetry, which no learner reads; 200 answers. Methods are what a
learner reads and how it learns: "ours" (feedback.descriptors.triplets) or "paper" (QDHF, Ding et al. 2024); "truth" has the
judge's measures. Scores are on the judge's grid, as in experiments/qdhf. No set of recorded human answers exists for these
pictures.
"""

from dataclasses import dataclass
from itertools import product
from typing import Annotated

import jax.numpy as jnp

from domains.images import Pictures, looks
from domains.images.eye import Eye
from experiments import command, study
from experiments.command import Names
from experiments.qdhf.cases import QDHFTask
from experiments.qdhf.study import play
from feedback.descriptors.select import Select
from qd.report.table import Row, Runs, summary
from qd.types import Array

CASE = "colour and symmetry, 200 answers"
METRICS = ("qd_score_all", "qd_score_current", "coverage_current_coarse", "aligned_r2", "cpu_seconds")
METHODS = ("truth", "eye ours", "eye paper", "thumbnails ours", "thumbnails paper", "statistics ours", "statistics paper")
BUDGETS = {"quick": 1, "first": 10, "full": 30}  # seeds
_GENERATIONS = {"quick": 10, "first": 40, "full": 200}  # of 50 pictures


@dataclass(frozen=True)
class ColourAndSymmetry:
    """What the judge looks at: red against blue, and likeness to the mirror image, both 0..1."""

    def __call__(self, image: Array) -> Array:
        """Returns [B, 2] of pictures."""
        warmth = jnp.clip((image[..., 0] - image[..., 2]).mean(axis=(1, 2)) + 0.5, 0, 1)
        return jnp.stack([warmth, looks.look(image)[:, 1]], axis=1)


@dataclass(frozen=True)
class Thumbnail:
    """Means of 4 x 4 blocks in red, green and blue."""

    def __call__(self, image: Array) -> Array:
        """Returns [B, 48] of pictures."""
        n, side = image.shape[:2]
        return image.reshape(n, 4, side // 4, 4, side // 4, 3).mean(axis=(2, 4)).reshape(n, -1)


READ = {"eye": Eye(numbers=64), "thumbnails": Thumbnail()}  # statistics are those of domains.images.looks.view


def main(
    budget: Annotated[str, BUDGETS] = "quick", seeds: int = 0, methods: Annotated[Names, METHODS] = (), out: str = ""
) -> None:
    """Does the missing runs, then writes and prints the table; arguments as in ``study``."""
    folder = study.folder("eye_qdhf", budget, out)
    runs = study.runs(folder)
    names = [name for name in METHODS if not methods or name in methods]
    every = product([CASE], names, range(seeds or BUDGETS[budget]))
    for case, name, seed in study.missing(runs, sorted(every, key=lambda key: key[2])):
        reads, _, learner = name.rpartition(" ")
        study.add(runs, case, name, seed, play(task(reads, _GENERATIONS[budget]), learner, 200, 0.0, seed), METRICS)
    study.report(folder, rows(runs), METRICS)


def task(reads: str, generations: int) -> QDHFTask:
    """Returns the task of pictures of which a learner reads one view.

    Args:
        reads: eye, thumbnails, statistics, or "" where nothing is learned.
        generations: of 50 pictures.
    """
    views = {"judged": ColourAndSymmetry()} | ({reads: READ[reads]} if reads in READ else {})
    truth = Select("judged", ((0, 1), (0, 1)))
    names = ("view",) if reads not in READ else (reads,)
    length = {"eye": 64, "thumbnails": 48}.get(reads, 61)
    return QDHFTask(Pictures(views=views), truth, names, length, 0.1, generations, 50, 200, (25, 25), (12, 12))  # type: ignore[arg-type]


def rows(runs: Runs) -> list[Row]:
    """Returns medians, and the eye's mean differences from thumbnails and of our learner from the paper's, paired by seed."""
    pairs = [
        (CASE, "eye ours", "thumbnails ours"),
        (CASE, "eye paper", "thumbnails paper"),
        (CASE, "eye ours", "eye paper"),
        (CASE, "eye ours", "statistics ours"),
    ]
    return summary(runs) + study.differences(runs, pairs, ("qd_score_all", "aligned_r2"))


if __name__ == "__main__":
    command.run()
