"""What predicts a config's accuracy? Additive tables and the agreement on 64 images, against 1,000 validation images.

    qd study quant.proxies seeds=3

Each seed has 200 configs of its own: drawn evenly, or spread over size (stratified). Spearman's and Kendall's rank
correlation over all of them, and Spearman's over the truly best fifth. All tables are measured on the same 256 training
images; the agreement uses 64 validation images outside those that give the truth.
"""

import time
from collections.abc import Callable
from functools import partial
from itertools import product
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from scipy.stats import kendalltau, spearmanr

from domains.quant.domain import Quant
from domains.quant.networks import data
from domains.quant.predict import sensitivity
from experiments import command, study
from experiments.quant.rivals import Problem, random, sample_stratified
from qd.report.table import summary

IMAGES = {"resnet14": 512, "digits": 200}  # network -> validation images that give the truth
AGREEMENT = "agreement on 64 images"
NAMES = (*sensitivity.NAMES, AGREEMENT, "size", "bops")
TimedTables = dict[str, tuple[sensitivity.Sensitivity, float]]  # and the CPU-seconds that each took
DRAWS = {"random": random, "stratified": sample_stratified}
METRICS = ("spearman", "kendall", "spearman of the best fifth", "cpu_seconds")


def main(seeds: int = 3, n: int = 200, network: Annotated[str, IMAGES] = "resnet14", out: str = "") -> None:
    """Does the missing correlations, then writes and prints the table.

    Args:
        seeds: number of seeds.
        n: configs of each seed.
        network: a name in IMAGES.
        out: folder of the results; empty: the default one.
    """
    folder = study.folder("quant_proxies", out=out)
    runs = study.runs(folder)
    todo = list(study.missing(runs, ((draw, name, seed) for draw, seed, name in product(DRAWS, range(seeds), NAMES))))
    if todo:
        domain = Quant(network, "bits", IMAGES[network], table=str(Path("runs") / "quant_front" / "evaluations.sqlite"))
        tables = {name: _run_timed(lambda name=name: _table(domain, name)) for name in sensitivity.NAMES}
        for draw, seed in dict.fromkeys((draw, seed) for draw, _, seed in todo):
            configs = DRAWS[draw](Problem(domain, domain), n, seed)
            truth, predictions = domain.accuracies(configs)["accuracy"], predict(domain, tables, configs)
            for _, name, _ in study.missing(runs, product([draw], NAMES, [seed])):
                prediction, seconds = predictions[name]
                study.add(runs, draw, name, seed, _correlations(prediction, truth) | {"cpu_seconds": seconds})
    study.report(folder, rows(runs), METRICS, 3)


rows = partial(summary, statistic="mean")  # of its table


def predict(domain: Quant, tables: TimedTables, configs: np.ndarray) -> dict[str, tuple[np.ndarray, float]]:
    """Predicts configs with each proxy.

    Args:
        domain: of the network.
        tables: name -> (sensitivities, CPU-seconds that they took).
        configs: [n, 2L].

    Returns:
        Proxy -> (prediction [n], higher is better, CPU-seconds).
    """
    images = IMAGES[domain.network]
    others = data.load(domain.bank.network.forward.data, "validation").pixels[images : images + 64]
    cost = domain.cost(configs)
    return {
        **{name: (-table.of(domain.bank, configs), seconds) for name, (table, seconds) in tables.items()},
        AGREEMENT: _run_timed(lambda: sensitivity.agreement(domain.bank, configs, others)),
        "size": (cost["size"], 0.0),
        "bops": (cost["bops"], 0.0),
    }


def _table(domain: Quant, name: str) -> sensitivity.Sensitivity:
    return sensitivity.tables(name, domain.bank, data.load(domain.bank.network.forward.data, "train").first(256))


def _run_timed(f: Callable[[], Any]) -> tuple[Any, float]:
    """Returns what a function returns, and its CPU-seconds."""
    begin = time.process_time()
    return f(), time.process_time() - begin


def _correlations(prediction: np.ndarray, truth: np.ndarray) -> dict[str, float]:
    best = np.argsort(-truth, kind="stable")[: len(truth) // 5]
    return {
        "spearman": float(np.asarray(spearmanr(prediction, truth))[0]),
        "kendall": float(np.asarray(kendalltau(prediction, truth))[0]),
        "spearman of the best fifth": float(np.asarray(spearmanr(prediction[best], truth[best]))[0]),
    }


if __name__ == "__main__":
    command.run()
