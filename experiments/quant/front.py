"""The whole map of deployable networks: who finds the best config for each size and number of bit operations?

    python -m experiments.quant.front budget=quick|first|full seeds=5 cases=200 methods=ours,ILP
    python -m experiments.quant.front budget=full cases=minilm          # the sentence encoder: qd fetch minilm_f32

Every method may have so many configs truly evaluated (512 validation images); what it then chose is told on images that
it never saw: the best of each cell of an 8 x 8 map (qd), the configs that no other betters (hypervolume), the best within
each of four budgets. True evaluations are kept in one table, so that a config costs once, whoever asks.

Budgets: quick the network of digits, first 200 evaluations of the residual network, full 500 and 2,000 too, and 200 of the
sentence encoder (64 sentences; its map goes from 3 bit to 8, and accuracy is 100 times the mean cosine to full precision).
"""

import sys
import time
from pathlib import Path

import numpy as np

from domains.quant.domain import Quant
from experiments.quant import score
from experiments.quant.rivals import METHODS, Problem
from qd.report import table
from qd.support.errors import UserError

CASES = {
    "quick": (("digits", 60),),
    "first": (("resnet14", 200),),
    "full": (*(("resnet14", n) for n in (200, 500, 2000)), ("minilm", 200)),
}
SEEDS = {"digits": 2, "resnet14": 5, "minilm": 3}
IMAGES = {"digits": (300, 300), "resnet14": (512, 1000), "minilm": (64, 64)}  # to choose by, and to tell on
OPTIONS = {"minilm": "encoder"}  # of others: bits
FEW = {"minilm": ("ours", "stratified", "ILP", "NSGA-II seeded")}  # of others: every method


def main(budget: str = "quick", seeds: str = "", cases: str = "", methods: str = "", out: str = "") -> None:
    """Runs what is missing, seed by seed; then prints and writes the table."""
    if budget not in CASES:
        raise UserError(f"there is no budget {budget!r}", f"type budget={', '.join(CASES)}")
    folder = Path(out or ("runs/quant_front-quick" if budget == "quick" else "experiments/results/quant_front"))
    runs = table.Runs(folder / "runs.jsonl")
    for name, n in CASES[budget]:
        case = f"{name}, {n} evaluations"
        if cases and not {name, str(n), f"{name}-{n}"} & set(cases.split(",")):
            continue
        for seed in range(int(seeds or SEEDS[name])):
            for method in methods.split(",") if methods else FEW.get(name, METHODS):
                if not runs.has(case, method, seed):
                    runs.add(case, method, seed, play(problem(name), method, n, seed))
                    print(
                        f"{case}, seed {seed}, {method}: qd test {runs.column(case, method, 'qd test')[seed]:.2f}", flush=True
                    )
    rows = written(folder, runs)
    print(table.text(rows, tuple(dict.fromkeys(row.metric for row in rows if row.metric.endswith(" test"))), 2))


def problem(name: str) -> Problem:
    """A network, its validation images to search on and its test images to tell on, and one table for both."""
    kept = str(Path("runs") / "quant_front" / "evaluations.sqlite")
    (search, held), chosen = IMAGES[name], OPTIONS.get(name, "bits")
    return Problem(Quant(name, chosen, search, table=kept), Quant(name, chosen, held, "test", table=kept))


def play(of: Problem, method: str, n: int, seed: int) -> dict[str, float]:
    """Spends n evaluations and tells what came of it, on validation and on test images."""
    begin = time.process_time()
    configs = np.unique(METHODS[method](of, n, seed), axis=0)
    assert len(configs) <= n
    accuracy, spent = of.judge(configs), score.cost(of.domain, configs)
    seconds = time.process_time() - begin
    elites = score.elites(accuracy, spent, score.corner(of.domain))
    front, best = score.front(accuracy, spent), score.best(accuracy, spent, score.budgets(of.domain))
    told = np.unique([*elites, *front, *(row for row in best.values() if row >= 0)])
    held = np.full(len(configs), np.nan)
    held[told] = of.held.accuracies(configs[told])["accuracy"]
    said: dict[str, float] = {"evaluations": len(configs), "cells": len(elites), "search_cpu_seconds": seconds}
    for name, column in (("validation", accuracy), ("test", held)):
        said[f"qd {name}"] = score.qd_score(column[elites])
        few = score.Cost(spent.size[front], spent.bops[front])
        said[f"hypervolume {name}"] = 100 * score.hypervolume(column[front], few)
        for budget, row in best.items():
            said[f"{budget} {name}"] = float(column[row]) if row >= 0 else 0.0
    return said


def written(folder: Path, runs: table.Runs) -> list[table.Row]:
    """Writes table.csv and about.json: means, and ours minus each other method, paired by seed."""
    rows = table.summary(runs, np.mean)
    for case in dict.fromkeys(row.case for row in rows):
        shown = dict.fromkeys(row.metric for row in rows if row.case == case and row.metric.endswith(" test"))
        ours = runs.column(case, "ours", "qd test").keys()
        for method in dict.fromkeys(row.method for row in rows if row.case == case and row.method != "ours"):
            if ours & runs.column(case, method, "qd test").keys():
                rows += [table.difference(runs, case, "ours", method, metric, np.mean) for metric in shown]
    table.write(folder / "table.csv", rows)
    table.about(folder / "about.json", ("jax", "numpy", "scipy", "ribs", "scikit-learn"))
    return rows


if __name__ == "__main__":
    main(**dict(argument.split("=", 1) for argument in sys.argv[1:]))
