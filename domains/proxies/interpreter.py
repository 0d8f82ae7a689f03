"""A whole batch of expressions, evaluated in one program: first by site and option, then summed over each config's choices.

An expression is computed on tables of sites and options (hundreds of numbers a network), never config by config; what a
config scores is a product with its 0-1 choices.

B expressions, K networks, T statistics, S sites, O options, M = S x O, C configs, F the best fifth of them.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from domains.proxies.operations import apply
from domains.proxies.record import NAMES, NetworkRecord
from domains.proxies.structures import Expressions
from qd.support.errors import UserError
from qd.types import Array

FINE, BROKEN, CONSTANT = 0, 1, 2  # how an expression ended; broken: divided by zero, overflowed, or took log or root of less


class BenchTables(NamedTuple):
    """K networks side by side, padded to the largest."""

    statistics: np.ndarray  # [T, K, M]
    valid: np.ndarray  # [K, M]
    choices: np.ndarray  # [K, M, C] 0 or 1
    truth: np.ndarray  # [K, C] ranks of accuracies, mean 0 and length 1
    best: np.ndarray  # [K, F] rows of the truly best fifth
    best_truth: np.ndarray  # [K, F] their ranks, mean 0 and length 1


class Correlations(NamedTuple):
    """Spearman's rank correlations of expressions with accuracy, and how each expression ended."""

    whole: Array  # [B, K] over all configs
    best: Array  # [B, K] over the truly best fifth
    failure: Array  # [B]


def tables(records: list[NetworkRecord], share: float = 0.2, configs: int | None = None) -> BenchTables:
    """Lays K networks side by side, padded to the largest.

    Args:
        records: the networks, each with as many configs.
        share: of the configs that count as the best (F); at least 3 do.
        configs: only the first so many; None: all.

    Returns:
        The tables of all K networks.

    Raises:
        ValueError: the networks differ in their number of configs.
    """
    several = {len(record.configs) for record in records}
    if len(several) != 1:
        raise UserError(f"networks with {sorted(several)} configs cannot stand side by side", "give each as many")
    few = min(configs or 10**9, *several)
    sites, options = (max(r.statistics.shape[i] for r in records) for i in (1, 2))
    statistics = np.ones((len(NAMES), len(records), sites, options), np.float32)
    valid = np.zeros((len(records), sites, options), bool)
    choices = np.zeros((len(records), sites, options, few), np.float32)
    for k, record in enumerate(records):
        _, s, o = record.statistics.shape
        there = np.isfinite(record.of("bits"))
        valid[k, :s, :o] = there
        statistics[:, k, :s, :o] = np.where(there, record.statistics, 1)
        choices[k, np.arange(s)[:, None], record.configs[:few].T, np.arange(few)] = 1
    accuracy = np.stack([record.accuracy[:few] for record in records])
    best = np.argsort(-accuracy, axis=1, kind="stable")[:, : max(3, round(few * share))]
    flat = lambda x, *more: x.reshape(*x.shape[: x.ndim - len(more) - 2], -1, *more)
    return BenchTables(
        flat(statistics), flat(valid), flat(choices, few), _unit(accuracy), best, _unit(np.take_along_axis(accuracy, best, 1))
    )


def correlations(networks: BenchTables, expressions: Expressions) -> Correlations:
    """Correlates B expressions on K networks; to be traced.

    Args:
        networks: K of them.
        expressions: B of them.

    Returns:
        Spearman's rank correlations with accuracy, -1 to 1, [B, K] each, and how each expression ended, [B]. An expression
        that failed on one network has NaN on all.
    """
    predictions, failed_rows = scores(networks, expressions)
    constant = (predictions.max(-1) == predictions.min(-1)).any(-1)
    failure = jnp.where(failed_rows, BROKEN, jnp.where(constant, CONSTANT, FINE))
    best = jnp.take_along_axis(predictions, jnp.asarray(networks.best)[None], 2)
    fine = (failure == FINE)[:, None]
    whole, few = _spearman(predictions, networks.truth), _spearman(best, networks.best_truth)
    return Correlations(jnp.where(fine, whole, jnp.nan), jnp.where(fine, few, jnp.nan), failure)


def scores(networks: BenchTables, expressions: Expressions) -> tuple[Array, Array]:
    """Predicts every config: an expression's table, summed over the options that the config chooses.

    Arguments as in ``correlations``.

    Returns:
        Predictions [B, K, C], rounded to 16 bits of mantissa (five digits) and 0 where an expression broke; which broke,
        bool [B].
    """
    table = evaluate_tables(networks, expressions)
    masked = jnp.where(networks.valid, table, 0.0)
    predictions = jnp.einsum("bkm,kmc->bkc", masked, jnp.asarray(networks.choices), precision=jax.lax.Precision.HIGHEST)
    failed_rows = ~jnp.isfinite(predictions).all((1, 2))
    return _round(jnp.where(failed_rows[:, None, None], 0.0, predictions)), failed_rows


def evaluate_tables(networks: BenchTables, expressions: Expressions) -> Array:
    """Computes the expressions' own tables; arguments as in ``correlations``.

    Returns:
        [B, K, M]; NaN where something was not finite on the way, meaningless where ``networks.valid`` is False.
    """
    statistics = jnp.asarray(networks.statistics)
    bits, valid = statistics[NAMES.index("bits")], jnp.asarray(networks.valid)
    inputs = jnp.moveaxis(statistics[expressions.inputs], 1, 0)  # [I, B, K, M]
    nodes = jnp.moveaxis(jnp.asarray(expressions.nodes), 1, 0)  # [N, B, 3]
    values = jnp.concatenate([inputs, jnp.zeros((len(nodes), *inputs.shape[1:]), inputs.dtype)])
    rows = jnp.arange(inputs.shape[1])

    def one(values: Array, place: tuple[Array, Array]) -> tuple[Array, None]:
        slot, node = place
        result = apply(node[:, 0], values[node[:, 1], rows], values[node[:, 2], rows], bits, valid)
        return values.at[slot].set(result), None

    places = jnp.arange(len(inputs), len(values))
    return jax.lax.scan(one, values, (places, nodes))[0][-1]


def _spearman(predictions: Array, truth: np.ndarray) -> Array:
    """Pearson's correlation of ranks, ties at their mean rank; 0 where all are tied.

    predictions [B, K, C], truth [K, C].
    """
    value, place, reverse = _sort(predictions)
    count, last = value.shape[-1], value.ndim - 1
    edge = jnp.ones_like(value[..., :1], bool)
    changes = value[..., 1:] != value[..., :-1]
    begins, ends = jnp.concatenate([edge, changes], -1), jnp.concatenate([changes, edge], -1)
    position = jnp.arange(count, dtype=jnp.float32)
    first = jax.lax.cummax(jnp.where(begins, position, 0.0), axis=last)
    final = jax.lax.cummin(jnp.where(ends, position, float(count)), axis=last, reverse=True)
    ranks = (first + final - (count - 1)) / 2  # mean 0
    length = jnp.sqrt((ranks**2).sum(-1))
    there = jnp.asarray(truth)[jnp.arange(len(truth))[:, None], place]
    correlation = jnp.where(length > 0, (ranks * there).sum(-1) / jnp.maximum(length, 1e-9), 0.0)
    return jnp.where(reverse, -correlation, correlation)


def _sort(predictions: Array) -> tuple[Array, Array, Array]:
    """Sorts along the last axis; returns values, the place that each had before, and [...] where the order is reversed.

    Value and place are one whole number, value above: one array of these is sorted five times as fast as pairs. A value is
    its distance from that end which is nearer to 0, where floats are dense, scaled to 0..1, with 15 bits of mantissa (at 600
    configs); ties stay ties.
    """
    count = predictions.shape[-1]
    low, high = (
        predictions.min(-1, keepdims=True) / 2,
        predictions.max(-1, keepdims=True) / 2,
    )  # halves: a difference may overflow
    reverse = jnp.abs(low) > jnp.abs(high)
    distance = jnp.where(reverse, high - predictions / 2, predictions / 2 - low)
    share = jnp.clip(distance / jnp.maximum(high - low, 1e-30), 0.0, 1.0)
    whole = jax.lax.bitcast_convert_type(share, jnp.uint32)  # rises with the value; at most 30 bits
    bits = max((count - 1).bit_length(), 2)
    key = ((whole >> (bits - 2)) << bits) | jnp.arange(count, dtype=jnp.uint32)
    codes = jax.lax.sort(key, is_stable=False)
    return codes >> bits, (codes & ((1 << bits) - 1)).astype(jnp.int32), reverse[..., 0]


def _round(x: Array) -> Array:
    """Keeps 16 of 23 bits of the mantissa, so that values that differ by rounding alone are tied."""
    whole = jax.lax.bitcast_convert_type(x, jnp.int32)
    rounded_bits = jax.lax.bitcast_convert_type((whole + 64) & ~127, jnp.float32)
    return jnp.where(jnp.isfinite(rounded_bits), rounded_bits, x)


def _unit(accuracy: np.ndarray) -> np.ndarray:
    """Ranks along the last axis, mean 0 and length 1; zeros where all are tied."""
    from scipy.stats import rankdata

    ranks = rankdata(accuracy, axis=-1) - (accuracy.shape[-1] + 1) / 2
    return (ranks / np.maximum(np.linalg.norm(ranks, axis=-1, keepdims=True), 1e-9)).astype(np.float32)
