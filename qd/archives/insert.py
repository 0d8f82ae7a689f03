"""Rows offered to an archive: what failed stays out, what is far is pulled in."""

from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from qd import abilities
from qd.archives.lean import Cells
from qd.types import Array, Features

FAR = 1000  # widths of the bounds, beyond which measures are clamped
_reaches: WeakKeyDictionary = WeakKeyDictionary()  # archive -> its reach, which never changes


def objects(items: list) -> np.ndarray:
    """Packs B Python objects into an object array [B]; lists of equal length are not stacked."""
    column = np.empty(len(items), dtype=object)
    for i, item in enumerate(items):
        column[i] = item
    return column


def insert(archive: Any, ids: Array, solutions: Array, objective: Array, measures: Array, features: Features) -> dict:
    """Offers rows to the archive and leaves out what failed.

    Args:
        archive: an opened pyribs archive; it changes.
        ids: [B] running numbers of the evaluations.
        solutions: [B, ...].
        objective: [B]; a row fails where it is not finite.
        measures: [B, M]; a row fails where one is not finite; what is far out of bounds is clamped.
        features: name -> [B, ...], those that the archive stores.

    Returns:
        cell [B] (-1: failed, or no cells), status [B] (-1: failed), value [B] (NaN: failed or none), info: name -> [B].
    """
    dtype = archive.dtypes["objective"]
    objective, measures = np.asarray(objective, dtype), np.asarray(measures, archive.dtypes["measures"])
    low, high = _reach(archive)
    with np.errstate(all="ignore"):
        finite = bool(np.isfinite(objective.sum()))
    every = tame = finite and measures.size > 0 and low <= measures.min() and measures.max() <= high
    ok = slice(None)
    if not tame:  # a NaN, an infinity, a far measure, or only a sum that overflowed: look closer
        ok = np.isfinite(objective) & np.isfinite(measures).all(axis=1)
        every = bool(ok.all())
    rows = {"solution": solutions, "objective": objective, "measures": measures, "id": ids} | features
    if not every:
        rows = {name: column[ok] for name, column in rows.items()}
    if not tame:
        rows["measures"] = clamp(archive, rows["measures"])
    archive.last_cells = None
    result = (
        archive.add(**rows) if len(rows["id"]) else {name: np.zeros(0, dtype) for name in abilities.of_opened(archive).gives}
    )

    def spread(column: Array | None, fill: Any, dtype: Any) -> np.ndarray:
        if every and column is not None:
            return column
        full = np.full(len(objective), fill, dtype)
        if column is not None:
            full[ok] = column
        return full

    status = spread(result.pop("status", None), -1, np.int32)
    value = spread(result.pop("value", None), np.nan, dtype)
    info = {name: spread(column, np.nan, np.result_type(column, np.float32)) for name, column in result.items()}
    return {"cell": spread(archive.last_cells, -1, np.int32), "status": status, "value": value, "info": info}


def clamp(archive: Any, measures: Array) -> np.ndarray:
    """Pulls measures to within 1000 widths of the bounds: far out pyribs' int32 cells overflow to the LOW end.

    Args:
        archive: an opened pyribs archive with bounds of M measures.
        measures: [B, M].

    Returns:
        Measures [B, M].
    """
    reach = FAR * (archive.upper_bounds - archive.lower_bounds)
    return np.clip(measures, archive.lower_bounds - reach, archive.upper_bounds + reach)


def _reach(archive: Any) -> tuple[float, float]:
    """Returns (low, high) between which no measure, of whatever axis, needs a clamp."""
    if archive not in _reaches:
        reach = FAR * (archive.upper_bounds - archive.lower_bounds)
        _reaches[archive] = float((archive.lower_bounds - reach).max()), float((archive.upper_bounds + reach).min())
    return _reaches[archive]


def capacity(archive: Any) -> int:
    """How many elites a full archive holds."""
    opened = abilities.of_opened(archive)
    return int((opened.cells or 0) * opened.front_size or archive.capacity)


def count_cells(archive: Any) -> int | None:
    """How many cells the archive has; None where it has none that stay, so that no coverage can be stated."""
    return int(archive.cells) if isinstance(archive, Cells) else None  # type: ignore[attr-defined]


def restart_thresholds(archive: Any) -> None:
    """Sets CMA-MAE's thresholds to the elites' own objectives; they fall at a refill otherwise."""
    store = archive._store
    if "threshold" in store._fields:
        occupied = store.occupied_list
        store._fields["threshold"][occupied] = store._fields["objective"][occupied]
