"""How an archive stood at any generation of a batch of many, found again from its rows.

B rows of some generations, N elites.
"""

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np

from qd import archives
from qd.archives import HostElites
from qd.types import Batch


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

    def through(self, batch: Batch, size: int, ends: list[int]) -> Iterator[None]:
        """Goes through the generations of a batch, and pauses after some of them.

        A cell holds what entered it in its last generation: of several the best, and of equals the first.

        Args:
            batch: of G generations, G * size rows.
            size: rows of one generation.
            ends: numbers of generations after which it pauses, ascending, from 1 to G.
        """
        entries = np.flatnonzero(batch.status > 0)[::-1]
        cell, generation = batch.cell[entries], entries // size
        objective = np.asarray(batch.evaluation.objective, self._dtype)[entries]
        part = np.searchsorted(ends, generation, "right")
        order = np.lexsort((objective, (part * self.cells + cell) * (ends[-1] + 1) + generation))
        cell, objective, part = cell[order], objective[order], part[order]
        last = np.append((cell[1:] != cell[:-1]) | (part[1:] != part[:-1]), np.ones(min(len(cell), 1), bool))
        cell, objective, part = cell[last], objective[last], part[last]
        new_rows = np.flatnonzero(batch.status == 2)
        first = new_rows[np.unique(batch.cell[new_rows], return_index=True)[1]]
        new = np.bincount(np.searchsorted(ends, first // size, "right"), minlength=len(ends))
        bounds = np.searchsorted(part, np.arange(len(ends) + 1))
        for i, (start, end) in enumerate(pairwise(bounds)):
            self._by_cell[cell[start:end]] = objective[start:end]
            self._filled += int(new[i])
            yield

    def objective(self, order: np.ndarray) -> np.ndarray:
        """Returns the objectives [N] of the elites of the moment; ``order``: all cells, in the order of their first elite."""
        return self._by_cell[order[: self._filled]]
