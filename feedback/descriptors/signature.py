"""Measures by the signature of a trajectory: what path it takes, however it is sampled, without choosing when to look.

A path of T points in d dimensions, straight between them, has the signature of levels k = 1..depth,

    S_k = sum over its pieces of iterated integrals of dx (x) ... (x) dx     k times, d^k numbers

which scrolls up piece by piece (Chen's identity); its logarithm holds the same in fewer numbers, those of the Lyndon
words. Depth and descriptors as in Paolo's thesis (2022, arXiv 2203.01027): SIGN, LOGSIGN, and both with a channel for time.

B paths, T points, d channels, M measures.
"""

from dataclasses import dataclass
from itertools import accumulate
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from feedback.descriptors.scaling import Box, around, check_varies, into_bounds
from qd.support.errors import UserError
from qd.types import Array, Features, Fresh, Rows

Levels = list[Array]  # level k: [B, d^k]


@dataclass(frozen=True)
class Signature:
    """Reads one feature [B, T, channels]. Only one scale for all numbers is learned: distances keep their proportions."""

    reads: tuple[str, ...]
    channels: int = 2  # of the feature
    depth: int = 2
    log: bool = False  # the logarithm, which leaves out what follows from the rest
    time: bool = True  # one more channel, 0..1: tells fast from slow, and makes the signature unique
    pure: bool = True
    learns: bool = True
    fewest: ClassVar[int] = 2  # solutions that a fit needs

    def __post_init__(self) -> None:
        if len(self.reads) != 1:
            raise UserError(
                f"a signature is of one path, but it reads {', '.join(self.reads) or 'nothing'}", "type reads=[trace]"
            )
        if min(self.channels, self.depth) < 1:
            raise UserError(f"{self.channels} channels, depth {self.depth}: type at least 1 of each")

    @property
    def bounds(self) -> tuple[tuple[float, float], ...]:
        """M pairs (-1, 1), one for each number of the signature."""
        dims = self.channels + self.time
        count = len(lyndon(dims, self.depth)) if self.log else sum(dims**k for k in range(1, self.depth + 1))
        return ((-1.0, 1.0),) * count

    def init(self, key: Array, rows: Rows, fresh: Fresh) -> Box:
        """Fits the scale to generation 0; arguments as in ``PCA``.

        Returns:
            The box.

        Raises:
            UserError: the feature is no path of ``channels`` columns, or does not vary.
        """
        return self.fit(key, None, rows, fresh)

    def fit(self, key: Array, params: Box | None, rows: Rows, fresh: Fresh) -> Box:
        """Fits the scale: one for all numbers, by the largest of them.

        Args:
            key: unused.
            params: unused.
            rows: elites and whatever else is learned from; the path is [N, T, channels].
            fresh: unused.

        Returns:
            The box.

        Raises:
            UserError: the feature is no path of ``channels`` columns, or does not vary.
        """
        path = np.asarray(rows.features[self.reads[0]])
        if path.ndim != 3 or path.shape[1] < 2 or path.shape[2] != self.channels:
            wide = path.shape[2] if path.ndim == 3 else self.channels
            raise UserError(
                f"{self.reads[0]} is {list(path.shape[1:])} for each solution, but a signature is of paths "
                f"[T, {self.channels}] of 2 points or more",
                f"type reads=[trace], or channels={wide}",
            )
        each = np.asarray(_signed_program(path, self.depth, self.log, self.time))
        check_varies(each, self.reads, self.fewest)
        box = around(each)
        return box._replace(half=np.full_like(box.half, box.half.max()))

    def __call__(self, params: Box, features: Features) -> Array:
        """Computes the signature.

        Args:
            params: the box.
            features: name -> [B, ...]; the path is [B, T, channels].

        Returns:
            Measures, [B, M].
        """
        return into_bounds(signed(features[self.reads[0]], self.depth, self.log, self.time), params)


def signed(path: Array, depth: int, log: bool = False, time: bool = False) -> Array:
    """Returns the signature of paths, or its logarithm at the Lyndon words, level by level.

    Args:
        path: [B, T, d].
        depth: the highest level.
        log: the logarithm.
        time: adds a channel, from 0 to 1 at even steps; M is then that of d + 1 channels.

    Returns:
        [B, M]: M is the sum of d^k over the levels k, or the number of Lyndon words of d letters.
    """
    if time:
        clock = jnp.broadcast_to(jnp.linspace(0, 1, path.shape[1])[:, None], (*path.shape[:2], 1))
        path = jnp.concatenate([path, clock], axis=2)
    levels = signature(path, depth)
    if not log:
        return jnp.concatenate(levels, axis=1)
    d = path.shape[2]
    start = [0, *accumulate(d**k for k in range(1, depth + 1))]
    places = [start[len(w) - 1] + sum(c * d ** (len(w) - 1 - i) for i, c in enumerate(w)) for w in lyndon(d, depth)]
    return jnp.concatenate(logarithm(levels), axis=1)[:, np.array(places)]


def signature(path: Array, depth: int) -> Levels:
    """Computes the signature of paths piece by piece (Chen's identity): S <- S (x) exp(dx), in Horner's form.

    Args:
        path: [B, T, d], straight between its points.
        depth: the highest level.

    Returns:
        The levels 1..depth; level k is [B, d^k].
    """

    def longer(levels: Levels, dx: Array) -> tuple[Levels, None]:
        longer = []
        for k in range(1, depth + 1):  # S_k + (... ((dx/k + S_1) dx/(k-1) + S_2) ... ) dx
            part = dx / k
            for i in range(1, k):
                part = _outer(part + levels[i - 1], dx / (k - i))
            longer.append(levels[k - 1] + part)
        return longer, None

    n, _, d = path.shape
    start = [jnp.zeros((n, d**k), path.dtype) for k in range(1, depth + 1)]
    return jax.lax.scan(longer, start, jnp.diff(path, axis=1).swapaxes(0, 1))[0]


def logarithm(levels: Levels) -> Levels:
    """Computes log(1 + s) = s - s^2 / 2 + s^3 / 3 - ... in the tensor algebra, cut off after the last level.

    Args:
        levels: s, the levels 1, 2, ... of signatures; level k is [B, d^k].

    Returns:
        As many levels.
    """
    total, power = levels, levels
    for n in range(2, len(levels) + 1):
        power = _product(power, levels)
        total = [t - (-1) ** n * p / n for t, p in zip(total, power, strict=True)]
    return total


def lyndon(letters: int, longest: int) -> list[tuple[int, ...]]:
    """Lyndon words by length, then alphabet: a word smaller than all of its rotations (Duval 1988).

    >>> lyndon(letters=2, longest=3)
    [(0,), (1,), (0, 1), (0, 0, 1), (0, 1, 1)]

    Args:
        letters: how many the alphabet has.
        longest: letters of a word at most.

    Returns:
        Words, each a tuple of letters 0..letters - 1.
    """
    words, word = [], [-1]
    while word:
        word[-1] += 1
        words.append(tuple(word))
        word = [word[i % len(word)] for i in range(longest)]
        while word and word[-1] == letters - 1:
            word.pop()
    return sorted(words, key=lambda w: (len(w), w))


def _product(a: Levels, b: Levels) -> Levels:
    """Of two without a constant term: their product begins at level 2."""
    return [
        sum((_outer(a[i - 1], b[k - i - 1]) for i in range(1, k)), start=jnp.zeros_like(a[k - 1])) for k in range(1, len(a) + 1)
    ]


def _outer(a: Array, b: Array) -> Array:
    return (a[:, :, None] * b[:, None, :]).reshape(len(a), -1)


_signed_program = jax.jit(signed, static_argnums=(1, 2, 3))
