"""Kinds learned from people: QDHF (Ding et al. 2024) reproduced, its neighbours, and our robust learner, on one referee.

    python -m experiments.qdhf.study budget=quick|first|full seeds=20 cases=arm

*current*: the final elites judged by the truth; *all*: everything evaluated; both in per cent of the truth's grid.
A rotated truth shows what the grid itself costs: no learned map can be expected to do better than that.

Budgets: quick small tasks and two seeds, first 20 seeds of the plan on the arm and 10 elsewhere, full three times as many.
``cases`` keeps those whose name begins so, ``methods=ours,pca`` those methods.
"""

import sys
import time
from collections.abc import Iterable
from pathlib import Path

import jax
import numpy as np

from experiments.qdhf import curves
from experiments.qdhf.cases import Task, method, task
from experiments.qdhf.plan import PLAN, QUICK
from feedback.descriptors.select import Select
from qd import fused, keys
from qd.archives import Grid, HostElites
from qd.emitters.vary import Gaussian, Vary
from qd.referee import Referee
from qd.report import table
from qd.search import refit, run, start
from qd.support.errors import UserError
from qd.types import Batch, Search

RELEARN = (0.10, 0.25, 0.50)  # of all generations; the first fit is that of the seeds
METRICS = (
    "qd_score_current",
    "coverage_current",
    "qd_score_all",
    "coverage_all",
    "coverage_current_coarse",
    "aligned_r2",
    "failures",
)
SHUFFLED = "ours shuffled"  # a control, whose answers belong to other questions
SEEDS = {"quick": 2, "first": 20, "full": 60}


def main(budget: str = "quick", seeds: str = "", cases: str = "", methods: str = "", out: str = "") -> None:
    """Runs what is missing, then prints and writes the table, and draws its curves."""
    if budget not in SEEDS:
        raise UserError(f"there is no budget {budget!r}", f"type budget={', '.join(SEEDS)}")
    folder = Path(out or ("runs/qdhf-quick" if budget == "quick" else "experiments/results/qdhf"))
    runs = table.Runs(folder / "runs.jsonl")
    for name, answers, flips, compared in QUICK if budget == "quick" else PLAN:
        case = f"{name}, {answers} answers" + (f", {100 * flips:.0f} % flips" if flips else "")
        if not case.startswith(cases):
            continue
        for each in compared:
            if methods and each not in methods.split(","):
                continue
            several = SEEDS[budget] // (1 if name.startswith("arm") else 2)
            missing = [seed for seed in range(int(seeds or several)) if not runs.has(case, each, seed)]
            for seed in missing:
                runs.add(case, each, seed, play(task(name), each, answers, flips, seed))
            if not missing:
                continue
            rows = written(folder, runs)
            print(table.text([r for r in rows if (r.case, r.method) == (case, each)], METRICS, 2).splitlines()[1], flush=True)
    rows = written(folder, runs)
    print(table.text(rows, METRICS, 2))
    curves.drawn(rows).savefig(folder / "curves.png", dpi=110)


def play(of: Task, name: str, answers: int, flips: float, seed: int) -> dict[str, float]:
    """Runs one search and returns what the referee says of it."""
    begin = time.process_time()
    descriptor, refits, reserve = method(name, of, answers, flips, seed)
    referee = Referee(of.truth, Grid(of.dims), of.coarse)
    emitter = Vary(Gaussian(of.sigma), of.batch)
    search = Search(of.domain, descriptor, Grid(of.dims), emitter, referee.keep, reserve)
    key, sample_key = keys.split(keys.new(seed))
    state, batch = start(search, key, of.domain.sample(sample_key, of.initial))
    bench = referee.open(batch)
    bench.add(batch)
    drive = fused.run if fused.applies(search) is None else run
    for stop in _stops(of.generations, refits):
        until = state.evaluations + of.batch * (stop + 1 - state.generation)  # fresh solutions shown to people come on top
        batches = []
        for state, batch in drive(search, state, until):
            batches.append(batch)
        bench.add(_joined(batches))
        if refits and stop < of.generations:
            state = refit(search, state)
    said = bench.scores(HostElites(state.archive), scale=getattr(of.domain, "objective_range", None))
    if isinstance(descriptor, Select):
        said["aligned_r2"] = 1.0
    return said | {"cpu_seconds": time.process_time() - begin, "evaluations": state.evaluations}


def written(folder: Path, runs: table.Runs) -> list[table.Row]:
    """Writes table.csv and about.json: medians, and the share of runs that fail (under half the median)."""
    rows = table.summary(runs)
    for row in [row for row in rows if row.metric == "qd_score_current"]:
        scores = np.array(list(runs.column(row.case, row.method, row.metric).values()))
        failed = (scores < np.median(scores) / 2).astype(float) if np.median(scores) > 0 else np.full(1, np.nan)
        rows.append(row._replace(metric="failures", value=failed.mean(), low=np.nan, high=np.nan))
    rows += _differences(runs)
    table.write(folder / "table.csv", rows)
    table.about(folder / "about.json")
    return rows


def _differences(runs: table.Runs) -> list[table.Row]:
    """Each of ours minus each neighbour, the one with shuffled answers too, paired by seed, wherever both ran."""
    ran = list(dict.fromkeys((case, method) for case, method, _ in runs.records))
    ours = [(case, method) for case, method in ran if method.startswith("ours") and method != SHUFFLED]
    others = [pair for pair in ran if pair not in ours]
    both = [(c, a, b) for c, a in ours for there, b in others if c == there and _seeds(runs, c, a) & _seeds(runs, c, b)]
    return [table.difference(runs, *pair, m) for pair in both for m in ("qd_score_current", "aligned_r2")]


def _seeds(runs: table.Runs, case: str, method: str) -> set[int]:
    return set(runs.column(case, method, "aligned_r2"))


def _stops(generations: int, refits: bool) -> Iterable[int]:
    return [*(round(generations * share) for share in RELEARN if refits), generations]


def _joined(batches: list[Batch]) -> Batch:
    """One batch of all rows, in order: the referee judges a stretch at once."""
    columns = jax.tree.map(lambda *column: np.concatenate(column), *(b._replace(first=()) for b in batches))
    return columns._replace(first=batches[0].first)


if __name__ == "__main__":
    main(**dict(argument.split("=", 1) for argument in sys.argv[1:]))
