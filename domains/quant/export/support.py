"""Which layers of a config somebody can run: the support matrix, layer by layer and for whole genomes.

L layers, W weight options, A activation options.
"""

from typing import Any, NamedTuple

import numpy as np

from domains.quant.cost.costs import runs_in_integers
from qd.support.errors import UserError

TARGETS = ("ort-cpu", "qwix-cpu")
NAMES = {"ort-cpu": "onnx", "qwix-cpu": "qwix"}


class Blocked(NamedTuple):
    """A layer that an exporter cannot carry."""

    layer: str
    reason: str


def blocked(bank: Any, genome: np.ndarray, target: str) -> list[Blocked]:
    """Returns the layers of a genome [2L] that a target cannot run, each with its reason; none: the config can be exported."""
    if target not in TARGETS:
        raise UserError(f"there is no target {target!r}", f"type one of {', '.join(TARGETS)}")
    weights, activations = bank.split(np.asarray(genome)[None])
    found = []
    for i, layer in enumerate(bank.network.layers):
        option = _of(bank.weight_options, weights[0, i])
        reason = refusal(layer, option, _of(bank.activation_options, activations[0, i]), target)
        found += [Blocked(layer.name, reason)] if reason else []
    return found


def matrix(bank: Any, target: str) -> np.ndarray:
    """Returns [L, W, A] bool: whether a target runs a layer with these options."""
    rows = [
        [[not refusal(layer, w, a, target) for a in bank.activation_options] for w in bank.weight_options]
        for layer in bank.network.layers
    ]
    return np.array(rows)


def targets(bank: Any, genomes: np.ndarray) -> list[str]:
    """Returns for each genome [B, 2L] where it runs: ort-cpu, qwix-cpu, or none."""
    tables = {target: matrix(bank, target) for target in TARGETS}
    weights, activations = bank.split(genomes)
    rows = np.arange(weights.shape[1])
    kind = "ort-cpu" if any(layer.kind == "conv" for layer in bank.network.layers) else "qwix-cpu"
    order = [kind, *(target for target in TARGETS if target != kind)]
    found = []
    for w, a in zip(weights, activations, strict=True):
        inside = (w < len(bank.weight_options)).all() and (a < len(bank.activation_options)).all()
        runs = [target for target in order if inside and tables[target][rows, w, a].all()]
        found.append(runs[0] if runs else "none")
    return found


def refusal(layer: Any, option: Any, activation: Any, target: str) -> str:
    """Says why a target cannot run a layer so; empty where it can. None stands for full precision."""
    if option is None or activation is None:
        mixed = (option is None) != (activation is None)
        return "weights and inputs must both be full precision, or neither" if mixed else ""
    if target == "ort-cpu" and activation.full:
        return "inputs stay in full precision, and files are written of inputs of up to 8 bit"
    if target == "ort-cpu":
        return "" if runs_in_integers(option) or is_table(option) else f"{option.name} has no codes with one scale a channel"
    if not runs_in_integers(option):
        return f"{option.name} has no integer codes with one scale a channel or tensor"
    if layer.kind == "conv":
        return "qwix convolves only weights and inputs of one type, and on a CPU none below 8 bit"
    if not option.symmetric:
        return f"{option.name} has zero points, which qwix' integer products do not take"
    if not activation.full and not activation.symmetric and activation.bits not in (4, 8):
        return f"inputs of {activation.name} have a zero point, which qwix takes for 4 and 8 bit alone"
    return ""


def is_table(option: Any) -> bool:
    """Whether weights are looked up in a table of values: few bits in the file, full precision in the kernel."""
    return option.per != "group" and (option.format == "codebook" or option.format[:2] in ("fp", "nf"))


def _of(options: Any, index: int) -> Any:
    return options[index] if index < len(options) else None
