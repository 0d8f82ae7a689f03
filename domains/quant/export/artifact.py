"""A file that somebody can run, and how far it agrees with the bank."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np


class Ran(NamedTuple):
    """What an exporter made."""

    files: dict[str, bytes]  # name -> content
    run: Callable[[np.ndarray], np.ndarray]  # images [N, ...] -> outputs [N, C]
    weights_bytes: int  # of weights, scales, zero points, tables and biases in the file
    settings: dict[str, Any]  # what was chosen on the way
    safer: Callable[[], "Ran"] | None = None  # a slower one that agrees better, for where this one fails the check


def agree(network: Any, theirs: np.ndarray, ours: np.ndarray) -> float:
    """Per cent of predictions that are the same: the class; of an encoder, which other sentence is the nearest."""
    if network.forward.data != "sentences":
        return 100 * float((theirs.argmax(1) == ours.argmax(1)).mean())
    same = [outputs @ outputs.T - 9 * np.eye(len(outputs)) for outputs in (theirs, ours)]
    return 100 * float((same[0].argmax(1) == same[1].argmax(1)).mean())
