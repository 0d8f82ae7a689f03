"""A Pareto front in every cell (MOME, Pierrot et al. 2022), over pyribs' store.

B batch, K objectives, M measures, F rows of a front at most; a row dominates another where it is no worse in all objectives and
better in one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from ribs.archives import ArchiveBase

from qd.archives.lean import LeanStore, OpenGrid
from qd.archives.settings import Bounds, check_bounds, check_dims, check_pair, common
from qd.support.errors import UserError
from qd.types import IMPROVED, NEW, OBJECTIVES, REJECTED, Array, Rows

Ranges = tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Fronts:
    """Equal cells in each measure, each with the non-dominated rows that were offered to it (MOME, Pierrot et al. 2022).

    Where a front has more than ``front_size`` rows the most crowded go, one after another (MOME-P2C, Janmohamed et al. 2024).
    """

    dims: tuple[int, ...]
    ranges: Ranges  # (low, high) of each objective: low is the reference point of hypervolumes, which are in units of the box
    front_size: int = 16  # rows of a cell at most
    dtype: str = "float32"
    keep: tuple[str, ...] = (OBJECTIVES,)

    def open(self, example: Rows, bounds: Bounds, keep: tuple[str, ...], seed: int) -> ArchiveBase:
        """Opens an empty archive.

        Args:
            example: rows with the solutions' and features' shapes and dtypes, the objectives [N, K] among the features.
            bounds: M pairs (low, high).
            keep: names of the features to store.
            seed: of the archive's own draws.

        Returns:
            The pyribs archive.

        Raises:
            UserError: the domain has one objective, the ranges are of another number, or a setting is invalid.
        """
        check_bounds(bounds)
        cells = check_dims(self.dims, bounds)
        if self.front_size < 1:
            raise UserError(f"archive.front_size={self.front_size} keeps no row", "type archive.front_size=16")
        if OBJECTIVES not in example.features:
            raise UserError(
                "a front in every cell needs several objectives, and this domain has one",
                "type archive=grid, or return an objective [B, K]",
            )
        k = np.shape(example.features[OBJECTIVES])[1]
        if len(self.ranges) != k:
            raise UserError(
                f"archive.ranges has {len(self.ranges)} pairs, and each row {k} objectives", f"type {k} pairs (low, high)"
            )
        for i, pair in enumerate(self.ranges):
            check_pair(f"archive.ranges[{i}]", pair)
        rest = common(self, example, keep, cells * self.front_size)
        archive = OpenFronts(dims=self.dims, ranges=bounds, seed=seed, **rest)
        archive.make_room(self.front_size, self.ranges)
        return archive


class OpenFronts(OpenGrid):
    """An open one. Row p of the front of cell c lies in slot c F + p of the store; ``index`` of its data is the cell."""

    front_size: int
    ranges: Ranges

    def make_room(self, front_size: int, ranges: Ranges) -> None:
        """Makes the store large enough.

        Args:
            front_size: rows of a cell at most.
            ranges: (low, high) of each objective.
        """
        self.front_size, self.ranges = front_size, ranges
        self._store = LeanStore(self._store.field_desc, int(self.cells) * front_size)

    @property
    def cells(self) -> int:
        """Cells of the grid; pyribs' own counts slots of the store."""
        return int(np.prod(self.dims))

    @property
    def capacity(self) -> int:
        """Rows of a full archive."""
        return int(self._store.capacity)

    def add(self, solution: Array, objective: Array, measures: Array, **fields: Array) -> dict:
        """Offers rows.

        A row is rejected where a row of its cell, as it was before the batch, dominates or equals it. Of the others, and of the
        front, those that no other dominates stay; of equal ones the older. The order of the rows changes no front as a set.

        Args:
            solution: [B, ...].
            objective: [B], finite.
            measures: [B, M], finite.
            fields: name -> [B, ...], all others that the archive stores, the objectives [B, K] among them.

        Returns:
            Name -> [B]: status: REJECTED, IMPROVED, or NEW where the cell was empty before the batch.

        Raises:
            UserError: there are not K objectives, or no row of the first batch is above the reference point.
        """
        columns = {"solution": solution, "objective": objective, "measures": measures} | fields
        columns = {name: np.asarray(columns[name], dtype) for name, dtype in self._store.dtypes.items() if name in columns}
        columns["threshold"] = columns["objective"]
        goals = self._goals(columns[OBJECTIVES])
        cells = self.index_of(measures)
        slots = cells[:, None] * self.front_size + np.arange(self.front_size)
        occupied = self._store._props["occupied"][slots]  # [B, F]
        present = self._store._fields[OBJECTIVES][slots]  # [B, F, K]
        beaten = (occupied & (present >= goals[:, None]).all(axis=2)).any(axis=1)
        status = np.where(beaten, REJECTED, np.where(occupied.any(axis=1), IMPROVED, NEW)).astype(np.int32)
        rows = np.flatnonzero(~beaten)
        if len(rows):
            rows = rows[np.argsort(cells[rows], kind="stable")]
            starts = np.flatnonzero(np.diff(cells[rows], prepend=-1))
            changes = [self._merge(int(cells[group[0]]), group, goals[group]) for group in np.split(rows, starts[1:])]
            self._write(changes, columns)
        return {"status": status}

    def data(self, fields: Any = None, return_type: Any = None) -> Any:
        """Returns columns of all rows, as pyribs' archives do; ``index`` is the cell.

        Args:
            fields: names of columns; None: all.
            return_type: of pyribs: dict, tuple or pandas.
        """
        names = [fields] if isinstance(fields, str) else list(fields or self.field_list)
        columns = self._store.data(names, "dict")
        if "index" in columns:
            columns["index"] = columns["index"] // self.front_size
        if isinstance(fields, str):
            return columns[fields]
        return tuple(columns.values()) if return_type == "tuple" else columns

    def own_scores(self) -> dict[str, float]:
        """Returns what metrics have of an archive.

        Returns:
            elites (rows of all fronts), coverage (cells with a front, %), qd_score (the MOQD score: 100 x the sum of the cells'
            hypervolumes / cells), best and mean (of the rows' own hypervolumes), hypervolume (of all rows together, 0 to 1).
        """
        slots = self._store.occupied_list
        objective = self._store._fields["objective"][slots].astype(np.float64)
        goals, cells = self._scaled(slots), slots // self.front_size
        order = np.argsort(cells, kind="stable")
        fronts = np.split(goals[order], np.flatnonzero(np.diff(cells[order])) + 1) if len(slots) else []
        n = int(self.cells)
        return {
            "elites": len(slots),
            "coverage": 100 * len(fronts) / n,
            "qd_score": 100 * sum(hypervolume(front) for front in fronts) / n,
            "best": float(objective.max()) if len(slots) else float("nan"),
            "mean": float(objective.mean()) if len(slots) else float("nan"),
            "hypervolume": hypervolume(goals),
        }

    def _goals(self, goals: np.ndarray) -> np.ndarray:
        """Checks the objectives of a batch."""
        k = len(self.ranges)
        if goals.shape[1:] != (k,):
            raise UserError(
                f"a batch has {goals.shape[-1]} objectives, and those before it {k}", "return as many in each evaluation"
            )
        reference = np.array([low for low, _ in self.ranges])
        if len(self) == 0 and len(goals) and not (goals > reference).all(axis=1).any():
            raise UserError(
                f"the reference point {tuple(reference.tolist())} is above all {len(goals)} rows: their best objectives, each "
                f"by itself, are {tuple(round(float(x), 4) for x in goals.max(axis=0))}",
                "type a lower first number in each pair of the domain's objective_range",
            )
        return goals

    def _scaled(self, slots: np.ndarray) -> np.ndarray:
        """The objectives of some slots in units of their ranges."""
        low, high = np.array(self.ranges, np.float64).T
        return (self._store._fields[OBJECTIVES][slots] - low) / (high - low)

    def _merge(self, cell: int, rows: np.ndarray, goals: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Joins rows with the front of their cell; returns freed slots, the rows that stay, and the slots of these."""
        slots = np.arange(cell * self.front_size, (cell + 1) * self.front_size)
        occupied = self._store._props["occupied"][slots]
        present = slots[occupied]
        front = select(np.concatenate([self._store._fields[OBJECTIVES][present], goals]), self.front_size)
        stay = front[front < len(present)]
        entrants = rows[front[front >= len(present)] - len(present)]
        freed = np.delete(present, stay)
        room = np.sort(np.concatenate([slots[~occupied], freed]))[: len(entrants)]
        return freed, entrants, room

    def _write(self, changes: list, columns: dict[str, np.ndarray]) -> None:
        """Writes the fronts that changed into the store."""
        freed, rows, slots = (np.concatenate(parts) for parts in zip(*changes, strict=True))
        props, fields = self._store._props, self._store._fields
        before = self._store.occupied_list
        props["updates"][0] += 1
        props["occupied"][freed] = False
        fresh = slots[~props["occupied"][slots]]
        stay = before[props["occupied"][before]]
        props["occupied"][slots] = True
        both = np.concatenate([stay, fresh])
        props["n_occupied"] = len(both)
        props["occupied_list"][: len(both)] = both
        for name, column in fields.items():
            column[slots] = columns[name][rows]
        objective = fields["objective"][both]
        with np.errstate(over="ignore"):
            self._stats_update(objective.sum(dtype=np.float64).astype(self.dtypes["objective"]), both[np.argmax(objective)])


def select(goals: np.ndarray, size: int) -> np.ndarray:
    """Returns the rows of a front: those that no other dominates, of equal ones the first, at most ``size``.

    Args:
        goals: [N, K], more is better.
        size: rows to return at most; of more the most crowded go, one after another, of equally crowded ones that with the
            smallest objectives, the first objective before the second.

    Returns:
        Their indices, ascending.
    """
    no_worse = (goals[:, None] >= goals[None]).all(axis=2)  # [i, j]: i is no worse than j in any
    equal = no_worse & no_worse.T
    beaten = (no_worse & ~equal).any(axis=0) | np.triu(equal, 1).any(axis=0)
    rows = np.flatnonzero(~beaten)
    while len(rows) > size:
        order = np.lexsort((*goals[rows].T[::-1], crowding(goals[rows])))
        rows = np.delete(rows, order[0])
    return rows


def crowding(goals: np.ndarray) -> np.ndarray:
    """The crowding distance of NSGA-II (Deb et al. 2002) of distinct rows [N, K]; infinite at the ends."""
    total = np.zeros(len(goals))
    for column in goals.astype(np.float64).T:
        values = np.sort(column)
        width = values[-1] - values[0]
        if width <= 0:
            continue
        below = np.searchsorted(values, column, "left") - 1
        above = np.searchsorted(values, column, "right")
        ends = (below < 0) | (above == len(values))
        gap = values[np.minimum(above, len(values) - 1)] - values[np.maximum(below, 0)]
        total += np.where(ends, np.inf, gap / width)
    return total


def hypervolume(goals: Sequence | np.ndarray) -> float:
    """Returns the hypervolume of rows [N, K] above the origin, by moocore (exact; Fonseca, Paquete and Lopez-Ibanez 2006)."""
    try:
        import moocore  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        raise UserError("hypervolumes need the package moocore", "type pip install 'qd-atlas[objectives]'") from error
    rows = np.asarray(goals, np.float64)
    rows = rows[(rows > 0).all(axis=1)] if len(rows) else rows
    return float(moocore.hypervolume(rows, ref=np.zeros(rows.shape[1]), maximise=True)) if len(rows) else 0.0
