"""Which output channels of a whole network matter most: those with 8 bits in MixLLM (Zheng et al. 2024, section 3).

L layers, K inputs, O outputs.
"""

import jax
import jax.numpy as jnp
import numpy as np

from domains.quant.networks.layers import Network, linear
from domains.quant.quantize.published import SALIENT
from qd.support.errors import UserError
from qd.types import Array

_BITS = 4  # of the rounding whose damage is estimated


def channels(network: Network, images: np.ndarray, targets: np.ndarray | None, share: float = SALIENT) -> list[np.ndarray]:
    """Returns the share of output channels that lose most when rounded, compared over all layers.

    To second order, with the curvature of one gradient: S = |g dw + (g dw)^2 / 2|, summed over a channel's inputs.

    Args:
        network: with logits [M, C] for M targets.
        images: its inputs.
        targets: [M] or of a shape with M numbers.
        share: of all channels.

    Returns:
        L masks, bool [O]; of keys and values empty.

    Raises:
        UserError: there are no targets.
    """
    if targets is None:
        raise UserError("mixed channels are chosen by a loss, and there are no targets", "build the bank with them")
    each = []
    for layer, weight, gradient in zip(network.layers, network.weights, _gradients(network, images, targets), strict=True):
        if layer.is_cached:
            each.append(np.zeros(0))
            continue
        flat, slope = (array.reshape(-1, array.shape[-1]) for array in (weight, gradient))
        scale = np.maximum(np.abs(flat).max(0), 1e-12) / (2 ** (_BITS - 1) - 1)
        change = (slope * (np.round(flat / scale) * scale - flat)).sum(0)  # g dw
        each.append(np.abs(change + change**2 / 2))
    limit = np.quantile(np.concatenate(each), 1 - share)
    return [row > limit for row in each]


def _gradients(network: Network, images: np.ndarray, targets: np.ndarray) -> list[np.ndarray]:
    flat = np.asarray(targets).reshape(-1)

    def loss(weights: list[Array]) -> Array:
        apply = lambda i, x, *stored: linear(network.layers[i], x, weights[i], *stored) + network.biases[i]
        logits = network.forward(apply, images)
        return -jax.nn.log_softmax(logits)[jnp.arange(len(flat)), flat].mean()

    return [np.asarray(each) for each in jax.jit(jax.grad(loss))([jnp.asarray(weight) for weight in network.weights])]
