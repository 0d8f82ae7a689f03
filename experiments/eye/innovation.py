"""Innovation engines: for how many of ImageNet's 1,000 classes a search finds a picture that a trained eye is sure of.

    qd study eye.innovation budget=quick|first|full [seeds=1] [evaluations=50000]

Every class: a picture competes for all classes, as in the paper (Nguyen et al. 2015); own class: for the likeliest one alone;
random: pictures of fresh networks, the first archive's way. Counted are classes with a picture of a probability above a half.
"""

import time
from itertools import product
from typing import Annotated

import numpy as np

from domains.images.innovation import Innovation
from experiments import command, study
from experiments.command import Names
from feedback.descriptors.select import Select
from qd import keys, programs
from qd.archives import Categorical, HostElites
from qd.emitters.vary import Gaussian, Vary
from qd.report.table import Row, Runs, summary
from qd.search import run, start
from qd.types import Search

METHODS = ("every class", "own class", "random")
BUDGETS = {"quick": 1_000, "first": 20_000, "full": 50_000}  # evaluations
METRICS = ("above_half", "above_nine_tenths", "mean_percent", "cpu_seconds")
_BATCH, _INITIAL = 100, 500


def main(
    budget: Annotated[str, BUDGETS] = "quick",
    seeds: int = 1,
    evaluations: int = 0,
    methods: Annotated[Names, METHODS] = (),
    out: str = "",
) -> None:
    """Does the missing runs, then writes and prints the table.

    Args:
        budget: a name in BUDGETS, the evaluations of a run.
        seeds: number of seeds.
        evaluations: of a run; 0: as the budget says.
        methods: names of methods; empty: all.
        out: folder of the results; empty: the default one.
    """
    folder = study.folder("eye_innovation", budget, out)
    runs, count = study.runs(folder), evaluations or BUDGETS[budget]
    names = [name for name in METHODS if not methods or name in methods]
    for case, name, seed in study.missing(runs, product([f"{count:,} evaluations"], names, range(seeds))):
        study.add(runs, case, name, seed, play(name, count, seed), METRICS)
    study.report(folder, rows(runs), METRICS)


def rows(runs: Runs) -> list[Row]:
    """Returns the table: medians over seeds, or their values where there are few."""
    return summary(runs)


def play(name: str, count: int, seed: int) -> dict[str, float]:
    """Runs one search and counts the classes that it reached.

    Args:
        name: of the method.
        count: evaluations.
        seed: of all randomness.
    """
    begin, domain = time.process_time(), Innovation()
    percent = _random(domain, count, seed) if name == "random" else _searched(domain, name, count, seed)
    figures = {"above_half": float((percent > 50).sum()), "above_nine_tenths": float((percent > 90).sum())}
    return figures | {"mean_percent": float(percent.sum() / 1000), "cpu_seconds": time.process_time() - begin}


def _searched(domain: Innovation, name: str, count: int, seed: int) -> np.ndarray:
    archive = Categorical(domain.categories, "classes" if name == "every class" else None)
    search = Search(domain, Select("kind", ((-0.5, 999.5),)), archive, Vary(Gaussian(0.1), _BATCH))
    key, sample_key = keys.split(keys.new(seed))
    state, _ = start(search, key, domain.sample(sample_key, _INITIAL))
    for state, _ in run(search, state, count):
        pass
    elites = HostElites(state.archive)
    return elites.take(np.arange(elites.size), "objective")[0]


def _random(domain: Innovation, count: int, seed: int) -> np.ndarray:
    best = np.zeros(1000, np.float32)
    for key in keys.split(keys.new(seed), count // _BATCH):
        evaluation = programs.evaluate(domain, ("classes",), key, domain.sample(key, _BATCH))
        best = np.maximum(best, evaluation.features["classes"].max(axis=0))
    return best


if __name__ == "__main__":
    command.run()
