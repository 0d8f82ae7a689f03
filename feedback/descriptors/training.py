"""Training of networks that reconstruct their input: steps of Adam, each on a new random batch.

N rows of which the first n are real, B rows in a batch.
"""

from collections.abc import Callable
from typing import Any

import jax
import optax

from qd.types import Array

Network = Any  # a pytree of weights
Loss = Callable[[Network, Array], Array]  # (network, rows [B, ...]) -> []


def descend(loss: Loss, network: Network, key: Array, x: Array, n: Array, steps: int, batch: int, rate: Any) -> Network:
    """Minimises a loss by Adam (Kingma and Ba 2015), to be traced.

    Args:
        loss: of a network on a batch.
        network: initial weights.
        key: of the batches, a key array.
        x: rows, padded; only the first n are drawn, with replacement.
        n: how many rows are real, [].
        steps: of Adam.
        batch: B, rows of a step.
        rate: the learning rate, or a schedule step -> rate.

    Returns:
        The trained weights.
    """
    adam = optax.adam(rate)

    def step(_: int, carry: tuple) -> tuple:
        network, memory, step_key = carry
        step_key, this = jax.random.split(step_key)
        gradient = jax.grad(loss)(network, x[jax.random.randint(this, (batch,), 0, n)])
        update, memory = adam.update(gradient, memory)
        return optax.apply_updates(network, update), memory, step_key

    return jax.lax.fori_loop(0, steps, step, (network, adam.init(network), key))[0]
