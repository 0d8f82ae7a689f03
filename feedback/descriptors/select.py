"""A descriptor that selects features, written by hand."""

from dataclasses import dataclass
from typing import ClassVar

from qd.types import Array, Features, Fresh, Params, Rows


@dataclass(frozen=True)
class Select:
    """Measures are one feature as it stands, [B, M], or some of its columns.

    >>> import numpy as np
    >>> select = Select("position", bounds=((0, 1), (0, 1)), columns=(0, 2))
    >>> select((), {"position": np.array([[0.25, 0.5, 0.75]])})
    array([[0.25, 0.75]])
    """

    feature: str
    bounds: tuple[tuple[float, float], ...]
    columns: tuple[int, ...] | None = None  # None: all of them
    pure: bool = True
    learns: bool = False
    plain: ClassVar[bool] = True  # a selection is the same in NumPy

    @property
    def reads(self) -> tuple[str, ...]:
        """The feature alone."""
        return (self.feature,)

    def init(self, key: Array, rows: Rows, fresh: Fresh) -> Params:
        """Learns nothing; arguments as in ``Descriptor``."""
        return ()

    def fit(self, key: Array, params: Params, rows: Rows, fresh: Fresh) -> Params:
        """Learns nothing; arguments as in ``Descriptor``."""
        return params

    def __call__(self, params: Params, features: Features) -> Array:
        """Selects the measures.

        Args:
            params: unused.
            features: name -> [B, ...]; ``feature`` alone is read.

        Returns:
            Measures, [B, M].
        """
        flat = features[self.feature].reshape(len(features[self.feature]), -1)
        return flat if self.columns is None else flat[:, list(self.columns)]
