"""A descriptor that selects features, written by hand."""

from dataclasses import dataclass

from qd.types import Array, Features, Fresh, Params, Rows


@dataclass(frozen=True)
class Select:
    """Measures are one feature as it stands, [B, M], or some of its columns."""

    feature: str
    bounds: tuple[tuple[float, float], ...]
    columns: tuple[int, ...] | None = None  # None: all of them
    pure: bool = True
    learns: bool = False

    @property
    def reads(self) -> tuple[str, ...]:
        return (self.feature,)

    def init(self, key: Array, rows: Rows, fresh: Fresh) -> Params:
        return ()

    def fit(self, key: Array, params: Params, rows: Rows, fresh: Fresh) -> Params:
        return params

    def __call__(self, params: Params, features: Features) -> Array:
        flat = features[self.feature].reshape(len(features[self.feature]), -1)
        return flat if self.columns is None else flat[:, list(self.columns)]
