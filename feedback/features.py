"""Features laid end to end, [N, F]."""

import jax.numpy as jnp
import numpy as np

from qd.types import Array, Features


def flat(features: Features, names: tuple[str, ...]) -> Array:
    """Lays features end to end, [N, F]."""
    n = len(features[names[0]])
    columns = [features[name].reshape(n, -1) for name in names]
    if len(columns) == 1:
        return columns[0]
    return (np if isinstance(columns[0], np.ndarray) else jnp).concatenate(columns, axis=1)
