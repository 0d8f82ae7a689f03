"""A diffusion model in all its variants: the bank of its layers, the ranges of their inputs in each timestep, and a sampler.

B configs, L layers, W weight options, A input options, N images, P pixels, S timesteps, n calibration samples.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from domains.quant.networks.ddim import DDIM
from domains.quant.networks.layers import Network, linear
from domains.quant.quantize import steps
from domains.quant.quantize.bank import Bank
from domains.quant.quantize.inputs import cache_row, fake_store
from domains.quant.quantize.low_rank_vectors import LowRankVectorOption
from domains.quant.quantize.quantizers import WeightOption
from domains.quant.quantize.steps import InputTable, Samples, StepOption
from domains.quant.quantize.vectors import SmoothOption, VectorOption
from qd.types import Array

_CHUNK = 8  # configs that one call of the program takes; fewer are filled up
_POOL = 64  # images sampled in full precision, of whose inputs the calibration samples are drawn

Weights = WeightOption | VectorOption | LowRankVectorOption | SmoothOption


@dataclass(frozen=True, eq=False)
class Generator:
    """Samples images of configs; genes as in the bank: L weight options, then L input options."""

    bank: Bank
    sampler: DDIM
    tables: tuple[InputTable, ...]  # L

    def sample(self, solutions: Array, noise: np.ndarray, labels: np.ndarray) -> np.ndarray:
        """Samples N images with each of B configs, all from the same noise.

        Args:
            solutions: configs [B, 2L].
            noise: standard normal [N, P].
            labels: classes [N].

        Returns:
            float32 [B, N, P] in -1..1.

        Raises:
            ValueError: a config has another number of genes, or a gene is no index of an option.
        """
        genes = np.stack(self.bank.split(solutions), 1)  # [B, 2, L]
        program = _program(self.bank.network.forward, self.sampler, self.ways)
        start, classes = jnp.asarray(noise, jnp.float32), jnp.asarray(labels, jnp.int32)
        images = []
        for at in range(0, len(genes), _CHUNK):
            rows = np.minimum(np.arange(at, at + _CHUNK), len(genes) - 1)
            images.append(np.asarray(program(self.device, genes[rows], start, classes, min(_CHUNK, len(genes) - at))))
        return np.concatenate(images)[: len(genes)]

    def full(self, noise: np.ndarray, labels: np.ndarray) -> np.ndarray:
        """Samples images in full precision.

        Args:
            noise: standard normal [N, P].
            labels: classes [N].

        Returns:
            float32 [N, P] in -1..1.
        """
        return self.sample(self.bank.full()[None], noise, labels)[0]

    @cached_property
    def ways(self) -> frozenset[str]:
        """Which ways to round inputs, that take a computation of their own, some option asks for."""
        return frozenset(steps.COMPUTED) & {option.per for option in self.bank.activation_options}

    @cached_property
    def device(self) -> tuple[Any, ...]:
        """Weights, biases and tables where they are computed with."""
        return jax.device_put((self.bank.weights, tuple(self.bank.network.biases), self.tables))


def build(
    network: Network,
    weight_options: Sequence[Weights],
    input_options: Sequence[StepOption],
    sampler: DDIM,
    samples: int = 256,
    seed: int = 0,
) -> Generator:
    """Prepares every variant; what is calibrated is calibrated on samples of the network's own, so that no data are needed.

    Args:
        network: a diffusion transformer.
        weight_options: the W options of every layer's weights.
        input_options: the A options of every layer's inputs.
        sampler: steps and guidance.
        samples: n, inputs of single steps that an option is calibrated on.
        seed: of their noise and of how they are drawn.

    Returns:
        The generator; index W of weights and index A of inputs are full precision.

    Raises:
        UserError: there are more groups of timesteps than steps or samples.
    """
    steps.check(tuple(input_options), sampler.steps, samples)
    pool = trajectories(network, sampler, seed)
    of_drawn, stored = {}, {}
    for drawn in dict.fromkeys(["evenly", *(option.drawn for option in input_options)]):
        packed, at = draw(pool, sampler, drawn, samples, seed)
        inputs, kept = _recorder(network.forward)(tuple(network.weights), tuple(network.biases), packed)
        of_drawn[drawn] = [Samples(np.asarray(x), at) for x in inputs]
        stored = stored or {i: np.asarray(x) for i, x in kept.items()}  # evenly
    weights, stored_bits, tables, scales, factors = [], [], [], [], []
    smooths = any(isinstance(option, SmoothOption) for option in weight_options)
    for i, (layer, weight) in enumerate(zip(network.layers, network.weights, strict=True)):
        x = of_drawn["evenly"][i].values
        if layer.is_cached:
            ways = [WeightOption(option.bits) for option in weight_options]
            weights.append(np.stack([cache_row(way, stored[i], layer.kind) for way in (*ways, None)]))
            stored_bits.append([0] * len(ways))
        else:
            variants = [_quantize(option, weight, x.reshape(-1, x.shape[-1])) for option in weight_options]
            weights.append(np.stack([variant.values for variant in variants] + [weight]).astype(np.float32))
            stored_bits.append([variant.stored_bits for variant in variants])
        is_smooth = smooths and not layer.is_cached
        factors.append({"smooth": SmoothOption.factors(weight, x.reshape(-1, x.shape[-1]))} if is_smooth else {})
        of_layer = {drawn: several[i] for drawn, several in of_drawn.items()}
        tables.append(steps.table(layer, weight, tuple(input_options), of_layer, sampler.steps))
        scales.append([*(option.fit(steps.few(x)) for option in input_options), np.array([1.0, 0.0, 0.0])])
    options = tuple(weight_options), tuple(input_options)
    ranges, bits = np.array(scales, np.float32), np.array(stored_bits)
    bank = Bank(network, *options, tuple(weights), ranges, bits, factors=tuple(factors))  # type: ignore[arg-type]
    return Generator(bank, sampler, tuple(tables))


def trajectories(network: Network, sampler: DDIM, seed: int, images: int = _POOL) -> np.ndarray:
    """Returns the inputs of the network in every step of some images sampled in full precision.

    Args:
        network: a diffusion transformer.
        sampler: steps and guidance.
        seed: of the noise.
        images: how many, of each class as many.

    Returns:
        float32 [S, images times 1 or 2, P + 2].
    """
    form = network.forward
    noise = np.random.default_rng((seed, 17)).standard_normal((images, form.pixels), np.float32)
    labels = np.arange(images) % form.classes
    return np.asarray(plain(form, sampler)(tuple(network.weights), tuple(network.biases), noise, labels)[1])


def draw(pool: np.ndarray, sampler: DDIM, drawn: str, samples: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Draws calibration samples from trajectories.

    Args:
        pool: inputs of every step, [S, M, P + 2].
        sampler: gives the times of the steps.
        drawn: evenly, middle, noise or images, as in ``StepOption``.
        samples: n.
        seed: of the draw.

    Returns:
        Packed inputs [n, P + 2], and the step of each [n].
    """
    random = np.random.default_rng((seed, 23))
    last = len(pool) - 1
    if drawn == "evenly":
        at = np.arange(samples) * len(pool) // samples if samples < len(pool) else np.arange(samples) % len(pool)
    elif drawn == "middle":  # PTQ4DM: t ~ N(m, T / 2) with m below T / 2, kept in 0..T
        weight = np.exp(-0.5 * ((sampler.times[:-1] - 0.4) / 0.5) ** 2)
        at = random.choice(len(pool), samples, p=weight / weight.sum())
    else:
        at = np.full(samples, {"noise": 0, "images": last}[drawn])
    return pool[at, random.integers(0, pool.shape[1], samples)], at


def apply_step(form: Any, device: tuple[Any, ...], genes: Array, ways: frozenset[str], step: Array, inputs: Array) -> Array:
    """One denoising step of one config, in a function that JAX traces.

    Args:
        form: of the network.
        device: of a generator.
        genes: [2, L].
        ways: of a generator.
        step: number of the timestep.
        inputs: packed [N, P + 2].

    Returns:
        Clean images [N, P].
    """
    weights, biases, tables = device

    def apply(i: int, x: Array, *stored: Array) -> Array:
        row = InputTable(*(column[genes[1, i], step] for column in tables[i]))
        kernel, rounded = weights[i][genes[0, i]], steps.round_inputs(x, row, ways)
        return linear(form.layers[i], rounded, kernel, *(fake_store(each, kernel) for each in stored)) + biases[i]

    return form(apply, inputs)


@lru_cache(maxsize=16)
def _program(form: Any, sampler: DDIM, ways: frozenset[str]) -> Any:
    """The compiled sampler: (device arrays, genes [chunk, 2, L], noise, labels, how many count) -> images."""

    def several(device: Any, genes: Array, noise: Array, labels: Array, count: Array) -> Array:
        def one(each: Array) -> Array:
            denoise = lambda step, inputs: apply_step(form, device, each, ways, step, inputs)
            return sampler.sample(denoise, noise, labels, form.classes)[0]

        if jax.default_backend() != "cpu":
            return jax.vmap(one)(genes)
        empty = jnp.zeros((len(genes), *noise.shape), noise.dtype)
        return jax.lax.fori_loop(0, count, lambda i, images: images.at[i].set(one(genes[i])), empty)

    return jax.jit(several)


@lru_cache(maxsize=16)
def plain(form: Any, sampler: DDIM) -> Any:
    """Returns the compiled sampler in full precision: (weights, biases, noise, labels) -> images, inputs of every step.

    Args:
        form: of the network.
        sampler: steps and guidance.
    """

    def run(weights: Any, biases: Any, noise: Array, labels: Array) -> tuple[Array, Array]:
        apply = lambda i, x, *stored: linear(form.layers[i], x, weights[i], *stored) + biases[i]
        return sampler.sample(lambda _, inputs: form(apply, inputs), noise, labels, form.classes)

    return jax.jit(run)


@lru_cache(maxsize=4)
def _recorder(form: Any) -> Any:
    """The compiled step: (weights, biases, packed inputs) -> each layer's inputs, and keys and values by layer."""

    def run(weights: Any, biases: Any, packed: Array) -> tuple[list[Array], dict[int, Array]]:
        values: list[Any] = [None] * len(form.layers)
        kept = {}

        def apply(i: int, x: Array, *stored: Array) -> Array:
            values[i] = x
            if stored:
                (kept[i],) = stored
            return linear(form.layers[i], x, weights[i], *stored) + biases[i]

        form(apply, packed)
        return values, kept

    return jax.jit(run)


def _quantize(option: Weights, weight: np.ndarray, inputs: np.ndarray) -> Any:
    if isinstance(option, WeightOption):
        return option.quantize(weight, inputs.T.astype(np.float64) @ inputs if option.format == "round" else None)
    return option.quantize(weight, inputs)
