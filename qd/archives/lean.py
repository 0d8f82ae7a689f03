"""pyribs' own archives, made to copy less and to say in which cells a batch fell."""

from functools import cached_property
from typing import Any

import numpy as np

from qd.archives import borders
from qd.archives.hasty import hasty
from qd.types import Array, Features

with hasty():
    from ribs.archives import ArrayStore, CVTArchive, GridArchive

SAME = 1e-12  # squared distances that differ by less, relatively, are one: the centroid of the lowest index wins


class LeanStore(ArrayStore):
    """A pyribs store that copies less: at an add pyribs takes every column, features too, of every row three times."""

    looked_at: tuple[str, ...] | None = None  # columns to retrieve the next time that all are requested
    waiting: Features | None = None  # name -> [B, ...], of which the winners' rows are written; their "id" says which

    def retrieve(self, indices: Array, fields: Any = None, return_type: Any = None) -> Any:
        """Retrieves rows, as pyribs' store does.

        Args:
            indices: [N] cells.
            fields: names of columns; None: all, or only ``looked_at`` this once.
            return_type: of pyribs: dict, tuple or pandas.

        Returns:
            Occupied [N], and the columns.
        """
        looked_at, self.looked_at = self.looked_at, None
        return super().retrieve(indices, looked_at if fields is None and looked_at else fields, return_type)

    def add(self, indices: Array, data: dict[str, Array]) -> None:
        """Writes winners: one a cell, in the order of the cells, as pyribs' archives give them.

        Args:
            indices: [N] cells.
            data: name -> [N, ...]; ``id`` says which rows of ``waiting`` won.
        """
        if self.waiting is None or len(indices) == 0:
            super().add(indices, data)
            return
        rows, props = data["id"], self._props
        props["updates"][0] += 1
        fresh = indices[~props["occupied"][indices]]
        n = props["n_occupied"]
        props["occupied"][fresh] = True
        props["occupied_list"][n : n + len(fresh)] = fresh
        props["n_occupied"] = n + len(fresh)
        for name, column in self._fields.items():
            column[indices] = self.waiting[name][rows] if name in self.waiting else data[name]


class Cells:
    """Keeps the cells of the last batch added, which pyribs computes and throws away; and copies less."""

    last_cells: Array

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        plain = self._store  # type: ignore[has-type]
        self._store = LeanStore(plain.field_desc, plain.capacity)

    def index_of(self, measures: Array) -> np.ndarray:
        self.last_cells = super().index_of(measures)  # type: ignore[misc]
        return self.last_cells

    def add(self, solution: Array, objective: Array, measures: Array, **fields: Array) -> dict:
        """Offers rows, as pyribs' archives do.

        Args:
            solution: [B, ...].
            objective: [B], finite.
            measures: [B, M], finite.
            fields: name -> [B, ...], all others that the archive stores.

        Returns:
            Name -> [B]: status, value.
        """
        store = self._store
        store.looked_at, store.waiting = ("objective", "threshold"), fields
        try:
            return super().add(solution, objective, measures, id=np.arange(len(objective)))  # type: ignore[misc]
        finally:
            store.looked_at = store.waiting = None

    def _stats_update(self, new_objective_sum: Any, new_best_index: Any) -> None:
        """Looks at the whole of an elite only where it is the best so far."""
        best = self._stats.obj_max  # type: ignore[attr-defined]
        if best is not None and not self._store._fields["objective"][new_best_index] > best:
            self._store.looked_at = ("objective",)
        super()._stats_update(new_objective_sum, new_best_index)  # type: ignore[misc]

    def sample_elites(self, n: int, replace: bool = True) -> dict:
        """Draws elites, without their features: hosted emitters need none.

        Args:
            n: how many.
            replace: whether one may be drawn twice.

        Returns:
            solution [n, ...], objective [n] and measures [n, M], by name.
        """
        store, columns = self._store, ("solution", "objective", "measures")
        if not replace or len(store) == 0:
            store.looked_at = columns
            return super().sample_elites(n, replace)  # type: ignore[misc]
        cells = store._props["occupied_list"][self._rng.integers(len(store), size=n)]  # type: ignore[attr-defined]
        return {name: store._fields[name][cells] for name in columns}


class _BorderGrid(GridArchive):
    """A grid of borders that allow for rounding (see qd.archives.borders), not of pyribs' fixed epsilon."""

    exact_bounds: tuple[np.ndarray, np.ndarray] | None = None  # float64; a checkpoint of an earlier version has none

    def __init__(self, *, ranges: Any, **settings: Any) -> None:
        super().__init__(ranges=ranges, **settings)
        low, high = np.asarray(ranges, np.float64).T
        self.exact_bounds = low, high

    @cached_property
    def borders(self) -> tuple[np.ndarray, ...]:
        """M arrays [dims - 1] of float64."""
        return borders.even(self._dims, *(self.exact_bounds or (self._lower_bounds, self._upper_bounds)))

    def index_of(self, measures: Array) -> np.ndarray:
        measures = np.asarray(measures, self._lower_bounds.dtype)
        if measures.shape[1:] != self._lower_bounds.shape or not np.isfinite(measures).all():
            return super().index_of(measures)  # which raises, and says what is wrong
        return borders.cells(self.borders, measures)


class OpenGrid(Cells, _BorderGrid):
    pass


class _FairCVT(CVTArchive):
    """Between equally near centroids pyribs' tree chooses by its own order; here the first wins, always."""

    def index_of(self, measures: Array) -> np.ndarray:
        if self.cells == 1 or len(measures) == 0:
            return super().index_of(measures)
        measures = np.asarray(measures, self.dtypes["measures"])
        distance, indices = self._centroid_kd_tree.query(measures, k=2, **self._kdtree_query_kwargs)
        cells = np.asarray(indices)[:, 0].astype(np.int32)
        for row in np.flatnonzero(distance[:, 1] <= distance[:, 0] * (1 + SAME)):
            squares = ((measures[row].astype(np.float64) - self.centroids.astype(np.float64)) ** 2).sum(1)
            cells[row] = int(np.argmax(squares <= squares.min() * (1 + SAME)))
        return cells


class OpenCVT(Cells, _FairCVT):
    pass
