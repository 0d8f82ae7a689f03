"""Does an evolved proxy save true evaluations in the map of quantized networks?

    qd study emq.screen seeds=3 evaluations=200 elites=experiments/results/emq/elites

MAP-Elites over configs of resnet14 (accuracy by size and bit operations), plain and screened: of 640 children those 16 are
evaluated that are predicted to raise their cells the most. What predicts: the proxy evolved on the other networks of the bench
(seed by seed); ZeroQ's KL; boosted trees that learn from what was evaluated; or nothing (cells alone: one number for all, so
that empty and bad cells are sought and no more). A proxy only ranks; its sums become accuracies by the best rising curve
through the configs evaluated. ``saved``: how many evaluations earlier the plain search's last QD score is reached (0: not
before); ``test``: on images that no search used.

S sites, O options, n configs.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from domains.proxies import Proxies
from domains.proxies.bench import load
from experiments import command, study
from experiments.quant import front, rivals, score
from experiments.quant.rivals import Problem
from experiments.quant.screening import Screened, Seen
from feedback.descriptors.select import Select
from qd import keys
from qd.archives import Grid
from qd.emitters.vary import IntegerReset, Vary
from qd.report.table import Row, Runs, summary
from qd.search import run, start
from qd.support.errors import UserError
from qd.types import Search

NETWORK, PLAIN, EVOLVED, KL, CELLS = "resnet14", "MAP-Elites", "evolved proxy", "ZeroQ KL", "cells alone"
METHODS = (PLAIN, EVOLVED, KL, CELLS, "boosted trees")
SHOWN = ("qd validation", "qd test", "hypervolume test", "evaluations to plain's QD", "saved")
_EVERY = 5  # evaluations between two readings of the QD score


def main(
    seeds: int = 3,
    evaluations: int = 200,
    bench: str = "fashion",
    structure: str = "branch",
    elites: str = "experiments/results/emq/elites",
    out: str = "",
) -> None:
    """Runs what is missing, then writes and prints the table."""
    folder, case = study.folder("emq_screen", out=out), f"{NETWORK}, {evaluations} evaluations"
    runs = study.runs(folder)
    problem = front.problem(NETWORK)
    for _, method, seed in study.missing(runs, ((case, method, seed) for seed in range(seeds) for method in METHODS)):
        predicted = table(method, bench, structure, Path(elites), seed)
        if predicted is None:
            configs = rivals.METHODS[method](problem, evaluations, seed)
        else:
            configs = search_screened(problem, predicted, evaluations, seed)
        goal = runs.column(case, PLAIN, "qd validation").get(seed, np.inf)
        study.add(runs, case, method, seed, worth(problem, configs, goal), ("qd validation",))
    study.report(folder, rows(runs), SHOWN, 2, ("jax", "numpy", "scipy", "ribs", "scikit-learn"))


def rows(runs: Runs) -> list[Row]:
    """Returns means, and what screening brings: each minus the plain search, and the evolved proxy minus each other."""
    pairs = [(method, PLAIN) for method in METHODS[1:]] + [(EVOLVED, method) for method in METHODS[2:]]
    several = [(case, *pair) for case in study.cases(runs) for pair in pairs]
    return [*summary(runs, np.mean), *study.differences(runs, several, SHOWN, np.mean)]


def table(method: str, bench: str, structure: str, elites: Path, seed: int) -> np.ndarray | None:
    """Returns what a proxy predicts of the network's sites and options, [S, O]; None for methods that have no such table."""
    if method == EVOLVED:
        return evolved(bench, structure, elites, seed)
    if method not in (KL, CELLS):
        return None
    kl = load(bench)[NETWORK].of("kl")
    return -kl if method == KL else np.zeros_like(kl)


def evolved(bench: str, structure: str, elites: Path, seed: int) -> np.ndarray:
    """Returns what the best proxy evolved without the network predicts of its sites and options, higher is better, [S, O].

    Raises:
        ValueError: no map of proxies with this network held out is kept.
    """
    path = elites / f"{NETWORK}-MAP-Elites-{seed}.npz"
    if not path.is_file():
        raise UserError(f"{path} is not there", f"type qd study emq bench={bench}, then elites= the folder of its elites")
    with np.load(path, allow_pickle=False) as columns:
        best = columns["solutions"][[int(columns["objective"].argmax())]]
    others = [name for name in load(bench) if name != NETWORK]
    domain = Proxies(bench, structure).on(*others)
    print(f"seed {seed}: {domain.formulas(best)[0]}", flush=True)
    return domain.tables(best, NETWORK)[0]


def search_screened(of: Problem, table: np.ndarray, n: int, seed: int) -> np.ndarray:
    """Searches with children screened by a table; returns the configs evaluated, in order, [n, S]."""
    box = of.domain.bounds, score.DIMS
    vary = Vary(IntegerReset(of.domain.space, 1 / 15), 640)
    emitter = Screened(vary, of.domain, box, 16, foretell=rising(table))
    search = Search(of.domain, Select("cost", box[0]), Grid(box[1]), emitter)
    state, batch = start(search, keys.new(seed), of.domain.sample(keys.new(seed), 40))
    evaluated = [batch.solutions]
    for state, batch in run(search, state, until=n):
        evaluated.append(batch.solutions)
    return np.concatenate(evaluated)[:n]


def rising(table: np.ndarray) -> Callable[[Seen, np.ndarray], np.ndarray]:
    """Predicts accuracy by isotonic regression on the sum of a table over a config's choices."""
    summed = lambda configs: table[np.arange(len(table)), configs].sum(1)

    def predict(seen: Seen, children: np.ndarray) -> np.ndarray:
        from sklearn.isotonic import IsotonicRegression

        curve = IsotonicRegression(out_of_bounds="clip").fit(summed(seen.configs), seen.objective)
        return curve.predict(summed(children))

    return predict


def worth(of: Problem, configs: np.ndarray, goal: float) -> dict[str, float]:
    """Returns QD scores and hypervolume, and after how many evaluations the score ``goal`` was reached."""
    accuracy, spent = of.judge(configs), score.cost(of.domain, configs)
    ends = [*range(_EVERY, len(configs), _EVERY), len(configs)]
    score_of = lambda m: score.qd_score(accuracy[:m][score.elites(accuracy[:m], _first(spent, m))])
    curve = np.array([score_of(m) for m in ends])
    goal = curve[-1] if goal == np.inf else goal
    reached = ends[int(np.argmax(curve >= goal))] if (curve >= goal).any() else len(configs)
    chosen, best = score.elites(accuracy, spent), score.front(accuracy, spent)
    both = np.unique([*chosen, *best])
    held = np.full(len(configs), np.nan)
    held[both] = of.held.accuracies(configs[both])["accuracy"]
    few = score.Cost(spent.size[best], spent.bops[best])
    return {
        "qd validation": float(curve[-1]),
        "qd test": score.qd_score(held[chosen]),
        "hypervolume test": 100 * score.hypervolume(held[best], few),
        "evaluations to plain's QD": reached,
        "saved": len(configs) - reached,
    }


def _first(spent: score.Cost, m: int) -> score.Cost:
    return score.Cost(spent.size[:m], spent.bops[:m])


if __name__ == "__main__":
    command.run()
