"""Small networks from readings to actions; their parameters are one flat vector.

C policies (the last axis while they drive), D parameters, I inputs, O outputs.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

import jax
import jax.numpy as jnp
import numpy as np

from qd import keys
from qd.types import Array

Layers = list[tuple[Array, Array]]  # bias [O, C] or [1, C], weights [I, O, C]


class Controller(Protocol):
    """What drives the robot."""

    @property
    def space(self) -> tuple[float, float]:
        """Bounds of a parameter."""
        ...

    def size(self, inputs: int, outputs: int) -> int:
        """Counts the parameters.

        Args:
            inputs: I.
            outputs: O.

        Returns:
            D.
        """
        ...

    def sample(self, key: Array, n: int, inputs: int, outputs: int) -> Array:
        """Draws parameter vectors.

        Args:
            key: of the draws.
            n: how many.
            inputs: I.
            outputs: O.

        Returns:
            [n, D].
        """
        ...

    def layers(self, parameters: Array, inputs: int, outputs: int) -> Layers:
        """Cuts parameter vectors into layers.

        Args:
            parameters: [D, C].
            inputs: I.
            outputs: O.

        Returns:
            Bias and weights of each layer.
        """
        ...

    def act(self, layers: Layers, readings: Array) -> Array:
        """Computes actions.

        Args:
            layers: of C policies.
            readings: [I, C].

        Returns:
            Actions in [-1, 1], [O, C].
        """
        ...


@dataclass(frozen=True)
class Mlp:
    """ReLU inside, tanh outside, a bias per neuron: Kheperax' and QDax' network.

    A layer's parameters are its biases, then its weights by input: flax' order, so a flattened QDax network fits.
    """

    hidden: tuple[int, ...] = (8,)

    @property
    def space(self) -> tuple[float, float]:
        """The range of a parameter: no bounds."""
        return (-np.inf, np.inf)

    def size(self, inputs: int, outputs: int) -> int:
        """Counts the parameters; arguments as in ``Controller``."""
        return sum(o + i * o for i, o in _shapes(self.hidden, inputs, outputs))

    def sample(self, key: Array, n: int, inputs: int, outputs: int) -> Array:
        """Draws weights uniformly in +- sqrt(3 / I) (LeCun et al. 1998); biases are 0; arguments as in ``Controller``."""
        shapes = _shapes(self.hidden, inputs, outputs)
        reach = np.concatenate([np.repeat([0, np.sqrt(3 / i)], [o, i * o]) for i, o in shapes])
        return keys.uniform(key, (n, len(reach)), -1.0, 1.0) * reach.astype(np.float32)

    def layers(self, parameters: Array, inputs: int, outputs: int) -> Layers:
        """Cuts parameter vectors into layers; arguments as in ``Controller``."""
        return list(_cut(parameters, [(o, i, o) for i, o in _shapes(self.hidden, inputs, outputs)]))

    def act(self, layers: Layers, readings: Array) -> Array:
        """Computes actions; arguments as in ``Controller``."""
        return _forward(layers, readings, jax.nn.relu, jnp.tanh)


@dataclass(frozen=True)
class OneBias:
    """tanh(x / 2) in every layer and ONE bias per layer: the controller of SERENE and STAX (Paolo et al. 2021)."""

    hidden: tuple[int, ...] = (5, 5)
    reach: float = 5.0  # the papers clip every parameter to [-5, 5]

    @property
    def space(self) -> tuple[float, float]:
        """The range of a parameter."""
        return (-self.reach, self.reach)

    def size(self, inputs: int, outputs: int) -> int:
        """Counts the parameters; arguments as in ``Controller``."""
        return sum(1 + i * o for i, o in _shapes(self.hidden, inputs, outputs))

    def sample(self, key: Array, n: int, inputs: int, outputs: int) -> Array:
        """Draws parameters uniformly in the space; arguments as in ``Controller``."""
        return keys.uniform(key, (n, self.size(inputs, outputs)), *self.space)

    def layers(self, parameters: Array, inputs: int, outputs: int) -> Layers:
        """Cuts parameter vectors into layers; arguments as in ``Controller``."""
        return list(_cut(parameters, [(1, i, o) for i, o in _shapes(self.hidden, inputs, outputs)]))

    def act(self, layers: Layers, readings: Array) -> Array:
        """Computes actions; arguments as in ``Controller``."""
        return _forward(layers, readings, _half_tanh, _half_tanh)


def _shapes(hidden: tuple[int, ...], inputs: int, outputs: int) -> list[tuple[int, int]]:
    return list(pairwise((inputs, *hidden, outputs)))


def _cut(parameters: Array, shapes: list[tuple[int, int, int]]) -> Iterator[tuple[Array, Array]]:
    start = 0
    for biases, i, o in shapes:
        weights = parameters[start + biases : start + biases + i * o]
        yield parameters[start : start + biases], weights.reshape(i, o, -1)
        start += biases + i * o


def _forward(layers: Layers, x: Array, inside: Callable, outside: Callable) -> Array:
    for bias, weights in layers[:-1]:
        x = inside((x[:, None] * weights).sum(axis=0) + bias)
    bias, weights = layers[-1]
    return outside((x[:, None] * weights).sum(axis=0) + bias)


def _half_tanh(x: Array) -> Array:
    return jnp.tanh(x / 2)
