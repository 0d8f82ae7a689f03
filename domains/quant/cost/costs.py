"""What a config costs: its size with scales and zero points, its bit operations, and its latency as measured here.

L layers, W weight options, A activation options, B configs. Row W of weights and row A of activations are full precision.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from domains.quant.cost import latency, latency_measure
from domains.quant.quantize.quantizers import FULL_BITS
from qd.support.errors import UserError
from qd.types import Array

BIAS_BITS = 32
KILOBYTE = 8000.0  # bits
REFERENCE_BITS = 8  # bit operations are told as a fraction of the network with 8 bit in every layer


@dataclass(frozen=True, eq=False)
class Costs:
    """Tables that add up over layers."""

    size: np.ndarray  # [L, W+1] bits of weights, scales, zero points and bias
    bops: np.ndarray  # [L, W+1, A+1] MACs times bits of weights times bits of activations
    latency: np.ndarray  # [L, W+1, A+1] microseconds an example; NaN where nobody has measured it
    bops_reference: float  # of the network with 8 bit everywhere

    def of(self, weight_index: Array, activation_index: Array) -> dict[str, np.ndarray]:
        """Returns size in KB (1000 bytes), bops and latency in microseconds of configs [B, L] and [B, L]; each [B]."""
        w, a = np.asarray(weight_index), np.asarray(activation_index)
        rows = np.arange(len(self.size))
        if w.shape != a.shape or w.ndim != 2 or w.shape[1] != len(rows):
            raise UserError(
                f"configs of shapes {list(w.shape)} and {list(a.shape)} have no cost here: give [B, {len(rows)}] options of "
                f"weights and as many of activations, one for each of the {len(rows)} layers"
            )
        return {
            "size": self.size[rows, w].sum(axis=1) / KILOBYTE,
            "bops": self.bops[rows, w, a].sum(axis=1),
            "latency": self.latency[rows, w, a].sum(axis=1),
        }


def costs(bank: Any, latency_table: latency.Table | None = None) -> Costs:
    """Returns the tables of a bank; the latency table is measured once for a machine and kept."""
    network, options, activations = bank.network, bank.weight_options, bank.activation_options
    layers = network.layers
    stored = np.asarray(bank.stored_bits, np.float64)
    if stored.shape != (len(layers), len(options)) or not np.isfinite(stored).all():
        raise UserError(
            f"stored_bits has shape {list(stored.shape)}, or a number that is not finite, but there are {len(layers)} layers "
            f"of {len(options)} options",
            "build the bank anew",
        )
    table = latency_measure.table([latency.op(layer) for layer in layers]) if latency_table is None else latency_table
    bias = BIAS_BITS * np.array([layer.shape[-1] for layer in layers], np.float64)
    full = FULL_BITS * np.array([np.prod(layer.shape) for layer in layers], np.float64)
    weight_bits = np.array([*(option.bits for option in options), FULL_BITS], np.float64)
    activation_bits = np.array([*(option.bits for option in activations), FULL_BITS], np.float64)
    macs = np.array([layer.macs for layer in layers], np.float64)
    kernels = [[kernel(option, activation) for activation in (*activations, None)] for option in (*options, None)]
    return Costs(
        np.column_stack([stored, full]) + bias[:, None],
        macs[:, None, None] * weight_bits[:, None] * activation_bits,
        np.array([[[table.of(latency.op(layer), k) for k in row] for row in kernels] for layer in layers]),
        float(macs.sum() * REFERENCE_BITS**2),
    )


def kernel(option: Any, activation: Any) -> str:
    """Says which kernel runs a layer: int8, fp32 of rounded numbers, or fp32 alone. None stands for full precision.

    int8 kernels take a scale and a zero point a channel, and neither groups nor other number formats.
    """
    if activation is None or activation.full:
        return "fp32"
    return "int8" if runs_in_integers(option) else "rounded"


def runs_in_integers(option: Any) -> bool:
    """Whether onnxruntime's integer kernels compute with such weights."""
    return option is not None and option.format in ("int", "round", "sparse") and option.bits <= 8 and option.per != "group"
