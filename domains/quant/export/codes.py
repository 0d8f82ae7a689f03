"""The codes of a bank's weights, recovered from the values that the bank computes with: integers, or places in a table."""

from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from qd.support.errors import UserError


class Codes(NamedTuple):
    """A layer's weights as integers: values == (codes - zero) * scale."""

    codes: np.ndarray  # int32, shaped as the weight
    scale: np.ndarray  # float32 [] for a tensor, or [out]
    zero: np.ndarray  # int32, shaped as the scale
    bits: int
    signed: bool  # codes around 0; else from 0 to 2^bits - 1


class Looked(NamedTuple):
    """A layer's weights as places in a table: values == table[places] * scale."""

    places: np.ndarray  # uint8, shaped as the weight
    table: np.ndarray  # float32 [entries]
    scale: np.ndarray | None  # float32 [out]
    bits: int


def in_table(bank: Any, layer: int, option_index: int) -> Looked:
    """Returns places in the table of values that there are. Raises ValueError where there are more than its bits can tell."""
    option, values = bank.weight_options[option_index], bank.weights[layer][option_index]
    scale = None if option.format == "codebook" else np.maximum(np.abs(values).reshape(-1, values.shape[-1]).max(0), 1e-12)
    plain = (values if scale is None else np.round(values / scale, 5)).astype(np.float32)
    table, places = np.unique(plain, return_inverse=True)
    if len(table) > 2**option.bits:
        name, most = bank.network.layers[layer].name, 2**option.bits
        raise UserError(f"{name}: {option.name} has {len(table)} values, and its bits tell {most}; it cannot be carried")
    return Looked(places.reshape(values.shape).astype(np.uint8), table, scale, option.bits)


def of_layer(bank: Any, layer: int, option_index: int) -> Codes:
    """Returns the codes. Raises ValueError where the bank's values lie on no grid of that option's scales."""
    option, values = bank.weight_options[option_index], bank.weights[layer][option_index]
    plain = option if option.format == "sparse" else replace(option, format="int")  # learned rounding keeps the scales
    told = plain.quantize(bank.network.weights[layer])
    scale = np.asarray(told.scale[0] if option.per == "tensor" else told.scale, np.float32)
    zero = np.asarray(told.zero[0] if option.per == "tensor" else told.zero, np.int32)
    codes = np.rint(values / scale + zero).astype(np.int32)
    if not np.allclose((codes - zero) * scale, values, rtol=1e-4, atol=1e-6):
        raise UserError(
            f"{bank.network.layers[layer].name}: the bank's weights are not those of {option.name}", "build it anew"
        )
    return Codes(codes, scale, zero, option.bits, option.symmetric)
