"""Evolved proxies against those that people made: which foretells a quantized network that it was not evolved on?

    python -m experiments.emq.study budget=quick|first|full bench=fashion seeds=5 methods=MAP-Elites,random

Each network of the bench is held out once; proxies are evolved on the others and told on it. All methods may evaluate as
many expressions, and all fill the same map of cost and kind, on which they are compared; what a map is worth on the network
held out is told for the best on training networks, and for the best of each decade of cost. Elites are kept beside the table;
`emq_figure` draws them. Budgets: quick 4,096 expressions, first 20,480, full 102,400.
bench=synthetic is one that no network made: to try it out, no evidence.

K networks, C configs.
"""

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from scipy.stats import rankdata

from domains.proxies import Proxies, bench, handmade
from domains.proxies import record as record_
from domains.proxies.emq import Drawn, Prompted
from domains.proxies.screening import Screened
from domains.proxies.variation import Subtrees
from feedback.descriptors.select import Select
from qd import keys
from qd.archives import Grid, HostElites
from qd.emitters.vary import Vary
from qd.report import table
from qd.search import run, start
from qd.support.errors import UserError
from qd.types import FAILED, Rows, Search

EVALUATIONS = {"quick": 4096, "first": 20_480, "full": 102_400}
SEEDS = {"quick": 2, "first": 5, "full": 5}
DIMS, BATCH, INITIAL = (10, 32), 256, 512
DECADES = (-2.0, -1.0, 0.0, 1.0, 2.0)  # log10 of CPU-seconds: the best proxy that costs no more
METHODS: dict[str, Callable[[Proxies], Any]] = {
    "MAP-Elites": lambda domain: Vary(Subtrees(domain), BATCH),
    "MAP-Elites screened": lambda domain: Screened(domain, BATCH),
    "EMQ's selection": lambda domain: Prompted(domain, BATCH),
    "random": lambda domain: Drawn(domain, BATCH),
}
AGREEMENT, BEST = "agreement on 64 images", "best by hand"
PAIRED = ("held", "train", "qd")  # what MAP-Elites is told beside the others in
SHOWN = ("held whole", "held top", "train", "qd", "cells", "cpu_seconds")


def main(
    budget: str = "quick",
    bench: str = "fashion",
    seeds: str = "",
    methods: str = "",
    structure: str = "branch",
    evaluations: str = "",
    held: str = "",
    out: str = "",
) -> None:
    """Runs what is missing; then prints and writes the table."""
    if budget not in EVALUATIONS:
        raise UserError(f"there is no budget {budget!r}", f"type budget={', '.join(EVALUATIONS)}")
    chosen = methods.split(",") if methods else list(METHODS)
    if lost := [name for name in chosen if name not in METHODS]:
        raise UserError(f"there is no method {', '.join(lost)}", f"type methods={','.join(METHODS)}")
    folder = Path(out or f"runs/emq-{budget}")
    runs = table.Runs(folder / "runs.jsonl")
    whole = Proxies(bench, structure)
    names = [record.name for record in whole.records]
    if len(names) < 2:
        raise UserError(f"the bench has {len(names)} network, and one is held out", "make it with two or more")
    if held and (lost := [name for name in held.split(",") if name not in names]):
        raise UserError(f"the bench has no network {', '.join(lost)}", f"type held={','.join(names)}, or a part of these")
    out_once = held.split(",") if held else names
    for one in out_once:
        by_hand(runs, bench, one)
    for seed in range(int(seeds or SEEDS[budget])):
        for one in out_once:
            domain = whole.on(*(name for name in names if name != one))
            for method in chosen:
                if not runs.has(one, method, seed):
                    kept = folder / "elites" / f"{one}-{method}-{seed}.npz"
                    told = play(domain, one, METHODS[method](domain), int(evaluations or EVALUATIONS[budget]), seed, kept)
                    runs.add(one, method, seed, told)
                    words = f"{one} held out, {method}, seed {seed}"
                    print(f"{words}: {told['held whole']:.1f} / {told['held top']:.1f}", flush=True)
    print(table.text(written(folder, runs, chosen), SHOWN, 1))


def by_hand(runs: table.Runs, named: str, held: str) -> None:
    """Tells what people's proxies say of a network; nothing in them is learned, so there is one seed.

    ``best by hand`` is, at each cost, the one that the other networks would have one choose; agreement is not among them.
    """
    told = {name: judged(record) for name, record in bench.load(named).items()}
    for name, said in told[held].items():
        if not runs.has(held, name, 0):
            runs.add(held, name, 0, {"held whole": said.whole, "held top": said.top, "cost": said.cost} | within(said))
    others = [said for name, said in told.items() if name != held]
    trained = {name: np.mean([said[name] for said in others], 0) for name in others[0] if name != AGREEMENT}
    best: dict[str, float] = {}
    for decade in DECADES:
        affordable = [name for name, (_, _, cost) in trained.items() if cost <= 10**decade]
        if affordable:
            said = told[held][max(affordable, key=lambda name: trained[name][:2].mean())]
            best |= {f"held {name}, {spent(decade)}": value for name, value in (("whole", said.whole), ("top", said.top))}
            best |= {"held whole": said.whole, "held top": said.top, "cost": said.cost}
    if not runs.has(held, BEST, 0):
        runs.add(held, BEST, 0, best)


class Worth(NamedTuple):
    """What a proxy is worth on one network."""

    whole: float  # Spearman's rank correlation in per cent, over all configs
    top: float  # over the truly best fifth
    cost: float  # CPU-seconds


def judged(record: record_.Record) -> dict[str, Worth]:
    best = np.argsort(-record.accuracy, kind="stable")[: max(3, round(len(record.accuracy) / 5))]
    told = {}
    for name, (damage, seconds) in handmade.all_of(record).items():
        whole, top = (correlated(-damage[rows], record.accuracy[rows]) for rows in (slice(None), best))
        told[name] = Worth(whole, top, seconds)
    return told


def within(said: Worth) -> dict[str, float]:
    """The same under the name of each decade of cost that pays for it."""
    decades = [decade for decade in DECADES if said.cost <= 10**decade]
    return {f"held {name}, {spent(d)}": value for d in decades for name, value in (("whole", said.whole), ("top", said.top))}


def spent(decade: float) -> str:
    return f"at most {10**decade:g} s"


def play(domain: Proxies, held: str, emitter: Any, evaluations: int, seed: int, kept: Path) -> dict[str, float]:
    """Evolves on the domain's networks and tells what came of it there and on the network held out."""
    key, sample_key = keys.split(keys.new(seed))
    search = Search(domain, Select("map", domain.bounds), Grid(DIMS), emitter, ("cost", "kind", "length"))
    begin = time.process_time()
    state, batch = start(search, key, domain.sample(sample_key, INITIAL))
    failed = int((np.asarray(batch.status) == FAILED).sum())
    for state, batch in run(search, state, evaluations):
        failed += int((np.asarray(batch.status) == FAILED).sum())
    seconds = time.process_time() - begin
    rows = HostElites(state.archive).rows()
    told = domain.judge(rows.solutions, (held,))
    write(kept, rows, told)
    best = int(np.argmax(rows.objective))
    said = {
        "train": float(rows.objective[best]),
        "held whole": float(told["whole"][best, 0]),
        "held top": float(told["top"][best, 0]),
        "cost": float(10 ** rows.features["cost"][best]),
        "qd": float(rows.objective.sum() / np.prod(DIMS)),
        "cells": float(len(rows.objective)),
        "failed": 100 * failed / state.evaluations,
        "evaluations": float(state.evaluations),
        "cpu_seconds": seconds,
    }
    for decade in DECADES:
        affordable = np.flatnonzero(rows.features["cost"] <= decade)
        if len(affordable):
            row = affordable[np.argmax(rows.objective[affordable])]
            for name in ("whole", "top"):
                said[f"held {name}, {spent(decade)}"] = float(told[name][row, 0])
    return said


def correlated(foretold: np.ndarray, truth: np.ndarray) -> float:
    """Spearman's rank correlation in per cent; 0 where all is alike."""
    if not np.ptp(foretold) or not np.ptp(truth):
        return 0.0
    return 100 * float(np.corrcoef(rankdata(foretold), rankdata(truth))[0, 1])


def write(path: Path, rows: Rows, held: dict[str, np.ndarray]) -> None:
    """Keeps a map: solutions, what they are worth, and what they are worth on the network held out."""
    path.parent.mkdir(parents=True, exist_ok=True)
    columns = {name: rows.features[name] for name in ("cost", "kind", "length")}
    columns |= {"held_whole": held["whole"][:, 0], "held_top": held["top"][:, 0]}
    np.savez_compressed(path, solutions=rows.solutions, objective=rows.objective, **columns)


def written(folder: Path, runs: table.Runs, methods: list[str]) -> list[table.Row]:
    """Writes table.csv and about.json: each network, all networks together, and MAP-Elites minus each other method."""
    paired = together(runs)
    rows = table.summary(paired, np.mean)
    ours, case = "MAP-Elites", "all networks"
    others = [method for c, method, seed in paired.records if c == case and seed == 0 and method != ours]
    for other in others if ours in methods else ():
        shared = paired.records[case, ours, 0].keys() & paired.records[case, other, 0].keys()
        metrics = [name for name in paired.records[case, ours, 0] if name in shared and name.split(" ")[0] in PAIRED]
        rows += [table.difference(paired, case, ours, other, metric, np.mean) for metric in metrics]
    table.write(folder / "table.csv", rows)
    table.about(folder / "about.json", ("jax", "numpy", "scipy", "ribs"))
    return rows


def together(runs: table.Runs) -> table.Runs:
    """The same runs, and for each method the mean over its seeds for each network held out, as the case `all networks`.

    There the number of a network takes the seed's place: intervals are over networks.
    """
    both = table.Runs(Path("no such file"))
    both.records.update(runs.records)
    cases = list(dict.fromkeys(case for case, _, _ in runs.records))
    for method in dict.fromkeys(method for _, method, _ in runs.records):
        for number, case in enumerate(cases):
            found = [told for key, told in runs.records.items() if key[:2] == (case, method)]
            shared = set.intersection(*(set(told) for told in found)) if found else set()
            if shared:
                mean = {name: float(np.mean([told[name] for told in found])) for name in found[0] if name in shared}
                both.records["all networks", method, number] = mean
    return both


if __name__ == "__main__":
    main(**dict(argument.split("=", 1) for argument in sys.argv[1:]))
