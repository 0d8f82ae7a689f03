"""Does an evolved proxy save true evaluations in the map of quantized networks?

    qd study emq.screen seeds=3 evaluations=200 elites=experiments/results/emq/elites

MAP-Elites over configs of resnet14 (accuracy by size and bit operations), plain and screened: of 640 children, the 16 with the
largest predicted gain in their cells are evaluated. Predictors: the proxy evolved on the other networks of the bench (one a
seed); ZeroQ's KL; boosted trees fitted to the evaluated configs; or none (cells alone: the same prediction for all, so that
empty and bad cells are preferred and nothing else). A proxy only ranks; isotonic regression on the evaluated configs turns its
sums into accuracies. ``saved``: how many evaluations earlier the plain search's last QD score is reached (0: not earlier);
``test``: on images that no search used.

S sites, O options, n configs.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from domains.proxies import Proxies
from domains.proxies.bench import load
from domains.quant.solve.emitter import EvaluatedConfigs
from experiments import command, study
from experiments.quant import front, rivals, score
from experiments.quant.rivals import Problem
from experiments.quant.screening import ScreeningEmitter
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
METRICS = ("qd validation", "qd test", "hypervolume test", "evaluations to plain's QD", "saved")
_EVERY = 5  # evaluations between two readings of the QD score


def main(
    seeds: int = 3,
    evaluations: int = 200,
    bench: str = "fashion",
    structure: str = "branch",
    elites: str = "experiments/results/emq/elites",
    out: str = "",
) -> None:
    """Does the missing runs, then writes and prints the table.

    Args:
        seeds: number of seeds.
        evaluations: of each run.
        bench: fashion, synthetic, or a file.
        structure: of the expressions.
        elites: folder of the elites of ``qd study emq``.
        out: folder of the results; empty: the default one.
    """
    folder, case = study.folder("emq_screen", out=out), f"{NETWORK}, {evaluations} evaluations"
    runs = study.runs(folder)
    problem = front.problem(NETWORK)
    for _, method, seed in study.missing(runs, ((case, method, seed) for seed in range(seeds) for method in METHODS)):
        predictions = table(method, bench, structure, Path(elites), seed)
        if predictions is None:
            configs = rivals.METHODS[method](problem, evaluations, seed)
        else:
            configs = search_screened(problem, predictions, evaluations, seed)
        goal = runs.column(case, PLAIN, "qd validation").get(seed, np.inf)
        study.add(runs, case, method, seed, scores(problem, configs, goal), ("qd validation",))
    study.report(folder, rows(runs), METRICS, 2, ("jax", "numpy", "scipy", "ribs", "scikit-learn"))


def rows(runs: Runs) -> list[Row]:
    """Returns means, and what screening brings: each minus the plain search, and the evolved proxy minus each other."""
    pairs = [(method, PLAIN) for method in METHODS[1:]] + [(EVOLVED, method) for method in METHODS[2:]]
    several = [(case, *pair) for case in study.cases(runs) for pair in pairs]
    return [*summary(runs, "mean"), *study.differences(runs, several, METRICS)]


def table(method: str, bench: str, structure: str, elites: Path, seed: int) -> np.ndarray | None:
    """Returns what a proxy predicts of the network's sites and options, [S, O]; None for methods without a table.

    Args:
        method: name of a method.
        bench: fashion, synthetic, or a file.
        structure: of the expressions.
        elites: folder of the elites of ``qd study emq``.
        seed: of all randomness.

    Returns:
        [S, O], higher is better.
    """
    if method == EVOLVED:
        return evolved_table(bench, structure, elites, seed)
    if method not in (KL, CELLS):
        return None
    kl = load(bench)[NETWORK].of("kl")
    return -kl if method == KL else np.zeros_like(kl)


def evolved_table(bench: str, structure: str, elites: Path, seed: int) -> np.ndarray:
    """Returns what the best proxy evolved without the network predicts of its sites and options, higher is better.

    Args:
        bench: fashion, synthetic, or a file.
        structure: of the expressions.
        elites: folder of the elites of ``qd study emq``.
        seed: of all randomness.

    Returns:
        [S, O].

    Raises:
        UserError: the folder has no map of proxies with this network held out.
    """
    path = elites / f"{NETWORK}-MAP-Elites-{seed}.npz"
    if not path.is_file():
        raise UserError(
            f"{path} does not exist", f"run qd study emq bench={bench}, then set elites= to the folder of its elites"
        )
    with np.load(path, allow_pickle=False) as columns:
        best = columns["solutions"][[int(columns["objective"].argmax())]]
    others = [name for name in load(bench) if name != NETWORK]
    domain = Proxies(bench, structure).on(*others)
    print(f"seed {seed}: {domain.formulas(best)[0]}", flush=True)
    return domain.tables(best, NETWORK)[0]


def search_screened(of: Problem, table: np.ndarray, n: int, seed: int) -> np.ndarray:
    """Searches with children screened by a table.

    Args:
        of: network and images.
        table: [S, O] predictions, higher is better.
        n: evaluations at most.
        seed: of all randomness.

    Returns:
        The configs evaluated, in order, [n, S].
    """
    box = of.domain.bounds, score.DIMS
    vary = Vary(IntegerReset(of.domain.space, 1 / 15), 640)
    emitter = ScreeningEmitter(vary, of.domain, box, 16, predict=rising(table))
    search = Search(of.domain, Select("cost", box[0]), Grid(box[1]), emitter)
    state, batch = start(search, keys.new(seed), of.domain.sample(keys.new(seed), 40))
    batches = [batch.solutions]
    for state, batch in run(search, state, until=n):
        batches.append(batch.solutions)
    return np.concatenate(batches)[:n]


def rising(table: np.ndarray) -> Callable[[EvaluatedConfigs, np.ndarray], np.ndarray]:
    """Predicts accuracy by isotonic regression on the sum of a table over a config's choices."""
    score = lambda configs: table[np.arange(len(table)), configs].sum(1)

    def predict(past: EvaluatedConfigs, children: np.ndarray) -> np.ndarray:
        from sklearn.isotonic import IsotonicRegression

        curve = IsotonicRegression(out_of_bounds="clip").fit(score(past.genomes), past.objective)
        return curve.predict(score(children))

    return predict


def scores(of: Problem, configs: np.ndarray, goal: float) -> dict[str, float]:
    """Returns QD scores, hypervolume, and the number of evaluations until a QD score was reached.

    Args:
        of: network and images.
        configs: [n, S] in the order of evaluation.
        goal: the QD score to reach; infinite: the last one of these configs.
    """
    accuracy, cost = of.judge(configs), score.cost(of.domain, configs)
    ends = [*range(_EVERY, len(configs), _EVERY), len(configs)]
    score_of = lambda m: score.qd_score(accuracy[:m][score.elites(accuracy[:m], _first(cost, m))])
    curve = np.array([score_of(m) for m in ends])
    goal = curve[-1] if goal == np.inf else goal
    first = ends[int(np.argmax(curve >= goal))] if (curve >= goal).any() else len(configs)
    elites, best = score.elites(accuracy, cost), score.front(accuracy, cost)
    both = np.unique([*elites, *best])
    test = np.full(len(configs), np.nan)
    test[both] = of.test.accuracies(configs[both])["accuracy"]
    few = score.RelativeCost(cost.size[best], cost.bops[best])
    return {
        "qd validation": float(curve[-1]),
        "qd test": score.qd_score(test[elites]),
        "hypervolume test": 100 * score.hypervolume(test[best], few),
        "evaluations to plain's QD": first,
        "saved": len(configs) - first,
    }


def _first(cost: score.RelativeCost, m: int) -> score.RelativeCost:
    return score.RelativeCost(cost.size[:m], cost.bops[:m])


if __name__ == "__main__":
    command.run()
