"""A domain of text for tests of the language-model client: tales told, judged and told on by whatever endpoint there is."""

import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np

from qd import keys
from qd.archives import objects
from qd.types import Array, Evaluation

YAML = """# @package _global_
domain:
  _target_: tests.support.tales.Tales
  lm: "@lm"
emitter:
  _target_: qd.emitters.vary.Vary
  variation:
    _target_: tests.support.tales.Retold
    lm: "@lm"
  batch_size: 8
  pure: false
domain_defaults:
  feature: spot
  bounds: [[0, 1], [0, 1]]
  dims: [6, 6]
"""


@dataclass(frozen=True)
class Tales:
    lm: Any
    objective_range: tuple = (0.0, 1.0)
    pure: bool = False

    def sample(self, key: Array, n: int) -> Array:
        return _told(self.lm([f"Begin tale {i}." for i in keys.integers(key, (n,), 0, 1 << 30)], role="writer"))

    def evaluate(self, keys: Array, solutions: Array) -> Evaluation:
        asked = [f"{text}\nIs that good, yes or no?" if text else "" for text in solutions]
        good = self.lm.label_scores(asked, ("yes", "no"), role="judge").probabilities[:, 0]
        marks = np.array([[zlib.crc32(text.encode()) % 97, zlib.adler32(text.encode()) % 89] for text in solutions])
        return Evaluation(good, {"spot": marks / np.array([97.0, 89.0])})


@dataclass(frozen=True)
class Retold:
    lm: Any
    parents: int = 1

    def __call__(self, key: Array, parents: Array) -> Array:
        numbers = keys.integers(key, (len(parents),), 0, 1 << 30)
        return _told(self.lm([f"Go on ({i}): {text}" for (text,), i in zip(parents, numbers, strict=True)], role="writer"))


def _told(texts: list[str | None]) -> np.ndarray:
    return objects([text or "" for text in texts])
