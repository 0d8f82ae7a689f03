"""Trains the diffusion transformer on Fashion-MNIST and stores its weights as float16.

    python -m domains.quant.networks.train_diffusion                        # about 5 CPU-minutes
    python -m domains.quant.networks.train_diffusion seed=1 out=other.npz    # another network

Given again it goes on where it was stopped. It computes on one core: sums of products, and so the checksum, depend on how many
threads share them, and on the processor's instructions and the version of JAX. The first command's file has the SHA-256
f08c06a3313f... with JAX 0.10.2 on an Intel Xeon with AVX-512; that of the package is from before, see docs/quant_generators.md.

AdamW, a moving average of the weights, squared error of the clean image weighted by min(1 / s^2, 10) (a loss in v, Salimans
and Ho 2022, cut off as by Hang et al. 2023). N images of a batch, P pixels.
"""

import hashlib
import os
import sys
import time
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from domains.quant.networks import data
from domains.quant.networks.ddim import DDIM, levels
from domains.quant.networks.diffusion import Diffusion, pack, with_kernels
from domains.quant.networks.layers import Network, linear
from domains.quant.networks.registry import WEIGHTS
from domains.quant.networks.train import write
from qd.support.atomic import replacing
from qd.support.cache_dirs import cache_path
from qd.types import Array

STEPS, BATCH, PEAK = 1700, 128, 1.5e-3
_AT_ONCE = 25  # steps of one call of the compiled program
_WITHOUT = 0.1  # share of images that are trained without their class
_HEAVIEST = 10.0  # weight of an image's loss, at most
_AVERAGE = 0.995  # of the moving average of weights


def main(seed: str = "0", steps: str = str(STEPS), out: str = "") -> None:
    """Trains, writes the weights, and prints the share of samples of the class that was asked for, and the checksum.

    Args:
        seed: of initial weights, order, times and noise.
        steps: of training.
        out: the file to write; empty: the one that the registry reads.

    Raises:
        ValueError: the images are missing or damaged on this machine.
    """
    on_one_core()
    checkpoint = cache_path(
        "quant", f"train-diffusion-seed{seed}-of{steps}.npz"
    )  # the rate depends on how many steps there are
    network = train(Diffusion(), int(steps), checkpoint=checkpoint, seed=int(seed))
    path = Path(out) if out else WEIGHTS / "diffusion.npz"
    write(network, path, np.float16)
    right = agreement(network)
    print(f"diffusion: {100 * right.mean():.1f} % of {len(right)} samples are of the class asked for", flush=True)
    print(f"{path}: {path.stat().st_size} bytes, sha256 {hashlib.sha256(path.read_bytes()).hexdigest()}")


def on_one_core() -> None:
    """Keeps this process to one core where the system can, before JAX opens its threads."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})


def train(form: Diffusion, steps: int, batch: int = BATCH, checkpoint: Path | None = None, seed: int = 0) -> Network:
    """Returns a trained network.

    Args:
        form: its architecture.
        steps: of training, a multiple of 25.
        batch: N.
        checkpoint: where the state is stored every 100 steps, to go on from; None: nowhere.
        seed: of initial weights, order, times and noise.

    Returns:
        The network with averaged weights, float32.

    Raises:
        ValueError: the images are missing or damaged on this machine.
    """
    images = data.load("fashion", "train")
    pixels, labels = data.plain(images.pixels), images.labels
    warm, falls = min(200, steps // 4), steps // 2  # the rate rises, stays, and falls in the second half
    parts = optax.linear_schedule(0, PEAK, warm), optax.constant_schedule(PEAK), optax.cosine_decay_schedule(PEAK, falls, 0.01)
    rate = optax.join_schedules(parts, (warm, steps - falls))
    rule = optax.chain(optax.clip_by_global_norm(1.0), optax.adamw(rate, b2=0.99, weight_decay=1e-2))
    params = _initial(form, seed)
    state = (params, jax.tree.map(jnp.copy, params), rule.init(params))
    done, state = _read(checkpoint, state)
    several = jax.jit(lambda state, key, x, y: _several(form, rule, state, key, x, y), donate_argnums=0)
    begin = time.process_time()
    for at in range(done, steps, _AT_ONCE):
        rows = np.random.default_rng((seed, at)).integers(0, len(labels), (_AT_ONCE, batch))
        state, loss = several(state, jax.random.fold_in(jax.random.key(seed), at), pixels[rows], labels[rows])
        if (at + _AT_ONCE) % 100 == 0:
            print(
                f"step {at + _AT_ONCE} of {steps}: loss {float(loss):.4f}, {time.process_time() - begin:.0f} CPU-s", flush=True
            )
            _write(checkpoint, at + _AT_ONCE, state)
    weights, biases = zip(*state[1], strict=True)
    return with_kernels(form, list(map(np.asarray, weights)), list(map(np.asarray, biases)))


def agreement(network: Network, images: int = 1000, sampler: DDIM | None = None, seed: int = 1) -> np.ndarray:
    """Returns whether samples are of the class that was asked for, by the residual network of images, bool [images].

    Args:
        network: the diffusion transformer.
        images: how many, of each class as many.
        sampler: steps and guidance; None: the default ones.
        seed: of the noise.
    """
    from domains.quant.networks import registry

    labels = np.arange(images) % network.forward.classes
    samples = draw(network, sampler or DDIM(), np.random.default_rng(seed), labels)
    logits = jax.jit(registry.load("resnet14").__call__)(data.standard(samples))
    return np.asarray(logits).argmax(1) == labels


def draw(network: Network, sampler: DDIM, random: np.random.Generator, labels: np.ndarray) -> np.ndarray:
    """Samples images in full precision.

    Args:
        network: the diffusion transformer.
        sampler: steps and guidance.
        random: of the noise.
        labels: classes [N].

    Returns:
        float32 [N, P] in -1..1.
    """
    noise = random.standard_normal((len(labels), network.forward.pixels), np.float32)
    program = jax.jit(lambda noise, labels: sampler.sample(lambda _, x: network(x), noise, labels)[0])
    return np.asarray(program(noise, labels.astype(np.int32)))


def _initial(form: Diffusion, seed: int) -> list[tuple[Array, Array]]:
    """Kernels by Glorot and Bengio 2010; modulations and the last layer begin at 0 (adaLN-zero)."""
    params = []
    layers = [layer for layer in form.layers if not layer.is_cached]
    for key, layer in zip(jax.random.split(jax.random.key(seed), len(layers)), layers, strict=True):
        zero = layer.name.endswith("modulation") or layer.name == "pixels"
        kernel = jax.random.normal(key, layer.shape) * (2 / sum(layer.shape)) ** 0.5
        params.append((kernel * (not zero), jnp.zeros(layer.shape[-1])))
    return params


def _several(form: Diffusion, rule: Any, state: Any, key: Array, pixels: Array, labels: Array) -> tuple[Any, Array]:
    def step(state: Any, each: Any) -> tuple[Any, Array]:
        params, average, memory = state
        loss, gradient = jax.value_and_grad(_loss)(params, form, *each)
        update, memory = rule.update(gradient, memory, params)
        params = optax.apply_updates(params, update)
        average = jax.tree.map(lambda a, p: _AVERAGE * a + (1 - _AVERAGE) * p, average, params)
        return (params, average, memory), loss

    state, losses = jax.lax.scan(step, state, (jax.random.split(key, len(pixels)), pixels, labels))
    return state, losses.mean()


def _loss(params: Any, form: Diffusion, key: Array, clean: Array, labels: Array) -> Array:
    time_key, noise_key, class_key = jax.random.split(key, 3)
    n = len(clean)
    times = jnp.clip((jnp.arange(n) + jax.random.uniform(time_key, (n,))) / n, 0.01, 0.995)
    a, s = levels(times)
    noisy = a[:, None] * clean + s[:, None] * jax.random.normal(noise_key, clean.shape)
    labels = jnp.where(jax.random.uniform(class_key, (n,)) < _WITHOUT, form.classes, labels)
    none = (jnp.zeros(()), jnp.zeros(()))  # of products by keys and values, which come last
    params = [*params, *[none] * (len(form.layers) - len(params))]
    apply = lambda i, x, *stored: linear(form.layers[i], x, params[i][0], *stored) + params[i][1]
    error = ((form(apply, pack(noisy, times, labels)) - clean) ** 2).mean(1)
    return (jnp.minimum(1 / s**2, _HEAVIEST) * error).mean()


def _read(path: Path | None, state: Any) -> tuple[int, Any]:
    if path is None or not path.is_file():
        return 0, state
    leaves, tree = jax.tree.flatten(state)
    with np.load(path, allow_pickle=False) as arrays:
        return int(arrays["step"]), jax.tree.unflatten(tree, [jnp.asarray(arrays[f"leaf{i}"]) for i in range(len(leaves))])


def _write(path: Path | None, step: int, state: Any) -> None:
    if path is None:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as scratch:
        np.savez(scratch, step=step, **{f"leaf{i}": np.asarray(leaf) for i, leaf in enumerate(jax.tree.leaves(state))})  # type: ignore[arg-type]


if __name__ == "__main__":
    main(**dict(word.split("=", 1) for word in sys.argv[1:]))
