"""Episodes of a domain, as many as asked for, played a chunk at a time.

B episodes, C of a chunk, D parameters.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from qd.support.errors import UserError
from qd.types import Array


def check(steps: int, points: int, chunk: int) -> None:
    """Raises ValueError where P points of a trace cannot be spread evenly over the steps, or there are none."""
    if min(steps, points, chunk) < 1:
        raise UserError(f"{steps} steps, {points} points, chunks of {chunk}: type at least 1 of each")
    if steps % points:
        raise UserError(f"{points} points cannot be spread evenly over {steps} steps", "type a divisor")


def played(play: Callable[[Array], Array], solutions: Array, chunk: int, size: int, what: str) -> Array:
    """Plays solutions [B, D] by ``play``, [C, D] -> [C, ...], and returns [B, ...]. Raises ValueError on a wrong D."""
    if solutions.shape[1] != size:
        raise UserError(
            f"a controller has {solutions.shape[1]} parameters, but {what} takes {size}; "
            "type the hidden sizes that the controllers were made for"
        )
    n, chunks = len(solutions), -(-len(solutions) // chunk)
    rows = jnp.minimum(jnp.arange(chunks * chunk), n - 1)  # the last episode fills the last chunk
    ended = jax.lax.map(play, jnp.asarray(solutions)[rows].reshape(chunks, chunk, -1))
    return ended.reshape(-1, *ended.shape[2:])[:n]
