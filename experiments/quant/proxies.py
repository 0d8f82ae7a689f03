"""What foretells a config's accuracy? Additive tables and a direct look at 64 images, against 1,000 validation images.

    python -m experiments.quant.proxies seeds=3

Each seed has 200 configs of its own: drawn evenly, or spread over size (stratified). Spearman's and Kendall's rank
correlation over all of them, and Spearman's over the truly best fifth. All tables are measured on the same 256 training
images; the look at 64 uses other validation images than the judging ones.
"""

import sys
import time
from pathlib import Path

import numpy as np
from scipy.stats import kendalltau, spearmanr

from domains.quant.domain import Quant
from domains.quant.networks import data
from domains.quant.predict import sensitivity
from experiments.quant.rivals import Problem, random, stratified
from qd.report import table

DRAWS = {"random": random, "stratified": stratified}
SHOWN = ("spearman", "kendall", "spearman of the best fifth", "cpu_seconds")


def main(seeds: str = "3", n: str = "200", network: str = "resnet14", out: str = "experiments/results/quant_proxies") -> None:
    """Correlates what is missing, prints and writes the table."""
    kept = str(Path("runs") / "quant_front" / "evaluations.sqlite")
    judged = {"resnet14": 512, "digits": 200}[network]
    domain = Quant(network, "bits", judged, table=kept)
    runs = table.Runs(Path(out) / "runs.jsonl")
    tables = {name: _timed(lambda name=name: _table(domain, name)) for name in sensitivity.NAMES}
    others = data.load(domain.bank.network.forward.data, "validation").pixels[judged : judged + 64]
    for draw, sampled in DRAWS.items():
        for seed in range(int(seeds)):
            configs = sampled(Problem(domain, domain), int(n), seed)
            truth = domain.accuracies(configs)["accuracy"]
            told = {name: (-each.of(domain.bank, configs), seconds) for name, (each, seconds) in tables.items()}
            told["agreement on 64 images"] = _timed(lambda configs=configs: sensitivity.agreement(domain.bank, configs, others))
            cost = domain.cost(configs)
            told |= {"size": (cost["size"], 0.0), "bops": (cost["bops"], 0.0)}
            for name, (foretold, seconds) in told.items():
                if not runs.has(draw, name, seed):
                    runs.add(draw, name, seed, _correlated(foretold, truth) | {"cpu_seconds": seconds})
    rows = table.summary(runs, np.mean)
    table.write(Path(out) / "table.csv", rows)
    table.about(Path(out) / "about.json")
    print(table.text(rows, SHOWN, 3))


def _table(domain: Quant, name: str) -> sensitivity.Sensitivity:
    return sensitivity.tables(name, domain.bank, data.load(domain.bank.network.forward.data, "train").first(256))


def _timed(told):  # -> what it told, and its CPU-seconds
    begin = time.process_time()
    return told(), time.process_time() - begin


def _correlated(foretold: np.ndarray, truth: np.ndarray) -> dict[str, float]:
    best = np.argsort(-truth, kind="stable")[: len(truth) // 5]
    return {
        "spearman": float(np.asarray(spearmanr(foretold, truth))[0]),
        "kendall": float(np.asarray(kendalltau(foretold, truth))[0]),
        "spearman of the best fifth": float(np.asarray(spearmanr(foretold[best], truth[best]))[0]),
    }


if __name__ == "__main__":
    main(**dict(argument.split("=", 1) for argument in sys.argv[1:]))
