"""Measures learned from comparisons: QDHF (Ding et al. 2024) reproduced, its neighbours, our robust learner.

    qd study qdhf budget=quick|first|full [seeds=20] [first_seed=100] [cases=arm] [methods=ours,pca]

*current*: the final elites by their true measures; *all*: everything evaluated; both in per cent of the truth's grid.
A rotated truth shows what the grid itself costs: no learned map can be expected to do better than that.

Budgets: quick small tasks and two seeds, first 20 seeds of the plan on the arm and 10 elsewhere, full three times as many.
``cases=arm`` runs the cases that begin with arm, ``methods=ours,pca`` these methods.
"""

import time
from collections.abc import Iterable
from itertools import product
from typing import Annotated

import jax
import numpy as np

from experiments import command, study
from experiments.command import Names
from experiments.qdhf import curves
from experiments.qdhf.cases import METHODS, MeasureMethod, QDHFTask, method, task
from experiments.qdhf.plan import PLAN, QUICK, PlanEntry
from feedback.descriptors.select import Select
from qd import fused, keys
from qd.archives import Grid, HostElites
from qd.emitters.vary import Gaussian, Vary
from qd.referee import Referee
from qd.report.table import Row, Runs, summary
from qd.search import refit, run, start
from qd.types import Batch, Search

METRICS = (
    "qd_score_current",
    "coverage_current",
    "qd_score_all",
    "coverage_all",
    "coverage_current_coarse",
    "aligned_r2",
    "failures",
)
SHUFFLED = "ours shuffled"  # a control: answers of other questions
BUDGETS = {"quick": 2, "first": 20, "full": 60}  # seeds on the arm; half as many elsewhere


def main(
    budget: Annotated[str, BUDGETS] = "quick",
    seeds: int = 0,
    cases: str = "",
    methods: Annotated[Names, METHODS] = (),
    first_seed: int = 0,
    out: str = "",
) -> None:
    """Does the missing runs, then writes and prints the table, and draws its curves; other arguments as in ``study``.

    Args:
        first_seed: the smallest seed; seeds from 100 on chose no setting.
    """
    plan = {entry: case_of(entry) for entry in (QUICK if budget == "quick" else PLAN)}
    names = study.beginning(plan.values(), cases)
    folder = study.folder("qdhf", budget, out)
    runs = study.runs(folder)
    for entry, case in plan.items():
        method_names = [name for name in entry.methods if not methods or name in methods] if case in names else []
        n = seeds or BUDGETS[budget] // (1 if entry.task.startswith("arm") else 2)
        several = range(first_seed, first_seed + n)
        for _, name, seed in study.missing(runs, product([case], method_names, several)):
            study.add(runs, case, name, seed, play(task(entry.task), name, entry.answers, entry.flips, seed), METRICS)
    table = rows(runs)
    study.report(folder, table, METRICS)
    curves.draw(table).savefig(folder / "curves.png", dpi=110)


def case_of(entry: PlanEntry) -> str:
    """Returns the name of an entry's case."""
    return f"{entry.task}, {entry.answers} answers" + (f", {100 * entry.flips:.0f} % flips" if entry.flips else "")


def play(of: QDHFTask, name: str, answers: int, flips: float, seed: int) -> dict[str, float]:
    """Runs one search and returns its scores on ground truth.

    Args:
        of: the task.
        name: of the method.
        answers: number of comparisons.
        flips: share of answers that the judge reverses.
        seed: of all randomness.
    """
    return play_method(of, method(name, of, answers, flips, seed), seed)


def play_method(of: QDHFTask, by: MeasureMethod, seed: int) -> dict[str, float]:
    """Runs one search and returns its scores on ground truth.

    Args:
        of: the task.
        by: descriptor, points at which it is refitted, and reserve.
        seed: of all randomness but the judge's.
    """
    begin = time.process_time()
    descriptor, refits, reserve = by
    referee = Referee(of.truth, Grid(of.dims), of.coarse)
    emitter = Vary(Gaussian(of.sigma), of.batch)
    search = Search(of.domain, descriptor, Grid(of.dims), emitter, referee.keep, reserve)
    key, sample_key = keys.split(keys.new(seed))
    state, batch = start(search, key, of.domain.sample(sample_key, of.initial))
    bench = referee.open(batch)
    bench.add(batch)
    drive = fused.run if fused.applies(search) is None else run
    for stop in _stops(of.generations, refits):
        until = state.evaluations + of.batch * (stop + 1 - state.generation)  # fresh solutions for raters are added
        batches = []
        for state, batch in drive(search, state, until):
            batches.append(batch)
        bench.add(_join(batches))
        if refits and stop < of.generations:
            state = refit(search, state)
    metrics = bench.scores(HostElites(state.archive), scale=getattr(of.domain, "objective_range", None))
    if isinstance(descriptor, Select):
        metrics["aligned_r2"] = 1.0
    return metrics | {"cpu_seconds": time.process_time() - begin, "evaluations": state.evaluations}


def rows(runs: Runs) -> list[Row]:
    """Returns medians, the share of runs that fail (under half the median), and ours minus each neighbour, paired by seed."""
    table = summary(runs)
    for row in [row for row in table if row.metric == "qd_score_current"]:
        scores = np.array(list(runs.column(row.case, row.method, row.metric).values()))
        failures = (scores < np.median(scores) / 2).astype(float) if np.median(scores) > 0 else np.full(1, np.nan)
        table.append(row._replace(metric="failures", value=failures.mean(), low=np.nan, high=np.nan))
    return table + study.differences(runs, _pairs(runs), ("qd_score_current", "aligned_r2"))


def _pairs(runs: Runs) -> list[tuple[str, str, str]]:
    """Returns (case, method, other) for each of our methods and each other one, shuffled answers included."""
    pairs = list(dict.fromkeys((case, method) for case, method, _ in runs.records))
    ours = [(case, method) for case, method in pairs if method.startswith("ours") and method != SHUFFLED]
    others = [pair for pair in pairs if pair not in ours]
    return [(case, method, other) for case, method in ours for there, other in others if case == there]


def _stops(generations: int, refits: tuple[float, ...]) -> Iterable[int]:
    return [*(round(generations * share) for share in refits), generations]


def _join(batches: list[Batch]) -> Batch:
    """Joins batches to one, in order: the referee scores a segment at once."""
    columns = jax.tree.map(lambda *column: np.concatenate(column), *(b._replace(first=()) for b in batches))
    return columns._replace(first=batches[0].first)


if __name__ == "__main__":
    command.run()
