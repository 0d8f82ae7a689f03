"""The shape of one row of an evaluation, and blank rows for those that failed."""

from typing import NamedTuple

import numpy as np

from qd.types import Evaluation


class Shapes(NamedTuple):
    """Of a row: feature -> (shape, dtype), and the dtype of the objective."""

    features: dict[str, tuple[tuple[int, ...], np.dtype]]
    objective: np.dtype

    @staticmethod
    def of(evaluation: Evaluation) -> "Shapes":
        """Returns the shapes of an evaluation in NumPy columns."""
        features = {name: (column.shape[1:], column.dtype) for name, column in evaluation.features.items()}
        return Shapes(features, evaluation.objective.dtype)

    def difference(self, evaluation: Evaluation) -> str:
        """Says how the rows of an evaluation differ from these; empty where they do not."""
        other = Shapes.of(evaluation)
        if other.features.keys() != self.features.keys():
            return f"its features are {sorted(other.features)}, and those of other solutions {sorted(self.features)}"
        for name, (shape, dtype) in self.features.items():
            if other.features[name][0] != shape:
                return (
                    f"its feature {name!r} has shape {list(other.features[name][0])}, and that of other solutions {list(shape)}"
                )
        return ""

    def blank(self, n: int) -> Evaluation:
        """Returns n failed rows: NaN as objective, zeros as features."""
        features = {name: np.zeros((n, *shape), dtype) for name, (shape, dtype) in self.features.items()}
        return Evaluation(np.full(n, np.nan, self.objective), features)


def join(parts: list[Evaluation]) -> Evaluation:
    """Returns the rows of all parts, in order."""
    features = {name: np.concatenate([part.features[name] for part in parts]) for name in parts[0].features}
    return Evaluation(np.concatenate([part.objective for part in parts]), features)
