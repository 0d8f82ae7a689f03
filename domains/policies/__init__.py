"""Policies: feed-forward networks from observation to action, whose weights are one flat vector.

    network = Mlp(inputs=17, outputs=6)
    layers = network.unflatten(solutions)         # [B, D] -> biases [B, O] and weights [B, I, O] of each layer
    actions = network.act(layers, observations)   # [B, 17] -> [B, 6]

A layer is its biases, then its weights input by input, layer after layer: the order of flax' own flattening, so a flat QDax
network fits. ``layout`` names it, and archive.json records it. One code serves NumPy and JAX; no class of flax is needed
for two lines of matrix products.

B batch, D parameters, I inputs, O outputs.
"""

import math
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from qd import keys
from qd.support.errors import UserError
from qd.types import Array

Layers = list[tuple[Array, Array]]  # biases [B, O], weights [B, I, O]
Layout = tuple[tuple[str, tuple[int, ...]], ...]  # name and shape of each part of a flat vector, in order


@dataclass(frozen=True)
class Mlp:
    """tanh in every layer, the last one too: actions lie in [-1, 1].

    >>> network = Mlp(inputs=3, outputs=1, hidden=(2,))
    >>> network.layout
    (('layer0/bias', (2,)), ('layer0/weights', (3, 2)), ('layer1/bias', (1,)), ('layer1/weights', (2, 1)))
    >>> network.size
    11
    """

    inputs: int  # length of an observation
    outputs: int  # length of an action
    hidden: tuple[int, ...] = (64, 64)  # units of each hidden layer

    def __post_init__(self) -> None:
        if min((self.inputs, self.outputs, *self.hidden)) < 1:
            raise UserError(f"a network of {self.hidden} units computes nothing", "type hidden=[64,64]")

    @property
    def layout(self) -> Layout:
        """Name and shape of each part of a flat vector, in order."""
        shapes = enumerate(pairwise((self.inputs, *self.hidden, self.outputs)))
        return tuple(part for k, (i, o) in shapes for part in ((f"layer{k}/bias", (o,)), (f"layer{k}/weights", (i, o))))

    @property
    def size(self) -> int:
        """D, the number of parameters."""
        return sum(math.prod(shape) for _, shape in self.layout)

    def sample(self, key: Array, n: int) -> Array:
        """Draws weights uniformly in +- sqrt(3 / I) (LeCun et al. 1998); biases are 0.

        Args:
            key: a host key (uint32 [2]) or a JAX key.
            n: how many.

        Returns:
            Flat vectors [n, D], float32.
        """
        reach = [np.full(math.prod(s), math.sqrt(3 / s[0]) if len(s) == 2 else 0, np.float32) for _, s in self.layout]
        return keys.uniform(key, (n, self.size), -1.0, 1.0) * np.concatenate(reach)

    def unflatten(self, solutions: Array) -> Layers:
        """Cuts flat vectors into layers.

        Args:
            solutions: [B, D], NumPy's or JAX's.

        Returns:
            Biases [B, O] and weights [B, I, O] of each layer.

        Raises:
            UserError: the vectors have another length.
        """
        if solutions.shape[-1] != self.size:
            raise UserError(
                f"a policy has {solutions.shape[-1]} parameters, but a network of {self.inputs} inputs, hidden layers of "
                f"{list(self.hidden)} and {self.outputs} outputs has {self.size}",
                "type the robot and the hidden sizes that the policy was made for",
            )
        parts, start = [], 0
        for _, shape in self.layout:
            end = start + math.prod(shape)
            parts.append(solutions[:, start:end].reshape(-1, *shape))
            start = end
        return list(zip(parts[::2], parts[1::2], strict=True))

    def flatten(self, layers: Layers) -> Array:
        """Joins layers to flat vectors [B, D]; the inverse of ``unflatten``."""
        numpy = layers[0][0].__array_namespace__()
        return numpy.concatenate([part.reshape(len(part), -1) for layer in layers for part in layer], axis=1)

    def act(self, layers: Layers, observations: Array) -> Array:
        """Computes actions.

        Args:
            layers: of B policies.
            observations: [B, I], or [B, K, I]: K for each policy.

        Returns:
            Actions [B, O], or [B, K, O], in [-1, 1]. Of one observation each, a row does not depend on the others, to the
            last bit on the host.
        """
        numpy, x = observations.__array_namespace__(), observations if observations.ndim == 3 else observations[:, None]
        for bias, weights in layers:
            x = numpy.tanh(numpy.matmul(x, weights) + bias[:, None])
        return x if observations.ndim == 3 else x[:, 0]

    def widened(self, more: int) -> "Mlp":
        """Returns the network with ``more`` inputs after its own."""
        return replace(self, inputs=self.inputs + more)

    def narrowed(self, solutions: Array, last: Array) -> Array:
        """Fixes the last inputs of networks: they move into the first layer's biases.

        Args:
            solutions: [B, D] of this network.
            last: [B, K] the values of its last K inputs.

        Returns:
            Flat vectors of the network with K inputs less, which computes the same.
        """
        (bias, weights), *rest = self.unflatten(solutions)
        bias = bias + (last[:, None] @ weights[:, -last.shape[1] :])[:, 0]
        return replace(self, inputs=self.inputs - last.shape[1]).flatten([(bias, weights[:, : -last.shape[1]]), *rest])
