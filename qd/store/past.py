"""How an archive stood at any generation of a batch of many, found again from its rows.

B rows of some generations, N elites.
"""

from typing import Any

import numpy as np

from qd import archives
from qd.archives import HostElites
from qd.types import Batch, Evaluation


class Past:
    """The objectives of an archive's elites, carried from before a batch to after any of its generations."""

    def __init__(self, archive: Any) -> None:
        self.cells = archives.capacity(archive)
        there = archives.occupied(archive)
        self._filled, self._dtype = len(there), archive.dtypes["objective"]
        self._by_cell = np.zeros(self.cells, self._dtype)
        (self._by_cell[there],) = HostElites(archive).take(np.arange(len(there)), "objective")

    @staticmethod
    def fits(archive: Any) -> bool:
        """Whether it is of the kinds that are filled many generations at once."""
        return archives.is_grid(archive) or archives.is_cvt(archive)

    def add(self, batch: Batch, size: int) -> None:
        """Takes the next generations, of ``size`` rows each.

        A cell holds what entered it in its last generation: of several the best, and of equals the first.
        """
        entered = np.flatnonzero(batch.status > 0)[::-1]
        cell, objective = batch.cell[entered], np.asarray(batch.evaluation.objective, self._dtype)[entered]
        order = np.lexsort((objective, entered // size, cell))
        cell = cell[order]
        last = np.append(cell[1:] != cell[:-1], True) if len(cell) else np.zeros(0, bool)
        self._by_cell[cell[last]] = objective[order][last]
        self._filled += len(np.unique(batch.cell[batch.status == 2]))

    def objective(self, archive: Any) -> np.ndarray:
        """Returns the objectives [N] in the order in which their cells were first filled, which the archive remembers."""
        return self._by_cell[archives.occupied(archive)[: self._filled]]


def piece(batch: Batch, rows: slice) -> Batch:
    """Returns some rows of a batch: of its columns only those that are counted."""
    judged = Evaluation(batch.evaluation.objective[rows], {})
    counted = {name: getattr(batch, name)[rows] for name in ("ids", "measures", "cell", "status")}
    return batch._replace(evaluation=judged, **counted)
