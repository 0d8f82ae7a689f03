"""Levels of games on a grid of tiles: those of PCGRL (Khalifa et al. 2020), with their rules, in JAX."""

from domains.levels.binary import Binary
from domains.levels.zelda import Zelda

__all__ = ["Binary", "Zelda"]
