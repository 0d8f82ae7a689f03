"""Airfoils: shapes of a wing's section, judged by NeuralFoil's networks, which learned from XFoil (Sharpe, Hansman 2025).

    y = sqrt(x) (1 - x) sum_i w_i B_i,7(x) + w_LE x (1 - x)^8.5 +- x t / 2        Kulfan's form (2008), chord 1
    objective = lift / drag, at a Reynolds number

The networks come with the package ``neuralfoil`` (pip install 'qd-atlas[airfoils]') and are evaluated in JAX. Whether the
elites' lift and drag are true is told by XFoil itself, where the program is installed: ``held_out``. B batch.
"""

from dataclasses import dataclass
from typing import ClassVar

import jax.numpy as jnp
import numpy as np

from domains.airfoils import networks, shape
from domains.airfoils.xfoil import XFoil, is_installed
from qd import keys
from qd.support.errors import UserError
from qd.support.spelling import unknown
from qd.types import Array, Evaluation, Rendering

_ANGLE, _SPREAD = 4.0, 3.0  # degrees: mean and deviation of the angle of attack of fresh airfoils
_GENES = networks.WEIGHTS + 1
_OBJECTIVES = {"glide": (0.0, 250.0), "thickness": (0.0, 25.0)}  # their ranges


@dataclass(frozen=True)
class Airfoils:
    """As much lift for as little drag as possible, in as many shapes as possible.

    A solution is 17 numbers for the shape, in standard deviations of the shapes that the networks learned from, and one for the
    angle of attack, 4 + 3 g degrees. It fails where its surfaces cross, or where the networks are not sure of their answer.

    Features: shape [B, 2], largest camber and largest thickness, in per cent of the chord; forces [B, 2], lift coefficient and
    10⁴ x drag coefficient; confidence [B, 1], 0..1; outline [B, 40], 20 points of the upper and of the lower surface. With
    forces as measures a cell fixes lift / drag: type domain.objective=thickness then.
    """

    reynolds: float = 1e6  # Reynolds number by the chord
    objective: str = "glide"  # lift / drag; or thickness, in per cent of the chord: a thick wing is strong
    networks: str = "large"  # which of NeuralFoil's: xxsmall, ..., large, ..., xxxlarge
    confidence: float = 0.9  # of the networks; a shape of which they are less sure has failed
    thinnest: float = 4.0  # largest thickness must be at least so many per cent of the chord
    held_out_most: int = 200  # elites that XFoil evaluates at the end of a run: each takes 0.1 s or more
    held_out_tolerance: float = 0.1  # share by which XFoil may differ from an elite's objective and still confirm it
    pure: bool = True
    space: ClassVar[tuple[float, float]] = (-4.0, 4.0)  # of a gene

    def __post_init__(self) -> None:
        if self.objective not in _OBJECTIVES:
            raise unknown("domain.objective", self.objective, _OBJECTIVES)
        if self.networks not in networks.SIZES:
            raise unknown("domain.networks", self.networks, networks.SIZES)
        if not (1e4 <= self.reynolds <= 1e8 and 0 <= self.confidence < 1):
            raise UserError(
                f"reynolds={self.reynolds:g}, confidence={self.confidence}: the networks know neither",
                "type domain.reynolds=1e6 (1e4 to 1e8) and domain.confidence=0.9 (0 to 1)",
            )

    @property
    def objective_range(self) -> tuple[float, float]:
        """The least and the largest objective; what flies better counts as the largest."""
        return _OBJECTIVES[self.objective]

    @property
    def held_out(self) -> XFoil | None:
        """XFoil, where the program is installed and the objective is a force."""
        return XFoil(self) if self.objective == "glide" and is_installed() else None

    def sample(self, key: Array, n: int) -> Array:
        """Draws shapes near the middle of those that the networks know; arguments as in ``Domain``.

        Returns:
            [n, 18], of deviation 0.5.
        """
        networks.load(self.networks)  # a missing package is a message before anything is evaluated
        return np.float32(0.5) * keys.normal(key, (n, _GENES))

    def evaluate(self, keys: Array, solutions: Array) -> Evaluation:
        """Computes forces and shape.

        Args:
            keys: unused: nothing is random.
            solutions: [B, 18].

        Returns:
            Lift / drag or thickness, and the features; NaN where surfaces cross or the networks are not sure.
        """
        weights, angle = self.decode(solutions)
        aero = networks.evaluate(self.networks, weights, angle, self.reynolds)
        upper, lower = shape.surfaces(weights, shape.STATIONS)
        camber, thickness = shape.camber_and_thickness(upper, lower)
        crosses = (upper[:, 1:-1] - lower[:, 1:-1]).min(axis=1) <= 0
        known = (aero.confidence >= self.confidence) & ~crosses & (thickness >= self.thinnest)
        objective = jnp.clip(aero.lift / aero.drag, *_OBJECTIVES["glide"]) if self.objective == "glide" else thickness
        features = {
            "shape": jnp.stack([camber, thickness], axis=1),
            "forces": jnp.stack([aero.lift, 1e4 * aero.drag], axis=1),
            "confidence": aero.confidence[:, None],
            "outline": jnp.concatenate([upper[:, ::4], lower[:, ::4]], axis=1),
        }
        return Evaluation(jnp.where(known, objective, jnp.nan), features)

    def decode(self, solutions: Array) -> tuple[Array, Array]:
        """Returns Kulfan's weights [B, 18], the trailing edge's thickness last, and angles of attack in degrees [B]."""
        genes = jnp.clip(jnp.asarray(solutions, jnp.float32), *self.space)
        return networks.unwhiten(genes[:, :-1]), _ANGLE + _SPREAD * genes[:, -1]

    def render(self, solutions: Array) -> list[Rendering]:
        """Draws each airfoil as an svg, turned by its angle of attack in a wind from the left."""
        weights, angle = (np.asarray(part) for part in self.decode(solutions))
        upper, lower = (np.asarray(side) for side in shape.surfaces(weights, shape.STATIONS))
        return [Rendering("svg", shape.svg(*one)) for one in zip(upper, lower, angle, strict=True)]
