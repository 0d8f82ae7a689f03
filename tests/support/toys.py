"""Small parts for tests: a pure domain, one that fails, one that counts, one of words; a descriptor that flips.

B batch, D genes, N rows, M measures.
"""

from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from qd import keys
from qd.archives import objects
from qd.types import Array, Evaluation, Features, Fresh, Params, Rows

SQUARE = ((-1.0, 1.0), (-1.0, 1.0))


@dataclass(frozen=True)
class Bowl:
    """-|x|² with the first two genes as feature "xy"; features "half" and "all" are other views of x."""

    dim: int = 4
    pure: bool = True

    def sample(self, key: Array, n: int) -> Array:
        return keys.uniform(key, (n, self.dim), -1, 1)

    def evaluate(self, keys: Array, solutions: Array) -> Evaluation:
        x = solutions
        return Evaluation(-(x**2).sum(1), {"xy": x[:, :2], "half": x[:, -2:] / 2, "all": x})


@dataclass(frozen=True)
class Matrices(Bowl):
    """A bowl over solutions [3, 5]."""

    def sample(self, key: Array, n: int) -> Array:
        return keys.uniform(key, (n, 3, 5), -1, 1)

    def evaluate(self, keys: Array, solutions: Array) -> Evaluation:
        return super().evaluate(keys, solutions.reshape(len(solutions), -1))


@dataclass(frozen=True)
class Failing:
    """Another pure domain, of which each evaluation fails with probability ``share``."""

    domain: Any
    share: float = 0.3
    pure: bool = True

    def sample(self, key: Array, n: int) -> Array:
        return self.domain.sample(key, n)

    def evaluate(self, keys: Array, solutions: Array) -> Evaluation:
        said = self.domain.evaluate(keys, solutions)
        fails = jax.vmap(jax.random.uniform)(keys) < self.share
        return said._replace(objective=jnp.where(fails, jnp.nan, said.objective))


@dataclass(frozen=True)
class Counting:
    """A domain on the host that counts the solutions it evaluated, and fails where ``fail`` says so."""

    domain: Any = Bowl()
    objective: Any = None  # what to say instead of the objective, a function of it
    features: Any = None  # likewise of the features
    pure: bool = False
    evaluated: list[int] = field(default_factory=list, compare=False)

    def sample(self, key: Array, n: int) -> Array:
        return self.domain.sample(key, n)

    def evaluate(self, keys: Array, solutions: Array) -> Evaluation:
        self.evaluated.append(len(solutions))
        objective, features = jax.device_get(self.domain.evaluate(keys, solutions))
        return Evaluation(
            objective if self.objective is None else self.objective(objective),
            features if self.features is None else self.features(features),
        )


@dataclass(frozen=True)
class Words:
    """Words of the letters a to e; best are many a's; features: length and the share of vowels. Words with "bad" fail."""

    pure: bool = False

    def sample(self, key: Array, n: int) -> Array:
        return objects(["".join("abcde"[i] for i in row) for row in keys.integers(key, (n, 5), 0, 5)])

    def evaluate(self, keys: Array, solutions: Array) -> Evaluation:
        score = [np.nan if "bad" in word else float(word.count("a")) for word in solutions]
        return Evaluation(np.array(score), {"counts": np.array([[len(w), w.count("e")] for w in solutions], np.float32)})


@dataclass(frozen=True)
class Respell:
    """Changes a letter of the first parent and appends the last letter of the second."""

    parents: int = 2

    def __call__(self, key: Array, parents: Array) -> Array:
        where, letter = keys.split(key)
        at, new = keys.integers(where, (len(parents),), 0, 5), keys.integers(letter, (len(parents),), 0, 5)
        return objects([w[:i] + "abcde"[c] + w[i + 1 :] + v[-1:] for (w, v), i, c in zip(parents, at, new, strict=True)])


@dataclass(frozen=True)
class OnHost:
    """A descriptor of Words, in plain Python."""

    bounds: tuple[tuple[float, float], ...] = ((0.0, 20.0), (0.0, 5.0))
    reads: tuple[str, ...] = ("counts",)
    pure: bool = False
    learns: bool = False

    def init(self, key: Array, rows: Rows, fresh: Fresh) -> Params:
        return ()

    def fit(self, key: Array, params: Params, rows: Rows, fresh: Fresh) -> Params:
        return params

    def __call__(self, params: Params, features: Features) -> Array:
        return np.array([[float(length), float(vowels)] for length, vowels in features["counts"]])


@dataclass(frozen=True)
class Flip:
    """Describes "xy" by map A, and after each fit by the other of two maps: a turn and a shear of the square."""

    reads: tuple[str, ...] = ("xy",)
    bounds: tuple[tuple[float, float], ...] = SQUARE
    pure: bool = True
    learns: bool = True

    def init(self, key: Array, rows: Rows, fresh: Fresh) -> Params:
        return np.int32(0)

    def fit(self, key: Array, params: Params, rows: Rows, fresh: Fresh) -> Params:
        return np.int32(1 - params)

    def __call__(self, params: Params, features: Features) -> Array:
        x, y = features["xy"].T
        return jnp.where(params == 0, jnp.stack([x, y], 1), jnp.stack([(x + y) / 3, x * y - 0.5], 1))
