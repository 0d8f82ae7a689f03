"""The whole map of deployable networks: which method finds the best config for each size and number of bit operations?

    qd study quant.front budget=quick|first|full [seeds=5] [cases=200] [methods=ours,ILP]
    qd study quant.front budget=full cases=minilm          # the sentence encoder: qd fetch minilm_f32
    qd study quant.front budget=full cases=language        # the language model

Every method may evaluate the same number of configs (on 512 validation images); its selection is then reported on test
images: the best of each cell of an 8 x 8 map (qd), the configs that are not dominated (hypervolume), the best within
each of four budgets. True evaluations are stored in one table, so that each config is evaluated once.

Budgets: quick the network of digits, first 200 evaluations of the residual network, full 500 and 2,000 too, and 200 of the
sentence encoder (64 sentences; its map goes from 3 bit to 8, and accuracy is 100 times the mean cosine to full precision) and
of the language model (8 windows to search by, 24 to report on; accuracy is the share of its probability that a byte keeps).
"""

import time
from functools import partial
from pathlib import Path
from typing import Annotated

import numpy as np

from domains.quant.domain import Quant
from experiments import command, study
from experiments.command import Names
from experiments.quant import score
from experiments.quant.rivals import METHODS, Problem
from qd.report.table import Row, Runs, summary
from qd.support.spelling import unknown

BUDGETS = {  # (network, evaluations)
    "quick": (("digits", 60),),
    "first": (("resnet14", 200),),
    "full": (*(("resnet14", n) for n in (200, 500, 2000)), ("minilm", 200), ("language", 200)),
}
SEEDS = {"digits": 2, "resnet14": 5, "minilm": 3, "language": 5}
IMAGES = {"digits": (300, 300), "resnet14": (512, 1000), "minilm": (64, 64), "language": (8, 24)}  # to search, and to report on
OPTIONS = {"minilm": "encoder", "language": "language_bits"}  # other networks: bits
FEW = {  # other networks: every method
    "minilm": ("ours", "stratified", "ILP", "NSGA-II seeded"),
    "language": ("ILP emitter", "MAP-Elites", "NSGA-II", "uniform", "stratified"),
}


def main(
    budget: Annotated[str, BUDGETS] = "quick",
    seeds: int = 0,
    cases: Names = (),
    methods: Annotated[Names, METHODS] = (),
    out: str = "",
) -> None:
    """Does the missing runs, seed by seed; then writes and prints the table.

    Args:
        budget: a name in BUDGETS.
        seeds: number of seeds; 0: as many as SEEDS has for the network.
        cases: networks or evaluations, e.g. minilm, 200 or resnet14-200; empty: all.
        methods: names of methods; empty: all, or the few of FEW.
        out: folder of the results; empty: the default one.
    """
    folder = study.folder("quant_front", budget, out)
    runs = study.runs(folder)
    for name, n in plan_of(budget, cases):
        method_names = methods or FEW.get(name, tuple(METHODS))
        todo = ((f"{name}, {n} evaluations", m, seed) for seed in range(seeds or SEEDS[name]) for m in method_names)
        for case, method, seed in study.missing(runs, todo):
            study.add(runs, case, method, seed, play(problem(name), method, n, seed), ("qd test",))
    table = rows(runs)
    study.report(folder, table, test_metrics(table), packages=("jax", "numpy", "scipy", "ribs", "scikit-learn"))


def plan_of(budget: str, cases: Names) -> list[tuple[str, int]]:
    """Returns (network, evaluations) of each case of a budget.

    Args:
        budget: a name in BUDGETS.
        cases: 200, resnet14 or resnet14-200; empty: all.

    Raises:
        UserError: the budget has no such case.
    """
    names = {pair: {pair[0], str(pair[1]), f"{pair[0]}-{pair[1]}"} for pair in BUDGETS[budget]}
    every = sorted(set.union(*names.values()))
    for case in cases:
        if case not in every:
            raise unknown("case", case, every, f"of budget={budget}")
    return [pair for pair, words in names.items() if not cases or words & set(cases)]


def problem(name: str) -> Problem:
    """A network, its validation images to search on, its test images to report on, and one table for both."""
    table = str(Path("runs") / "quant_front" / "evaluations.sqlite")
    (search, test), option_set = IMAGES[name], OPTIONS.get(name, "bits")
    quant = partial(Quant, name, option_set, probes=False, table=table)
    return Problem(quant(search), quant(test, "test"))


def play(of: Problem, method: str, n: int, seed: int) -> dict[str, float]:
    """Spends n evaluations on a method.

    Args:
        of: network and images.
        method: a name in METHODS.
        n: evaluations at most.
        seed: of all randomness.

    Returns:
        Scores on validation and on test images.
    """
    begin = time.process_time()
    configs = np.unique(METHODS[method](of, n, seed), axis=0)
    assert len(configs) <= n
    accuracy, cost = of.judge(configs), score.cost(of.domain, configs)
    seconds = time.process_time() - begin
    elites = score.elites(accuracy, cost, score.corner(of.domain))
    front, best = score.front(accuracy, cost), score.best(accuracy, cost, score.budgets(of.domain))
    selection = np.unique([*elites, *front, *(row for row in best.values() if row >= 0)])
    test = np.full(len(configs), np.nan)
    test[selection] = of.test.accuracies(configs[selection])["accuracy"]
    metrics: dict[str, float] = {"evaluations": len(configs), "cells": len(elites), "search_cpu_seconds": seconds}
    for name, column in (("validation", accuracy), ("test", test)):
        metrics[f"qd {name}"] = score.qd_score(column[elites])
        few = score.RelativeCost(cost.size[front], cost.bops[front])
        metrics[f"hypervolume {name}"] = 100 * score.hypervolume(column[front], few)
        for budget, row in best.items():
            metrics[f"{budget} {name}"] = float(column[row]) if row >= 0 else 0.0
    return metrics


def rows(runs: Runs) -> list[Row]:
    """Returns means, and ours (the ILP emitter where ours did not run) minus each other method, paired by seed."""
    table = summary(runs, "mean")
    for case in study.cases(runs):
        methods = study.methods(runs, case)
        first = "ours" if "ours" in methods else "ILP emitter"
        others = [method for method in methods if method != first]
        metrics = test_metrics([row for row in table if row.case == case])
        table += study.differences(runs, [(case, first, other) for other in others], metrics)
    return table


def test_metrics(table: list[Row]) -> Names:
    """Returns the metrics that are of test images."""
    return tuple(dict.fromkeys(row.metric for row in table if row.metric.endswith(" test")))


if __name__ == "__main__":
    command.run()
