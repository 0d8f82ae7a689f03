"""PCGRL's problem "zelda": the player gets a key, then goes through the door, and enemies are about (Khalifa et al. 2020).

Its rules: one player, one key, one door, two to five enemies, everything but walls and door hangs together, the key can be
reached without the door, and the door from the key. B levels of H x W tiles.
"""

from dataclasses import dataclass
from typing import ClassVar

import jax.numpy as jnp
import numpy as np

from domains.images.views import Views, features, pairs
from domains.levels import flood, tiles
from qd import keys
from qd.types import Array, Evaluation, Rendering

FLOOR, WALL, PLAYER, KEY, DOOR, BAT, SCORPION, SPIDER = range(8)
_GROUND = "#f4ecd8"
_GLYPHS = np.stack(
    [
        tiles.glyph("0000000000000000", "#000000", _GROUND),
        tiles.glyph("ff80808080808080", "#6b6570", "#4a4452"),
        tiles.glyph("183c3c187e183c66", "#2b7bba", _GROUND),
        tiles.glyph("003048487f350000", "#c98a00", _GROUND),
        tiles.glyph("3c7e7e7e7a7e7e7e", "#7a4a21", _GROUND),
        tiles.glyph("0081c3e7ff7e2400", "#7b3fa0", _GROUND),
        tiles.glyph("0e112020fc7e2a00", "#c0392b", _GROUND),
        tiles.glyph("0024997e7e992400", "#222222", _GROUND),
    ]
)


@dataclass(frozen=True)
class Zelda:
    """The nearest enemy as far from the player as possible, for every length of the way and every symmetry of walls.

    A level that breaks a rule fails. Features: path [B, 2], steps from player to key to door, and the share of walls and
    floors that are equal in the mirror, 0..1; layout [B, 4 H W], where walls, player, key or door, and enemies are. Objective:
    steps from the player to the nearest enemy; 20 and more count as 20.
    """

    height: int = 7  # PCGRL's size
    width: int = 11
    views: Views = ()  # more features: name -> function of the pictures
    pure: bool = True
    objective_range: ClassVar[tuple[float, float]] = (0.0, 20.0)
    shares: ClassVar[tuple[float, ...]] = (0.58, 0.3, 0.02, 0.02, 0.02, 0.02, 0.02, 0.02)  # PCGRL's, of the eight kinds

    def __post_init__(self) -> None:
        tiles.check_size(self.height, self.width)
        object.__setattr__(self, "views", pairs(self.views))

    @property
    def space(self) -> tuple[int, ...]:
        """Options of each tile."""
        return (8,)

    def sample(self, key: Array, n: int) -> Array:
        """Draws levels with one player, key and door, three enemies, and a share of walls of their own, up to 0.35.

        Arguments as in ``Domain``.

        Returns:
            Kinds of tile, [n, H W].
        """
        share_key, tile_key, place_key = keys.split(key, 3)
        size = self.height * self.width
        walls = keys.uniform(tile_key, (n, size)) < keys.uniform(share_key, (n, 1), 0.0, 0.35)
        order = keys.uniform(place_key, (n, size)).argsort(axis=1).argsort(axis=1)
        level = walls.astype(np.int32)
        for place, kind in enumerate((PLAYER, KEY, DOOR, BAT, SCORPION, SPIDER)):
            level = level + (order == place) * (kind - level)
        return level

    def evaluate(self, keys: Array, solutions: Array) -> Evaluation:
        """Floods each level from the player and from the key.

        Args:
            keys: unused: nothing is random.
            solutions: kinds of tile, [B, H W].

        Returns:
            Steps to the nearest enemy, NaN where a rule is broken, and the features.
        """
        level = self._levels(solutions)
        solid, enemy = level == WALL, level >= BAT
        walkable = ~solid & (level != DOOR)
        player, key, door = (flood.first(level == kind) for kind in (PLAYER, KEY, DOOR))
        start = flood.distances(walkable, player)
        to_key = flood.at(start, key)
        to_door = flood.at(flood.distances(~solid, key), door)
        solved = ((start < flood.FAR) == walkable).all(axis=(1, 2)) & (to_key < flood.FAR) & (to_door < flood.FAR)
        nearest = jnp.minimum(jnp.where(enemy, start, flood.FAR).min(axis=(1, 2)), 20)
        objective = jnp.where(solved & _counts(level), nearest.astype(jnp.float32), jnp.nan)
        steps = jnp.where(solved, to_key + to_door, 0).astype(jnp.float32)
        shown = jnp.stack([solid, level == PLAYER, (level == KEY) | (level == DOOR), enemy], axis=-1)
        own = {
            "path": jnp.stack([steps, tiles.symmetry(solid)], axis=1),
            "layout": shown.reshape(len(level), -1).astype(jnp.float32),
        }
        return Evaluation(objective, own | features(self.views, lambda: self.draw(solutions)))

    def draw(self, solutions: Array) -> Array:
        """Returns pictures [B, 8 H, 8 W, 3] in 0..1."""
        return tiles.pictures(self._levels(solutions), _GLYPHS)

    def render(self, solutions: Array) -> list[Rendering]:
        """Returns png pictures, 16 pixels a tile."""
        return tiles.render(self._levels(np.asarray(solutions)), _GLYPHS)

    def _levels(self, solutions: Array) -> Array:
        return solutions.reshape(len(solutions), self.height, self.width)


def _counts(level: Array) -> Array:
    """Whether there is one player, one key, one door, and two to five enemies: bool [B]."""
    once = [(level == kind).sum(axis=(1, 2)) == 1 for kind in (PLAYER, KEY, DOOR)]
    enemies = (level >= BAT).sum(axis=(1, 2))
    return once[0] & once[1] & once[2] & (enemies >= 2) & (enemies <= 5)
