"""Does an evolved proxy save true evaluations in the map of quantized networks?

    python -m experiments.emq.screen seeds=3 evaluations=200 elites=experiments/results/emq/elites

MAP-Elites over configs of resnet14 (accuracy by size and bit operations), plain and screened: of 640 children those 16 are
evaluated that are foretold to raise their cells the most. What foretells: the proxy evolved on the other networks of the bench
(seed by seed); ZeroQ's KL; boosted trees that learn from what was seen; or nothing (cells alone: one number for all, so that
empty and bad cells are sought and no more). A proxy only ranks; its sums become accuracies by the best rising curve through
the configs seen. ``saved``: how many evaluations earlier the plain search's last QD score is reached (0: not before); ``test``:
told on images that no search saw.

S sites, O options, n configs.
"""

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np

from domains.proxies import Proxies, bench
from experiments.quant import front as quant_front
from experiments.quant import rivals
from experiments.quant import score as quant_score
from experiments.quant.rivals import Problem
from experiments.quant.screen import Screened, Seen
from feedback.descriptors.select import Select
from qd import keys
from qd.archives import Grid
from qd.emitters.vary import IntegerReset, Vary
from qd.report import table
from qd.search import run, start
from qd.support.errors import UserError
from qd.types import Search

NETWORK, PLAIN, EVOLVED, KL, CELLS = "resnet14", "MAP-Elites", "evolved proxy", "ZeroQ KL", "cells alone"
METHODS = (PLAIN, EVOLVED, KL, CELLS, "boosted trees")
SHOWN = ("qd validation", "qd test", "hypervolume test", "evaluations to plain's QD", "saved")
_EVERY = 5  # evaluations, at which the QD score is looked at


def main(
    seeds: str = "3",
    evaluations: str = "200",
    named: str = "fashion",
    structure: str = "branch",
    elites: str = "",
    out: str = "",
) -> None:
    """Runs what is missing; then prints and writes the table."""
    folder, n = Path(out or "experiments/results/emq_screen"), int(evaluations)
    runs, case = table.Runs(folder / "runs.jsonl"), f"{NETWORK}, {n} evaluations"
    kept = Path(elites or "experiments/results/emq/elites")
    of = quant_front.problem(NETWORK)
    for seed in range(int(seeds)):
        told = {
            EVOLVED: lambda seed=seed: evolved(named, structure, kept, seed),
            KL: lambda: -bench.load(named)[NETWORK].of("kl"),
            CELLS: lambda: np.zeros_like(bench.load(named)[NETWORK].of("kl")),
        }
        for method in METHODS:
            if not runs.has(case, method, seed):
                configs = played(of, told[method](), n, seed) if method in told else rivals.METHODS[method](of, n, seed)
                goal = runs.column(case, PLAIN, "qd validation").get(seed, np.inf)
                runs.add(case, method, seed, worth(of, configs, goal))
                print(f"seed {seed}, {method}: {runs.column(case, method, 'qd validation')[seed]:.2f}", flush=True)
    rows = table.summary(runs, np.mean)
    pairs = [(method, PLAIN) for method in METHODS[1:]] + [(EVOLVED, method) for method in METHODS[2:]]
    rows += [table.difference(runs, case, *pair, name, np.mean) for pair in pairs for name in SHOWN]
    table.write(folder / "table.csv", rows)
    table.about(folder / "about.json", ("jax", "numpy", "scipy", "ribs", "scikit-learn"))
    print(table.text(rows, SHOWN, 2))


def evolved(named: str, structure: str, kept: Path, seed: int) -> np.ndarray:
    """What the best proxy that never saw the network says of its sites and options, higher is better, [S, O].

    Raises:
        ValueError: no map of proxies with this network held out is kept.
    """
    path = kept / f"{NETWORK}-MAP-Elites-{seed}.npz"
    if not path.is_file():
        raise UserError(f"{path} is not there", f"type qd experiment emq bench={named}, then elites= the folder of its elites")
    with np.load(path, allow_pickle=False) as told:
        best = told["solutions"][[int(told["objective"].argmax())]]
    others = [name for name in bench.load(named) if name != NETWORK]
    domain = Proxies(named, structure).on(*others)
    print(f"seed {seed}: {domain.formulas(best)[0]}", flush=True)
    return domain.tables(best, NETWORK)[0]


def played(of: Problem, said: np.ndarray, n: int, seed: int) -> np.ndarray:
    """Searches with children screened by a table; returns the configs evaluated, in order, [n, S]."""
    box = of.domain.bounds, quant_score.DIMS
    vary = Vary(IntegerReset(of.domain.space, 1 / 15), 640)
    emitter = Screened(vary, of.domain, box, 16, foretell=rising(said))
    search = Search(of.domain, Select("cost", box[0]), Grid(box[1]), emitter)
    state, batch = start(search, keys.new(seed), of.domain.sample(keys.new(seed), 40))
    told = [batch.solutions]
    for state, batch in run(search, state, until=n):
        told.append(batch.solutions)
    return np.concatenate(told)[:n]


def rising(said: np.ndarray) -> Callable[[Seen, np.ndarray], np.ndarray]:
    """Foretells accuracy by isotonic regression on the sum of a table over a config's choices."""
    summed = lambda configs: said[np.arange(len(said)), configs].sum(1)

    def foretell(seen: Seen, children: np.ndarray) -> np.ndarray:
        from sklearn.isotonic import IsotonicRegression

        curve = IsotonicRegression(out_of_bounds="clip").fit(summed(seen.configs), seen.objective)
        return curve.predict(summed(children))

    return foretell


def worth(of: Problem, configs: np.ndarray, goal: float) -> dict[str, float]:
    """Returns QD scores and hypervolume, and after how many evaluations the score ``goal`` was reached."""
    accuracy, spent = of.judge(configs), quant_score.cost(of.domain, configs)
    ends = [*range(_EVERY, len(configs), _EVERY), len(configs)]
    score = lambda m: quant_score.qd_score(accuracy[:m][quant_score.elites(accuracy[:m], _first(spent, m))])
    curve = np.array([score(m) for m in ends])
    goal = curve[-1] if goal == np.inf else goal
    reached = ends[int(np.argmax(curve >= goal))] if (curve >= goal).any() else len(configs)
    chosen, front = quant_score.elites(accuracy, spent), quant_score.front(accuracy, spent)
    both = np.unique([*chosen, *front])
    held = np.full(len(configs), np.nan)
    held[both] = of.held.accuracies(configs[both])["accuracy"]
    few = quant_score.Cost(spent.size[front], spent.bops[front])
    return {
        "qd validation": float(curve[-1]),
        "qd test": quant_score.qd_score(held[chosen]),
        "hypervolume test": 100 * quant_score.hypervolume(held[front], few),
        "evaluations to plain's QD": reached,
        "saved": len(configs) - reached,
    }


def _first(spent: quant_score.Cost, m: int) -> quant_score.Cost:
    return quant_score.Cost(spent.size[:m], spent.bops[:m])


if __name__ == "__main__":
    main(**dict(argument.split("=", 1) for argument in sys.argv[1:]))
