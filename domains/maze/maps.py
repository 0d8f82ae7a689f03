"""Walls of the hard maze, and goals.

The walls are those of Lehman and Stanley's hard maze (2011) in the unit square, y upwards, as the Kheperax package
lays them out; a wall is (x, y, x, y) of its ends. C policies are stepped together.
"""

import math
from dataclasses import dataclass
from typing import Protocol

import jax.numpy as jnp

from qd.support.errors import UserError
from qd.types import Array

Wall = tuple[float, float, float, float]

STANDARD: tuple[Wall, ...] = (
    (0.25, 0.25, 0.25, 0.75),  # right of the start
    (0.14, 0.45, 0.0, 0.65),
    (0.25, 0.75, 0.0, 0.8),  # closes the straight way to the target
    (0.25, 0.75, 0.66, 0.875),
    (0.355, 0.0, 0.525, 0.185),
    (0.25, 0.5, 0.75, 0.215),
    (1.0, 0.25, 0.435, 0.55),
)
BORDER: tuple[Wall, ...] = ((0.0, 0.0, 1.0, 0.0), (0.0, 0.0, 0.0, 1.0), (0.0, 1.0, 1.0, 1.0), (1.0, 1.0, 1.0, 0.0))


class Goal(Protocol):
    """The objective of an episode."""

    def reward(self, place: Array, wheels: Array) -> tuple[Array, Array]:
        """Computes the reward of one step.

        Args:
            place: where the step led, [2, C].
            wheels: speeds of left and right wheel, [2, C].

        Returns:
            Rewards [C], and which episodes end, bool [C].
        """
        ...

    def last(self, place: Array) -> Array:
        """Pays the place where the episode ends, [2, C] -> [C]."""
        ...

    def discs(self) -> tuple[tuple[float, float, float], ...]:
        """Returns what a picture shows of it: (x, y, radius)."""
        ...

    def objective_range(self, steps: int, speed: float) -> tuple[float, float]:
        """Bounds the objective of an episode.

        Args:
            steps: T.
            speed: of a wheel at most, in maze widths a step.

        Returns:
            The least and the largest objective.
        """
        ...


@dataclass(frozen=True)
class Energy:
    """Drive little: minus the sum of squared wheel speeds (the package's standard task)."""

    def reward(self, place: Array, wheels: Array) -> tuple[Array, Array]:
        """Subtracts the squared wheel speeds; arguments as in ``Goal``."""
        return -(wheels**2).sum(axis=0), jnp.zeros(wheels.shape[1], bool)

    def last(self, place: Array) -> Array:
        """Pays nothing for the last place, [2, C] -> [C]."""
        return jnp.zeros(place.shape[1])

    def discs(self) -> tuple[tuple[float, float, float], ...]:
        """Returns nothing: there is no place to show."""
        return ()

    def objective_range(self, steps: int, speed: float) -> tuple[float, float]:
        """Bounds the objective of an episode; arguments as in ``Goal``."""
        return (-2 * speed**2 * steps, 0.0)


@dataclass(frozen=True)
class Target:
    """Be near one place: minus the distance, summed over the steps; the episode ends within the radius."""

    place: tuple[float, float] = (0.15, 0.9)
    radius: float = 0.05

    def reward(self, place: Array, wheels: Array) -> tuple[Array, Array]:
        """Subtracts the distance to the target; arguments as in ``Goal``."""
        distance = jnp.hypot(place[0] - self.place[0], place[1] - self.place[1])
        return -distance, distance < self.radius

    def last(self, place: Array) -> Array:
        """Pays nothing for the last place, [2, C] -> [C]."""
        return jnp.zeros(place.shape[1])

    def discs(self) -> tuple[tuple[float, float, float], ...]:
        """Returns the target as a disc."""
        return ((*self.place, self.radius),)

    def objective_range(self, steps: int, speed: float) -> tuple[float, float]:
        """Bounds the objective of an episode; arguments as in ``Goal``."""
        corners = [math.dist(self.place, corner) for corner in ((0, 0), (0, 1), (1, 0), (1, 1))]
        return (-max(corners) * steps, 0.0)


@dataclass(frozen=True)
class Areas:
    """End in an area: (r - distance) / r of the area that holds the last place, else 0 (SERENE, Paolo et al. 2021).

    Sparse and terminal. The default areas are the authors' discs (60, 60) and (100, 200), radius 50, of a map of
    600 x 600 with y downwards.
    """

    areas: tuple[tuple[float, float, float], ...] = ((0.1, 0.9, 1 / 12), (1 / 6, 2 / 3, 1 / 12))

    def __post_init__(self) -> None:
        if not self.areas or min(radius for _, _, radius in self.areas) <= 0:
            what = "areas of no radius" if self.areas else "no areas"
            raise UserError(f"{what} pay nothing", "type areas=[[0.1, 0.9, 0.08]] or more, each x, y and radius")

    def reward(self, place: Array, wheels: Array) -> tuple[Array, Array]:
        """Pays nothing: the last place alone counts; arguments as in ``Goal``."""
        return jnp.zeros(place.shape[1]), jnp.zeros(place.shape[1], bool)

    def last(self, place: Array) -> Array:
        """Pays for the area that holds the last place, [2, C] -> [C]; 0 outside of all."""
        best = jnp.zeros(place.shape[1])
        for reward in self.each(place):
            best = jnp.maximum(best, reward)
        return best

    def each(self, place: Array) -> list[Array]:
        """Returns what each area pays for places [2, C], [C] each; below 0 outside of it."""
        return [1 - jnp.hypot(place[0] - x, place[1] - y) / radius for x, y, radius in self.areas]

    def discs(self) -> tuple[tuple[float, float, float], ...]:
        """Returns the areas."""
        return self.areas

    def objective_range(self, steps: int, speed: float) -> tuple[float, float]:
        """Bounds the objective of an episode; arguments as in ``Goal``."""
        return (0.0, 1.0)
