"""Tunes a language model with half of its groups gone: block by block, then scales alone from end to end.

After GQSA (Zeng et al. 2024). First BQPO: the kernels that stay and their scales, by the squared error of each block's results,
whose inputs come from the tuned blocks before it. Then E2E-OQP: kernels stay, scales learn from the text. K inputs of a layer,
O outputs, N windows.
"""

from functools import lru_cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from domains.quant.networks.language import PARTS
from domains.quant.networks.layers import Network, linear
from domains.quant.quantize import calibration
from domains.quant.quantize.estimators import Groups
from domains.quant.quantize.published import kept_groups
from domains.quant.tune.language import Params, tune
from qd.types import Array

BLOCK_STEPS, END_STEPS = 30, 30
_PEAK, _PEAK_OF_SCALES = 6e-3, 1e-3
_RELATIVE = 0.1  # scales move so many times as fast as kernels: they are a tenth as large


def pruned(network: Network, x: np.ndarray, way: Groups) -> Params:
    """Returns the network without half of its groups, not tuned.

    Args:
        network: the language model.
        x: its inputs to calibrate on, [N, T, D].
        way: gives the bits.

    Returns:
        Number of a layer -> kernel and scales.
    """
    inputs = calibration.inputs(network, x)
    gram = lambda i: calibration.gram(network.layers[i], inputs[i])
    return {
        i: way.params(network.weights[i], kept_groups(network.weights[i], gram(i)))
        for i, layer in enumerate(network.layers)
        if not layer.is_cached
    }


def tune_groups(network: Network, x: np.ndarray, way: Groups, seed: int = 0) -> Params:
    """Returns the network without half of its groups, tuned in both ways.

    Args:
        network: the language model.
        x: its inputs to calibrate and to tune blocks on, [N, T, D].
        way: gives the bits.
        seed: of the order of the text that scales learn from.

    Returns:
        Number of a layer -> kernel and scales.

    Raises:
        UserError: the text is not on this machine.
    """
    params, form = pruned(network, x, way), network.forward
    before = after = jnp.asarray(x)
    descend, run = _descent(form), _run(form)
    for b in range(form.blocks):
        layers = [len(PARTS) * b + i for i, part in enumerate(PARTS) if part not in ("keys", "values")]
        own = {i - len(PARTS) * b: params[i] for i in layers}
        biases = {i - len(PARTS) * b: network.biases[i] for i in layers}
        full = run({i - len(PARTS) * b: network.weights[i] for i in layers}, biases, before)
        own = descend(own, biases, after, full, way)
        after = run({i: way.values(each) for i, each in own.items()}, biases, after)
        before = full
        params |= {i + len(PARTS) * b: each for i, each in own.items()}
    return tune(network, [way], END_STEPS, seed, begin=params, only=("scale",), peak=_PEAK_OF_SCALES)


def _block(form: Any, kernels: dict[int, Array], biases: dict[int, Array], x: Array) -> Array:
    apply = lambda i, x, *stored: linear(form.layers[i], x, x, *stored) if stored else x @ kernels[i] + biases[i]
    return form.block(0, apply, x)


@lru_cache(maxsize=2)
def _run(form: Any) -> Any:
    return jax.jit(lambda kernels, biases, x: _block(form, kernels, biases, x))


@lru_cache(maxsize=2)
def _descent(form: Any) -> Any:
    """The compiled descent of a block: (its parameters, biases, inputs, wanted results, way) -> parameters."""
    rule, rate = optax.scale_by_adam(b2=0.95), optax.cosine_decay_schedule(_PEAK, BLOCK_STEPS)

    def run(params: Params, biases: Any, x: Array, wanted: Array, way: Groups) -> Params:
        def error(params: Params) -> Array:
            kernels = {i: way.values(each) for i, each in params.items()}
            return ((_block(form, kernels, biases, x) - wanted) ** 2).mean() / (wanted**2).mean()

        def step(state: tuple[Params, Any], i: Array) -> tuple[tuple[Params, Any], None]:
            params, memory = state
            update: Any
            update, memory = rule.update(jax.grad(error)(params), memory)  # shaped as params
            speed = {"kernel": 1.0, "scale": _RELATIVE}
            move = lambda layer, n: params[layer][n] - rate(i) * speed[n] * update[layer][n]
            return ({layer: {n: move(layer, n) for n in each} for layer, each in params.items()}, memory), None

        return jax.lax.scan(step, (params, rule.init(params)), jnp.arange(BLOCK_STEPS))[0][0]

    return jax.jit(run)
