"""pyribs' own archives, made to copy less and to say in which cells a batch fell."""

from typing import Any

import numpy as np
from ribs.archives import ArrayStore, CVTArchive, GridArchive

from qd.types import Array, Features

SAME = 1e-12  # squared distances that differ by less, relatively, are one: the centroid of the lowest index wins


class LeanStore(ArrayStore):
    """A pyribs store that copies less: at an add pyribs takes every column, features too, of every row three times."""

    looked_at: tuple[str, ...] | None = None  # columns to retrieve the next time that all are asked for
    waiting: Features | None = None  # name -> [B, ...], of which the winners' rows are written; their "id" says which

    def retrieve(self, indices: Array, fields: Any = None, return_type: Any = None) -> Any:
        looked_at, self.looked_at = self.looked_at, None
        return super().retrieve(indices, looked_at if fields is None and looked_at else fields, return_type)

    def add(self, indices: Array, data: dict[str, Array]) -> None:
        if self.waiting is not None:
            rows = data["id"]
            data = data | {name: column[rows] for name, column in self.waiting.items()}
        super().add(indices, data)


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
        store = self._store
        store.looked_at, store.waiting = ("objective", "threshold"), fields
        try:
            return super().add(solution, objective, measures, id=np.arange(len(objective)))  # type: ignore[misc]
        finally:
            store.looked_at = store.waiting = None

    def sample_elites(self, n: int, replace: bool = True) -> dict:
        """Draws elites, without their features: hosted emitters ask for none."""
        self._store.looked_at = ("solution", "objective", "measures")
        return super().sample_elites(n, replace)  # type: ignore[misc]


class OpenGrid(Cells, GridArchive):
    pass


class _FairCVT(CVTArchive):
    """Between equally near centroids pyribs' tree chooses by its own order; here the first wins, wherever it is asked."""

    def index_of(self, measures: Array) -> np.ndarray:
        if self.cells == 1 or len(measures) == 0:
            return super().index_of(measures)
        measures = np.asarray(measures, self.dtypes["measures"])
        distance, indices = self._centroid_kd_tree.query(measures, k=2, **self._kdtree_query_kwargs)
        found = np.asarray(indices)[:, 0].astype(np.int32)
        for row in np.flatnonzero(distance[:, 1] <= distance[:, 0] * (1 + SAME)):
            squares = ((measures[row].astype(np.float64) - self.centroids.astype(np.float64)) ** 2).sum(1)
            found[row] = int(np.argmax(squares <= squares.min() * (1 + SAME)))
        return found


class OpenCVT(Cells, _FairCVT):
    pass
