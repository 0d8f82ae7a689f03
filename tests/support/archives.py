"""An example batch and bounds for archives."""

import numpy as np

from qd.types import Rows

BOUNDS = ((-1.0, 1.0), (0.0, 3.0))


def example(n: int = 2, dim: int = 3, features: dict | None = None) -> Rows:
    return Rows(np.arange(n), np.zeros((n, dim), np.float32), np.zeros(n, np.float32), features or {}, np.ones(n, bool))
