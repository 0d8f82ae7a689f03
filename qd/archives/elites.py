"""Elites, the view of an archive that emitters and learners get."""

from typing import Any

import numpy as np

from qd import abilities, keys
from qd.archives.lean import OpenCVT, OpenGrid
from qd.archives.settings import OWN_FIELDS
from qd.support.errors import UserError
from qd.support.spelling import unknown
from qd.types import Array, Rows


class HostElites:
    """Elites over a pyribs archive, in the order in which their cells were first filled."""

    def __init__(self, archive: Any) -> None:
        self.archive = archive  # the pyribs object, for hosted pyribs emitters and nobody else

    @property
    def size(self) -> int:
        return len(self.archive)

    @property
    def features(self) -> tuple[str, ...]:
        return tuple(name for name in self.archive._store._fields if name not in OWN_FIELDS)

    def draw(self, key: Array, n: int, *names: str) -> tuple[np.ndarray, ...]:
        """Draws elites evenly, with replacement.

        Args:
            key: a host key.
            n: how many.
            names: of columns; by default id and solution.

        Returns:
            The columns, [n, ...] each.
        """
        return self.take(keys.integers(key, (n,), 0, self.size), *(names or ("id", "solution")))

    def take(self, index: Array, *names: str) -> tuple[np.ndarray, ...]:
        """Returns columns of some elites.

        Args:
            index: [n] ranks in 0..size-1.
            names: of columns (see qd.types.Elites); also place [n, M], and cell [n].

        Returns:
            The columns, [n, ...] each.

        Raises:
            UserError: there is no such column, or elites of this archive have no place.
        """
        return self._columns(self.archive._store._props["occupied_list"][index], names)

    def draw_from_fronts(self, key: Array, n: int, crowded: bool, *names: str) -> tuple[np.ndarray, ...]:
        """Draws cells evenly, then a row of the front of each, with replacement; of an archive with fronts.

        Args:
            key: a host key.
            n: how many.
            crowded: within a front in proportion to the crowding distance, else evenly.
            names: of columns; by default id and solution.

        Returns:
            The columns, [n, ...] each.
        """
        return self._columns(self.archive.drawn(key, n, crowded), names or ("id", "solution"))

    def _columns(self, cells: np.ndarray, names: tuple[str, ...]) -> tuple[np.ndarray, ...]:
        others = {"place": self._place, "cell": self._cell}
        return tuple(others[name](cells) if name in others else self._column(name)[cells] for name in names)

    def rows(self) -> Rows:
        """See qd.types.Elites."""
        everyone = np.arange(self.size)
        ids, solutions, objective = self.take(everyone, "id", "solution", "objective")
        features = dict(zip(self.features, self.take(everyone, *self.features), strict=True))
        return Rows(ids, solutions, objective, features, np.ones(self.size, bool))

    def _column(self, name: str) -> np.ndarray:
        fields = self.archive._store._fields
        if name not in fields:
            raise unknown("column", name, [*fields, "place"], "of the archive")
        return fields[name]

    def _cell(self, slots: np.ndarray) -> np.ndarray:
        return slots // abilities.of_opened(self.archive).front_size

    def _place(self, cells: np.ndarray) -> np.ndarray:
        archive, cells = self.archive, self._cell(cells)
        if isinstance(archive, OpenGrid):
            return archive.int_to_grid_index(cells).astype(np.float32)
        if isinstance(archive, OpenCVT):
            width = (archive.upper_bounds - archive.lower_bounds) / archive.cells ** (1 / archive.measure_dim)
            return (archive.centroids[cells] - archive.lower_bounds) / width
        raise UserError(f"a {type(archive).__name__} has no cells, so its elites have no place", "use a grid or a CVT")
