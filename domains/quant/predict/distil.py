"""A batch made from a network alone, where no data may be had: noise changed until each layer's outputs have the mean and
spread that they had in training (ZeroQ, Cai et al. 2020, eq. 2).

N images.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from domains.quant.networks.layers import Network, linear
from qd.support.errors import UserError

Array = Any


def batch(network: Network, n: int = 64, steps: int = 200, seed: int = 0) -> np.ndarray:
    """Returns n images. Raises ValueError where the network was kept without the statistics of its training."""
    if not network.statistics:
        raise UserError(f"{network.name} was kept without statistics of its training", "distil from a network that has them")
    start = jax.random.normal(jax.random.key(seed), (n, *network.layers[0].inputs))
    rule = optax.adam(0.1)

    def step(_: int, carry: tuple[Array, Any]) -> tuple[Array, Any]:
        x, memory = carry
        update, memory = rule.update(jax.grad(_distance)(x, network), memory)
        return x + update, memory

    return np.asarray(jax.jit(lambda x: jax.lax.fori_loop(0, steps, step, (x, rule.init(x)))[0])(start))


def distance(network: Network, x: np.ndarray) -> float:
    """Returns how far the statistics of x lie from those of training."""
    return float(jax.jit(lambda x: _distance(x, network))(x))


def _distance(x: Array, network: Network) -> Array:
    apart = [jnp.float32(0)]

    def apply(i: int, x: Array) -> Array:
        y = linear(network.layers[i], x, network.weights[i]) + network.biases[i]
        if network.layers[i].kind == "conv":
            mean, deviation = network.statistics[i]
            apart[0] += ((y.mean((0, 1, 2)) - mean) ** 2).mean() + ((y.std((0, 1, 2)) - deviation) ** 2).mean()
        return y

    network.forward(apply, x)
    return apart[0]
