"""A config with what its weights are stored as: integers, a table of values, or one of the forms of forms.py."""

from typing import NamedTuple

import numpy as np

from domains.quant.export import forms
from domains.quant.export.codes import Codes, Lookup, in_integers, in_table
from domains.quant.quantize.bank import Bank


class EncodedConfig(NamedTuple):
    """A config with the codes of its weights: all that a file of it is written from."""

    bank: Bank
    weights: tuple[Codes | Lookup | forms.Form | None, ...]  # one a layer; None: in full precision
    activations: np.ndarray  # [L] indices of activation options
    cached: np.ndarray  # [L] indices of weight options, by which keys and values are stored


def encode(bank: Bank, genome: np.ndarray) -> EncodedConfig:
    """Recovers the codes of a config [2L].

    Args:
        bank: L layers in W + A options.
        genome: [2L], weight options, then activation options.

    Returns:
        The codes of each layer's weights, None in full precision, and its activation option.

    Raises:
        UserError: a layer's values lie on no grid of its option, or are too many for its table; or a gene is no index.
    """
    (weights,), (activations,) = bank.split(genome)
    several = []
    for layer, index in enumerate(weights.tolist()):
        is_plain = bank.weight_option(index) is None or bank.network.layers[layer].is_cached
        several.append(None if is_plain else of_layer(bank, layer, index))
    return EncodedConfig(bank, tuple(several), activations, weights)


def of_layer(bank: Bank, layer: int, index: int) -> Codes | Lookup | forms.Form:
    """Returns what a layer's weights are stored as.

    Args:
        bank: L layers in W + A options.
        layer: its number.
        index: of a weight option.

    Raises:
        UserError: the bank's values are not those of the option.
    """
    option = bank.weight_options[index]
    if forms.carries(option):
        return forms.encode(bank, layer, index)
    return (in_table if option.is_table else in_integers)(bank, layer, index)
