"""Parents from the fronts of ``archive=fronts`` (MOME, Pierrot et al. 2022; MOME-P2C, Janmohamed et al. 2024).

N rows of all fronts, B batch, P parents of one child.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from qd import keys
from qd.archives.fronts import OpenFronts, crowding
from qd.emitters.vary import Vary
from qd.support.errors import UserError
from qd.types import OBJECTIVES, Array, Elites, Memory, Offspring


@dataclass(frozen=True)
class VaryFronts(Vary):
    """Draws a cell evenly, then a row of its front, and varies these parents; its memory is empty."""

    crowding: bool = False  # within a front in proportion to the crowding distance (MOME-P2C), else evenly (MOME)
    pure: bool = False

    def check(self, key: Array, solutions: Array, archive: Any) -> None:
        """Tries the variation on one solution.

        Args:
            key: of the trial.
            solutions: [N, ...] of the domain.
            archive: opened for the search.

        Raises:
            UserError: the archive has no fronts, or children have another shape than solutions.
        """
        if not isinstance(archive, OpenFronts):
            raise UserError("this emitter draws parents from fronts, and the archive has none", "type archive=fronts")
        Vary(self.variation, self.batch_size).check(key, solutions, archive)

    def ask(self, key: Array, memory: Memory, elites: Elites) -> tuple[Memory, Offspring]:
        """Draws parents and varies them; arguments as in ``Emitter``."""
        draw_key, vary_key = keys.split(key)
        count = self.variation.parents
        cells, goals = elites.take(np.arange(elites.size), "cell", OBJECTIVES)
        shares = np.cumsum(_shares(cells, goals if self.crowding else None))
        draws = keys.uniform(draw_key, (self.batch_size * count,), 0, 1) * shares[-1]
        index = np.minimum(np.searchsorted(shares, draws, side="right"), len(shares) - 1)
        ids, parents = elites.take(index, "id", "solution")
        parents = parents.reshape(self.batch_size, count, *parents.shape[1:])
        return memory, Offspring(self.variation(vary_key, parents), ids.reshape(self.batch_size, count))


def _shares(cells: np.ndarray, goals: np.ndarray | None) -> np.ndarray:
    """How often each row [N] is drawn: every cell equally often in all, its rows evenly, or by the crowding of goals [N, K]."""
    _, place, counts = np.unique(cells, return_inverse=True, return_counts=True)
    if goals is None:
        return 1 / counts[place]
    shares, order = np.empty(len(cells)), np.argsort(place, kind="stable")
    for rows in np.split(order, np.cumsum(counts)[:-1]):
        distance = crowding(goals[rows])
        inner = distance[np.isfinite(distance)]
        end = 2 * inner.max() if inner.any() else 1.0  # the ends of a front are drawn twice as often as any between them
        distance = np.where(np.isfinite(distance) & inner.any(), distance, end)
        shares[rows] = distance / distance.sum()
    return shares
