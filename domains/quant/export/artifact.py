"""A config as files that others run, and how far their outputs agree with the bank's."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from domains.quant.networks.layers import Network


class Artifact(NamedTuple):
    """What an exporter made of one config."""

    files: dict[str, bytes]  # name -> content
    run: Callable[..., np.ndarray]  # images [N, ...] -> outputs [N, C]; of a denoising step (inputs, step) -> images
    weights_bytes: int  # of weights, scales, zero points, tables and biases in the files
    settings: dict[str, Any]  # what the exporter chose
    fallback: "Callable[[], Artifact] | None" = None  # makes a slower one that agrees better, where this one fails the check


def agree(network: Network, theirs: np.ndarray, ours: np.ndarray) -> float:
    """Returns the percentage of equal predictions: the class; for an encoder, which other sentence is the nearest.

    Args:
        theirs: outputs of the files [N, C].
        ours: outputs of the bank [N, C].
    """
    if network.forward.data != "sentences":
        return 100 * float((theirs.argmax(1) == ours.argmax(1)).mean())
    similarity = [outputs @ outputs.T - 9 * np.eye(len(outputs)) for outputs in (theirs, ours)]
    return 100 * float((similarity[0].argmax(1) == similarity[1].argmax(1)).mean())
