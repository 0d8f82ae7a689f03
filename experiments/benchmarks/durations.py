"""A domain with evaluations that take a set time, asleep or at work; light to import, for workers.

B solutions, D genes.
"""

import math
import time
from dataclasses import dataclass

import numpy as np

from qd import keys
from qd.types import Array, Evaluation


@dataclass(frozen=True)
class Durations:
    """-|x|² with the first two genes as feature; each evaluation takes ``seconds``, or a lognormal time around that median."""

    seconds: float = 0.0
    at_work: bool = False  # it burns CPU, else it sleeps
    sigma: float = 0.0  # of the logarithm of the time, which follows from the key
    dim: int = 10
    objective_range: tuple[float, float] = (-10.0, 0.0)
    pure: bool = False

    def sample(self, key: Array, n: int) -> Array:
        """Returns solutions [n, D]."""
        return keys.uniform(key, (n, self.dim), -1, 1)

    def evaluate(self, keys: Array, solutions: Array) -> Evaluation:
        """Takes its time and evaluates.

        Args:
            keys: uint32 [B, 2].
            solutions: [B, D].

        Returns:
            Objective [B]; feature "xy" [B, 2].
        """
        for key in keys if self.seconds else ():
            spend(self.seconds * math.exp(self.sigma * normal(key)), self.at_work)
        return Evaluation(-(solutions**2).sum(1), {"xy": solutions[:, :2]})


def spend(seconds: float, at_work: bool) -> None:
    """Sleeps, or computes for so many seconds of CPU."""
    if not at_work:
        time.sleep(seconds)
        return
    end = time.process_time() + seconds
    while time.process_time() < end:
        np.sqrt(np.arange(1000.0)).sum()


def normal(key: Array) -> float:
    """Returns a standard normal number that follows from the key."""
    return float(keys.normal(key, ())[()])
