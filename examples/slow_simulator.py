"""A slow simulator that is no JAX: evaluated in processes of its own, a batch at a time.

    python examples/slow_simulator.py

With pure = False a domain may be any Python: evaluate receives the whole batch, and here spreads it over the cores. What
fails is a NaN objective: it enters no archive, and is counted.
"""

import math
import os
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache
from multiprocessing import get_context

import numpy as np

import qd
from feedback.descriptors.select import Select
from qd.archives import Grid
from qd.emitters import Gaussian, Vary


def simulate(solution):
    """Throws a ball over a wall: where it lands, and how long it flies. Any program might stand here."""
    angle, speed = solution
    time.sleep(0.005)
    x, y, vx, vy, seconds = 0.0, 0.0, speed * math.cos(angle), speed * math.sin(angle), 0.0
    while y >= 0:
        x, y, vy, seconds = x + 0.01 * vx, y + 0.01 * vy, vy - 0.0981, seconds + 0.01
        if abs(x - 3) < 0.1 and y < 1:
            return math.nan, math.nan  # it hit the wall
    return x, seconds


@cache
def processes():
    return ProcessPoolExecutor(os.cpu_count(), mp_context=get_context("spawn"))


@dataclass(frozen=True)
class Throw:
    objective_range: tuple[float, float] = (-150.0, 0.0)
    pure: bool = False

    def sample(self, key, n):
        return qd.keys.uniform(key, (n, 2)) * np.array([1.5, 12.0], np.float32)

    def evaluate(self, keys, solutions):
        flights = np.array(list(processes().map(simulate, solutions.tolist(), chunksize=8)), np.float32)  # [B, 2]
        effort = np.where(np.isnan(flights[:, 0]), np.nan, solutions[:, 1] ** 2)
        return qd.Evaluation(-effort, {"flight": flights})


if __name__ == "__main__":
    search = qd.Search(Throw(), Select("flight", ((0, 15), (0, 2.5))), Grid((15, 10)), Vary(Gaussian(0.3), batch_size=64))
    state, batch = qd.start(search, qd.keys.new(0), search.domain.sample(qd.keys.new(1), 64))
    n_failed = int((batch.status < 0).sum())
    for state, batch in qd.progress(qd.run(search, state, until=1_000)):
        n_failed += int((batch.status < 0).sum())
    print(f"{len(state.archive)} ways to throw; {n_failed} of {state.evaluations} balls hit the wall")
    processes().shutdown()
