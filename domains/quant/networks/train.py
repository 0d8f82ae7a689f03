"""Trains a residual network and stores its weights with batch norm folded in.

    python -m domains.quant.networks.train resnet14  # about 5 CPU-minutes; prints test accuracy and the checksum

Stochastic gradient descent with Nesterov's momentum .9, one cycle of the learning rate (Smith 2018), flips and shifts.
P parameters of a layer: kernel, and scale and shift of its norm (a bias alone for the classifier).
"""

import hashlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from domains.quant.networks import data
from domains.quant.networks.layers import Network, linear
from domains.quant.networks.registry import FORMS, WEIGHTS
from domains.quant.networks.resnet import ResNet
from qd.types import Array

_EPSILON, _KEEP = 1e-5, 0.9  # of batch norm: in the root; how much of the running statistics a step keeps
_SETTINGS = {"resnet14": (6, 128, 0.2), "digits": (30, 64, 0.1)}  # epochs, batch, peak of the learning rate


def main(name: str, out: str = "") -> None:
    """Trains a network, writes its weights, measures it on validation and test images, and prints accuracy and checksum.

    Args:
        name: resnet14 or digits.
        out: the file to write; empty: the one that the registry reads.

    Raises:
        ValueError: the images are missing or damaged on this machine.
        KeyError: there is no such network.
    """
    network = train_network(name, FORMS[name], *_SETTINGS[name])
    path = Path(out) if out else WEIGHTS / f"{name}.npz"
    write(network, path)
    for split in ("validation", "test"):
        images = data.load(network.forward.data, split)
        print(f"{name}: {100 * accuracy(network, images):.2f} % of {len(images.labels)} {split} images", flush=True)
    print(f"{path}: {path.stat().st_size} bytes, sha256 {hashlib.sha256(path.read_bytes()).hexdigest()}")


def write(network: Network, path: Path, dtype: type = np.float32) -> None:
    """Writes a network's weights and biases.

    Args:
        network: the network.
        path: an .npz file, replaced where it exists; its folder is made where it is missing.
        dtype: of the numbers in the file.
    """
    columns = {"weight": network.weights, "bias": network.biases}
    path.parent.mkdir(parents=True, exist_ok=True)
    there = [(f"{kind}{i}", x) for kind, xs in columns.items() for i, x in enumerate(xs) if x.ndim]  # others have no kernel
    arrays: dict[str, Any] = {name: np.asarray(x, dtype) for name, x in there}
    np.savez_compressed(path, **arrays)


def train_network(
    name: str, form: ResNet, epochs: int, batch: int, peak: float, seed: int = 0, images: data.Images | None = None
) -> Network:
    """Returns a trained network, with batch norm folded into its kernels and biases.

    Args:
        name: of the network.
        form: its architecture, and the data that it trains on.
        epochs: passes over the training images; the last batch of each is left out where it is not full.
        batch: images a step.
        peak: the highest learning rate of the cycle (Smith 2018).
        seed: of initial weights, order, flips and shifts.
        images: to train on; None: those of the form's data.

    Returns:
        The network, float32.

    Raises:
        ValueError: the images are missing or damaged on this machine.
    """
    images = images or data.load(form.data, "train")
    params, running = _initial(form, seed)
    steps = epochs * (len(images.labels) // batch)
    rate = optax.cosine_onecycle_schedule(steps, peak, pct_start=0.25)
    rule = optax.chain(
        optax.add_decayed_weights(5e-4, mask=lambda p: jax.tree.map(lambda x: x.ndim > 1, p)),
        optax.sgd(rate, momentum=0.9, nesterov=True),
    )
    memory = rule.init(params)

    @jax.jit
    def step(params: Any, running: Any, memory: Any, pixels: Array, labels: Array) -> tuple[Any, Any, Any, Array]:
        (loss, running), gradient = jax.value_and_grad(_loss, has_aux=True)(params, running, form, pixels, labels)
        update, memory = rule.update(gradient, memory, params)
        return optax.apply_updates(params, update), running, memory, loss

    flips = form.data == "fashion"  # a digit turned round is another digit
    for i, (pixels, labels) in enumerate(_batches(images, epochs, batch, flips, seed)):
        params, running, memory, loss = step(params, running, memory, pixels, labels)
        if i % 200 == 0:
            print(f"step {i} of {steps}: loss {float(loss):.3f}", flush=True)
    return _fold_norm(name, form, params, running)


def accuracy(network: Network, images: data.Images, chunk: int = 500) -> float:
    """Share of images that the network classifies correctly.

    Args:
        network: a classifier.
        images: N images with labels.
        chunk: images that one forward pass takes.

    Returns:
        A number in 0..1.
    """
    forward = jax.jit(network.__call__)
    right = [
        np.asarray(forward(images.pixels[i : i + chunk])).argmax(1) == images.labels[i : i + chunk]
        for i in range(0, len(images.labels), chunk)
    ]
    return float(np.concatenate(right).mean())


def _initial(form: ResNet, seed: int) -> tuple[Any, Any]:
    keys = jax.random.split(jax.random.key(seed), len(form.layers))
    params, running = [], []
    for key, layer in zip(keys, form.layers, strict=True):
        kernel = jax.random.normal(key, layer.shape) * (2 / np.prod(layer.shape[:-1])) ** 0.5  # He et al. 2015
        out = layer.shape[-1]
        params.append((kernel, jnp.zeros(out)) if layer.kind == "dense" else (kernel, jnp.ones(out), jnp.zeros(out)))
        running.append((jnp.zeros(out), jnp.ones(out)))
    return params, running


def _loss(params: Any, running: Any, form: ResNet, pixels: Array, labels: Array) -> tuple[Array, Any]:
    after = list(running)

    def apply(i: int, x: Array) -> Array:
        y = linear(form.layers[i], x, params[i][0])
        if form.layers[i].kind == "dense":
            return y + params[i][1]
        mean, variance = y.mean((0, 1, 2)), y.var((0, 1, 2))
        after[i] = tuple(_KEEP * old + (1 - _KEEP) * new for old, new in zip(running[i], (mean, variance), strict=True))
        return (y - mean) * jax.lax.rsqrt(variance + _EPSILON) * params[i][1] + params[i][2]

    logits = form(apply, pixels)
    return optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean(), after


def _batches(images: data.Images, epochs: int, batch: int, flips: bool, seed: int) -> Iterator[tuple[Array, Array]]:
    """Shuffled batches, each image perhaps flipped, each batch shifted by up to two pixels."""
    random = np.random.default_rng(seed)
    for _ in range(epochs):
        order = random.permutation(len(images.labels))
        for at in range(0, len(order) - batch + 1, batch):
            rows = order[at : at + batch]
            pixels = images.pixels[rows]
            if flips:
                pixels = np.where(random.random((batch, 1, 1, 1)) < 0.5, pixels[:, :, ::-1], pixels)
                pixels = np.roll(pixels, tuple(random.integers(-2, 3, 2)), (1, 2))
            yield pixels, images.labels[rows]


def _fold_norm(name: str, form: ResNet, params: Any, running: Any) -> Network:
    """w' = w g / sqrt(v + e), b' = shift - m g / sqrt(v + e)."""
    weights, biases = [], []
    for layer, own, (mean, variance) in zip(form.layers, params, running, strict=True):
        if layer.kind == "dense":
            weight, bias = own
        else:
            factor = own[1] / jnp.sqrt(variance + _EPSILON)
            weight, bias = own[0] * factor, own[2] - mean * factor
        weights.append(np.asarray(weight, np.float32))
        biases.append(np.asarray(bias, np.float32))
    return Network(name, form, tuple(weights), tuple(biases))


if __name__ == "__main__":
    main(*sys.argv[1:])
