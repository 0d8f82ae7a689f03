"""The quantizer bank: every layer in every variant, prepared once; a config is only a choice of indices.

A solution has two genes a layer: [2L] whole numbers, first L weight options, then L activation options. Evaluation is
to gather and to run forward, in one compiled program for all configs: on a CPU one config after the other (grouped
convolutions make vmap slowest there), on an accelerator side by side.

B configs, L layers, W weight options, A activation options, N images, C outputs.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from domains.quant.networks.layers import Network, linear
from domains.quant.quantize import calibration, inputs, salience, turns
from domains.quant.quantize.inputs import fake_quantize
from domains.quant.quantize.published import Hints
from domains.quant.quantize.quantizers import ActivationOption, WeightOption
from qd.support.errors import UserError
from qd.support.spelling import unknown
from qd.types import Array

_CHUNK = 8  # configs that one call of the program takes; fewer are filled up


@dataclass(frozen=True, eq=False)
class Bank:
    """A network in all its variants; index W (A) stands for full precision and is in no search space."""

    network: Network
    weight_options: tuple[WeightOption, ...]  # W
    activation_options: tuple[ActivationOption, ...]  # A
    weights: tuple[np.ndarray, ...]  # of layer l: float32 [W + 1, *shape]; of keys and values [W + 1, ...] how they are stored
    scales: np.ndarray  # float32 [L, A + 1, 3]: scale, zero, levels; levels 0: as it is
    stored_bits: np.ndarray  # [L, W] weights with scales and zero points, without biases
    turns: tuple[inputs.Turns, ...] = ()  # of layer l, what is done to its inputs before they are rounded
    factors: tuple[dict[str, np.ndarray], ...] = ()  # of layer l, by name of a turn: what weights were multiplied by

    @cached_property
    def size(self) -> int:
        """L."""
        return len(self.network.layers)

    def weight_option(self, index: int) -> WeightOption | None:
        """Returns the weight option of an index; None for W, full precision."""
        return None if index == len(self.weight_options) else self.weight_options[index]

    def activation_option(self, index: int) -> ActivationOption | None:
        """Returns the activation option of an index; None for A, full precision."""
        return None if index == len(self.activation_options) else self.activation_options[index]

    def split(self, solutions: Array) -> tuple[np.ndarray, np.ndarray]:
        """Returns weight and activation indices, each [B, L]. Raises ValueError where they cannot be such."""
        configs = np.atleast_2d(np.asarray(solutions))
        if configs.shape[1] != 2 * self.size:
            raise UserError(f"a config of {self.network.name} has {2 * self.size} genes, and these have {configs.shape[1]}")
        of_weights, of_inputs = configs[:, : self.size].astype(np.int32), configs[:, self.size :].astype(np.int32)
        if configs.min() < 0 or of_weights.max() > len(self.weight_options) or of_inputs.max() > len(self.activation_options):
            raise UserError(
                f"a gene of {configs.min()}..{configs.max()} is no index of {len(self.weight_options)} weight options and "
                f"{len(self.activation_options)} activation options; genes count from 0"
            )
        return of_weights, of_inputs

    def full(self) -> np.ndarray:
        """The config of full precision, [2L]."""
        return np.repeat([len(self.weight_options), len(self.activation_options)], self.size).astype(np.int32)

    def uniform(self, weight: str | int, activation: str | int) -> np.ndarray:
        """The config of one option for all weights and one for all inputs.

        Args:
            weight: name or index of a weight option.
            activation: name or index of an activation option.

        Returns:
            int32 [2L].

        Raises:
            UserError: there is no option of that name.
        """
        pairs = ((weight, self.weight_options), (activation, self.activation_options))
        return np.repeat([_index(option, options) for option, options in pairs], self.size).astype(np.int32)

    def logits(self, solutions: Array, images: np.ndarray) -> np.ndarray:
        """Runs B configs on N images.

        Args:
            solutions: configs [B, 2L].
            images: inputs of the network, [N, H, W, 1] or [N, T, D].

        Returns:
            float32 [B, N, C].
        """
        genes = np.stack(self.split(solutions), 1)  # [B, 2, L]
        device, program = self._device, _program(self.network.forward)
        pixels = jnp.asarray(images)
        outputs = []
        for at in range(0, len(genes), _CHUNK):
            rows = np.minimum(np.arange(at, at + _CHUNK), len(genes) - 1)
            outputs.append(np.asarray(program(*device, genes[rows], pixels, min(_CHUNK, len(genes) - at))))
        return np.concatenate(outputs)[: len(genes)]

    def run(self, genes: Array, images: Array) -> Array:
        """Runs one config, in a function that JAX traces.

        Args:
            genes: indices of weight and of activation options, [2, L].
            images: inputs of the network, [N, H, W, 1] or [N, T, D].

        Returns:
            Outputs [N, C].
        """
        return _forward(self.network.forward, self._device, genes, images)

    @cached_property
    def _device(self) -> tuple[Any, ...]:
        return jax.device_put((self.weights, tuple(self.network.biases), self.scales, self.turns))


def build(
    network: Network,
    weight_options: Sequence[WeightOption],
    activation_options: Sequence[ActivationOption],
    images: np.ndarray,
    targets: np.ndarray | None = None,
) -> Bank:
    """Prepares every variant; ranges of inputs, and learned rounding, come from the calibration images.

    Args:
        network: what is quantized.
        weight_options: the W options of every layer's weights.
        activation_options: the A options of every layer's inputs.
        images: the network's inputs to calibrate on, [N, H, W, 1] or [N, T, D].
        targets: what the network should answer, [N, ...]; mixed channels are chosen by the loss.

    Returns:
        The bank; index W of weights and index A of activations are full precision.

    Raises:
        ValueError: an option with learned rounding has a scale for each group, or mixed channels have no targets.
    """
    x, stored = calibration.record(network, images)
    weight_options, activation_options = tuple(weight_options), tuple(activation_options)
    salient: Sequence[np.ndarray | None] = [None] * len(x)
    if any(option.format == "mixed" for option in weight_options):
        salient = salience.channels(network, images, targets)
    weights, stored_bits, scales, turned, all_factors = [], [], [], [], []
    for i, layer in enumerate(network.layers):
        factors = _factors(network, i, x[i], weight_options, activation_options)
        all_factors.append(factors)
        if layer.is_cached:
            rows = [inputs.cache_row(option, stored[i], layer.kind) for option in (*weight_options, None)]
            weights.append(np.stack(rows))
            stored_bits.append([inputs.cache_bits(option, layer) for option in weight_options])
        else:
            gram = calibration.gram(layer, x[i]) if any(o.format in ("round", "groups") for o in weight_options) else None
            whole = {name: factors[name] for name in turns.WHOLE if name in factors} or None
            drawn = np.random.default_rng(i).random(layer.shape[-1])
            hints = Hints(gram, factors.get("smooth"), factors.get("learned"), salient[i], (network.name, i), whole, drawn)
            variants = [option.quantize(network.weights[i], gram, hints) for option in weight_options]
            weights.append(np.stack([variant.values for variant in variants] + [network.weights[i]]))
            stored_bits.append([variant.stored_bits for variant in variants])
        fitted = [option.fit(turns.turn(x[i], option.turn, factors)) for option in activation_options]
        scales.append([*fitted, np.array([1.0, 0.0, 0.0])])
        turned.append(inputs.turns(activation_options, factors))
    return Bank(
        network,
        weight_options,
        activation_options,
        tuple(weights),
        np.array(scales, np.float32),
        np.array(stored_bits),
        tuple(turned),
        tuple(all_factors),
    )


def _factors(
    network: Network,
    i: int,
    x: np.ndarray,
    weight_options: tuple[WeightOption, ...],
    activation_options: tuple[ActivationOption, ...],
) -> dict[str, np.ndarray]:
    """What a layer's inputs are divided or multiplied by, for each turn that an option asks for; queries, attention: none."""
    names = {option.format for option in weight_options} | {option.turn for option in activation_options}
    if network.layers[i].is_cached:
        return {}
    ways = {"smooth": turns.smooth, "learned": turns.learn, **turns.LEARN}
    return {
        name: way(x, network.weights[i].reshape(-1, network.weights[i].shape[-1]))
        for name, way in ways.items()
        if name in names
    }


def _forward(form: Any, device: tuple[Any, ...], genes: Array, images: Array) -> Array:
    (weights, biases, scales, turned), layers = device, form.layers

    def apply(i: int, x: Array, *stored: Array) -> Array:
        kernel, scale = weights[i][genes[0, i]], scales[i, genes[1, i]]
        x = inputs.turned(x, scale, turned[i], genes[1, i]) if turned and turned[i] else fake_quantize(x, scale)
        return linear(layers[i], x, kernel, *(inputs.fake_store(each, kernel) for each in stored)) + biases[i]

    return form(apply, images)


@lru_cache(maxsize=8)
def _program(form: Any) -> Any:
    """The compiled program of a form: (device arrays, genes [chunk, 2, L], images, how many count) -> outputs."""

    def several(weights: Any, biases: Any, scales: Any, turned: Any, genes: Array, images: Array, count: Array) -> Array:
        one = lambda each: _forward(form, (weights, biases, scales, turned), each, images)
        if jax.default_backend() != "cpu":
            return jax.vmap(one)(genes)
        shape = jax.eval_shape(one, genes[0])
        empty = jnp.zeros((len(genes), *shape.shape), shape.dtype)
        return jax.lax.fori_loop(0, count, lambda i, outputs: outputs.at[i].set(one(genes[i])), empty)

    return jax.jit(several)


def _index(option: str | int, options: Sequence[WeightOption] | Sequence[ActivationOption]) -> int:
    names = [each.name for each in options]
    if isinstance(option, str) and option not in names:
        raise unknown("option", option, names, "of the bank")
    return names.index(option) if isinstance(option, str) else option
