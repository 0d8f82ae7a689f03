"""Function minimisation: a program searches the minimum of functions that it may call a limited number of times."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from domains.programs.problem import Score
from domains.programs.sandbox.limits import Execution

RANDOM_SEARCH = """import random

def search(f, dim, low, high, budget):
    best, best_value = None, None
    for _ in range(budget):
        x = [random.uniform(low, high) for _ in range(dim)]
        value = f(x)
        if best is None or value < best_value:
            best, best_value = x, value
    return best
"""
SMALLER_STEPS = """import random

def search(f, dim, low, high, budget):
    best = [0.0] * dim
    best_value, step = f(best), 2.0
    for _ in range(budget - 1):
        x = [min(high, max(low, v + step * random.gauss(0.0, 1.0))) for v in best]
        value = f(x)
        if value < best_value:
            best, best_value = x, value
        else:
            step *= 0.98
    return best
"""
_FUNCTIONS = """
import math
import random

def sphere(z):
    return sum([v * v for v in z])

def rastrigin(z):
    return sum([v * v - 3 * math.cos(2 * math.pi * v) + 3 for v in z])

def rosenbrock(z):
    return sum([20 * (z[i + 1] - z[i] ** 2) ** 2 + (1 - z[i]) ** 2 for i in range(len(z) - 1)])

def ridge(z):
    return abs(z[0]) + 10 * sum([v * v for v in z[1:]])

functions = [sphere, rastrigin, rosenbrock, ridge]
"""
_HARNESS = (
    _FUNCTIONS
    + """
def attempt(case):
    number, dim, shift = case
    count = [0]
    visited = []

    def f(x):
        count[0] += 1
        if count[0] > budget:
            raise ValueError(f"f was called more than {budget} times")
        visited.append(x[0])
        return functions[number]([x[i] - shift[i] for i in range(dim)])

    random.seed(1)
    best = search(f, dim, -5.0, 5.0, budget)
    mean = sum(visited) / max(1, len(visited))
    spread = math.sqrt(sum([(v - mean) ** 2 for v in visited]) / max(1, len(visited)))
    return {"x": [float(v) for v in best], "calls": count[0], "spread": spread}

result = [attempt(case) for case in cases]
"""
)
_HERE: dict[str, Any] = {}
exec(_FUNCTIONS, _HERE)  # the same functions, to judge where a program ended
_JUDGES: Sequence[Callable[[list[float]], float]] = _HERE["functions"]


@dataclass(frozen=True)
class Minimise:
    """A program defines ``search(f, dim, low, high, budget)``. The objective is the mean of -log10(value + 1e-8), 8 at best.

    Features: calls, the share of the budget that it used; spread, the standard deviation of the first coordinate visited.
    """

    budget: int = 300  # calls of f
    seed: int = 0  # of the places of the minima
    dims: tuple[int, ...] = (2, 4)
    features: tuple[str, ...] = ("calls", "spread")
    objective_range: tuple[float, float] = (-2.0, 8.0)
    language: str = "python"

    @property
    def statement(self) -> str:
        """The task in words."""
        return (
            "Write a Python function search(f, dim, low, high, budget) that minimises f, a function of a list of dim numbers "
            f"between low and high, and returns the best list that it found. It may call f budget = {self.budget} times. "
            "There are smooth functions, a curved valley and one with many local minima. Use no imports but math and random."
        )

    @property
    def initial(self) -> tuple[str, ...]:
        """Random search, and steps that become smaller."""
        return RANDOM_SEARCH, SMALLER_STEPS

    def job(self, source: str) -> Execution:
        """Searches on all cases; arguments as in ``Problem``."""
        return Execution(source, _HARNESS, {"cases": self._cases(), "budget": self.budget})

    def score(self, value: Any) -> Score:
        """Evaluates the points that the program returned.

        Args:
            value: of each case {x, calls, spread}.
        """
        cases, scores, words = self._cases(), [], []
        if not isinstance(value, list) or len(value) != len(cases):
            return Score(math.nan, {}, "search returned no list of numbers")
        for (number, dim, shift), row in zip(cases, value, strict=True):
            x = row.get("x") if isinstance(row, dict) else None
            if not isinstance(x, list) or len(x) != dim or not all(isinstance(v, float) and math.isfinite(v) for v in x):
                return Score(math.nan, {}, f"search returned no list of {dim} finite numbers")
            error = _JUDGES[number]([x[i] - shift[i] for i in range(dim)])
            scores.append(-math.log10(min(max(error, 0.0), 1e6) + 1e-8))
            words.append(f"{_JUDGES[number].__name__} in {dim}: {error:.3g}")
        features = {
            "calls": sum(row["calls"] for row in value) / len(value) / self.budget,
            "spread": sum(row["spread"] for row in value) / len(value),
        }
        return Score(sum(scores) / len(scores), features, "errors: " + "; ".join(words))

    def _cases(self) -> list[Any]:
        import random

        rng = random.Random(f"minimise {self.seed}")
        return [
            [number, dim, [round(rng.uniform(-3, 3), 3) for _ in range(dim)]]
            for number in range(len(_JUDGES))
            for dim in self.dims
        ]
