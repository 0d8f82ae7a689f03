"""Sparse rewards: random search, novelty search, MAP-Elites, CMA-ME, NSGA-II, TAXONS, SERENE and STAX on one referee.

    qd study sparse budget=quick|first|full [seeds=5] [cases=maze] [methods=stax,serene]

Best reward in each area; evaluations until 0.9 of it (the whole budget where it is not reached); coverage of the truth's
50 x 50 cells by *all* that was evaluated and by what the method holds at its end (*current*: population and archives of
novelty search and of what is built on it, elites elsewhere), in per cent; uniformity, 1 - Jensen-Shannon distance between
how often cells were visited and evenly; where the budget went; training's share of the processor's time.

Budgets: quick 6,000 evaluations and two seeds, first 150,000 (curling 100,000) and 5, full 500,000 and 10. The learned
methods use the small autoencoder on images of 32 x 32 pixels without goals in all of them; the papers' use 64 x 64.
"""

import time
from typing import Annotated, Any

import numpy as np

from experiments import command, study
from experiments.command import Names
from experiments.sparse import curves
from experiments.sparse.ground_truth import GroundTruth
from experiments.sparse.methods import METHODS, method
from experiments.sparse.tasks import Task, task
from qd import keys
from qd.archives import HostElites
from qd.report.table import Row, Runs, interval, summary
from qd.search import refit, run, start
from qd.types import Search, State

CHUNK = 1000  # evaluations of exploring between two looks at TAXONS' schedule
INITIAL = 200
BUDGETS = {"quick": 2, "first": 5, "full": 10}  # seeds
PLAN = ("redundant arm", "maze", "curling")
SHOWN = ("area_1", "area_2", "area_3", "until_all", "coverage_all", "coverage_current", "uniformity", "training", "cpu_seconds")


def main(
    budget: Annotated[str, BUDGETS] = "quick",
    seeds: int = 0,
    cases: str = "",
    methods: Annotated[Names, METHODS] = (),
    out: str = "",
) -> None:
    """Runs what is missing, seed by seed, then writes and prints the table and draws its curves."""
    plan = {f"{name}, {evaluations} evaluations": (name, evaluations) for name, evaluations in _plan(budget)}
    selected = study.beginning(plan, cases)
    folder = study.folder("stax", budget, out)
    runs = study.runs(folder)
    wanted = ((c, m, seed) for c in selected for seed in range(seeds or BUDGETS[budget]) for m in methods or METHODS)
    for case, name, seed in study.missing(runs, wanted):
        where, evaluations = plan[case]
        metrics, curve = play(task(where), name, evaluations, seed)
        curves.append(folder / "curves.jsonl", case, name, seed, curve)
        study.add(runs, case, name, seed, metrics, SHOWN)
    study.report(folder, rows(runs), SHOWN)
    for case, figure in curves.figures(curves.read(folder / "curves.jsonl")).items():
        name = case.removesuffix(" evaluations").replace(",", "").replace(" ", "_")
        figure.savefig(folder / f"{name}.png", dpi=100)


def play(of: Task, name: str, evaluations: int, seed: int) -> tuple[dict[str, float], curves.Curve]:
    """Runs one search and returns what was found, at what cost, and how it grew."""
    begin, training, trainings = time.process_time(), 0.0, 0
    chosen = method(name, of)
    keep = () if chosen.descriptor.reads == of.truth.reads else of.truth.reads
    search = Search(of.domain, chosen.descriptor, chosen.archive, chosen.emitter, keep, reserve=0)
    key, sample_key = keys.split(keys.new(seed))
    state, batch = start(search, key, of.domain.sample(sample_key, INITIAL))
    truth = GroundTruth(of)
    truth.add(batch, state.evaluations, None)
    wait, chunks = 1, 1  # TAXONS' schedule: trained after chunks 1, 3, 6, 10, ...
    while state.evaluations < evaluations:
        memory = state.memory
        for state, batch in run(search, state, evaluations):
            truth.add(batch, state.evaluations, memory)
            memory = state.memory
            if chosen.refits and _explored(state.memory, state.evaluations) >= chunks * CHUNK:
                break
        if chosen.refits and state.evaluations < evaluations:
            wait, before = wait + 1, time.process_time()
            chunks += wait
            state = refit(search, state)
            training, trainings = training + time.process_time() - before, trainings + 1
    cpu = time.process_time() - begin
    cost = {"training": 100 * training / cpu, "trainings": trainings, "cpu_seconds": cpu, "evaluations": state.evaluations}
    return truth.scores(evaluations, _held(search, state)) | cost, truth.curve


def rows(runs: Runs) -> list[Row]:
    """Returns medians over seeds, and ours beside the others."""
    return [*summary(runs), *beside_ours(runs)]


def beside_ours(runs: Runs) -> list[Row]:
    """Paired by seed: how much more of the plane ours covers, and its share of another's evaluations to 0.9 of all areas.

    Who never sees them counts as the whole budget, so that where only the other does not, the share is at most this.
    """
    table = []
    for case, other in dict.fromkeys((case, name) for case, name, _ in runs.records if not name.startswith("ours")):
        ours, theirs = (runs.column(case, name, "until_all") for name in ("ours", other))
        if shared := sorted(ours.keys() & theirs.keys()):
            share = np.array([ours[seed] / theirs[seed] for seed in shared])
            low, high = interval(share)
            table.append(Row(case, f"ours / {other}", "until_all", float(np.median(share)), low, high, len(share)))
            table += study.differences(runs, [(case, "ours", other)], ["coverage_all"])
    return table


def _plan(budget: str) -> list[tuple[str, int]]:
    if budget == "quick":
        return [("redundant arm-quick", 6_000)]
    return [(name, 500_000 if budget == "full" else 100_000 if name == "curling" else 150_000) for name in PLAN]


def _explored(memory: Any, evaluations: int) -> int:
    """Evaluations of exploring, by which TAXONS counts."""
    return getattr(memory, "explored", evaluations - INITIAL)


def _held(search: Search, state: State) -> np.ndarray:
    """Places [N, 2] of what the method holds: what its emitter remembers, or the elites."""
    if hasattr(search.emitter, "recall"):
        return search.emitter.recall(state.memory).features["position"]  # type: ignore[attr-defined]
    return HostElites(state.archive).take(np.arange(len(state.archive)), "position")[0]


if __name__ == "__main__":
    command.run()
