"""What a config costs: its size with scales and zero points, its bit operations, and its latency as measured here.

L layers, W weight options, A activation options, B configs. Row W of weights and row A of activations are full precision.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from domains.quant.cost import latency, latency_measure
from domains.quant.quantize.bank import Bank
from domains.quant.quantize.quantizers import FULL_BITS, ActivationOption, WeightOption
from qd.support.errors import UserError
from qd.types import Array

BIAS_BITS = 32
KILOBYTE = 8000.0  # bits
REFERENCE_BITS = 8  # bit operations are a fraction of the network with 8 bit in every layer


@dataclass(frozen=True, eq=False)
class Costs:
    """Tables that add up over layers."""

    size: np.ndarray  # [L, W+1] bits of weights, scales, zero points and bias
    bops: np.ndarray  # [L, W+1, A+1] MACs times bits of weights times bits of activations
    latency: np.ndarray  # [L, W+1, A+1] microseconds an example; NaN where it is not measured
    bops_reference: float  # of the network with 8 bit everywhere

    def of(self, weight_index: Array, activation_index: Array) -> dict[str, np.ndarray]:
        """Returns the costs of B configs.

        Args:
            weight_index: weight options [B, L].
            activation_index: activation options [B, L].

        Returns:
            size in KB (1000 bytes), bops in bit operations, latency in microseconds an example; each [B].

        Raises:
            UserError: the two have other shapes.
        """
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


def build_cost_tables(bank: Bank, latency_table: latency.LatencyTable | None = None) -> Costs:
    """Returns the tables of a bank; the latency table is measured once for a machine and kept.

    Args:
        bank: L layers in W + A options.
        latency_table: microseconds by op and precision; None: this machine's, or the shipped one without onnxruntime.

    Returns:
        Size in bits, bit operations and latency in microseconds, by layer and option, full precision last.

    Raises:
        ValueError: the bank's stored bits have another shape or are not finite, or a latency file is damaged.
    """
    network, options, activations = bank.network, bank.weight_options, bank.activation_options
    layers = network.layers
    stored_bits = np.asarray(bank.stored_bits, np.float64)
    if stored_bits.shape != (len(layers), len(options)) or not np.isfinite(stored_bits).all():
        raise UserError(
            f"stored_bits has shape {list(stored_bits.shape)}, or a number that is not finite, but there are "
            f"{len(layers)} layers of {len(options)} options",
            "build the bank again",
        )
    ops = [latency.op(layer) for layer in layers]
    table = latency_measure.table(ops) if latency_table is None else latency_table
    bias = BIAS_BITS * np.array([layer.biases for layer in layers], np.float64)
    full = FULL_BITS * np.array([layer.parameters for layer in layers], np.float64)
    weight_bits = np.array([*(option.bits for option in options), FULL_BITS], np.float64)
    activation_bits = np.array([*(option.bits for option in activations), FULL_BITS], np.float64)
    macs = np.array([layer.macs for layer in layers], np.float64)
    return Costs(
        np.column_stack([stored_bits, full]) + bias[:, None],
        macs[:, None, None] * weight_bits[:, None] * activation_bits,
        table.of_all(ops, _kernels(options, activations)),
        float(macs.sum() * REFERENCE_BITS**2),
    )


def _kernels(options: Sequence[WeightOption], activations: Sequence[ActivationOption]) -> list[list[str]]:
    """Returns [W + 1, A + 1] the kernels that run a layer: int8, uint8, fp32 on rounded numbers, or fp32 alone."""
    kernels = [option.kernel for option in options] + ["rounded"]
    full = [activation.full for activation in activations] + [True]
    return [["fp32" if is_full else kernel for is_full in full] for kernel in kernels]
