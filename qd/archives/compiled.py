"""What the fused driver takes from a pyribs archive, and pours back into it.

N cells, C changed cells, R rows of a chunk.
"""

from dataclasses import replace
from typing import Any

import numpy as np

from qd.archives.fronts import OpenFronts
from qd.archives.insert import FAR
from qd.archives.lean import OpenCVT, OpenGrid
from qd.types import Array, Features


def is_grid(archive: Any) -> bool:
    """Whether it is a plain grid: whatever adds to what a grid says of a row is none."""
    return type(archive) is OpenGrid


def is_cvt(archive: Any) -> bool:
    """Whether an archive is an open CVT."""
    return type(archive) is OpenCVT


def has_fronts(archive: Any) -> bool:
    """Whether an archive is an open one with a front in every cell."""
    return type(archive) is OpenFronts


def reach(archive: Any) -> tuple[np.ndarray, np.ndarray]:
    """Returns (low [M], high [M]) to which measures are clamped."""
    far = FAR * (archive.upper_bounds - archive.lower_bounds)
    return archive.lower_bounds - far, archive.upper_bounds + far


def occupied(archive: Any) -> np.ndarray:
    """Returns the cells of the elites, in the order in which they were first filled."""
    return np.array(archive._store.occupied_list)


def version(archive: Any) -> tuple:
    """Changes whenever the archive does."""
    return (id(archive._store), *archive._store._props["updates"])


def pour(archive: Any, order: Array, cells: Array, columns: Features, best: dict[str, Any] | None) -> None:
    """Writes C changed elites, as if they had been added generation by generation.

    Args:
        archive: the pyribs archive before them; it changes.
        order: all occupied cells, in the order in which they were first filled.
        cells: [C] the changed ones.
        columns: name -> [C, ...], every column that the archive stores.
        best: the row that beat the best elite so far, every column of it, or None.
    """
    store = archive._store
    store._props["updates"][0] += 1
    for name, column in store._fields.items():
        column[cells] = columns[name]
    store._props["n_occupied"] = len(order)
    store._props["occupied_list"][: len(order)] = order
    store._props["occupied"][:] = False  # rows may have left a front
    store._props["occupied"][order] = True
    if best is not None:
        archive._best_elite = best
        archive._stats = replace(archive._stats, obj_max=best["objective"])
    total = store._fields["objective"][order].sum(dtype=np.float64)
    with np.errstate(over="ignore"):
        archive._stats_update(total.astype(archive.dtypes["objective"]), order[0])  # its objective beats none


def best_row(archive: Any, objective: Array, status: Array, cell: Array, size: int) -> int | None:
    """Returns which of R rows, ``size`` a generation, became the archive's best elite last, or None.

    As pyribs has it: only what is strictly better; in one generation the lowest cell, and there the first row.

    Args:
        archive: the pyribs archive before these rows.
        objective: [R], in the archive's dtype.
        status: [R]; above 0 where a row entered.
        cell: [R].
        size: rows of one generation.

    Returns:
        The row's index; None where no row that entered beats the best elite so far.
    """
    entrants = np.flatnonzero(status > 0)
    if len(entrants) == 0:
        return None
    most = objective[entrants].max()
    if archive.stats.obj_max is not None and not most > archive.stats.obj_max:
        return None
    rows = entrants[objective[entrants] == most]
    rows = rows[rows // size == rows[0] // size]
    return int(rows[np.argmin(cell[rows])])
