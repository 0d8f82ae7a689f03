"""Which layers of a config an exporter can write: the support matrix, layer by layer and for whole genomes.

L layers, W weight options, A activation options.
"""

from typing import Any, NamedTuple

import numpy as np

from domains.quant.export import forms
from domains.quant.networks.layers import Layer
from domains.quant.quantize.bank import Bank
from domains.quant.quantize.quantizers import ActivationOption, WeightOption
from domains.quant.quantize.steps import StepOption
from qd.support.spelling import unknown

TARGETS = ("ort-cpu", "qwix-cpu")
NAMES = {"ort-cpu": "onnx", "qwix-cpu": "qwix"}


class UnsupportedLayer(NamedTuple):
    """A layer that an exporter cannot carry."""

    layer: str
    reason: str


def unsupported(bank: Bank, genome: np.ndarray, target: str) -> list[UnsupportedLayer]:
    """Returns the layers that a target cannot run, each with its reason; none: the config can be exported.

    Args:
        bank: L layers in W + A options.
        genome: [2L], weight options, then activation options.
        target: one of TARGETS.

    Returns:
        Layers in the network's order.

    Raises:
        UserError: there is no such target, or a gene is no index.
    """
    if target not in TARGETS:
        raise unknown("target", target, TARGETS)
    (weights,), (activations,) = bank.split(genome)
    layers = []
    for layer, w, a in zip(bank.network.layers, weights, activations, strict=True):
        reason = refusal(layer, bank.weight_option(w), bank.activation_option(a), target)
        layers += [UnsupportedLayer(layer.name, reason)] if reason else []
    return layers


def matrix(bank: Bank, target: str) -> np.ndarray:
    """Returns whether a target runs a layer with each pair of options.

    Args:
        bank: L layers in W + A options.
        target: one of TARGETS.

    Returns:
        bool [L, W, A]; full precision is not part of it.
    """
    rows = [
        [[not refusal(layer, w, a, target) for a in bank.activation_options] for w in bank.weight_options]
        for layer in bank.network.layers
    ]
    return np.array(rows)


def targets(bank: Bank, genomes: np.ndarray) -> list[str]:
    """Returns for each genome where it runs: ort-cpu, qwix-cpu, or none.

    Args:
        bank: L layers in W + A options.
        genomes: [B, 2L].

    Returns:
        B names. Where both targets run a genome, ort-cpu for networks with convolutions, else qwix-cpu; "none" also where
        weights or inputs of a layer are in full precision by index W or A.

    Raises:
        UserError: there are not 2L genes, or a gene is no index of an option.
    """
    tables = {target: matrix(bank, target) for target in TARGETS}
    weights, activations = bank.split(genomes)
    rows = np.arange(weights.shape[1])
    kind = "ort-cpu" if any(layer.kind == "conv" or layer.is_cached for layer in bank.network.layers) else "qwix-cpu"
    order = [kind, *(target for target in TARGETS if target != kind)]
    choices = []
    for w, a in zip(weights, activations, strict=True):
        inside = (w < len(bank.weight_options)).all() and (a < len(bank.activation_options)).all()
        runs = [target for target in order if inside and tables[target][rows, w, a].all()]
        choices.append(runs[0] if runs else "none")
    return choices


def refusal(layer: Layer, option: WeightOption | None, activation: ActivationOption | None, target: str) -> str:
    """Returns why a target cannot run a layer so; empty where it can.

    Args:
        layer: a layer; its kind counts.
        option: of its weights; None: full precision.
        activation: option of its inputs; None: full precision.
        target: one of TARGETS.

    Returns:
        The reason, without the layer's name; "" where the target runs it.
    """
    if option is None or activation is None:
        only_one = (option is None) != (activation is None)
        return "weights and inputs must both be full precision, or neither" if only_one else ""
    if isinstance(activation, StepOption):  # of a diffusion transformer
        carried = "" if _has_codes(option) or layer.is_cached else _lacks_codes(option)
        return carried if target == "ort-cpu" else f"inputs of {activation.name} are carried by ONNX files alone"
    if layer.is_cached or activation.turn or activation.per == "token":
        return _refuse_text(layer, option, activation, target)
    if target == "ort-cpu" and activation.full:
        return "inputs stay in full precision, and files are written of inputs of up to 8 bit"
    if target == "ort-cpu":
        return "" if _has_codes(option) else _lacks_codes(option)
    if not option.runs_in_integers:
        return f"{option.name} has no integer codes with one scale a channel or tensor"
    if layer.kind == "conv":
        return "qwix convolves only weights and inputs of one type, and on a CPU none below 8 bit"
    if not option.symmetric:
        return f"{option.name} has zero points, which qwix' integer products do not take"
    if not activation.full and not activation.symmetric and activation.bits not in (4, 8):
        return f"inputs of {activation.name} have a zero point, which qwix takes for 4 and 8 bit alone"
    return ""


def _refuse_text(layer: Layer, option: WeightOption, activation: ActivationOption, target: str) -> str:
    """Of layers that only language models have: keys and values, and inputs with a range for each token."""
    if target != "ort-cpu":
        return f"{layer.name} ({layer.kind}) with {activation.name} is carried by ONNX files alone"
    return "" if layer.is_cached or _has_codes(option) else _lacks_codes(option)


def _has_codes(option: Any) -> bool:
    return option.runs_in_integers or option.is_table or forms.carries(option)


def _lacks_codes(option: Any) -> str:
    return f"{option.name} has no codes that files carry"
