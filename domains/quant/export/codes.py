"""The codes of a config's weights, recovered from the values that the bank computes with: integers, or indices into a table."""

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from domains.quant.quantize.bank import Bank
from domains.quant.quantize.quantizers import SIGNED_BITS
from qd.support.errors import UserError


class Codes(NamedTuple):
    """A layer's weights as integers: values == (codes - zero) * scale."""

    codes: np.ndarray  # int32, shaped as the weight
    scale: np.ndarray  # float32 [] for a tensor, or [out]
    zero: np.ndarray  # int32, shaped as the scale
    bits: int
    signed: bool  # codes around 0; else from 0 to 2^bits - 1

    @property
    def widening(self) -> int:
        """The largest factor by which codes for an integer kernel are multiplied: to 8 bits unsigned, to 7 bits signed."""
        return 2 ** ((SIGNED_BITS if self.signed else 8) - self.bits)


class Lookup(NamedTuple):
    """A layer's weights as indices into a table: values == table[indices] * scale."""

    indices: np.ndarray  # uint8, shaped as the weight
    table: np.ndarray  # float32 [entries]
    scale: np.ndarray | None  # float32 [out]
    bits: int


def for_kernel(weight: Codes) -> Codes:
    """Returns the same weights in codes that integer kernels multiply exactly on every processor.

    x86 processors without VNNI multiply uint8 inputs by int8 weights with `pmaddubsw`, which adds two neighbouring products
    in 16 bits and saturates. Signed codes of at most 7 bits cannot reach that; those of 8 bits become unsigned around 128,
    since the kernels for uint8 weights add in 32 bits.

    Args:
        weight: codes of any number of bits up to 8.

    Returns:
        Codes with the same values: unsigned with zero point 128 in place of signed ones of more than 7 bits.
    """
    if not weight.signed or weight.bits <= SIGNED_BITS:
        return weight
    half = 2 ** (weight.bits - 1)
    return weight._replace(codes=weight.codes + half, zero=weight.zero + half, signed=False)


def in_table(bank: Bank, layer: int, index: int) -> Lookup:
    """Returns a layer's weights by option ``index`` as indices into the table of their distinct values.

    Args:
        bank: L layers in W + A options.
        layer: its number.
        index: of a weight option that is a table.

    Returns:
        Indices shaped as the weight, the table, and a scale for each output channel (none for a codebook).

    Raises:
        UserError: there are more distinct values than the option's bits can index.
    """
    option, values = bank.weight_options[index], bank.weights[layer][index]
    scale = None if option.format == "codebook" else np.maximum(np.abs(values).reshape(-1, values.shape[-1]).max(0), 1e-12)
    plain = (values if scale is None else np.round(values / scale, 5)).astype(np.float32)
    table, indices = np.unique(plain, return_inverse=True)
    if len(table) > 2**option.bits:
        name, most = bank.network.layers[layer].name, 2**option.bits
        raise UserError(f"{name}: {option.name} has {len(table)} values, and its bits index {most}; it cannot be exported")
    return Lookup(indices.reshape(values.shape).astype(np.uint8), table, scale, option.bits)


def in_integers(bank: Bank, layer: int, index: int) -> Codes:
    """Returns a layer's weights by option ``index`` as integers on the grid of that option's scales.

    Args:
        bank: L layers in W + A options.
        layer: its number.
        index: of a weight option that runs in integers.

    Returns:
        Codes shaped as the weight; scale and zero point of the tensor, or of each output channel.

    Raises:
        UserError: the bank's values do not lie on that grid.
    """
    option, values = bank.weight_options[index], bank.weights[layer][index]
    plain = option if option.format == "sparse" else replace(option, format="int")  # learned rounding keeps the scales
    grid = plain.quantize(bank.network.weights[layer])
    assert grid.scale is not None and grid.zero is not None  # option.runs_in_integers
    scale = np.asarray(grid.scale[0] if option.per == "tensor" else grid.scale, np.float32)
    zero = np.asarray(grid.zero[0] if option.per == "tensor" else grid.zero, np.int32)
    codes = np.rint(values / scale + zero).astype(np.int32)
    if not np.allclose((codes - zero) * scale, values, rtol=1e-4, atol=1e-6) and option.symmetric:  # a trained weight's own
        most = 2 ** (option.bits - 1) - 1
        scale = np.maximum(np.abs(values).reshape(-1, values.shape[-1]).max(0), 1e-12).astype(np.float32) / most
        zero, codes = np.zeros(len(scale), np.int32), np.rint(values / scale).astype(np.int32)
    if not np.allclose((codes - zero) * scale, values, rtol=1e-4, atol=1e-6):
        raise UserError(
            f"{bank.network.layers[layer].name}: the bank's weights are not those of {option.name}", "build it again"
        )
    return Codes(codes, scale, zero, option.bits, option.symmetric)
