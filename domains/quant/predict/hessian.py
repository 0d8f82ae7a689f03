"""Gradients and curvature of the loss by each layer's kernel: Hutchinson's trace, power iteration, products without a matrix.

L layers, N images.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from domains.quant.networks.data import Images
from domains.quant.networks.layers import Network, linear
from qd.types import Array

PROBES, STEPS = 12, 8


def gradients(network: Network, images: Images) -> list[np.ndarray]:
    """The root mean square over images of each weight's gradient, shaped as the weights: what Fisher's diagonal needs.

    Args:
        network: a classifier of L layers.
        images: N images with labels; the loss is each image's cross-entropy.

    Returns:
        L arrays, shaped as the kernels.
    """
    one = lambda weights, image: jax.grad(lambda w: _loss(network, images)(w, image))(weights)

    def add(sums: list[Array], image: tuple[Array, Array]) -> tuple[list[Array], None]:
        return [t + g**2 for t, g in zip(sums, one(weights, image), strict=True)], None

    weights = [jnp.asarray(weight) for weight in network.weights]
    each = jnp.asarray(images.pixels)[:, None], jnp.asarray(images.labels)[:, None]
    total = jax.jit(lambda: jax.lax.scan(add, [jnp.zeros_like(weight) for weight in weights], each)[0])()
    return [np.sqrt(np.asarray(g) / len(images.labels)) for g in total]


def traces(network: Network, images: Images, probes: int = PROBES, seed: int = 0) -> np.ndarray:
    """Returns tr(H_l) / n_l for each layer: the mean of v'Hv over vectors of signs (Hutchinson 1989).

    One product serves all layers: the blocks beside the diagonal have mean 0.

    Args:
        network: a classifier of L layers.
        images: N images with labels; H is of their mean cross-entropy, in full precision.
        probes: how many vectors of signs.
        seed: of the vectors.

    Returns:
        [L], each layer's trace divided by its number of weights n_l.
    """
    product, weights = _product(network, images)
    random, sums = np.random.default_rng(seed), np.zeros(len(weights))
    for _ in range(probes):
        v = [random.choice(np.array([-1.0, 1.0], np.float32), weight.shape) for weight in weights]
        sums += [float((a * b).sum()) for a, b in zip(v, product(v), strict=True)]
    return sums / probes / np.array([weight.size for weight in weights])


def eigenvalues(network: Network, images: Images, steps: int = STEPS, seed: int = 0) -> np.ndarray:
    """Returns the top eigenvalue of each layer's Hessian, by power iteration with the other layers held fixed.

    Args:
        network: a classifier of L layers.
        images: N images with labels; H is of their mean cross-entropy, in full precision.
        steps: of power iteration, for each layer.
        seed: of the start vectors.

    Returns:
        [L] estimates of the eigenvalue of largest magnitude, which may be negative.
    """
    product, weights = _product(network, images)
    random, tops = np.random.default_rng(seed), []
    for i, weight in enumerate(weights):
        v, top = random.standard_normal(weight.shape).astype(np.float32), 0.0
        for _ in range(steps):
            v = v / np.linalg.norm(v)
            alone = [v if j == i else np.zeros(other.shape, np.float32) for j, other in enumerate(weights)]
            image = np.asarray(product(alone)[i])
            top, v = float((v * image).sum()), image
        tops.append(top)
    return np.array(tops)


def _product(network: Network, images: Images) -> tuple[Callable, list[Array]]:
    """Returns v -> Hv, both lists shaped as the weights (Pearlmutter 1994)."""
    weights = [jnp.asarray(weight) for weight in network.weights]
    loss, batch = _loss(network, images), (jnp.asarray(images.pixels), jnp.asarray(images.labels))
    slope = jax.grad(loss)
    program = jax.jit(lambda weights, batch, v: jax.jvp(lambda w: slope(w, batch), (weights,), (v,))[1])
    return lambda v: program(weights, batch, v), weights  # as arguments: as constants XLA would fold them for seconds


def _loss(network: Network, images: Images) -> Callable:
    def loss(weights: list[Array], batch: tuple[Array, Array]) -> Array:
        pixels, labels = batch
        apply = lambda i, x: linear(network.layers[i], x, weights[i]) + network.biases[i]
        log_probability = jax.nn.log_softmax(network.forward(apply, pixels))
        return -log_probability[jnp.arange(len(labels)), labels].mean()

    return loss
