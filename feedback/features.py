"""Features laid end to end, [N, F]."""

import jax.numpy as jnp
import numpy as np

from qd.types import Array, Features


def flat(features: Features, names: tuple[str, ...]) -> Array:
    """Lays features end to end.

    Args:
        features: name -> [N, ...].
        names: one or more, in the order of their columns.

    Returns:
        [N, F], F numbers in all of them; of NumPy where the first feature is, else of JAX.
    """
    n = len(features[names[0]])
    columns = [features[name].reshape(n, -1) for name in names]
    if len(columns) == 1:
        return columns[0]
    return (np if isinstance(columns[0], np.ndarray) else jnp).concatenate(columns, axis=1)
