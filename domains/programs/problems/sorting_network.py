"""Sorting networks: a fixed list of comparators that sorts every input of n numbers."""

import math
from dataclasses import dataclass
from typing import Any

from domains.programs.problem import Score
from domains.programs.sandbox.limits import Execution

BUBBLE = "def network(n):\n    return [(j, j + 1) for i in range(n - 1) for j in range(n - 1 - i)]\n"
SMALLEST = {2: 1, 3: 3, 4: 5, 5: 9, 6: 12, 7: 16, 8: 19, 9: 25, 10: 29, 11: 35, 12: 39}  # known optima


@dataclass(frozen=True)
class SortingNetwork:
    """A program defines ``network(n)``, which returns pairs (i, j), i < j: the smaller of both goes to i.

    Half of the objective is the share of inputs of zeros and ones that are sorted (Knuth's 0-1 principle); where all are, the
    other half is the known smallest size by the size. Features: size and depth (steps, comparators of one step side by side).
    """

    wires: int = 8
    features: tuple[str, ...] = ("size", "steps")
    objective_range: tuple[float, float] = (0.0, 1.0)
    language: str = "python"

    @property
    def statement(self) -> str:
        """The task in words."""
        return (
            f"Write a Python function network(n) that returns a sorting network of n = {self.wires} wires: a list of pairs "
            "(i, j) with 0 <= i < j < n. In this order, each pair compares wires i and j and puts the smaller value on i. The "
            "network must sort every input, with as few pairs as possible. Use no imports."
        )

    @property
    def initial(self) -> tuple[str, ...]:
        """Bubble sort."""
        return (BUBBLE,)

    def job(self, source: str) -> Execution:
        """Calls network; arguments as in ``Problem``."""
        return Execution(source, "result = [[int(i), int(j)] for i, j in network(n)]", {"n": self.wires})

    def score(self, value: Any) -> Score:
        """Tries all inputs of zeros and ones.

        Args:
            value: pairs of wires.
        """
        n = self.wires
        if not isinstance(value, list) or not value or len(value) > 20 * n * n or not all(_is_pair(pair, n) for pair in value):
            return Score(math.nan, {}, f"network({n}) returned no list of pairs (i, j) with 0 <= i < j < {n}")
        unsorted = [bits for bits in range(2**n) if not _sorts(value, bits, n)]
        busy = [0] * n
        for i, j in value:
            busy[i] = busy[j] = max(busy[i], busy[j]) + 1
        features = {"size": float(len(value)), "steps": float(max(busy))}
        if unsorted:
            example = [unsorted[0] >> i & 1 for i in range(n)]
            share = 1 - len(unsorted) / 2**n
            return Score(share / 2, features, f"{len(unsorted)} of {2**n} inputs are not sorted, the first is {example}")
        words = f"it sorts all inputs with {len(value)} pairs in {max(busy)} steps"
        return Score(0.5 + 0.5 * min(1.0, SMALLEST[n] / len(value)), features, words)


def _is_pair(pair: Any, n: int) -> bool:
    return isinstance(pair, list) and len(pair) == 2 and 0 <= pair[0] < pair[1] < n


def _sorts(pairs: list[list[int]], bits: int, n: int) -> bool:
    for i, j in pairs:
        if bits >> i & 1 and not bits >> j & 1:
            bits ^= 1 << i | 1 << j
    ones = bits.bit_count()
    return bits == ((1 << ones) - 1) << (n - ones)
