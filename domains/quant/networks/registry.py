"""Trained networks by name, their weights with a checksum."""

import hashlib
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from domains.quant.networks import language
from domains.quant.networks.diffusion import Diffusion
from domains.quant.networks.layers import Network
from domains.quant.networks.resnet import ResNet
from qd.support.errors import UserError
from qd.support.spelling import unknown

WEIGHTS = Path(__file__).parent / "weights"


CHECKSUMS = {
    "resnet14": "c0cd877b0a7199fdc5e76425a9fa6b421bbd7104c2646aa4d9e3bd4a3caf54c5",
    "digits": "26798eecf38a0ca7f70a02862eae6c877ec8dda2c04effd20e5fbfdd64618eac",
    **dict.fromkeys(language.OUTLIERS, language.SHA256),
    "diffusion": "dc484584aa398a7c11f5d8cd5439894f3529e8f5e6d52b822b6ee36a8a9592ba",
}


FORMS = {
    "resnet14": ResNet(),
    "digits": ResNet(widths=(8, 16), blocks=1, side=8, stem_stride=1, data="digits"),
    "diffusion": Diffusion(),
}
_TRAIN = {"diffusion": "train_diffusion"}  # the command that trains a network; others: train NAME


def form(name: str) -> Any:
    """Returns a network's form, which needs no weights. Raises ValueError where there is none of that name."""
    if name == "minilm":
        from domains.quant.networks import encoder

        return encoder.Encoder()
    if name in language.OUTLIERS:
        return language.Language(outliers=language.OUTLIERS[name])
    if name not in FORMS:
        raise unknown("network", name, [*FORMS, "minilm", *language.OUTLIERS])
    return FORMS[name]


@lru_cache(maxsize=8)
def load(name: str) -> Network:
    """Returns a trained network. Raises ValueError where its weights are missing or have another checksum."""
    if name == "minilm":
        from domains.quant.networks import encoder

        return encoder.load()
    if name in language.OUTLIERS:
        return language.load(language.OUTLIERS[name])
    return read(name, form(name), WEIGHTS / f"{name}.npz", CHECKSUMS[name])


def read(name: str, network_form: Any, path: Path, checksum: str) -> Network:
    """Reads a network's weights from a file.

    Args:
        name: of the network, for it and for messages.
        network_form: gives the layers and their shapes.
        path: an .npz file with arrays weight0, bias0, weight1, ...
        checksum: the SHA-256 that the file must have, in hexadecimal.

    Returns:
        The network, with the weights as they are in the file.

    Raises:
        ValueError: the file is missing, or its checksum or the shape of a weight is not the expected one.
    """
    command = f"python -m domains.quant.networks.{_TRAIN.get(name, f'train {name}')}"
    if not path.is_file():
        raise UserError(
            f"{path} is not there", f"restore the file, or train again ({command}) and write its checksum into registry.py"
        )
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    if digest != checksum:
        raise UserError(
            f"{path.name} has the checksum {digest[:16]}... and not {checksum[:16]}...: it was changed or cut off; "
            f"restore the file, or train again ({command}) and write its checksum into registry.py"
        )
    with np.load(path, allow_pickle=False) as arrays:
        none, several = np.zeros((), np.float32), enumerate(network_form.layers)  # keys and values have no arrays
        columns = [[none if layer.is_cached else arrays[f"{kind}{i}"] for kind in ("weight", "bias")] for i, layer in several]
    weights, biases = ([each.astype(np.float32) for each in column] for column in zip(*columns, strict=True))
    for layer, weight in zip(network_form.layers, weights, strict=True):
        if weight.shape != layer.shape and not layer.is_cached:
            raise UserError(f"{path.name} has {layer.name} of shape {list(weight.shape)}, and {list(layer.shape)} is wanted")
    return Network(name, network_form, tuple(weights), tuple(biases))
