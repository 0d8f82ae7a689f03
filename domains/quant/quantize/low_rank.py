"""Low-rank tuning of quantized weights, then a step size for each timestep (EfficientDM, He et al. 2024).

w = Q(w_0 + B A) with B [K, r], A [r, O] merged before rounding (QALoRA, eq. 5), trained to give what full precision gives on
samples of its own (eq. 6, no data); then the inputs' steps, one for each layer and timestep (TALSQ, section 3.4). Rounding
passes gradients straight through. L layers, S timesteps, n samples.
"""

from dataclasses import replace
from functools import lru_cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from domains.quant.networks.layers import linear
from domains.quant.quantize.generator import Generator, draw, trajectories
from domains.quant.quantize.steps import InputTable
from qd.types import Array

RANK, BATCH, RATE = 4, 32, 2e-3


def tune(generator: Generator, option: int, inputs: int, seed: int = 0, steps: int = 40, samples: int = 512) -> Generator:
    """Returns the same generator with one pair of options tuned: its only option of weights, and its only one of inputs.

    Args:
        generator: of integers, a scale a channel, for weights, and of ranges that are not each token's for inputs.
        option: index of the weight option.
        inputs: index of the input option.
        seed: of the samples, their order and A.
        steps: of training; the second half changes the inputs' steps alone.
        samples: n that it trains on.
    """
    bank, form = generator.bank, generator.bank.network.forward
    packed, at = draw(trajectories(bank.network, generator.sampler, seed + 1000), generator.sampler, "evenly", samples, seed)
    wanted = np.asarray(jax.jit(bank.network.__call__)(packed))
    rows = tuple(InputTable(*(column[inputs] for column in table)) for table in generator.tables)
    most = float(2 ** (bank.weight_options[option].bits - 1) - 1)
    params = _initial(generator, seed)
    order = np.random.default_rng(seed).integers(0, samples, (steps, BATCH))
    fixed = (tuple(bank.network.weights), tuple(bank.network.biases), rows)
    trained = _trainer(form, steps)(params, fixed, most, packed[order], at[order], wanted[order])
    weights, tables = [], []
    for i, (weight, (factors, b, a)) in enumerate(zip(bank.network.weights, trained, strict=True)):
        cached = bank.network.layers[i].is_cached
        changed = bank.weights[i][option] if cached else np.asarray(_round(weight + b @ a, most))
        weights.append(np.stack([changed, bank.weights[i][-1]]))
        step = np.exp(np.asarray(factors))[:, None]
        row = rows[i]._replace(up=rows[i].up * step, down=rows[i].down * step)
        tables.append(InputTable(*(np.stack([new, old[-1]]) for new, old in zip(row, generator.tables[i], strict=True))))
    return one_pair(generator, option, inputs, weights, tables)


def one_pair(generator: Generator, option: int, inputs: int, weights: list[np.ndarray], tables: list[InputTable]) -> Generator:
    """Returns a generator of one pair of options, and full precision.

    Args:
        generator: with more options.
        option: index of the weight option.
        inputs: index of the input option.
        weights: of each layer, [2, *shape].
        tables: of each layer, with two rows.
    """
    bank = generator.bank
    few = replace(
        bank,
        weights=tuple(weights),
        weight_options=(bank.weight_option(option),),
        activation_options=(bank.activation_options[inputs],),
        scales=bank.scales[:, [inputs, -1]],
        stored_bits=bank.stored_bits[:, [option]],
    )
    return Generator(few, generator.sampler, tuple(tables))


def _initial(generator: Generator, seed: int) -> list[tuple[Array, Array, Array]]:
    """Of each layer: log factors of its inputs' steps [S], B of zeros, A at random."""
    params, several = [], generator.sampler.steps
    for key, layer in zip(
        jax.random.split(jax.random.key(seed), generator.bank.size), generator.bank.network.layers, strict=True
    ):
        rank = RANK * (not layer.is_cached)  # keys and values have no kernel
        a = jax.random.normal(key, (rank, layer.shape[1])) / layer.shape[0] ** 0.5
        params.append((jnp.zeros(several), jnp.zeros((layer.shape[0], rank)), a))
    return params


@lru_cache(maxsize=4)
def _trainer(form: Any, steps: int) -> Any:
    """The compiled training: (parameters, what stays, largest code of weights, inputs, timesteps, targets) -> parameters."""
    rule = optax.adam(optax.cosine_decay_schedule(RATE, steps))

    def loss(params: Any, fixed: Any, most: Array, inputs: Array, at: Array, wanted: Array) -> Array:
        weights, biases, rows = fixed

        def apply(i: int, x: Array, *stored: Array) -> Array:
            factors, b, a = params[i]
            if stored:  # as they are, while it trains
                return linear(form.layers[i], x, weights[i], *stored)
            of_step = InputTable(*(column[at] for column in rows[i]))  # [N, K]
            step = jnp.exp(factors)[at][:, None]
            return linear(form.layers[i], _fake(x, of_step, step), _round(weights[i] + b @ a, most)) + biases[i]

        return ((form(apply, inputs) - wanted) ** 2).mean()

    def step(state: Any, each: Any, fixed: Any, most: Array) -> tuple[Any, Array]:
        params, memory = state
        number, inputs, at, wanted = each
        value, slope = jax.value_and_grad(loss)(params, fixed, most, inputs, at, wanted)
        late = number >= steps // 2
        changes = [(late, ~late, ~late)] * len(params)
        only = lambda values: jax.tree.map(lambda value, counts: value * counts, values, changes)
        update, memory = rule.update(only(slope), memory, params)
        update = only(update)
        return (optax.apply_updates(params, update), memory), value

    def train(params: Any, fixed: Any, most: Array, inputs: Array, at: Array, wanted: Array) -> Any:
        several = (jnp.arange(steps), inputs, at, wanted)
        state, _ = jax.lax.scan(lambda s, each: step(s, each, fixed, most), (params, rule.init(params)), several)
        return state[0]

    return jax.jit(train)


def _round(weight: Array, most: Array) -> Array:
    """Integers -most..most times a scale a channel; the gradient passes as if nothing were rounded."""
    scale = jnp.maximum(jnp.abs(weight).max(0), 1e-12) / most
    return weight + jax.lax.stop_gradient(jnp.clip(jnp.round(weight / scale), -most, most) * scale - weight)


def _fake(x: Array, row: InputTable, step: Array) -> Array:
    """As ``steps.round_inputs``; the gradient reaches x inside the range, and the step size (LSQ, Esser et al. 2020, eq. 3)."""
    middle = (slice(None), None) if x.ndim == 3 else (slice(None),)
    up, down, low, high = (column[middle] for column in row[:4])
    scale = jnp.where(x >= 0, up, down) * (step[middle] if x.ndim == 3 else step)
    code = jnp.clip(x / scale, low, high)
    return (code + jax.lax.stop_gradient(jnp.round(code) - code)) * scale
