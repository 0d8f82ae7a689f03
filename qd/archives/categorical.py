"""An archive whose measures are categories: pyribs' CategoricalArchive, for descriptors that give numbers of categories.

B rows, M measures, C cells.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from ribs.archives import ArchiveBase, CategoricalArchive

from qd.archives.lean import Cells
from qd.archives.settings import Bounds, check_bounds, common
from qd.archives.unstructured import with_bounds
from qd.support.errors import UserError
from qd.types import Array, Rows


@dataclass(frozen=True)
class Categorical:
    """A cell for each combination of categories; measure m of a row is the number of its category, 0 to n - 1.

    With ``every`` a row is offered to all cells, with another objective in each: the columns of that feature. In
    innovation engines (Nguyen et al. 2015) each picture competes so for every class.
    """

    categories: tuple[tuple[str, ...], ...]  # the names of each measure's categories
    every: str | None = None  # a feature [B, C] of objectives; None: a row is offered to the cell of its own measures alone
    dtype: str = "float32"

    @property
    def keep(self) -> tuple[str, ...]:
        """The feature ``every``."""
        return () if self.every is None else (self.every,)

    @property
    def dims(self) -> tuple[int, ...]:
        """How many categories each measure has."""
        return tuple(len(names) for names in self.categories)

    def open(self, example: Rows, bounds: Bounds, keep: tuple[str, ...], seed: int) -> ArchiveBase:
        """Opens an empty archive; arguments as in ``Archive``.

        Raises:
            UserError: the bounds are not those of the categories' numbers, or the feature ``every`` has another shape.
        """
        check_bounds(bounds)
        wanted = tuple((-0.5, n - 0.5) for n in self.dims)
        if tuple((float(low), float(high)) for low, high in bounds) != wanted:
            raise UserError(
                f"archive=categorical has categories for measures within {wanted}, and the descriptor's are within {bounds}",
                "type a domain of categories, e.g. domain=innovation, or archive=grid",
            )
        cells = int(np.prod(self.dims))
        if self.every is not None and np.shape(example.features[self.every])[1:] != (cells,):
            shape = list(np.shape(example.features[self.every])[1:])
            raise UserError(
                f"{self.every} has {shape} numbers for a row, and there are {cells} cells", "type archive.every=null"
            )
        archive = OpenCategorical(categories=self.categories, seed=seed, **common(self, example, keep, cells))
        archive.every = self.every
        return with_bounds(archive, bounds)


class _Codes(CategoricalArchive):
    """Takes numbers of categories where pyribs takes the categories themselves."""

    def index_of(self, measures: Array) -> np.ndarray:
        codes = np.rint(np.asarray(measures, float)).clip(0, self.dims - 1).astype(np.int32)
        return np.asarray(np.ravel_multi_index(tuple(codes.T), tuple(self.dims)), np.int32)


class OpenCategorical(Cells, _Codes):
    every: str | None
    lower_bounds: Any
    upper_bounds: Any

    def add(self, solution: Array, objective: Array, measures: Array, **fields: Array) -> dict:
        """Offers rows, to all cells where the archive has ``every``; arguments as in ``Cells``.

        Returns:
            Name -> [B]: status, value; of a row in several cells its highest ones.
        """
        if self.every is None:
            return super().add(solution, objective, measures, **fields)
        own = self.index_of(measures)
        table = np.asarray(fields[self.every], self.dtypes["objective"])  # [B, C]
        rows = table.argmax(axis=0)  # of each cell, its best row
        there, stored = self._store.retrieve(np.arange(self.cells), ["objective"])
        offered = table[rows, np.arange(self.cells)]
        cells = np.flatnonzero(~there | (offered > stored["objective"]))
        status, value = np.zeros(len(own), np.int32), objective - np.where(there, stored["objective"], 0)[own]
        if len(cells):
            rows = rows[cells]
            codes = np.stack(np.unravel_index(cells, tuple(self.dims)), axis=1).astype(self.dtypes["measures"])
            columns = {name: column[rows] for name, column in fields.items()}
            result = super().add(solution[rows], offered[cells], codes, **columns)
            np.maximum.at(status, rows, result["status"])
            np.maximum.at(value, rows, result["value"])
        self.last_cells = own
        return {"status": status, "value": value}
