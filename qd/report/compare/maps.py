"""The map of a method: the mean objective of each cell over seeds; and where two methods differ.

C cells, n seeds, M measures.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from qd.plots.heatmap import projection
from qd.plots.records import Map
from qd.plots.side_by_side import MapPanel
from qd.plots.voronoi import voronoi
from qd.report import figures
from qd.report.collect import Method
from qd.store import archive_file
from qd.support.errors import UserError


class MethodMap(NamedTuple):
    name: str
    panel: MapPanel  # mean objective over the seeds that fill a cell
    share: np.ndarray  # as panel.values: share of seeds that fill the cell
    axes: Any  # equal where cells of two maps are the same cells; None: of no other map
    scale: tuple[float, float] | None  # the domain's objective_range


class _SeedMap(NamedTuple):
    """The map of one run."""

    seed: int
    panel: MapPanel
    axes: Any
    scale: tuple[float, float] | None
    centroids: np.ndarray | None  # [C, 2] where cells are those of a CVT


def maps(methods: Sequence[Method], notes: list[str]) -> list[MethodMap]:
    """Reads the archives of all runs and averages those of one method.

    Args:
        methods: of one case.
        notes: a sentence is added for each archive that cannot be read, and where maps are not comparable.

    Returns:
        A map for each method of which one archive at least can be read.
    """
    averages = [average for method in methods if (average := _average(method, notes)) is not None]
    if len(averages) > 1 and not pairs(averages):
        notes.append(
            f"no differences of maps for {methods[0].case}: the cells of its methods are not the same "
            "(another archive, or measures that each run learned)"
        )
    return averages


def pairs(averages: Sequence[MethodMap], against: str | None = None) -> list[tuple[MethodMap, MethodMap]]:
    """Returns the pairs of methods with the same cells.

    Args:
        averages: of one case.
        against: only pairs with this method, which is the second; None: all.
    """
    both = [(a, b) for i, a in enumerate(averages) for b in averages[i + 1 :] if a.axes is not None and a.axes == b.axes]
    both = [pair for pair in both if against is None or against in (pair[0].name, pair[1].name)]
    return [(b, a) if a.name == against else (a, b) for a, b in both]


def difference(a: MethodMap, b: MethodMap) -> MapPanel:
    """Returns mean objective of a minus that of b, in cells that both fill in a seed at least.

    Args:
        a: with the same cells as ``b``.
        b: with the same cells as ``a``.
    """
    values = np.asarray(a.panel.values) - np.asarray(b.panel.values)
    return a.panel._replace(title=f"{a.name}\nminus {b.name}", values=values)


def reach(panels: Sequence[MapPanel]) -> float:
    """Returns the end of a colour scale around zero: 98 % of the differences lie within it.

    Args:
        panels: of ``difference``.
    """
    values = np.abs(np.concatenate([np.ravel(panel.values) for panel in panels]))
    values = values[np.isfinite(values)]
    return float(np.quantile(values, 0.98) or values.max() or 1.0) if len(values) else 1.0


def scale(averages: Sequence[MethodMap]) -> tuple[float, float]:
    """Returns one colour scale for all maps: the domain's range where it states one, else from the lowest to the highest."""
    if all(average.scale is not None and average.scale == averages[0].scale for average in averages) and averages:
        assert averages[0].scale is not None
        return averages[0].scale
    values = np.concatenate([np.ravel(average.panel.values) for average in averages])
    finite = values[np.isfinite(values)]
    return (float(finite.min()), float(finite.max())) if len(finite) else (0.0, 1.0)


def _average(method: Method, notes: list[str]) -> MethodMap | None:
    seeds: list[_SeedMap] = []
    for run in method.runs:
        try:
            seeds.append(_of_run(archive_file.load(run.folder), run.config))
        except UserError as error:
            notes.append(f"{run.folder} is not in the maps: {error}")
    if not seeds:
        return None
    first = seeds[0]
    same = [seed for seed in seeds if seed.axes is not None and seed.axes == first.axes] or [first]
    if len(same) < len(seeds):
        notes.append(f"the map of {method.name} is that of seed {first.seed} alone: cells of its runs are not the same cells")
    values = np.stack([np.asarray(seed.panel.values) for seed in same])
    filled = np.isfinite(values)
    total = np.where(filled, values, 0).sum(0)
    with np.errstate(invalid="ignore"):
        mean = np.where(filled.any(0), total / filled.sum(0), np.nan)
    polygons = None if first.centroids is None else voronoi(first.centroids, first.panel.bounds)
    panel = first.panel._replace(title=method.name, values=mean, polygons=polygons)
    return MethodMap(method.name, panel, filled.mean(0), first.axes, first.scale)


def _of_run(archive: archive_file.StoredArchive, config: dict[str, Any]) -> _SeedMap:
    record = figures.record(archive)
    chosen = [0] if len(record.bounds) == 1 else [0, 1]
    bounds, names = [record.bounds[axis] for axis in chosen], [record.names[axis] for axis in chosen]
    cells: Any = None if record.dims is None else tuple(record.dims)
    centroids = None
    if record.dims is None and record.centroids is not None and len(record.bounds) == 2:
        centroids = np.asarray(record.centroids)
        values, cells = np.full(len(centroids), -np.inf), centroids.tobytes()
        values[record.cell] = record.objective
    else:
        values = projection(record, chosen)
        if len(record.bounds) > 2:
            names = [names[0], f"{names[1]} (best over the other measures)"]
    panel = MapPanel("", np.where(np.isfinite(values), values, np.nan), bounds, names)
    return _SeedMap(config["seed"], panel, _axes(record, cells, config), record.scale, centroids)


def _axes(record: Map, cells: Any, config: dict[str, Any]) -> Any:
    """Returns what is equal where cells mean the same: bounds, cells and a descriptor that chooses a feature."""
    descriptor = config.get("descriptor")
    if not isinstance(descriptor, dict) or descriptor.get("feature") is None:
        return None  # learned: each run has its own measures
    return str(descriptor), tuple(map(tuple, record.bounds)), cells
