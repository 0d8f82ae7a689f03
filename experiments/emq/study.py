"""Evolved proxies against hand-made ones: which predicts a quantized network that it was not evolved on?

    qd study emq budget=quick|first|full [bench=ten] [seeds=5] [methods=MAP-Elites,random]

Each network of the bench is held out once; proxies are evolved on the others and evaluated on it (``MAP-Elites, other data
sets``: on those of other data sets alone, where the bench has several). All methods may evaluate the same number of
expressions, and all fill the same map of cost and kind, on which they are compared. The correlation on the held-out network is
reported for the best on training networks, and for the best of each decade of cost. Elites are stored beside the table;
`qd study emq.figure` draws them. Budgets: quick 4,096 expressions, first 20,480, full 102,400.
bench=synthetic was not measured on networks: it is for trying the study out, not evidence.

K networks, C configs.
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import numpy as np

from domains.proxies import Proxies
from domains.proxies.emq import DiversityPrompting, RandomExpressions
from domains.proxies.screening import ScreenedVariation
from domains.proxies.variation import Subtrees
from experiments import command, study
from experiments.command import Names
from experiments.emq.handmade import DECADES, by_hand, limit
from feedback.descriptors.select import Select
from qd import keys
from qd.archives import Grid, HostElites
from qd.emitters.vary import Vary
from qd.report.table import Row, Runs, summary
from qd.search import run, start
from qd.support.errors import UserError
from qd.support.spelling import unknown
from qd.types import FAILED, Rows, Search

BUDGETS = {"quick": (4096, 2), "first": (20_480, 5), "full": (102_400, 5)}  # expressions, seeds
DIMS, BATCH, INITIAL = (10, 32), 256, 512
KEPT = {"fashion": "", "ten": "_ten"}  # bench -> end of the folder of its results
STRUCTURES = ("branch", "linear", "graph")
OTHERS = "MAP-Elites, other data sets"
METHODS: dict[str, Callable[[Proxies], Any]] = {
    "MAP-Elites": lambda domain: Vary(Subtrees(domain), BATCH),
    "MAP-Elites, other data sets": lambda domain: Vary(Subtrees(domain), BATCH),
    "MAP-Elites screened": lambda domain: ScreenedVariation(domain, BATCH),
    "EMQ's selection": lambda domain: DiversityPrompting(domain, BATCH),
    "random": lambda domain: RandomExpressions(domain, BATCH),
}
PAIRED = ("held", "train", "qd")  # metrics, by their first word, in which MAP-Elites is compared with the others
METRICS = ("held whole", "held top", "train", "qd", "cells", "cpu_seconds")


def main(
    budget: Annotated[str, BUDGETS] = "quick",
    bench: str = "fashion",
    seeds: int = 0,
    methods: Annotated[Names, METHODS] = (),
    structure: Annotated[str, STRUCTURES] = "branch",
    evaluations: int = 0,
    held: Names = (),
    out: str = "",
) -> None:
    """Does the missing runs, then writes and prints the table.

    Args:
        budget: a name in BUDGETS.
        bench: fashion, ten, synthetic, or a file.
        seeds: number of seeds; 0: as the budget says.
        methods: names of methods; empty: all.
        structure: of the expressions.
        evaluations: of each run; 0: as the budget says.
        held: names of the networks to hold out; empty: all.
        out: folder of the results; empty: the default one.
    """
    whole = Proxies(bench, structure)
    networks = held_out_networks(whole, held)
    expressions, several = BUDGETS[budget]
    folder = Path(out) if out else results(budget, bench, structure, evaluations)
    runs = study.runs(folder)
    for network in networks:
        for name, metrics in by_hand(bench, network).items():
            for key in study.missing(runs, [(network, name, 0)]):
                study.add(runs, *key, metrics, ("held whole", "held top"))
    chosen = methods or tuple(name for name in METHODS if name != OTHERS or len({data_set(name) for name in networks}) > 1)
    todo = ((network, m, seed) for seed in range(seeds or several) for network in networks for m in chosen)
    for network, name, seed in study.missing(runs, todo):
        domain = whole.on(*training_networks(whole, network, name == OTHERS))
        elites = folder / "elites" / f"{network}-{name}-{seed}.npz"
        metrics = play(domain, network, METHODS[name](domain), evaluations or expressions, seed, elites)
        study.add(runs, network, name, seed, metrics, ("held whole", "held top"))
    study.report(folder, rows(runs, tuple(methods or METHODS)), METRICS, 1, ("jax", "numpy", "scipy", "ribs"))


def training_networks(whole: Proxies, network: str, other_data: bool) -> list[str]:
    """Returns the networks to evolve on.

    Args:
        whole: the domain of all networks.
        network: the one that is held out.
        other_data: leave out all that were trained on its data set.
    """
    names = [record.name for record in whole.records if record.name != network]
    return [name for name in names if data_set(name) != data_set(network)] if other_data else names


def data_set(network: str) -> str:
    """Returns the data set of a network: what stands before the underscore of its name, else Fashion-MNIST."""
    return network.split("_")[0] if "_" in network else "fashion"


def held_out_networks(whole: Proxies, selection: Names) -> Names:
    """Returns the networks to hold out, one at a time.

    Args:
        whole: the domain of all networks.
        selection: names; empty: all.

    Raises:
        UserError: the bench has one network alone, or no such network.
    """
    names = tuple(record.name for record in whole.records)
    if len(names) < 2:
        raise UserError(f"the bench has {len(names)} network, and one is held out", "make a bench of two or more")
    for name in selection:
        if name not in names:
            raise unknown("network", name, names, f"of bench={whole.bench}")
    return selection or names


def results(budget: str, bench: str, structure: str, evaluations: int) -> Path:
    """Returns the folder of the results: with the claims where nothing but the structure differs from their settings.

    Args:
        budget: a name in BUDGETS.
        bench: fashion, ten, synthetic, or a file.
        structure: a name in STRUCTURES.
        evaluations: of each run; 0: as the budget says.
    """
    name = "emq" if structure == "branch" else f"emq_{structure}"
    if bench in KEPT and not evaluations:
        return study.folder(name + KEPT[bench], budget)
    return Path("runs", f"{name}-{Path(bench).stem}-{evaluations or budget}")


def play(domain: Proxies, network: str, emitter: Any, evaluations: int, seed: int, path: Path) -> dict[str, float]:
    """Evolves on the domain's networks; returns the correlations of the best there and on the held-out network.

    Args:
        domain: of the training networks.
        network: name of the held-out network.
        emitter: of the method.
        evaluations: of the run.
        seed: of all randomness.
        path: of the file for the elites.
    """
    key, sample_key = keys.split(keys.new(seed))
    search = Search(domain, Select("map", domain.bounds), Grid(DIMS), emitter, ("cost", "kind", "length"))
    begin = time.process_time()
    state, batch = start(search, key, domain.sample(sample_key, INITIAL))
    n_failed = int((np.asarray(batch.status) == FAILED).sum())
    for state, batch in run(search, state, evaluations):
        n_failed += int((np.asarray(batch.status) == FAILED).sum())
    seconds = time.process_time() - begin
    rows = HostElites(state.archive).rows()
    correlation = domain.judge(rows.solutions, (network,))
    write(path, rows, correlation)
    best = int(np.argmax(rows.objective))
    metrics = {
        "train": float(rows.objective[best]),
        "held whole": float(correlation["whole"][best, 0]),
        "held top": float(correlation["top"][best, 0]),
        "cost": float(10 ** rows.features["cost"][best]),
        "qd": float(rows.objective.sum() / np.prod(DIMS)),
        "cells": float(len(rows.objective)),
        "failed": 100 * n_failed / state.evaluations,
        "evaluations": float(state.evaluations),
        "cpu_seconds": seconds,
    }
    for decade in DECADES:
        affordable = np.flatnonzero(rows.features["cost"] <= decade)
        if len(affordable):
            row = affordable[np.argmax(rows.objective[affordable])]
            for name in ("whole", "top"):
                metrics[f"held {name}, {limit(decade)}"] = float(correlation[name][row, 0])
    return metrics


def write(path: Path, rows: Rows, correlation: dict[str, np.ndarray]) -> None:
    """Writes a map: solutions, their objective, and their correlations on the held-out network.

    Args:
        path: of the file.
        rows: elites.
        correlation: whole and top, [N, 1] each.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    columns = {name: rows.features[name] for name in ("cost", "kind", "length")}
    columns |= {"held_whole": correlation["whole"][:, 0], "held_top": correlation["top"][:, 0]}
    np.savez_compressed(path, solutions=rows.solutions, objective=rows.objective, **columns)


def rows(runs: Runs, methods: Names = tuple(METHODS)) -> list[Row]:
    """Returns means for each network, each data set and all networks, and over all MAP-Elites minus each other method.

    Args:
        runs: the finished runs.
        methods: differences are computed only where MAP-Elites is among them.
    """
    all_runs = together(runs)
    table = summary(all_runs, "mean")
    ours, case = "MAP-Elites", "all networks"
    others = [method for there, method, number in all_runs.records if there == case and number == 0 and method != ours]
    if ours in methods:
        metrics = [name for name in all_runs.records[case, ours, 0] if name.split(" ")[0] in PAIRED]
        table += study.differences(all_runs, [(case, ours, other) for other in others], metrics)
    return table


def together(runs: Runs) -> Runs:
    """The same runs, and for each method the mean over its seeds for each network held out, as the case `all networks`, and
    where the bench has several data sets as `networks of` each.

    There the number of a network takes the seed's place: intervals are over networks.
    """
    both = Runs(Path("no such file"))
    both.records.update(runs.records)
    cases = study.cases(runs)
    several_sets = len({data_set(case) for case in cases}) > 1
    for method in dict.fromkeys(method for _, method, _ in runs.records):
        for number, case in enumerate(cases):
            several = [metrics for key, metrics in runs.records.items() if key[:2] == (case, method)]
            shared = set.intersection(*map(set, several)) if several else set()
            if shared:
                mean = {name: float(np.mean([metrics[name] for metrics in several])) for name in several[0] if name in shared}
                both.records["all networks", method, number] = mean
                if several_sets:
                    both.records[f"networks of {data_set(case)}", method, number] = mean
    return both


if __name__ == "__main__":
    command.run()
