"""Archives as a recipe names them: settings that open a pyribs archive with cells."""

import contextlib
import hashlib
import keyword
import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from ribs.archives import ArchiveBase, k_means_centroids

from qd import abilities
from qd.archives.lean import OpenCVT, OpenGrid
from qd.support.atomic import replacing
from qd.support.cache_dirs import cache_path
from qd.support.errors import UserError
from qd.types import Rows

OWN_FIELDS = ("solution", "objective", "measures", "threshold", "index", "id", "place")
Bounds = tuple[tuple[float, float], ...]


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
        """Opens an empty grid; arguments as in ``Archive``.

        Raises:
            UserError: the bounds, names or dims are invalid, or memory is too small.
        """
        check_bounds(bounds)
        cells = check_dims(self.dims, bounds)
        return OpenGrid(dims=self.dims, ranges=bounds, seed=seed, **common(self, example, keep, cells))


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
        """Opens an empty tessellation; arguments as in ``Archive``.

        Raises:
            UserError: the bounds or names are invalid, there are too few samples, or memory is too small.
        """
        self._check(bounds)
        rest = common(self, example, keep, self.cells)
        return OpenCVT(centroids=self.prepare(bounds), ranges=bounds, seed=seed, **rest)

    def prepare(self, bounds: Bounds) -> np.ndarray:
        """Returns the centroids [cells, M] within M pairs (low, high); fits them where no cache has them."""
        self._check(bounds)
        return _centroids(self.cells, self.samples, self.centroid_seed, _floats(bounds), self.dtype)

    def _check(self, bounds: Bounds) -> None:
        check_bounds(bounds)
        if not 1 <= self.cells <= self.samples:
            raise UserError(
                f"{self.cells} centroids cannot be fitted to {self.samples} samples; "
                f"type archive.samples={max(10 * self.cells, 1000)}, or fewer cells (at least 1)"
            )


def check_bounds(bounds: Bounds) -> None:
    """Raises UserError if there is no measure, or a pair is reversed, of zero width, or not finite."""
    if len(bounds) == 0:
        raise UserError("the descriptor has length 0: it gives no measures", "type at least one (low, high) in its bounds")
    for axis, pair in enumerate(bounds):
        check_pair(f"bounds[{axis}]", pair)


def check_pair(name: str, pair: Sequence[float]) -> None:
    """Checks a pair (low, high): bounds of a measure, or a domain's objective range.

    Args:
        name: of the setting, for the message.
        pair: the lower and the higher number.

    Raises:
        UserError: it is no pair of numbers, reversed, of zero width, or not finite.
    """
    numbers = tuple(pair) if np.iterable(pair) else ()
    if len(numbers) != 2 or any(np.shape(each) != () or np.asarray(each).dtype.kind not in "iuf" for each in numbers):
        raise UserError(f"{name} = {pair} is no pair of numbers", "type (low, high) with low < high")
    low, high = numbers
    if not (np.isfinite(low) and np.isfinite(high) and low < high):
        what = "reversed" if low > high else "of zero width" if low == high else "not finite"
        fix = f"({high}, {low})" if low > high else "finite (low, high) with low < high"
        raise UserError(f"{name} = ({low}, {high}) is {what}", f"type {fix}")


def check_dims(dims: tuple[int, ...], bounds: Bounds) -> int:
    """Returns the number of cells.

    Args:
        dims: cells of each measure.
        bounds: M pairs (low, high).

    Returns:
        The product of dims.

    Raises:
        UserError: there are not M dims, or one is below 1.
    """
    if len(dims) != len(bounds):
        raise UserError(
            f"the archive's dims {tuple(dims)} are for {len(dims)} measures, but the descriptor gives {len(bounds)}",
            f"type {len(bounds)} dims, e.g. archive.dims=[{', '.join(['50'] * len(bounds))}], or {len(dims)} pairs of bounds",
        )
    if min(dims) < 1:
        raise UserError(f"the archive's dims {tuple(dims)} hold a number below 1", "type 1 or more cells each")
    return int(np.prod([int(n) for n in dims], dtype=object))


def check_names(keep: tuple[str, ...]) -> None:
    """Raises ValueError if pyribs cannot hold a feature of one of these names."""
    for name in keep:
        if not name.isidentifier() or keyword.iskeyword(name):
            plain = "".join(c if c.isalnum() else "_" for c in name).lstrip("0123456789") or "feature"
            suggestion = f"{plain}_" if keyword.iskeyword(plain) else plain
            raise UserError(f"pyribs cannot hold a feature named {name!r}", f"name it a Python identifier, e.g. {suggestion!r}")
        if name in OWN_FIELDS:
            raise UserError(
                f"a feature must not be named {name!r}, a column of the archive itself", f"rename it, e.g. '{name}_'"
            )


def common(settings: Any, example: Rows, keep: tuple[str, ...], cells: int) -> dict[str, Any]:
    """Returns the keyword arguments that all archives share.

    Args:
        settings: of the archive: its dtype, and thresholds where it has them.
        example: example rows: their solutions and features show shapes and dtypes; wide objectives are float64.
        keep: names of the features to store.
        cells: how many rows the archive has room for at first.

    Returns:
        Name -> value, for the constructor of a pyribs archive.

    Raises:
        UserError: pyribs cannot hold a feature of such a name, or this machine's memory cannot hold the archive.
    """
    check_names(keep)
    solutions = np.asarray(example.solutions)
    columns = {name: (np.shape(example.features[name])[1:], np.asarray(example.features[name]).dtype) for name in keep}
    fields = {"id": ((), np.int64)} | columns
    solution_dtype = solutions.dtype if solutions.dtype.kind in "OiubSU" else np.dtype(settings.dtype)
    _check_memory(cells, [(solutions.shape[1:], solution_dtype), *fields.values()])
    shape = solutions.shape[1:]
    able, exact = abilities.of_archive(settings), np.result_type(example.objective.dtype, np.float32)
    _check_thresholds(able.learning_rate, able.threshold_min)
    thresholds = {"threshold_min": able.threshold_min, "learning_rate": able.learning_rate}
    return {
        "solution_dim": shape[0] if len(shape) == 1 else shape,  # CMA-ES wants an int
        "solution_dtype": solution_dtype,
        "objective_dtype": np.float64 if exact.itemsize >= 8 else settings.dtype,
        "measures_dtype": settings.dtype,
        "extra_fields": fields,
        **{name: value for name, value in thresholds.items() if value is not None},
    }


def _check_memory(cells: int, columns: list) -> None:
    row = sum(int(np.prod(shape, dtype=object)) * np.dtype(dtype).itemsize for shape, dtype in columns) + 32
    need, have = cells * row, os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    if need > 0.8 * have:
        raise UserError(
            f"an archive of {cells:,} cells x {row:,} bytes needs about {need / 2**30:,.1f} GiB, and this machine has "
            f"{have / 2**30:.1f}",
            "type fewer cells (archive.dims or archive.cells), or keep fewer features",
        )


def _check_thresholds(learning_rate: float | None, threshold_min: float | None) -> None:
    """Raises UserError where pyribs would refuse the thresholds of cells, or where no objective could pass them."""
    if learning_rate is None and threshold_min is not None and threshold_min != -math.inf:
        raise UserError(
            f"threshold_min={threshold_min:g} wants a learning_rate", "type archive.learning_rate=0.01, or another from 0 to 1"
        )
    rate, least = 1.0 if learning_rate is None else learning_rate, -math.inf if threshold_min is None else threshold_min
    if not 0 <= rate <= 1:
        raise UserError(f"learning_rate={rate:g} is no share", "type archive.learning_rate=0.01, or another from 0 to 1")
    if math.isnan(least) or least == math.inf:
        raise UserError(f"no objective is above threshold_min={least:g}", "type the least objective that may enter the archive")
    if rate < 1 and least == -math.inf:
        raise UserError(
            f"learning_rate={rate:g} wants a threshold to begin with",
            "type archive.threshold_min=... too: the least objective that may enter the archive",
        )


def _floats(bounds: Bounds) -> Bounds:
    return tuple((float(low), float(high)) for low, high in bounds)


@lru_cache(maxsize=8)
def _centroids(cells: int, samples: int, seed: int, bounds: Bounds, dtype: str) -> np.ndarray:
    """k-means takes seconds: its result is cached, here and in the user's cache folder."""
    name = hashlib.sha256(repr((cells, samples, seed, bounds, dtype)).encode()).hexdigest()[:16]
    file = cache_path(f"cvt-{name}.npy")
    with contextlib.suppress(OSError, ValueError):  # none yet, or damaged: fit it
        centroids = np.load(file, allow_pickle=False)
        if centroids.shape == (cells, len(bounds)) and centroids.dtype == np.dtype(dtype):
            return centroids
    centroids = k_means_centroids(centroids=cells, ranges=bounds, samples=samples, dtype=np.dtype(dtype), seed=seed)[0]
    with contextlib.suppress(OSError):  # a cache that cannot be written costs time only
        file.parent.mkdir(parents=True, exist_ok=True)
        with replacing(file) as scratch:
            np.save(scratch, centroids)
    return centroids
