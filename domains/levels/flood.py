"""Shortest paths on grids by flooding: each step every tile learns from its four neighbours. B levels of H x W tiles."""

import jax
import jax.numpy as jnp

from qd.types import Array

FAR = 1 << 20  # the distance of what cannot be reached


def distances(passable: Array, start: Array) -> Array:
    """Returns steps from a start to every tile, FAR where there is no way.

    Args:
        passable: bool [B, H, W].
        start: the start's index in reading order, [B]; if it is not passable, nothing is reached.

    Returns:
        int32 [B, H, W].
    """
    place = jnp.arange(passable.shape[1] * passable.shape[2], dtype=jnp.int32).reshape(passable.shape[1:])
    here = jnp.where((place == start[:, None, None]) & passable, 0, FAR)

    def spread(carry: tuple[Array, Array]) -> tuple[Array, Array]:
        known = carry[0]
        wide = jnp.pad(known, ((0, 0), (1, 1), (1, 1)), constant_values=FAR)
        near = jnp.minimum(
            jnp.minimum(wide[:, :-2, 1:-1], wide[:, 2:, 1:-1]), jnp.minimum(wide[:, 1:-1, :-2], wide[:, 1:-1, 2:])
        )
        new = jnp.where(passable, jnp.minimum(known, near + 1), FAR)
        return new, (new != known).any()

    return jax.lax.while_loop(lambda carry: carry[1], spread, (here, jnp.bool_(True)))[0]


def first(tiles: Array) -> Array:
    """Returns the index in reading order of the first true tile [B] of bool [B, H, W]; 0 where none is."""
    return tiles.reshape(len(tiles), -1).argmax(axis=1)


def at(values: Array, index: Array) -> Array:
    """Returns the values [B] at one tile of each level.

    Args:
        values: [B, H, W].
        index: of the tile in reading order, [B].
    """
    return jnp.take_along_axis(values.reshape(len(values), -1), index[:, None], axis=1)[:, 0]


def longest_path(passable: Array) -> tuple[Array, Array]:
    """Returns the longest shortest path of the first region, and whether it is the only one.

    As PCGRL has it: from the first tile to the farthest one, and from there to the farthest again, which is exact where no
    loops are. A region is what hangs together.

    Args:
        passable: bool [B, H, W].

    Returns:
        Steps, int32 [B] (0 where nothing is passable), and bool [B].
    """
    one = distances(passable, first(passable))
    reached = one < FAR
    whole = (reached == passable).all(axis=(1, 2)) & passable.any(axis=(1, 2))
    other = distances(passable, jnp.where(reached, one, -1).reshape(len(one), -1).argmax(axis=1))
    return jnp.where(other < FAR, other, 0).max(axis=(1, 2)), whole
