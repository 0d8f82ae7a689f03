"""The inputs of a network's layers on calibration images: ranges and learned rounding come from them.

N images, K inputs of a channel.
"""

from typing import Any

import jax
import numpy as np

from domains.quant.networks.layers import Layer, Network, linear


def inputs(network: Network, images: np.ndarray) -> list[np.ndarray]:
    """Returns each layer's inputs in full precision, in layer order.

    Args:
        network: with L layers.
        images: the network's inputs, [N, H, W, 1] or [N, T, D].

    Returns:
        L arrays: conv [N, H, W, in]; dense [N, in] or [N, T, in]; of keys queries, of values attention.
    """
    return record(network, images)[0]


def record(network: Network, images: np.ndarray) -> tuple[list[np.ndarray], dict[int, np.ndarray]]:
    """Returns each layer's inputs, and what layers of keys and values stored, by their numbers; arguments as in ``inputs``."""

    def layer_inputs(pixels: Any) -> tuple[list[Any], dict[int, Any]]:
        values: list[Any] = [None] * len(network.layers)
        cache: dict[int, Any] = {}

        def apply(i: int, x: Any, *stored: Any) -> Any:
            values[i] = x
            if stored:
                (cache[i],) = stored
            return linear(network.layers[i], x, network.weights[i], *stored) + network.biases[i]

        network.forward(apply, pixels)
        return values, cache

    values, cache = jax.jit(layer_inputs)(images)
    return [np.asarray(x) for x in values], {i: np.asarray(each) for i, each in cache.items()}


def gram(layer: Layer, x: np.ndarray) -> np.ndarray:
    """Returns X'X over all places where the layer's kernel is laid, in the kernel's own order of inputs.

    Args:
        layer: gives kind, shape and stride.
        x: its inputs: dense [..., in]; conv [N, H, W, in], square, of which only the first 128 count.

    Returns:
        float64 [K, K], not divided by the number of places.
    """
    if layer.kind == "dense":
        flat = x.reshape(-1, x.shape[-1]).astype(np.float64)
        return flat.T @ flat
    high, wide, into, _ = layer.shape
    side = -(-x.shape[1] // layer.stride)
    pad = max((side - 1) * layer.stride + high - x.shape[1], 0)
    padded = np.pad(x[:128], ((0, 0), (pad // 2, pad - pad // 2), (pad // 2, pad - pad // 2), (0, 0)))
    patches = np.stack(
        [
            padded[
                :, i : i + (side - 1) * layer.stride + 1 : layer.stride, j : j + (side - 1) * layer.stride + 1 : layer.stride
            ]
            for i in range(high)
            for j in range(wide)
        ],
        3,
    )  # [N, side, side, high * wide, in]
    flat = patches.reshape(-1, high * wide * into).astype(np.float32)
    return (flat.T @ flat).astype(np.float64)
