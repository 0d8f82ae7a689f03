"""Parents from the fronts of ``archive=fronts`` (MOME, Pierrot et al. 2022; MOME-PGX, Janmohamed et al. 2023).

B batch, P parents of one child.
"""

from dataclasses import dataclass
from typing import Any

from qd import keys
from qd.archives.fronts import OpenFronts
from qd.emitters.vary import Vary
from qd.support.errors import UserError
from qd.types import Array, Elites, Memory, Offspring


@dataclass(frozen=True)
class VaryFronts(Vary):
    """Draws a cell evenly, then a row of its front, and varies these parents; its memory is empty."""

    crowding: bool = False  # within a front in proportion to the crowding distance (MOME-PGX), else evenly (MOME)

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
        ids, parents = elites.draw_from_fronts(draw_key, self.batch_size * count, self.crowding)
        parents = parents.reshape(self.batch_size, count, *parents.shape[1:])
        return memory, Offspring(self.variation(vary_key, parents), ids.reshape(self.batch_size, count))
