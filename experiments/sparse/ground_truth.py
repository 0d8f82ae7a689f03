"""Scores of everything that a search for sparse rewards evaluated, by the true final position of each episode.

N places, A areas.
"""

from typing import Any

import numpy as np

from experiments.sparse.curves import Curve
from experiments.sparse.tasks import SparseTask
from qd.emitters.sparse.serene import SereneMemory
from qd.types import Batch

CELLS = 50
ENOUGH = 0.9  # of an area's reward


class GroundTruth:
    """Accumulates visits, best rewards and costs over all evaluated batches."""

    def __init__(self, of: SparseTask) -> None:
        self.task = of
        self.visits = np.zeros((CELLS, CELLS), np.int64)
        self.best = np.zeros(len(of.domain.goal.areas))
        self.first = np.full(len(self.best), np.nan)  # evaluations when an area first paid enough
        self.effort = np.zeros(1 + len(self.best))  # on exploring, and on each area
        self.failed = 0
        self.curve: Curve = []

    def add(self, batch: Batch, evaluations: int, before: Any) -> None:
        """Adds a batch.

        Args:
            batch: all rows of a generation.
            evaluations: of the search so far.
            before: the emitter's memory when it proposed the batch; None for the initial population.
        """
        good = batch.status >= 0
        place = batch.evaluation.features["position"][good]
        self.failed += int((~good).sum())
        np.add.at(self.visits, tuple(_cells(place, self.task.box).T), 1)
        reward = np.where(batch.evaluation.objective[good] > 0, self._pay(place), 0)
        self.best = np.maximum(self.best, reward.max(axis=1, initial=0))
        self.first = np.where(np.isnan(self.first) & (self.best >= ENOUGH), evaluations, self.first)
        search = before.active if isinstance(before, SereneMemory) else None
        self.effort[0 if search is None else 1 + self._area(search)] += len(batch.ids)
        if not self.curve or evaluations // 2000 > self.curve[-1][0] // 2000:
            self.curve.append((evaluations, 100 * float((self.visits > 0).mean()), *map(float, self.best)))

    def scores(self, budget: int, places: np.ndarray) -> dict[str, float]:
        """Returns all scores.

        Args:
            budget: evaluations of the run; it stands for an area that was never reached.
            places: [N, 2] final positions of the method's last archive.
        """
        current = np.zeros_like(self.visits)
        current[tuple(_cells(places, self.task.box).T)] = 1
        scores = {f"area_{i + 1}": float(best) for i, best in enumerate(self.best)}
        scores |= {f"until_{i + 1}": float(np.nan_to_num(first, nan=budget)) for i, first in enumerate(self.first)}
        scores["until_all"] = float(np.nan_to_num(self.first, nan=budget).max())
        scores["reached_all"] = float(np.isfinite(self.first).all())
        scores["coverage_all"] = 100 * float((self.visits > 0).mean())
        scores["coverage_current"] = 100 * float(current.mean())
        scores["uniformity"] = uniformity(self.visits)
        share = 100 * self.effort / self.effort.sum()
        scores |= {"exploring": float(share[0])} | {f"exploiting_{i + 1}": float(s) for i, s in enumerate(share[1:])}
        return scores | {"failed": self.failed}

    def _area(self, search: Any) -> int:
        """Returns the area in which a local search began."""
        return int(np.argmax(self._pay(search.ancestor.features["position"])[:, 0]))

    def _pay(self, place: np.ndarray) -> np.ndarray:
        """Returns the reward of each area at places [N, 2], below 0 outside of it: [A, N]."""
        x, y, radius = np.array(self.task.domain.goal.areas).T[:, :, None]
        return 1 - np.hypot(place[:, 0] - x, place[:, 1] - y) / radius


def uniformity(visits: np.ndarray) -> float:
    """1 - the Jensen-Shannon distance (base 2) between visits of cells and even visits."""
    p = visits.ravel() / max(visits.sum(), 1)
    q = np.full(p.size, 1 / p.size)
    middle = (p + q) / 2
    information = sum((x[x > 0] * np.log2(x[x > 0] / middle[x > 0])).sum() for x in (p, q)) / 2
    return float(1 - np.sqrt(max(information, 0)))


def _cells(place: np.ndarray, box: tuple[float, float]) -> np.ndarray:
    low, high = box
    return np.clip(((place - low) / (high - low) * CELLS).astype(int), 0, CELLS - 1)
