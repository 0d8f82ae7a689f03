"""Measures learned by principal components of what the elites look like (AURORA's linear form, Cully 2019).

N rows, F feature length (all that is read, laid end to end), M measures.
"""

from dataclasses import dataclass
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np

from feedback.descriptors.scaling import check_varies
from qd.support.errors import TooFewSolutions
from qd.types import Array, Features, Fresh, Params, Rows


class PCAParams(NamedTuple):
    """Principal components."""

    mean: Array  # [F]
    axes: Array  # [F, M], scaled so that the elites fill the bounds


@dataclass(frozen=True)
class PCA:
    """The first M principal components, scaled into fixed bounds [-1, 1] by the largest absolute value at the fit.

    >>> import numpy as np
    >>> from qd import Rows
    >>> x = np.array([[-1.0, 0.0, 7.0], [1.0, 0.0, 7.0], [0.0, -0.5, 7.0], [0.0, 0.5, 7.0]])  # the third column does not vary
    >>> ids = np.arange(4)
    >>> pca = PCA(reads=("pose",), measures=2, margin=0.0)
    >>> params = pca.fit(None, None, Rows(ids, ids, ids, {"pose": x}, ids >= 0), None)
    >>> pca(params, {"pose": x}).round(3) + 0.0
    array([[-1.,  0.],
           [ 1.,  0.],
           [ 0., -1.],
           [ 0.,  1.]])
    """

    reads: tuple[str, ...]
    measures: int = 2
    margin: float = 0.1  # room at each side for what is not yet found
    pure: bool = True
    learns: bool = True

    @property
    def bounds(self) -> tuple[tuple[float, float], ...]:
        """M pairs (-1, 1)."""
        return ((-1.0, 1.0),) * self.measures

    @property
    def fewest(self) -> int:
        """Solutions that a fit needs: M directions have at least one more."""
        return self.measures + 1

    def init(self, key: Array, rows: Rows, fresh: Fresh) -> PCAParams:
        """Fits to generation 0.

        Args:
            key: unused.
            rows: generation 0, features [N, ...].
            fresh: unused.

        Returns:
            Mean and scaled axes.

        Raises:
            UserError: the rows vary in fewer than M directions.
        """
        return self.fit(key, None, rows, fresh)

    def fit(self, key: Array, params: Params, rows: Rows, fresh: Fresh) -> PCAParams:
        """Fits to the rows by singular value decomposition.

        Args:
            key: unused.
            params: unused.
            rows: elites and whatever else is learned from, features [N, ...].
            fresh: unused.

        Returns:
            Mean and scaled axes.

        Raises:
            UserError: the rows vary in fewer than M directions.
        """
        x = np.asarray(_flat(rows.features, self.reads), np.float64)
        check_varies(x, self.reads, self.fewest)
        mean = x.mean(axis=0)
        _, spread, directions = np.linalg.svd(x - mean, full_matrices=False)
        rank = int((spread > 1e-9 * spread[0]).sum())
        if rank < self.measures:
            raise TooFewSolutions(
                f"{len(x)} solutions vary in only {rank} directions of {', '.join(self.reads)}, too few for "
                f"{self.measures} principal components",
                len(x),
                len(x) + self.measures - rank,
                f"type descriptor.measures={rank}",
            )
        axes = directions[: self.measures].T
        axes = axes * np.where(axes[np.abs(axes).argmax(0), np.arange(self.measures)] < 0, -1, 1)  # a sign that repeats
        reach = np.abs((x - mean) @ axes).max(axis=0) * (1 + self.margin)
        return PCAParams(mean.astype(np.float32), (axes / reach).astype(np.float32))

    def __call__(self, params: PCAParams, features: Features) -> Array:
        """Projects onto the principal components.

        Args:
            params: mean and axes.
            features: name -> [B, ...].

        Returns:
            Measures, [B, M].
        """
        return (_flat(features, self.reads) - params.mean) @ params.axes


def _flat(features: Features, names: tuple[str, ...]) -> Array:
    n = len(features[names[0]])
    columns = [features[name].reshape(n, -1) for name in names]
    return columns[0] if len(columns) == 1 else jnp.concatenate(columns, axis=1)
