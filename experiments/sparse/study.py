"""Sparse rewards: random search, novelty search, MAP-Elites, CMA-ME, NSGA-II, TAXONS, SERENE and STAX on one referee.

    qd study sparse budget=quick|first|full [seeds=5] [cases=maze] [methods=stax,serene]

Best reward in each area; evaluations until 0.9 of it (the whole budget where it is not reached); coverage of the truth's
50 x 50 cells in per cent, by *all* evaluated solutions and by those that the method holds at its end (*current*: population
and archives of novelty search and its descendants, elites elsewhere); uniformity, 1 - Jensen-Shannon distance between the
visits of cells and uniform visits; where the budget went; training's share of CPU time.

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
from experiments.sparse.tasks import SparseTask, task
from qd import abilities, keys
from qd.archives import HostElites
from qd.emitters.sparse.serene import SereneMemory
from qd.report.table import Row, Runs, of_ratios, summary
from qd.search import refit, run, start
from qd.types import Search, State

CHUNK = 1000  # exploring evaluations; TAXONS' schedule counts such chunks
INITIAL = 200
BUDGETS = {"quick": 2, "first": 5, "full": 10}  # seeds
PLAN = ("redundant arm", "maze", "curling")
METRICS = (
    "area_1",
    "area_2",
    "area_3",
    "until_all",
    "coverage_all",
    "coverage_current",
    "uniformity",
    "training",
    "cpu_seconds",
)


def main(
    budget: Annotated[str, BUDGETS] = "quick",
    seeds: int = 0,
    cases: str = "",
    methods: Annotated[Names, METHODS] = (),
    out: str = "",
) -> None:
    """Does the missing runs, seed by seed, then writes and prints the table and draws its curves.

    Arguments as in ``study``.
    """
    plan = {f"{name}, {evaluations} evaluations": (name, evaluations) for name, evaluations in _plan(budget)}
    names = study.beginning(plan, cases)
    folder = study.folder("stax", budget, out)
    runs = study.runs(folder)
    todo = ((c, m, seed) for c in names for seed in range(seeds or BUDGETS[budget]) for m in methods or METHODS)
    for case, name, seed in study.missing(runs, todo):
        where, evaluations = plan[case]
        metrics, curve = play(task(where), name, evaluations, seed)
        curves.append(folder / "curves.jsonl", case, name, seed, curve)
        study.add(runs, case, name, seed, metrics, METRICS)
    study.report(folder, rows(runs), METRICS)
    for case, figure in curves.figures(curves.read(folder / "curves.jsonl")).items():
        name = case.removesuffix(" evaluations").replace(",", "").replace(" ", "_")
        figure.savefig(folder / f"{name}.png", dpi=100)


def play(of: SparseTask, name: str, evaluations: int, seed: int) -> tuple[dict[str, float], curves.Curve]:
    """Runs one search; returns its scores on ground truth with its cost, and its curve.

    Args:
        of: the task.
        name: of the method.
        evaluations: of the run.
        seed: of all randomness.
    """
    begin, training, trainings = time.process_time(), 0.0, 0
    components = method(name, of)
    keep = () if components.descriptor.reads == of.truth.reads else of.truth.reads
    search = Search(of.domain, components.descriptor, components.archive, components.emitter, keep, reserve=0)
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
            if components.refits and _exploring_evaluations(state.memory, state.evaluations) >= chunks * CHUNK:
                break
        if components.refits and state.evaluations < evaluations:
            wait, before = wait + 1, time.process_time()
            chunks += wait
            state = refit(search, state)
            training, trainings = training + time.process_time() - before, trainings + 1
    cpu = time.process_time() - begin
    cost = {"training": 100 * training / cpu, "trainings": trainings, "cpu_seconds": cpu, "evaluations": state.evaluations}
    return truth.scores(evaluations, _final_places(search, state)) | cost, truth.curve


def rows(runs: Runs) -> list[Row]:
    """Returns medians over seeds, and ours beside the others."""
    return [*summary(runs), *beside_ours(runs)]


def beside_ours(runs: Runs) -> list[Row]:
    """Paired by seed: how much more of the plane ours covers, and its share of another's evaluations to 0.9 of all areas.

    A run that never reaches them counts as the whole budget; where only the other one does not, the share is an upper bound.
    """
    pairs = [(case, other) for case, other, _ in runs.records if not other.startswith("ours")]
    pairs = [pair for pair in dict.fromkeys(pairs) if _shared_seeds(runs, *pair)]
    table = []
    for case, other in pairs:
        ours, theirs = (runs.column(case, name, "until_all") for name in ("ours", other))
        share = [ours[seed] / theirs[seed] for seed in _shared_seeds(runs, case, other)]
        table.append(of_ratios(case, f"ours / {other}", "until_all", share))
    return table + study.differences(runs, [(case, "ours", other) for case, other in pairs], ["coverage_all"])


def _shared_seeds(runs: Runs, case: str, other: str) -> list[int]:
    return sorted(runs.column(case, "ours", "until_all").keys() & runs.column(case, other, "until_all").keys())


def _plan(budget: str) -> list[tuple[str, int]]:
    if budget == "quick":
        return [("redundant arm-quick", 6_000)]
    return [(name, 500_000 if budget == "full" else 100_000 if name == "curling" else 150_000) for name in PLAN]


def _exploring_evaluations(memory: Any, evaluations: int) -> int:
    """Returns the evaluations spent on exploring, which TAXONS' schedule counts."""
    return memory.exploration if isinstance(memory, SereneMemory) else evaluations - INITIAL


def _final_places(search: Search, state: State) -> np.ndarray:
    """Returns the final positions [N, 2] of the rows that the emitter recalls, or of the elites."""
    rows = abilities.of_emitter(search.emitter).recall(state.memory)
    if rows is not None:
        return rows.features["position"]
    return HostElites(state.archive).take(np.arange(len(state.archive)), "position")[0]


if __name__ == "__main__":
    command.run()
