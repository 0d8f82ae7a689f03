"""Sparse rewards: random search, novelty search, MAP-Elites, CMA-ME, NSGA-II, TAXONS, SERENE and STAX on one referee.

    python -m experiments.sparse.study budget=quick|first|full seeds=5 cases=maze methods=stax,serene

Best reward in each area; evaluations until 0.9 of it (the whole budget where it is not reached); coverage of the truth's
50 x 50 cells by *all* that was evaluated and by what the method holds at its end (*current*: population and archives of
novelty search and of what is built on it, elites elsewhere), in per cent; uniformity, 1 - Jensen-Shannon distance between
how often cells were visited and evenly; where the budget went; training's share of the processor's time.

Budgets: quick 6,000 evaluations and two seeds, first 150,000 (curling 100,000) and 5, full 500,000 and 10. The learned
methods use the small autoencoder on images of 32 x 32 pixels without goals in all of them; the papers' use 64 x 64.
"""

import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from experiments.sparse import curves
from experiments.sparse.cases import METHODS, Task, method, task
from qd import keys
from qd.archives import HostElites
from qd.report import table
from qd.search import refit, run, start
from qd.support.errors import UserError
from qd.types import Batch, Search, State

CELLS = 50
ENOUGH = 0.9  # of an area's reward
CHUNK = 1000  # evaluations of exploring between two looks at TAXONS' schedule
INITIAL = 200
SEEDS = {"quick": 2, "first": 5, "full": 10}
PLAN = ("redundant arm", "maze", "curling")
SHOWN = ("area_1", "area_2", "area_3", "until_all", "coverage_all", "coverage_current", "uniformity", "training", "cpu_seconds")


def main(budget: str = "quick", seeds: str = "", cases: str = "", methods: str = "", out: str = "") -> None:
    """Runs what is missing, seed by seed, then prints and writes the table and draws its curves."""
    if budget not in SEEDS:
        raise UserError(f"there is no budget {budget!r}", f"type budget={', '.join(SEEDS)}")
    folder = Path(out or ("runs/stax-quick" if budget == "quick" else "experiments/results/stax"))
    runs = table.Runs(folder / "runs.jsonl")
    for name, evaluations in _plan(budget):
        case = f"{name}, {evaluations} evaluations"
        if not case.startswith(cases):
            continue
        for seed in range(int(seeds or SEEDS[budget])):
            for each in methods.split(",") if methods else METHODS:
                if runs.has(case, each, seed):
                    continue
                said, curve = play(task(name), each, evaluations, seed)
                curves.append(folder / "curves.jsonl", case, each, seed, curve)
                runs.add(case, each, seed, said)
                written(folder, runs)
                print(f"{each}, seed {seed}: {', '.join(f'{m} {said[m]:.4g}' for m in SHOWN if m in said)}", flush=True)
    print(table.text(written(folder, runs), SHOWN, 2))
    for case, figure in curves.drawn(curves.read(folder / "curves.jsonl")).items():
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
    book = Book(of)
    book.add(batch, state.evaluations, None)
    wait, chunks = 1, 1  # TAXONS' schedule: trained after chunks 1, 3, 6, 10, ...
    while state.evaluations < evaluations:
        memory = state.memory
        for state, batch in run(search, state, evaluations):
            book.add(batch, state.evaluations, memory)
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
    return book.scores(evaluations, _held(search, state)) | cost, book.curve


class Book:
    """What everything evaluated amounts to, by ground truth."""

    def __init__(self, of: Task) -> None:
        self.task = of
        self.visits = np.zeros((CELLS, CELLS), np.int64)
        self.best = np.zeros(len(of.domain.goal.areas))
        self.first = np.full(len(self.best), np.nan)  # evaluations when an area first paid enough
        self.spent = np.zeros(1 + len(self.best))  # on exploring, and on each area
        self.failed = 0
        self.curve: curves.Curve = []

    def add(self, batch: Batch, evaluations: int, before: Any) -> None:
        """Notes a batch, asked for by an emitter whose memory was ``before``."""
        good = batch.status >= 0
        place = batch.evaluation.features["position"][good]
        self.failed += int((~good).sum())
        np.add.at(self.visits, tuple(_cells(place, self.task.box).T), 1)
        paid = np.where(batch.evaluation.objective[good] > 0, self._pay(place), 0)
        self.best = np.maximum(self.best, paid.max(axis=1, initial=0))
        self.first = np.where(np.isnan(self.first) & (self.best >= ENOUGH), evaluations, self.first)
        climber = getattr(before, "now", None)
        self.spent[0 if climber is None else 1 + self._area(climber)] += len(batch.ids)
        if not self.curve or evaluations // 2000 > self.curve[-1][0] // 2000:
            self.curve.append((evaluations, 100 * float((self.visits > 0).mean()), *map(float, self.best)))

    def scores(self, budget: int, held: np.ndarray) -> dict[str, float]:
        """``held`` are the places [N, 2] of what the method holds at its end."""
        current = np.zeros_like(self.visits)
        current[tuple(_cells(held, self.task.box).T)] = 1
        said = {f"area_{i + 1}": float(best) for i, best in enumerate(self.best)}
        said |= {f"until_{i + 1}": float(np.nan_to_num(first, nan=budget)) for i, first in enumerate(self.first)}
        said["until_all"] = float(np.nan_to_num(self.first, nan=budget).max())
        said["reached_all"] = float(np.isfinite(self.first).all())
        said["coverage_all"] = 100 * float((self.visits > 0).mean())
        said["coverage_current"] = 100 * float(current.mean())
        said["uniformity"] = uniformity(self.visits)
        share = 100 * self.spent / self.spent.sum()
        said |= {"exploring": float(share[0])} | {f"exploiting_{i + 1}": float(s) for i, s in enumerate(share[1:])}
        return said | {"failed": self.failed}

    def _area(self, climber: Any) -> int:
        """The area in which a climber began."""
        return int(np.argmax(self._pay(climber.ancestor.features["position"])[:, 0]))

    def _pay(self, place: np.ndarray) -> np.ndarray:
        """What each area would pay for places [N, 2], below 0 outside of it: [A, N]."""
        x, y, radius = np.array(self.task.domain.goal.areas).T[:, :, None]
        return 1 - np.hypot(place[:, 0] - x, place[:, 1] - y) / radius


def uniformity(visits: np.ndarray) -> float:
    """1 - the Jensen-Shannon distance (base 2) between visits of cells and even visits."""
    p = visits.ravel() / max(visits.sum(), 1)
    q = np.full(p.size, 1 / p.size)
    middle = (p + q) / 2
    information = sum((x[x > 0] * np.log2(x[x > 0] / middle[x > 0])).sum() for x in (p, q)) / 2
    return float(1 - np.sqrt(max(information, 0)))


def written(folder: Path, runs: table.Runs) -> list[table.Row]:
    """Writes table.csv and about.json: medians over seeds, and ours beside the others."""
    rows = [*table.summary(runs), *beside_ours(runs)]
    table.write(folder / "table.csv", rows)
    table.about(folder / "about.json")
    return rows


def beside_ours(runs: table.Runs) -> list[table.Row]:
    """Paired by seed: how much more of the plane ours covers, and its share of another's evaluations to 0.9 of all areas.

    Who never sees them counts as the whole budget, so that where only the other does not, the share is at most this.
    """
    rows = []
    for case, other in dict.fromkeys((case, name) for case, name, _ in runs.records if not name.startswith("ours")):
        ours, theirs = (runs.column(case, name, "until_all") for name in ("ours", other))
        if shared := sorted(ours.keys() & theirs.keys()):
            share = np.array([ours[seed] / theirs[seed] for seed in shared])
            told = float(np.median(share)), *table.interval(share), len(share)
            rows.append(table.Row(case, f"ours / {other}", "until_all", *told))
            rows.append(table.difference(runs, case, "ours", other, "coverage_all"))
    return rows


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


def _cells(place: np.ndarray, box: tuple[float, float]) -> np.ndarray:
    low, high = box
    return np.clip(((place - low) / (high - low) * CELLS).astype(int), 0, CELLS - 1)


if __name__ == "__main__":
    main(**dict(argument.split("=", 1) for argument in sys.argv[1:]))
