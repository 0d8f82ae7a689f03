"""Archives without fixed cells: by novelty, by dominated novelty, with sliding boundaries, with a density beside them.

Their coverage is that of a stated referee's grid. M measures.
"""

import copy
from dataclasses import dataclass
from typing import Any

import numpy as np
from ribs.archives import ArchiveBase, DensityArchive, DNSArchive, ProximityArchive, SlidingBoundariesArchive

from qd.archives import borders
from qd.archives.lean import OpenGrid
from qd.archives.settings import Bounds, check_bounds, check_dims, common
from qd.support.errors import UserError
from qd.types import Array, Rows


@dataclass(frozen=True)
class Proximity:
    """Keeps what is farther than ``novelty_threshold`` from its k nearest elites (novelty search, Lehman and Stanley 2011).

    With ``local_competition`` a row that is not novel may replace its nearest elite (NSLC).
    """

    novelty_threshold: float | None = None  # in the measures' own units; None: 3.7 % of the bounds' width, as in DDS's paper
    k_neighbors: int = 15
    local_competition: bool = False
    initial_capacity: int = 1024  # it grows without end
    dtype: str = "float32"

    def open(self, example: Rows, bounds: Bounds, keep: tuple[str, ...], seed: int) -> ArchiveBase:
        """Opens an empty archive; arguments as in ``Archive``.

        Raises:
            UserError: the bounds, names or settings are invalid.
        """
        check_bounds(bounds)
        threshold = 0.037 * _width(bounds) if self.novelty_threshold is None else self.novelty_threshold
        if threshold < 0 or self.k_neighbors < 1:
            raise UserError("a novelty_threshold is 0 or more, and k_neighbors 1 or more", "type archive.k_neighbors=15")
        rest = common(self, example, keep, self.initial_capacity)
        novelty = {"k_neighbors": self.k_neighbors, "novelty_threshold": threshold, "seed": seed}
        archive = OpenProximity(
            measure_dim=len(bounds),
            local_competition=self.local_competition,
            initial_capacity=self.initial_capacity,
            **novelty,
            **rest,
        )
        archive.gives = ("value", "novelty", "local_competition") if self.local_competition else ("novelty",)
        return with_bounds(archive, bounds)


@dataclass(frozen=True)
class DNS:
    """Keeps ``capacity`` elites by their distance to k fitter ones (Dominated Novelty Search, Bahlous-Boldi et al. 2025).

    pyribs compares with >=, so that under equal objectives it is plain novelty.
    """

    capacity: int = 1024
    k_neighbors: int = 15
    dtype: str = "float32"

    def open(self, example: Rows, bounds: Bounds, keep: tuple[str, ...], seed: int) -> ArchiveBase:
        """Opens an empty archive; arguments as in ``Archive``.

        Raises:
            UserError: the bounds, names or settings are invalid.
        """
        check_bounds(bounds)
        if self.capacity < 1 or self.k_neighbors < 1:
            raise UserError("capacity and k_neighbors are 1 or more", "type archive.capacity=1024")
        rest = common(self, example, keep, self.capacity)
        sizes = {"capacity": self.capacity, "k_neighbors": self.k_neighbors}
        archive = OpenDNS(measure_dim=len(bounds), seed=seed, **sizes, **rest)
        archive.gives = ("dns",)
        return with_bounds(archive, bounds)


@dataclass(frozen=True)
class SlidingBoundaries:
    """A grid with boundaries that move to the percentiles of recent measures (MESB, Fontaine et al. 2019).

    It takes hand-made descriptors only: a refit would mix old and new measures in its buffer.
    """

    dims: tuple[int, ...]
    remap_frequency: int = 100  # evaluations between moves
    buffer_capacity: int = 1000
    dtype: str = "float32"
    fixed_descriptors_only: bool = True

    def open(self, example: Rows, bounds: Bounds, keep: tuple[str, ...], seed: int) -> ArchiveBase:
        """Opens an empty archive; arguments as in ``Archive``.

        Raises:
            UserError: the bounds, names, dims or settings are invalid, or memory is too small.
        """
        check_bounds(bounds)
        cells = check_dims(self.dims, bounds)
        rest = common(self, example, keep, cells)
        moves = {"remap_frequency": self.remap_frequency, "buffer_capacity": self.buffer_capacity}
        return with_bounds(OpenSlidingBoundaries(dims=self.dims, ranges=bounds, seed=seed, **moves, **rest), bounds)


@dataclass(frozen=True)
class DensityGrid:
    """A grid of elites with a density of all measures beside it, by which emitters may rank (DDS, Lee et al. 2024)."""

    dims: tuple[int, ...]
    bandwidth: float | None = None  # of the kernel, in the measures' own units; None: 5 % of the bounds' width, as in the paper
    buffer_size: int = 10_000  # measures that the density is of
    dtype: str = "float32"

    def open(self, example: Rows, bounds: Bounds, keep: tuple[str, ...], seed: int) -> ArchiveBase:
        """Opens an empty archive; arguments as in ``Archive``.

        Raises:
            UserError: the bounds, names, dims or settings are invalid, or memory is too small.
        """
        check_bounds(bounds)
        bandwidth = 0.05 * _width(bounds) if self.bandwidth is None else self.bandwidth
        if bandwidth <= 0:
            raise UserError(
                f"bandwidth {bandwidth} is no width", "type a number above 0, or none for a twentieth of the bounds"
            )
        cells = check_dims(self.dims, bounds)
        rest = common(self, example, keep, cells)
        archive = OpenDensityGrid(dims=self.dims, ranges=bounds, seed=seed, **rest)
        sizes = {"buffer_size": self.buffer_size, "bandwidth": bandwidth}
        archive.density = DensityArchive(measure_dim=len(bounds), density_method="kde", seed=seed, **sizes)
        archive.unused = copy.deepcopy(archive.density)
        archive.gives = ("value", "density")
        return archive


def _width(bounds: Bounds) -> float:
    return float(np.mean([high - low for low, high in bounds]))


class _CleanTree:
    """pyribs' clear leaves the tree of the elites that it cleared, and an empty one is refused."""

    def clear(self) -> None:
        super().clear()  # type: ignore[misc]
        from scipy.spatial import KDTree  # a third of a second, for these archives only

        self._cur_kd_tree = KDTree(np.zeros((0, self.measure_dim)))  # type: ignore[attr-defined]


class OpenProximity(_CleanTree, ProximityArchive):
    gives: tuple[str, ...]


class OpenDNS(_CleanTree, DNSArchive):
    gives: tuple[str, ...]


class OpenSlidingBoundaries(SlidingBoundariesArchive):
    """Its cells follow from the present borders alone.

    pyribs clips measures to bounds that it moves only after it has inserted all rows again, so that elites would lie in cells
    that ``index_of`` does not give.
    """

    lower_bounds: Any = None  # the descriptor's; pyribs' own move with the borders, and may shrink to nothing
    upper_bounds: Any = None

    def index_of(self, measures: Array) -> np.ndarray:
        measures = np.asarray(measures, self.dtypes["measures"])
        if measures.shape[1:] != (self.measure_dim,) or not np.isfinite(measures).all():
            return super().index_of(measures)  # which raises, and says what is wrong
        return borders.cells([borders.lowered(edges) for edges in self.boundaries], measures)


class OpenDensityGrid(OpenGrid):
    density: DensityArchive
    unused: DensityArchive  # as it was opened
    gives: tuple[str, ...]

    def clear(self) -> None:
        """Forgets the density too: a refit's new measures have nothing to do with the old ones."""
        super().clear()
        self.density = copy.deepcopy(self.unused)

    def add(self, solution: Array, objective: Array, measures: Array, **fields: Array) -> dict:
        """Offers rows, as pyribs' archives do; arguments as in ``Cells``.

        Returns:
            Name -> [B]: status, value, density.
        """
        result = self.density.add(solution, objective, measures)
        return super().add(solution, objective, measures, **fields) | {"density": result["density"]}


def with_bounds(archive: Any, bounds: Bounds) -> ArchiveBase:
    """Gives an archive without fixed bounds those of the descriptor, for the clamp and for random directions.

    Args:
        archive: an opened pyribs archive; its ``lower_bounds`` and ``upper_bounds`` are set, [M] float32.
        bounds: M pairs (low, high).

    Returns:
        The same archive.
    """
    low, high = np.asarray(bounds, np.float32).T
    archive.lower_bounds, archive.upper_bounds = low, high
    return archive
