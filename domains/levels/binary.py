"""PCGRL's problem "binary": floors and walls, of which all floors hang together (Khalifa et al. 2020).

B levels of H x W tiles.
"""

from dataclasses import dataclass
from typing import ClassVar

import jax.numpy as jnp
import numpy as np

from domains.images.views import Views, features, pairs
from domains.levels import flood, tiles
from qd import keys
from qd.types import Array, Evaluation, Rendering

FLOOR, WALL = 0, 1
_GLYPHS = np.stack(
    [tiles.glyph("0000000000000000", "#000000", "#f4ecd8"), tiles.glyph("ff80808080808080", "#6b6570", "#4a4452")]
)


@dataclass(frozen=True)
class Binary:
    """As much floor as possible, for every length of the longest path and every symmetry.

    A level whose floors do not hang together cannot be played: it fails. Features: path [B, 2], steps of the longest shortest
    path and symmetry (the share of tiles that are equal in the mirror, 0..1); layout [B, H W], walls are 1. Objective: the
    share of floors, in per cent.
    """

    height: int = 14  # PCGRL's size
    width: int = 14
    views: Views = ()  # more features: name -> function of the pictures
    pure: bool = True
    objective_range: ClassVar[tuple[float, float]] = (0.0, 100.0)
    shares: ClassVar[tuple[float, ...]] = (0.5, 0.5)  # of floors and walls, by which tiles are varied

    def __post_init__(self) -> None:
        tiles.check_size(self.height, self.width)
        object.__setattr__(self, "views", pairs(self.views))

    @property
    def space(self) -> tuple[int, ...]:
        """Options of each tile."""
        return (2,)

    def sample(self, key: Array, n: int) -> Array:
        """Draws levels of which each has its own share of walls, up to 0.4: with more, next to none hangs together.

        Arguments as in ``Domain``.

        Returns:
            [n, H W] of 0 (floor) and 1 (wall).
        """
        share_key, tile_key = keys.split(key)
        share = keys.uniform(share_key, (n, 1), 0.0, 0.4)
        return (keys.uniform(tile_key, (n, self.height * self.width)) < share).astype(np.int32)

    def evaluate(self, keys: Array, solutions: Array) -> Evaluation:
        """Floods each level.

        Args:
            keys: unused: nothing is random.
            solutions: [B, H W].

        Returns:
            Share of floors in per cent, NaN where they do not hang together, and the features.
        """
        solid = self._levels(solutions) != FLOOR
        steps, whole = flood.longest_path(~solid)
        objective = jnp.where(whole, 100 - 100 * solid.mean(axis=(1, 2)), jnp.nan)  # without walls exactly 100
        path = jnp.stack([steps.astype(jnp.float32), tiles.symmetry(solid)], axis=1)
        own = {"path": path, "layout": solid.reshape(len(solid), -1).astype(jnp.float32)}
        return Evaluation(objective, own | features(self.views, lambda: self.draw(solutions)))

    def draw(self, solutions: Array) -> Array:
        """Returns pictures [B, 8 H, 8 W, 3] in 0..1."""
        return tiles.pictures(self._levels(solutions), _GLYPHS)

    def render(self, solutions: Array) -> list[Rendering]:
        """Returns png pictures, 16 pixels a tile."""
        return tiles.render(self._levels(np.asarray(solutions)), _GLYPHS)

    def _levels(self, solutions: Array) -> Array:
        return solutions.reshape(len(solutions), self.height, self.width)
