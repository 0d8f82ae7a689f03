"""Circle packing: n circles in the unit square without overlap, the sum of their radii as large as possible."""

import math
from dataclasses import dataclass
from typing import Any

from domains.programs.problem import Score
from domains.programs.sandbox.limits import Execution

GRID = """def pack(n):
    side = 1
    while side * side < n:
        side += 1
    r = 0.5 / side
    return [((i % side) * 2 * r + r, (i // side) * 2 * r + r, r) for i in range(n)]
"""


@dataclass(frozen=True)
class CirclePacking:
    """A program defines ``pack(n)``, which returns (x, y, radius) of each circle. The objective is the sum of the radii.

    Features: spread, the standard deviation of the radii by their mean; centre, the mean distance of circles from the centre.
    """

    circles: int = 12
    tolerance: float = 1e-9
    features: tuple[str, ...] = ("spread", "centre")
    language: str = "python"

    @property
    def objective_range(self) -> tuple[float, float]:
        """From none to what n equal squares would hold."""
        return (0.0, 0.6 * math.sqrt(self.circles))

    @property
    def statement(self) -> str:
        """The task in words."""
        return (
            f"Place {self.circles} circles in the unit square so that none overlap, none leave the square, and the sum of "
            "their radii is as large as possible. Radii may differ. Write a Python function pack(n) that returns a list of n "
            "tuples (x, y, radius). Use no imports but math."
        )

    @property
    def initial(self) -> tuple[str, ...]:
        """A square grid."""
        return (GRID,)

    def job(self, source: str) -> Execution:
        """Calls pack; arguments as in ``Problem``."""
        return Execution(source, "result = [[float(v) for v in circle] for circle in pack(n)]", {"n": self.circles})

    def score(self, value: Any) -> Score:
        """Checks the circles and adds their radii.

        Args:
            value: of each circle [x, y, radius].
        """
        n = self.circles
        if not isinstance(value, list) or len(value) != n or any(not _three(circle) for circle in value):
            return Score(math.nan, {}, f"pack({n}) returned no {n} tuples (x, y, radius) of finite numbers")
        for i, (x, y, r) in enumerate(value):
            if r < 0 or min(x - r, y - r, 1 - x - r, 1 - y - r) < -self.tolerance:
                return Score(math.nan, {}, f"circle {i} at ({x:.4g}, {y:.4g}) with radius {r:.4g} leaves the square")
            for j, (u, v, s) in enumerate(value[:i]):
                if math.hypot(x - u, y - v) < r + s - self.tolerance:
                    return Score(math.nan, {}, f"circles {j} and {i} overlap by {r + s - math.hypot(x - u, y - v):.4g}")
        radii = [circle[2] for circle in value]
        mean = sum(radii) / n
        deviation = math.sqrt(sum((r - mean) ** 2 for r in radii) / n)
        centre = sum(math.hypot(x - 0.5, y - 0.5) for x, y, _ in value) / n
        return Score(
            sum(radii), {"spread": deviation / mean if mean else 0.0, "centre": centre}, f"sum of radii {sum(radii):.5f}"
        )


def _three(circle: Any) -> bool:
    return isinstance(circle, list) and len(circle) == 3 and all(isinstance(v, float) and math.isfinite(v) for v in circle)
