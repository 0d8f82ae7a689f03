"""Trains the codebooks of a diffusion transformer end to end, while codes stay (LR2VQ, Zhu et al. 2022).

The loss is what full precision gives on samples of the network's own, in place of a task's: no data are needed.
"""

from functools import lru_cache
from typing import Any

import jax
import numpy as np
import optax

from domains.quant.networks.layers import linear
from domains.quant.quantize.generator import Generator, draw, trajectories
from domains.quant.quantize.low_rank import BATCH, RATE, one_pair
from domains.quant.quantize.low_rank_vectors import Factors, factorize, weight_of
from qd.types import Array


def tune(generator: Generator, option: int, seed: int = 0, steps: int = 40, samples: int = 512) -> Generator:
    """Returns the same generator with a trained weight option as its only one; inputs as before the first of its options.

    Args:
        generator: of which one weight option is a ``LowRankVectorOption``.
        option: its index.
        seed: of the samples and their order.
        steps: of training.
        samples: that it trains on, of the network's own.
    """
    bank, form = generator.bank, generator.bank.network.forward
    packed, _ = draw(trajectories(bank.network, generator.sampler, seed + 1000), generator.sampler, "evenly", samples, seed)
    wanted = np.asarray(jax.jit(bank.network.__call__)(packed))
    order = np.random.default_rng(seed).integers(0, samples, (steps, BATCH))
    kernels = [weight for weight, layer in zip(bank.network.weights, form.layers, strict=True) if not layer.is_cached]
    factors = [factorize(weight, bank.weight_options[option].bits) for weight in kernels]
    params = [(f.codebook.astype(np.float32), f.matrix.astype(np.float32)) for f in factors]
    codes = tuple(f.codes.astype(np.int32) for f in factors)
    trained = _trainer(form, steps)(params, codes, tuple(bank.network.biases), packed[order], wanted[order])
    weights = []
    for i, layer in enumerate(form.layers):
        values = bank.weights[i][option] if layer.is_cached else weight_of(Factors(codes[i], *trained[i]), *layer.shape)
        weights.append(np.stack([np.asarray(values, np.float32), bank.weights[i][-1]]))
    tables = [type(table)(*(column[[0, -1]] for column in table)) for table in generator.tables]
    return one_pair(generator, option, 0, weights, tables)


@lru_cache(maxsize=4)
def _trainer(form: Any, steps: int) -> Any:
    """The compiled training: (codebooks and matrices, codes, biases, inputs, targets) -> codebooks and matrices."""
    rule = optax.adam(optax.cosine_decay_schedule(RATE, steps))

    def loss(params: Any, codes: Any, biases: Any, inputs: Array, wanted: Array) -> Array:
        def apply(i: int, x: Array, *stored: Array) -> Array:
            if stored:
                return linear(form.layers[i], x, x, *stored)
            weight = weight_of(Factors(codes[i], *params[i]), *form.layers[i].shape)
            return linear(form.layers[i], x, weight) + biases[i]

        return ((form(apply, inputs) - wanted) ** 2).mean()

    def train(params: Any, codes: Any, biases: Any, inputs: Array, wanted: Array) -> Any:
        def step(state: Any, each: Any) -> tuple[Any, Array]:
            params, memory = state
            value, slope = jax.value_and_grad(loss)(params, codes, biases, *each)
            update, memory = rule.update(slope, memory, params)
            return (optax.apply_updates(params, update), memory), value

        state, _ = jax.lax.scan(step, (params, rule.init(params)), (inputs, wanted))
        return state[0]

    return jax.jit(train)
