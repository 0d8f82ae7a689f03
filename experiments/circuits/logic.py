"""Recipes of ABC's commands on six circuits, 200 each: MAP-Elites beside random recipes and resyn2; all results proved equal.

Best: the least product of area and depth, as a share of resyn2's. Hypervolume: of all recipes' (area, depth) in units of
resyn2's, up to 1.5 of each (moocore), as a share of that square.

    qd study circuits.logic budget=quick|first            wants berkeley-abc
"""

import resource
from itertools import product
from typing import Annotated

import numpy as np

from domains.logic import abc
from domains.logic.domain import Recipes
from experiments import command, study
from feedback.descriptors.select import Select
from qd import keys
from qd.archives import Grid
from qd.emitters import Mixed, Vary
from qd.report.table import Row, Runs, summary
from qd.search import run, start
from qd.types import Search

BUDGETS = {"quick": 1, "first": 5}  # seeds
CIRCUITS = ("random5.4", "random6.2", "random7", "sorter6", "count6", "square5")
METHODS = ("MAP-Elites", "random recipes", "resyn2 twice")
RECIPES, INITIAL, BATCH = 200, 40, 16
FIRST_SEED = 300  # fresh
REACH = 1.5  # of hypervolumes, in units of resyn2
METRICS = ("best", "hypervolume", "proved")


def main(budget: Annotated[str, BUDGETS] = "quick", seeds: int = 0, cases: str = "", out: str = "") -> None:
    """Does the missing runs, then writes and prints the table.

    Args:
        budget: a name in BUDGETS.
        seeds: number of seeds; 0: as the budget says.
        cases: beginning of the names of circuits; empty: all.
        out: folder of the results; empty: the default one.
    """
    folder = study.folder("circuits_logic", budget, out)
    runs = study.runs(folder)
    seeds = seeds or BUDGETS[budget]
    plan = product(range(FIRST_SEED, FIRST_SEED + seeds), study.beginning(CIRCUITS, cases), METHODS)
    for key in study.missing(runs, ((c, m, s) for s, c, m in plan if m != "resyn2 twice" or s == FIRST_SEED)):
        study.add(runs, *key, play(*key))
    study.report(folder, rows(runs), METRICS, 3, ("numpy", "ribs", "moocore"))


def play(circuit: str, method: str, seed: int) -> dict[str, float]:
    """Tries 200 recipes, or resyn2 twice.

    Args:
        circuit: name in domains/logic/tables.py.
        method: a name in METHODS.
        seed: of the search.
    """
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    domain = Recipes(circuit)
    key, sample_key = keys.split(keys.new(seed))
    if method == "resyn2 twice":
        (result,) = abc.run(abc.circuit(circuit), [abc.RESYN2 * 2], "aig", domain.seconds)
        points = np.array([result[:2]])
    elif method == "random recipes":
        points = np.asarray(domain.evaluate(None, domain.sample(sample_key, RECIPES)).features["cost"])
    else:
        variation = Mixed(domain.space, rate=0.1, cross=0.25)
        search = Search(domain, Select("cost", domain.bounds), Grid((20, 10)), Vary(variation, BATCH))
        state, batch = start(search, key, domain.sample(sample_key, INITIAL))
        found = [batch.measures]
        found += [batch.measures for state, batch in run(search, state, RECIPES)]
        points = np.concatenate(found)[:RECIPES]
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return scores(points, domain.reference) | {"cpu_seconds": spent}


def scores(points: np.ndarray, reference: abc.Result) -> dict[str, float]:
    """Returns best, hypervolume, and the share of recipes that were proved equal, in per cent.

    Args:
        points: [N, 2] area and depth, NaN where a recipe failed.
        reference: of resyn2.
    """
    import moocore

    proved = np.isfinite(points).all(1)
    shares = points[proved] / np.array(reference[:2])
    volume = moocore.hypervolume(shares, ref=[REACH, REACH]) / REACH**2
    front = shares[np.argmin(shares.prod(1))]
    best = {"best": float(shares.prod(1).min()), "best area": float(front[0]), "best depth": float(front[1])}
    least = {"least area": float(shares[:, 0].min()), "least depth": float(shares[:, 1].min())}
    return best | least | {"hypervolume": float(volume), "proved": 100 * float(proved.mean())}


def rows(runs: Runs) -> list[Row]:
    """Returns medians, and differences of MAP-Elites from random recipes, paired by seed."""
    pairs = ((case, "MAP-Elites", "random recipes") for case in study.cases(runs))
    return [*summary(runs), *study.differences(runs, pairs, METRICS[:2])]


if __name__ == "__main__":
    command.run()
