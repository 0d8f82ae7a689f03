"""How networks that reconstruct what they see are trained: steps of Adam on batches drawn anew.

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
    """In a trace: steps of Adam (Kingma and Ba 2015) on batches drawn, with replacement, of the first n rows of x.

    Args:
        rate: the learning rate, or a schedule step -> rate.
    """
    adam = optax.adam(rate)

    def step(_: int, carry: tuple) -> tuple:
        network, memory, step_key = carry
        step_key, this = jax.random.split(step_key)
        gradient = jax.grad(loss)(network, x[jax.random.randint(this, (batch,), 0, n)])
        update, memory = adam.update(gradient, memory)
        return optax.apply_updates(network, update), memory, step_key

    return jax.lax.fori_loop(0, steps, step, (network, adam.init(network), key))[0]
