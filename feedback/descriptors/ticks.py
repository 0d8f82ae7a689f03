"""A descriptor with cells of uneven width along each axis."""

from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np

from qd.support.errors import UserError
from qd.types import Array, Features, Fresh, Params, Rows


@dataclass(frozen=True)
class Ticks:
    """Uneven cells along each column of a feature: a measure is the number of the cell, and how far into it.

    The borders between cells are given, or chosen from generation 0 so that each cell gets an equal share of it (small judges
    lean to one side, and only their order means something); they never move after that.

    >>> import numpy as np
    >>> ticks = Ticks("length", cells=(3,), ticks=((10.0, 20.0),))  # cells below 10, from 10 to 20, and from 20
    >>> ticks((), {"length": np.array([[5.0], [15.0], [20.0]])})
    Array([[0.5],
           [1.5],
           [2. ]], dtype=float32)
    """

    feature: str
    cells: tuple[int, ...]  # of each column
    ticks: tuple[tuple[float, ...], ...] | None = None  # inner borders of each column, rising, one fewer than cells
    pure: bool = True

    def __post_init__(self) -> None:
        if self.ticks is None:
            return
        if len(self.ticks) != len(self.cells):
            raise UserError(
                f"ticks for {len(self.ticks)} columns do not fit cells={self.cells}",
                "type domain_defaults.ticks=[[...], ...], a list each",
            )
        for column, (cells, borders) in enumerate(zip(self.cells, self.ticks, strict=True)):
            if (np.diff(borders) <= 0).any():
                raise UserError(
                    f"the ticks of axis {column + 1} are {list(borders)}, and must rise; "
                    f"type {sorted(set(borders))} in their place"
                )
            if len(borders) != cells - 1:
                raise UserError(
                    f"the ticks of axis {column + 1} are {len(borders)} numbers for {cells} cells, and must be {cells - 1}; "
                    f"type domain_defaults.dims={[len(each) + 1 for each in self.ticks]}, or domain_defaults.ticks=null to "
                    "share generation 0 out"
                )

    @property
    def learns(self) -> bool:
        """Whether generation 0 sets the borders."""
        return self.ticks is None

    @property
    def reads(self) -> tuple[str, ...]:
        """The feature alone."""
        return (self.feature,)

    @property
    def bounds(self) -> tuple[tuple[float, float], ...]:
        """(0, cells) for each column."""
        return tuple((0.0, float(cells)) for cells in self.cells)

    def init(self, key: Array, rows: Rows, fresh: Fresh) -> Params:
        """Sets the borders, where they are not given; arguments as in ``PCA``.

        Returns:
            The inner borders of each column, float32 [cells - 1] each; no params where ``ticks`` are given.

        Raises:
            UserError: generation 0 has fewer different values than cells, or the feature has other than one column for each of
                ``cells``.
        """
        if self.ticks is not None:
            return ()
        columns = np.asarray(rows.features[self.feature], float).reshape(len(rows.ids), -1)
        if columns.shape[1] != len(self.cells):
            raise UserError(
                f"{self.feature} has {columns.shape[1]} columns for cells={list(self.cells)}",
                f"type a number for each: domain_defaults.dims={[self.cells[0]] * columns.shape[1]}",
            )
        return tuple(np.array(even_borders(x, n), np.float32) for x, n in zip(columns.T, self.cells, strict=True))

    def fit(self, key: Array, params: Params, rows: Rows, fresh: Fresh) -> Params:
        """Keeps the borders; arguments as in ``Descriptor``."""
        return params

    def __call__(self, params: Params, features: Features) -> Array:
        """Finds the cell of each value.

        Args:
            params: borders, where ``ticks`` are not given.
            features: name -> [B, ...]; ``feature`` alone is read, M columns.

        Returns:
            Measures, [B, M]: number of the cell plus a share of 0 to 0.999 of its width.
        """
        x = features[self.feature].reshape(len(features[self.feature]), -1)
        borders = params if self.ticks is None else [np.array(each, np.float32) for each in self.ticks]
        return jnp.stack([_along(x[:, i], each) for i, each in enumerate(borders)], axis=1)


def even_borders(x: np.ndarray, cells: int) -> tuple[float, ...]:
    """Returns the inner borders of cells that share values evenly.

    Small judges lean to one side, so that 0.5 means nothing to them; their order still does.

    Args:
        x: values, [N]; those that are not finite are left out.
        cells: how many.

    Returns:
        Borders in the units of x, strictly rising, one fewer than cells.

    Raises:
        UserError: such borders would not rise strictly: too few values differ.
    """
    x = np.asarray(x, np.float64)
    x = x[np.isfinite(x)]
    inner = np.quantile(x, np.arange(1, cells) / cells) if len(x) else np.array([])
    if len(inner) != cells - 1 or (np.diff(inner) <= 0).any():
        raise UserError(
            f"{len(np.unique(x))} different answers do not make {cells} cells, shared out evenly",
            "type borders by hand (domain_defaults.ticks=[[0.2,0.5,0.8]]), fewer cells (domain_defaults.dims) or more to begin "
            "with (initial); "
            f"where nearly all answers are {np.median(x) if len(x) else np.nan:.2g} it is the judge: qd doctor tries whether "
            "it tells ends apart",
        )
    return tuple(map(float, inner))


def _along(x: Array, borders: Array) -> Array:
    """The number of the cell of each x [B], and how far into it; outer cells count as wide as their neighbours."""
    widths = jnp.diff(borders) if len(borders) > 1 else jnp.ones(1)
    edges = jnp.concatenate([borders[:1] - widths[:1], borders, borders[-1:] + widths[-1:]]) if len(borders) else jnp.arange(2)
    cell = (x[:, None] >= borders).sum(axis=1)
    within = (x - edges[cell]) / (edges[cell + 1] - edges[cell])
    return cell + jnp.clip(within, 0, 0.999)  # never rounded up into the next cell
