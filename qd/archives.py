"""pyribs archives opened for a search, and Elites, the view of one that emitters and learners get.

The only room that reaches into pyribs' private store (``_store``).
"""

import difflib
import keyword
import os
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from ribs.archives import ArchiveBase, ArrayStore, CVTArchive, GridArchive, k_means_centroids

from qd import keys
from qd.types import Array, Features, Rows

OWN_FIELDS = ("solution", "objective", "measures", "threshold", "index", "id", "place")
_FAR = 1000  # widths of the bounds, beyond which measures are clamped
Bounds = tuple[tuple[float, float], ...]


class _LeanStore(ArrayStore):
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


class _Cells:
    """Keeps the cells of the last batch added, which pyribs computes and throws away; and copies less."""

    last_cells: Array

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        plain = self._store  # type: ignore[has-type]
        self._store = _LeanStore(plain.field_desc, plain.capacity)

    def index_of(self, measures: Array) -> np.ndarray:
        self.last_cells = super().index_of(measures)  # type: ignore[misc]
        return self.last_cells

    def add(self, solution: Array, objective: Array, measures: Array, **fields: Array) -> dict:
        store = self._store
        store.looked_at, store.waiting = ("objective", "threshold"), fields
        added = super().add(solution, objective, measures, id=np.arange(len(objective)))  # type: ignore[misc]
        store.waiting = None
        return added

    def sample_elites(self, n: int, replace: bool = True) -> dict:
        """Draws elites, without their features: hosted emitters ask for none."""
        self._store.looked_at = ("solution", "objective", "measures")
        return super().sample_elites(n, replace)  # type: ignore[misc]


class _Grid(_Cells, GridArchive):
    pass


class _CVT(_Cells, CVTArchive):
    pass


@dataclass(frozen=True)
class Grid:
    """Equal cells in each measure (Mouret and Clune 2015); with thresholds, CMA-MAE's (Fontaine and Nikolaidis 2023).

    ``learning_rate`` (alpha) below 1 needs a finite ``threshold_min``.
    """

    dims: tuple[int, ...]
    learning_rate: float | None = None  # None: 1, the elite's own objective is the threshold
    threshold_min: float | None = None  # None: -inf
    dtype: str = "float32"  # JAX's; pyribs' default of float64 would round twice

    def open(self, example: Rows, bounds: Bounds, keep: tuple[str, ...], seed: int) -> ArchiveBase:
        """Opens an empty grid. Raises ValueError on wrong bounds, names, dims, or too little memory."""
        check_bounds(bounds)
        if len(self.dims) != len(bounds):
            raise ValueError(
                f"the archive's dims {tuple(self.dims)} are for {len(self.dims)} measures, but the descriptor gives "
                f"{len(bounds)}; type {len(bounds)} dims, e.g. archive.dims=[{', '.join(['50'] * len(bounds))}]"
            )
        if min(self.dims) < 1:
            raise ValueError(f"the archive's dims {tuple(self.dims)} hold a number below 1; type 1 or more cells each")
        cells = int(np.prod([int(n) for n in self.dims], dtype=object))
        return _Grid(dims=self.dims, ranges=bounds, seed=seed, **_common(self, example, keep, cells))


@dataclass(frozen=True)
class CVT:
    """Cells around centroids of a k-means over uniform samples (Vassiliades et al. 2018)."""

    cells: int
    samples: int = 100_000
    centroid_seed: int = 0  # its own, the same in every run: archives of different runs share their cells
    learning_rate: float | None = None
    threshold_min: float | None = None
    dtype: str = "float32"

    def open(self, example: Rows, bounds: Bounds, keep: tuple[str, ...], seed: int) -> ArchiveBase:
        """Opens an empty tessellation. Raises ValueError on wrong bounds or names, too few samples or memory."""
        check_bounds(bounds)
        if not 1 <= self.cells <= self.samples:
            raise ValueError(
                f"{self.cells} centroids cannot be fitted to {self.samples} samples; "
                f"type archive.samples={max(10 * self.cells, 1000)}, or fewer cells (at least 1)"
            )
        common = _common(self, example, keep, self.cells)
        centroids = _centroids(self.cells, self.samples, self.centroid_seed, _floats(bounds), self.dtype)
        return _CVT(centroids=centroids, ranges=bounds, seed=seed, **common)


def check_bounds(bounds: Bounds) -> None:
    """Raises ValueError if there is no measure, or a pair is reversed, of zero width, or not finite."""
    if len(bounds) == 0:
        raise ValueError("the descriptor has length 0: it gives no measures; type at least one (low, high) in its bounds")
    for axis, (low, high) in enumerate(bounds):
        if not (np.isfinite(low) and np.isfinite(high) and low < high):
            what = "reversed" if low > high else "of zero width" if low == high else "not finite"
            fix = f"({high}, {low})" if low > high else "finite (low, high) with low < high"
            raise ValueError(f"bounds[{axis}] = ({low}, {high}) is {what}; type {fix}")


def check_names(keep: tuple[str, ...]) -> None:
    """Raises ValueError if pyribs cannot hold a feature of one of these names."""
    for name in keep:
        if not name.isidentifier() or keyword.iskeyword(name):
            suggestion = "".join(c if c.isalnum() else "_" for c in name).lstrip("0123456789") or "feature"
            raise ValueError(f"pyribs cannot hold a feature named {name!r}; name it a Python identifier, e.g. {suggestion!r}")
        if name in OWN_FIELDS:
            raise ValueError(f"a feature must not be named {name!r}, a column of the archive itself; rename it, e.g. '{name}_'")


def objects(items: list) -> np.ndarray:
    """Packs B Python objects into an object array [B]; lists of equal length are not stacked."""
    packed = np.empty(len(items), dtype=object)
    for i, item in enumerate(items):
        packed[i] = item
    return packed


def insert(archive: Any, ids: Array, solutions: Array, objective: Array, measures: Array, features: Features) -> dict:
    """Offers rows to the archive and leaves out what failed.

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
    added = archive.add(**rows) if len(rows["id"]) else {name: np.zeros(0, dtype) for name in gives(archive)}

    def spread(column: Array | None, fill: Any, dtype: Any) -> np.ndarray:
        if every and column is not None:
            return column
        full = np.full(len(objective), fill, dtype)
        if column is not None:
            full[ok] = column
        return full

    status = spread(added.pop("status", None), -1, np.int32)
    value = spread(added.pop("value", None), np.nan, dtype)
    info = {name: spread(column, np.nan, np.result_type(column, np.float32)) for name, column in added.items()}
    return {"cell": spread(archive.last_cells, -1, np.int32), "status": status, "value": value, "info": info}


def clamp(archive: Any, measures: Array) -> np.ndarray:
    """Pulls measures to within 1000 widths of the bounds: far out pyribs' int32 cells overflow to the LOW end."""
    reach = _FAR * (archive.upper_bounds - archive.lower_bounds)
    return np.clip(measures, archive.lower_bounds - reach, archive.upper_bounds + reach)


def _reach(archive: Any) -> tuple[float, float]:
    """Returns (low, high) between which no measure, of whatever axis, needs a clamp."""
    if not hasattr(archive, "tame"):
        reach = _FAR * (archive.upper_bounds - archive.lower_bounds)
        archive.tame = float((archive.lower_bounds - reach).max()), float((archive.upper_bounds + reach).min())
    return archive.tame


def capacity(archive: Any) -> int:
    """How many elites a full archive holds."""
    return int(getattr(archive, "cells", None) or archive.capacity)


def has_cells(archive: Any) -> bool:
    """Whether the archive has cells, so that its coverage means something."""
    return isinstance(archive, _Cells)


def gives(archive: Any) -> tuple[str, ...]:
    """Names what the archive's add says of each row, besides its status; rankers need some of it."""
    return getattr(archive, "gives", ("value",))


def restart_thresholds(archive: Any) -> None:
    """Sets CMA-MAE's thresholds to the elites' own objectives; they fall at a refill otherwise."""
    store = archive._store
    if "threshold" in store._fields:
        occupied = store.occupied_list
        store._fields["threshold"][occupied] = store._fields["objective"][occupied]


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
        """See qd.types.Elites."""
        return self.take(keys.integers(key, (n,), 0, self.size), *(names or ("id", "solution")))

    def take(self, index: Array, *names: str) -> tuple[np.ndarray, ...]:
        """See qd.types.Elites. Raises ValueError on an unknown name."""
        store = self.archive._store
        cells = store._props["occupied_list"][index]
        return tuple(self._place(cells) if name == "place" else self._column(name)[cells] for name in names)

    def rows(self) -> Rows:
        """See qd.types.Elites."""
        everyone = np.arange(self.size)
        ids, solutions, objective = self.take(everyone, "id", "solution", "objective")
        features = dict(zip(self.features, self.take(everyone, *self.features), strict=True))
        return Rows(ids, solutions, objective, features, np.ones(self.size, bool))

    def _column(self, name: str) -> np.ndarray:
        fields = self.archive._store._fields
        if name not in fields:
            raise ValueError(f"the archive has no column {name!r}; it has {nearest(name, [*fields, 'place'])}")
        return fields[name]

    def _place(self, cells: np.ndarray) -> np.ndarray:
        archive = self.archive
        if isinstance(archive, _Grid):
            return archive.int_to_grid_index(cells).astype(np.float32)
        if isinstance(archive, _CVT):
            width = (archive.upper_bounds - archive.lower_bounds) / archive.cells ** (1 / archive.measure_dim)
            return (archive.centroids[cells] - archive.lower_bounds) / width
        raise ValueError(f"a {type(archive).__name__} has no cells, so its elites have no place; use a grid or a CVT")


def nearest(name: str, known: list[str]) -> str:
    """Says the known names, the one most like ``name`` first."""
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return (f"{close[0]} (the nearest), " if close else "") + ", ".join(k for k in known if k not in close)


def _common(settings: Any, example: Rows, keep: tuple[str, ...], cells: int) -> dict[str, Any]:
    check_names(keep)
    solutions = np.asarray(example.solutions)
    columns = {name: (np.shape(example.features[name])[1:], np.asarray(example.features[name]).dtype) for name in keep}
    fields = {"id": ((), np.int64)} | columns
    solution_dtype = solutions.dtype if solutions.dtype.kind in "OiubSU" else np.dtype(settings.dtype)
    _check_memory(cells, [(solutions.shape[1:], solution_dtype), *fields.values()])
    shape = solutions.shape[1:]
    thresholds = {} if settings.threshold_min is None else {"threshold_min": settings.threshold_min}
    return {
        "solution_dim": shape[0] if len(shape) == 1 else shape,  # CMA-ES wants an int
        "solution_dtype": solution_dtype,
        "objective_dtype": settings.dtype,
        "measures_dtype": settings.dtype,
        "learning_rate": settings.learning_rate,
        "extra_fields": fields,
        **thresholds,
    }


def _check_memory(cells: int, columns: list) -> None:
    row = sum(int(np.prod(shape, dtype=object)) * np.dtype(dtype).itemsize for shape, dtype in columns) + 32
    need, have = cells * row, os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    if need > 0.8 * have:
        raise ValueError(
            f"an archive of {cells:,} cells x {row:,} bytes needs about {need / 2**30:,.1f} GiB, and this machine has "
            f"{have / 2**30:.1f}; type fewer cells (archive.dims or archive.cells), or keep fewer features"
        )


def _floats(bounds: Bounds) -> Bounds:
    return tuple((float(low), float(high)) for low, high in bounds)


@lru_cache(maxsize=8)
def _centroids(cells: int, samples: int, seed: int, bounds: Bounds, dtype: str) -> np.ndarray:
    return k_means_centroids(centroids=cells, ranges=bounds, samples=samples, dtype=np.dtype(dtype), seed=seed)[0]
