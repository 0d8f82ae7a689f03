"""Online bin packing: items come one by one, and a heuristic says into which bin each goes.

A program defines ``priority(item, bins)``: the room left in each bin that the item fits into, an empty bin last; a number for
each, the largest is taken (as in FunSearch, Romera-Paredes et al. 2024). Bins are counted here, not in the sandbox.
"""

import math
import random
from dataclasses import dataclass
from typing import Any

from domains.programs.problem import Score
from domains.programs.sandbox.limits import Execution

FIRST_FIT = "def priority(item, bins):\n    return [-i for i in range(len(bins))]\n"
BEST_FIT = "def priority(item, bins):\n    return [-(room - item) for room in bins]\n"
WEIGHED = """def priority(item, bins):
    scores = []
    for room in bins:
        left = room - item
        score = 100.0 - left
        if left > 3:
            score -= 10.0
        if left > 20:
            score += 5.0
        if left > 40:
            score += 5.0
        scores.append(score)
    return scores
"""
_HARNESS = """
def pack(items):
    rooms, places = [], []
    for item in items:
        fits = [i for i in range(len(rooms)) if rooms[i] >= item]
        scores = list(priority(item, [rooms[i] for i in fits] + [capacity]))
        if len(scores) != len(fits) + 1:
            raise ValueError(f"priority returned {len(scores)} numbers for {len(fits) + 1} bins")
        best = 0
        for i in range(len(scores)):
            if scores[i] > scores[best]:
                best = i
        if best == len(fits):
            rooms.append(capacity)
            places.append(len(rooms) - 1)
        else:
            places.append(fits[best])
        rooms[places[-1]] -= item
    return places

result = [pack(items) for items in instances]
"""


@dataclass(frozen=True)
class BinPacking:
    """The objective is minus the per cent of bins beyond the lower bound (the sum of all items by the capacity, rounded up).

    Features: fresh, the share of items that got an empty bin though they fitted elsewhere; slack, the mean room left in a bin.
    """

    items: int = 300  # of an instance
    instances: int = 6
    capacity: int = 100
    seed: int = 0  # of the instances; held-out ones have another
    law: str = "weibull"  # of item sizes: weibull (scale 45, shape 3, as in FunSearch) or uniform (20 to 70)
    features: tuple[str, ...] = ("fresh", "slack")
    objective_range: tuple[float, float] = (-30.0, 0.0)
    language: str = "python"

    @property
    def statement(self) -> str:
        """The task in words."""
        return (
            f"Items of sizes 1 to {self.capacity} come one by one, each is put at once into a bin of capacity {self.capacity}. "
            "As few bins as possible shall be used. Write a Python function priority(item, bins): item is the size, bins a "
            "list with the room left in each bin that the item fits into; the last one is an empty bin. It returns a list "
            "of numbers, one for each bin; the item goes into the bin with the largest number. Use no imports but math."
        )

    @property
    def initial(self) -> tuple[str, ...]:
        """First fit, best fit, and best fit with numbers that may be tuned."""
        return FIRST_FIT, BEST_FIT, WEIGHED

    def job(self, source: str) -> Execution:
        """Packs all instances; arguments as in ``Problem``."""
        return Execution(source, _HARNESS, {"instances": self.draw(), "capacity": self.capacity})

    def score(self, value: Any) -> Score:
        """Counts the bins.

        Args:
            value: for each instance the bin of each item.
        """
        instances = self.draw()
        if not _fits(value, instances):
            return Score(math.nan, {}, "the packing has not a bin for each item")
        fresh, slack, words = 0, [], []
        for number, (items, places) in enumerate(zip(instances, value, strict=True)):
            rooms, opened = self._rooms(items, places)
            if min(rooms) < 0:
                return Score(math.nan, {}, f"a bin of instance {number} is over its capacity")
            fresh += opened
            slack += rooms
            words.append(f"{len(rooms)} bins for a bound of {self._bound(items)}")
        features = {"fresh": fresh / sum(map(len, instances)), "slack": sum(slack) / len(slack) / self.capacity}
        excess = self.excesses(value)
        return Score(-sum(excess) / len(excess), features, "; ".join(words))

    def excesses(self, value: list[list[int]]) -> list[float]:
        """Returns the per cent of bins beyond the lower bound, of each instance.

        Args:
            value: for each instance the bin of each item.
        """
        counts = [len(set(places)) for places in value]
        return [100 * (n / self._bound(items) - 1) for n, items in zip(counts, self.draw(), strict=True)]

    def _bound(self, items: list[int]) -> int:
        return math.ceil(sum(items) / self.capacity)

    def _rooms(self, items: list[int], places: list[int]) -> tuple[list[int], int]:
        """The room left in each bin, and how many items got an empty bin though they fitted elsewhere."""
        rooms: list[int] = []
        fresh = 0
        for item, place in zip(items, places, strict=True):
            fresh += place == len(rooms) and any(room >= item for room in rooms)
            rooms += [self.capacity] if place == len(rooms) else []
            rooms[place] -= item
        return rooms, fresh

    def draw(self) -> list[list[int]]:
        """Returns the instances."""
        rng = random.Random(f"bin packing {self.seed} {self.law}")
        return [[self._item(rng) for _ in range(self.items)] for _ in range(self.instances)]

    def _item(self, rng: random.Random) -> int:
        if self.law == "uniform":
            return rng.randint(self.capacity // 5, 7 * self.capacity // 10)
        return min(self.capacity, max(1, math.ceil(rng.weibullvariate(45, 3) * self.capacity / 100)))


def _fits(value: Any, instances: list[list[int]]) -> bool:
    if not isinstance(value, list) or len(value) != len(instances):
        return False
    for items, places in zip(instances, value, strict=True):
        if not isinstance(places, list) or len(places) != len(items):
            return False
        count = 0
        for place in places:
            if not isinstance(place, int) or not 0 <= place <= count:
                return False
            count = max(count, place + 1)
    return True
