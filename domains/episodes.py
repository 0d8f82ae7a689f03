"""Episodes of a domain, any number of them, played a chunk at a time.

B episodes, C of a chunk, D parameters.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from qd.support.errors import UserError
from qd.types import Array


def check(steps: int, points: int, chunk: int) -> None:
    """Checks that P points of a trace can be spread evenly over the steps.

    Args:
        steps: of an episode.
        points: P, a divisor of the steps.
        chunk: C, episodes played at a time.

    Raises:
        ValueError: one of them is below 1, or P is no divisor.
    """
    if min(steps, points, chunk) < 1:
        raise UserError(f"{steps} steps, {points} points, chunks of {chunk}: type at least 1 of each")
    if steps % points:
        raise UserError(f"{points} points cannot be spread evenly over {steps} steps", "type a divisor")


def check_size(solutions: Array, size: int, what: str) -> None:
    """Checks that controllers have as many parameters as the domain takes.

    Args:
        solutions: [B, D].
        size: the D that is taken.
        what: the name of what takes it, for the message.

    Raises:
        UserError: the solutions have another D.
    """
    if solutions.shape[1] != size:
        raise UserError(
            f"a controller has {solutions.shape[1]} parameters, but {what} takes {size}; "
            "type the hidden sizes that the controllers were made for"
        )


def play(episodes: Callable[..., Any], chunk: int, *columns: Array | None) -> Any:
    """Plays B episodes a chunk at a time.

    Args:
        episodes: columns [C, ...] -> a tree of arrays [C, ...].
        chunk: C.
        columns: what each episode is given, [B, ...]: solutions, and keys before them where they are used; None is passed on.

    Returns:
        the tree with [B, ...].
    """
    n = len(jax.tree.leaves(columns)[0])
    chunks = -(-n // chunk)
    rows = jnp.minimum(jnp.arange(chunks * chunk), n - 1)  # the last episode fills the last chunk
    batches = jax.tree.map(lambda x: jnp.asarray(x)[rows].reshape(chunks, chunk, *x.shape[1:]), columns)
    results = jax.lax.map(lambda each: episodes(*each), batches)
    return jax.tree.map(lambda x: x.reshape(-1, *x.shape[2:])[:n], results)
