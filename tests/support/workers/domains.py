"""Domains for workers, light to import: plain numbers, Python objects, and each kind of bad luck."""

import math
import os
import re
import signal
import sys
import time
from dataclasses import dataclass
from typing import Any

import numpy as np

from qd import keys
from qd.types import Array, Evaluation

POISON = 9.0  # as first gene


@dataclass(frozen=True)
class Bump:
    """-|x|² plus noise from the keys; the feature is where the first two genes lie."""

    dim: int = 4
    seconds: float = 0.0  # that each evaluation sleeps
    unlike: bool = False  # a lognormal multiple of that, sigma 1, by the key
    log: str | None = None  # a file that gets a line, the key, for each evaluation
    pure: bool = False
    objective_range: tuple[float, float] = (-4.0, 0.0)

    def sample(self, key: Array, n: int) -> Array:
        return keys.uniform(key, (n, self.dim), -1, 1)

    def evaluate(self, keys: Array, solutions: Array) -> Evaluation:
        time.sleep(self.seconds * sum(math.exp(draw(key)) if self.unlike else 1.0 for key in keys))
        if self.log:
            with open(self.log, "a") as file:  # a short line is written whole
                file.write("".join(f"{key[0]:08x}{key[1]:08x}\n" for key in keys))
        noise = np.array([draw(key) for key in keys], np.float32)
        return Evaluation(-(solutions**2).sum(1) + 0.01 * noise, {"end": solutions[:, :2]})


@dataclass(frozen=True)
class Pairs:
    """Solutions are Python objects, ("name", turns); the feature is where the walk ends."""

    pure: bool = False
    objective_range: tuple[float, float] = (-8.0, 0.0)

    def sample(self, key: Array, n: int) -> list:
        turns = keys.uniform(key, (n, 6), -2, 2)
        return [(f"walk {len(row)}", tuple(map(float, row))) for row in turns]

    def evaluate(self, keys: Array, solutions: Array) -> Evaluation:
        ends = []
        for _, turns in solutions:
            heading = np.cumsum(turns)
            ends.append((np.cos(heading).mean(), np.sin(heading).mean()))
        objective = [
            -sum(turn * turn for turn in turns) + 0.01 * draw(key) for key, (_, turns) in zip(keys, solutions, strict=True)
        ]
        return Evaluation(np.array(objective), {"end": np.array(ends, np.float32)})


@dataclass(frozen=True)
class Unlucky:
    """Bump, where a solution with POISON as first gene, or more than ``above``, meets with bad luck of some kind."""

    kind: str
    above: float = POISON - 1
    dim: int = 4
    pure: bool = False
    objective_range: tuple[float, float] = (-4.0, 0.0)

    def sample(self, key: Array, n: int) -> Array:
        return Bump(self.dim).sample(key, n)

    def evaluate(self, keys: Array, solutions: Array) -> Evaluation:
        evaluation = Bump(self.dim).evaluate(keys, solutions)
        if not (solutions[:, 0] > self.above).any():
            return evaluation
        return _LUCK[self.kind](evaluation, solutions)


@dataclass(frozen=True)
class Holding:
    """A domain of which one attribute cannot be pickled."""

    held: Any
    pure: bool = False

    def sample(self, key: Array, n: int) -> Array:
        return Bump().sample(key, n)

    def evaluate(self, keys: Array, solutions: Array) -> Evaluation:
        return Bump().evaluate(keys, solutions)


def draw(key: Array) -> float:
    """A standard normal number that depends on the key alone."""
    return float(keys.normal(key, ())[()])


def poisoned(n: int, row: int) -> np.ndarray:
    """n solutions, one of them poison."""
    solutions = Bump().sample(keys.new(0), n)
    solutions[row, 0] = POISON
    return solutions


def _nan(evaluation: Evaluation, solutions: Array) -> Evaluation:
    return evaluation._replace(objective=np.where(solutions[:, 0] == POISON, np.nan, evaluation.objective))


def _text(evaluation: Evaluation, solutions: Array) -> Evaluation:
    return evaluation._replace(objective=[str(number) for number in evaluation.objective])


def _shape(evaluation: Evaluation, solutions: Array) -> Evaluation:
    return evaluation._replace(features={"end": np.zeros((len(solutions), 3))})


def _memory(evaluation: Evaluation, solutions: Array) -> Evaluation:
    return evaluation._replace(objective=np.ones(2**30)[: len(solutions)])


def _hang_in_c(evaluation: Evaluation, solutions: Array) -> Evaluation:
    re.match(r"(a+)+$", "a" * 40 + "b")  # does not let go of Python
    return evaluation


_LUCK = {
    "raised": lambda evaluation, solutions: 1 / 0,
    "exit in a library": lambda evaluation, solutions: sys.exit(3),
    "nan": _nan,
    "none": lambda evaluation, solutions: None,
    "text": _text,
    "shape": _shape,
    "hang": lambda evaluation, solutions: time.sleep(3600),
    "hang in C": _hang_in_c,
    "memory": _memory,
    "exited": lambda evaluation, solutions: os._exit(7),
    "killed": lambda evaluation, solutions: os.kill(os.getpid(), signal.SIGKILL),
    "crash": lambda evaluation, solutions: os.kill(os.getpid(), signal.SIGSEGV),
}


@dataclass(frozen=True)
class Jolt:
    """Varies Pairs: each turn by a little."""

    sigma: float = 0.3
    parents: int = 1

    def __call__(self, key: Array, parents: Array) -> list:
        noise = self.sigma * keys.normal(key, (len(parents), 6))
        return [
            (name, tuple(float(t + e) for t, e in zip(turns, row, strict=True)))
            for ((name, turns),), row in zip(parents, noise, strict=True)
        ]
