"""A Pareto front in every cell (MOME, Pierrot et al. 2022), over pyribs' store.

B batch, K objectives, M measures, F rows of a front at most; a row dominates another where it is no worse in all objectives and
better in one.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from ribs.archives import ArchiveBase

from qd import keys
from qd.archives import pareto
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
    improvement: bool = False  # may emitters rank rows by their improvement of the cell's hypervolume?
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
        archive.make_room(self.front_size, self.ranges, self.improvement)
        return archive


class OpenFronts(OpenGrid):
    """An open one. Row p of the front of cell c lies in slot c F + p of the store; ``index`` of its data is the cell."""

    front_size: int
    ranges: Ranges
    improvement: bool = False  # a checkpoint of an earlier version has none

    def make_room(self, front_size: int, ranges: Ranges, improvement: bool) -> None:
        """Makes the store large enough.

        Args:
            front_size: rows of a cell at most.
            ranges: (low, high) of each objective.
            improvement: whether ``add`` gives a value.
        """
        self.front_size, self.ranges, self.improvement = front_size, ranges, improvement
        self._store = LeanStore(self._store.field_desc, int(self.cells) * front_size)

    @property
    def gives(self) -> tuple[str, ...]:
        """What ``add`` returns besides the status."""
        return ("value",) if self.improvement else ()

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
            Name -> [B]: status: REJECTED, IMPROVED, or NEW where the cell was empty before the batch; and, where the archive
            gives it, value: by how much the row would raise the hypervolume of its cell as it was before the batch.

        Raises:
            UserError: there are not K objectives, or no row of the first batch is above the reference point.
        """
        columns = {"solution": solution, "objective": objective, "measures": measures} | fields
        columns = {name: np.asarray(columns[name], dtype) for name, dtype in self._store.dtypes.items() if name in columns}
        columns["threshold"] = columns["objective"]
        goals, cells = self._goals(columns[OBJECTIVES]), self.index_of(measures)
        filled, present = self._fronts_of(cells)
        beaten = (filled & (present >= goals[:, None]).all(axis=2)).any(axis=1)
        status = np.where(beaten, REJECTED, np.where(filled.any(axis=1), IMPROVED, NEW)).astype(np.int32)
        rows = np.flatnonzero(~beaten)
        if len(rows):
            rows = rows[np.argsort(cells[rows], kind="stable")]
            self._write(*self._merged(rows, cells[rows], goals[rows], filled[rows], present[rows]), columns)
        if not self.improvement:
            return {"status": status}
        value = pareto.improvement(self._scaled(goals), self._scaled(present), filled)
        return {"status": status, "value": value.astype(self.dtypes["objective"])}

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
        goals, cells = self._scaled(self._store._fields[OBJECTIVES][slots]), slots // self.front_size
        return {
            "elites": len(slots),
            "coverage": 100 * len(np.unique(cells)) / self.cells,
            "qd_score": self._score(cells, goals),
            "best": float(objective.max()) if len(slots) else float("nan"),
            "mean": float(objective.mean()) if len(slots) else float("nan"),
            "hypervolume": pareto.hypervolume(goals),
        }

    def score_of(self, cells: Array, goals: Array) -> float:
        """Returns the MOQD score of rows, of which some may dominate others.

        Args:
            cells: [N].
            goals: [N, K] in their own units; rows that are not finite count as none.
        """
        there = np.isfinite(goals).all(axis=1)
        cells, goals = cells[there], goals[there]
        order = np.argsort(cells, kind="stable")
        order = order[~pareto.losers(cells[order], goals[order])]
        return self._score(cells[order], self._scaled(goals[order]))

    def _score(self, cells: np.ndarray, goals: np.ndarray) -> float:
        """The MOQD score of rows in units of the ranges, of a cell none dominated by another."""
        order = np.argsort(cells, kind="stable")
        return 100 * float(pareto.hypervolumes(cells[order], goals[order]).sum()) / self.cells

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
                f"archive.ranges begin with the reference point {tuple(reference.tolist())}, which is above all {len(goals)} "
                f"rows: their best objectives, each by itself, are {tuple(round(float(x), 4) for x in goals.max(axis=0))}",
                "type a lower first number in each pair",
            )
        return goals

    def _scaled(self, goals: np.ndarray) -> np.ndarray:
        """Objectives [..., K] in units of their ranges."""
        low, high = np.array(self.ranges, np.float64).T
        return (goals - low) / (high - low)

    def drawn(self, key: Array, n: int, crowded: bool) -> np.ndarray:
        """Draws cells evenly, then a row of the front of each.

        Args:
            key: a host key.
            n: how many.
            crowded: within a front by crowding distance (pareto.shares), else evenly.

        Returns:
            Slots [n].
        """
        cell_key, row_key = keys.split(key)
        cells = np.flatnonzero(self._store._props["occupied"].reshape(-1, self.front_size).any(axis=1))
        cells = cells[keys.integers(cell_key, (n,), 0, len(cells))]
        filled, present = self._fronts_of(cells)
        sums = np.cumsum(pareto.shares(present, filled) if crowded else filled, axis=1)
        bar = keys.uniform(row_key, (n, 1), 0, 1) * sums[:, -1:]
        return cells * self.front_size + np.argmax((sums > bar) & filled, axis=1)

    def _fronts_of(self, cells: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Which slots of some cells hold a row, [N, F], and the rows' objectives, [N, F, K]."""
        slots = cells[:, None] * self.front_size + np.arange(self.front_size)
        return self._store._props["occupied"][slots], self._store._fields[OBJECTIVES][slots]

    def _merged(
        self, rows: np.ndarray, cells: np.ndarray, goals: np.ndarray, filled: np.ndarray, present: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Joins rows, sorted by cell, with the fronts of their cells; returns freed slots, rows that stay, their slots."""
        stays = ~pareto.losers(cells, goals)
        rows, cells, goals, filled, present = (column[stays] for column in (rows, cells, goals, filled, present))
        starts = np.flatnonzero(np.diff(cells, prepend=-1))
        group, touched, before = np.cumsum(np.diff(cells, prepend=-1) > 0) - 1, cells[starts], filled[starts]
        worse = filled & (present <= goals[:, None]).all(axis=2)
        remain = before & ~np.logical_or.reduceat(worse, starts)
        if (remain.sum(axis=1) + np.bincount(group) > self.front_size).any():
            old, place = np.nonzero(remain)
            groups = np.concatenate([old, group])
            order = np.argsort(groups, kind="stable")
            stays = np.empty(len(groups), bool)
            both = np.concatenate([present[starts][old, place], goals])
            stays[order] = pareto.thinned(groups[order], both[order], self.front_size)
            remain[old, place] = stays[: len(old)]
            rows, group = rows[stays[len(old) :]], group[stays[len(old) :]]
        rank = np.arange(len(group)) - np.searchsorted(group, group)
        room = np.argsort(remain, axis=1, kind="stable")[group, rank]  # free slots come first
        slots = touched[:, None] * self.front_size + np.arange(self.front_size)
        return slots[before & ~remain], rows, slots[group, room]

    def _write(self, freed: np.ndarray, rows: np.ndarray, slots: np.ndarray, columns: dict[str, np.ndarray]) -> None:
        """Writes rows to slots of the store, after others were freed."""
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
