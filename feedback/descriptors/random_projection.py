"""A control that learns nothing: measures are a fixed random projection of the features, scaled to fill the bounds.

F feature length, M measures.
"""

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np

from feedback.descriptors.scaling import Box, around, check_varies, into_bounds
from feedback.features import flat
from qd import keys
from qd.types import Array, Features, Fresh, Rows


class RandomProjectionParams(NamedTuple):
    """A projection and the bounds of its result."""

    weights: Array  # [F, M]
    box: Box


@dataclass(frozen=True)
class RandomProjection:
    """Drawn once; a refit only fits the bounds to minimum and maximum of the elites."""

    reads: tuple[str, ...]
    measures: int = 2
    pure: bool = True
    learns: bool = True
    fewest: ClassVar[int] = 2  # solutions that a fit needs

    @property
    def bounds(self) -> tuple[tuple[float, float], ...]:
        """M pairs (-1, 1)."""
        return ((-1.0, 1.0),) * self.measures

    def init(self, key: Array, rows: Rows, fresh: Fresh) -> RandomProjectionParams:
        """Draws the projection, and fits the bounds.

        Args:
            key: of the weights.
            rows: generation 0, features [N, ...].
            fresh: unused.

        Returns:
            Weights and box.

        Raises:
            UserError: the rows do not vary.
        """
        length = flat(rows.features, self.reads).shape[1]
        weights = keys.uniform(keys.to_host(key), (length, self.measures), -1, 1) / np.float32(np.sqrt(length))
        return self._scaled(weights, rows)

    def fit(self, key: Array, params: RandomProjectionParams, rows: Rows, fresh: Fresh) -> RandomProjectionParams:
        """Fits the bounds.

        Args:
            key: unused.
            params: their weights stay.
            rows: elites and whatever else is learned from, features [N, ...].
            fresh: unused.

        Returns:
            The same weights, and a new box.

        Raises:
            UserError: the rows do not vary.
        """
        return self._scaled(params.weights, rows)

    def __call__(self, params: RandomProjectionParams, features: Features) -> Array:
        """Projects.

        Args:
            params: weights and box.
            features: name -> [B, ...].

        Returns:
            Measures, [B, M].
        """
        return into_bounds(flat(features, self.reads) @ params.weights, params.box)

    def _scaled(self, weights: Array, rows: Rows) -> RandomProjectionParams:
        x = np.asarray(flat(rows.features, self.reads), np.float32)
        check_varies(x, self.reads, self.fewest)
        return RandomProjectionParams(weights, around(x @ weights))
