"""What levels of tiles share: drawing tiles by their shares, symmetry, pictures, and how a level is varied.

B levels of H x W tiles, T kinds of tile, S pixels a tile.
"""

from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np

from domains.images import png
from qd import keys
from qd.support.errors import UserError
from qd.types import Array, Rendering

GLYPH = 8  # pixels a side of a tile's picture


def check_size(height: int, width: int) -> None:
    """Raises UserError where a level has too few tiles, or too many."""
    if not 3 <= min(height, width) <= max(height, width) <= 128:
        raise UserError(f"a level of {height} x {width} tiles is no level", "type domain.height=14 domain.width=14 (3 to 128)")


def choose(u: Array, shares: Array) -> Array:
    """Returns kinds of tile, int32, of numbers in [0, 1): kind t where u falls into its share.

    Args:
        u: any shape.
        shares: of the kinds, [T], or [T, ...] where they differ from tile to tile.
    """
    numpy = np if isinstance(u, np.ndarray) else jnp
    borders = numpy.cumsum(numpy.asarray(shares, np.float32), axis=0)[:-1]
    borders = borders.reshape(borders.shape + (1,) * (u.ndim + 1 - borders.ndim))
    return (u[None] >= borders).sum(axis=0).astype(np.int32)


def symmetry(solid: Array) -> Array:
    """Returns the larger share of walls and floors that are equal in the mirror, left to right or top to bottom: [B]."""
    return jnp.maximum(*((solid == jnp.flip(solid, axis)).mean(axis=(1, 2)) for axis in (2, 1)))


def pictures(levels: Array, glyphs: np.ndarray) -> Array:
    """Draws levels.

    Args:
        levels: kinds of tile, [B, H, W].
        glyphs: a picture of each kind, [T, S, S, 3] in 0..1.

    Returns:
        [B, H S, W S, 3].
    """
    b, h, w = levels.shape
    s = glyphs.shape[1]
    return jnp.asarray(glyphs)[levels].transpose(0, 1, 3, 2, 4, 5).reshape(b, h * s, w * s, 3)


def glyph(rows: str, ink: str, ground: str) -> np.ndarray:
    """Returns a tile's picture [8, 8, 3].

    Args:
        rows: eight hexadecimal bytes, a row each: bits that are set are ink.
        ink: a colour, #rrggbb.
        ground: the other colour.
    """
    bits = np.unpackbits(np.frombuffer(bytes.fromhex(rows), np.uint8)).reshape(GLYPH, GLYPH, 1)
    colour = lambda name: np.array([int(name[i : i + 2], 16) / 255 for i in (1, 3, 5)], np.float32)
    return np.where(bits, colour(ink), colour(ground)).astype(np.float32)


def render(levels: np.ndarray, glyphs: np.ndarray, zoom: int = 2) -> list[Rendering]:
    """Returns png pictures of levels.

    Args:
        levels: as ``pictures`` takes them.
        glyphs: as ``pictures`` takes them.
        zoom: each picture is enlarged so many times.
    """
    drawn = np.asarray(pictures(levels, glyphs))
    return [Rendering("png", png.encode(one.repeat(zoom, 0).repeat(zoom, 1))) for one in drawn]


@dataclass(frozen=True)
class Redraw:
    """Draws each tile again with probability ``rate`` by the kinds' shares; at least one tile in each child.

    >>> from qd import keys
    >>> Redraw(shares=(0.5, 0.5))(keys.new(0), np.zeros((3, 1, 16), np.int32)).shape
    (3, 16)
    """

    shares: tuple[float, ...]  # of the kinds of tile
    rate: float = 0.02
    parents: int = 1

    def __call__(self, key: Array, parents: Array) -> Array:
        """See the class.

        Args:
            key: of the draws.
            parents: [B, 1, D] kinds of tile.

        Returns:
            Children [B, D].
        """
        which_key, sure_key, kind_key = keys.split(key, 3)
        x = parents[:, 0]
        numpy = x.__array_namespace__()
        sure = keys.integers(sure_key, (len(x), 1), 0, x.shape[1]) == numpy.arange(x.shape[1])
        again = (keys.uniform(which_key, x.shape) < self.rate) | sure
        return numpy.where(again, choose(keys.uniform(kind_key, x.shape), self.shares), x).astype(x.dtype)
