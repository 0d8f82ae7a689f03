"""Exports configs as ONNX: chooses which results are rounded again, so that as many layers as may be run in integers.

L layers, N images.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from domains.quant import onnx_runtime
from domains.quant.export import denoiser, deploy, encoded, onnx_file, onnx_text
from domains.quant.export.artifact import Artifact, agree
from domains.quant.networks import data
from qd.support.errors import UserError

_WANTED = 99.75  # per cent: with room above the limit on held-out images
_CHOOSING, _RANGES = 2_000, 256  # images of the validation and training splits


def make(domain: Any, genome: np.ndarray) -> Artifact:
    """Returns the file that rounds as many results as agreement with the bank lets it; chosen on the validation split.

    Args:
        domain: gives the bank.
        genome: the config, [2L].

    Returns:
        model.onnx and how it is run: in integers with a fallback, or in full precision where integers agree too little; of a
        diffusion transformer step.onnx (see denoiser.py).

    Raises:
        UserError: onnx or onnxruntime is not installed, the codes of a layer cannot be recovered, the network computes
            something between its layers that ONNX export does not know, or the images are missing.
    """
    if domain.bank.network.forward.data == "denoising":
        return denoiser.make(domain, genome)
    lacking = onnx_runtime.missing_packages()
    if lacking:
        raise UserError(
            f"ONNX files are written and run by {' and '.join(lacking)}, not installed", f"type {onnx_runtime.INSTALL}"
        )
    bank, config = domain.bank, encoded.encode(domain.bank, genome)
    if bank.network.forward.data == "text":
        file = onnx_text.write(config)
        files = {"model.onnx": file, "pieces.json": onnx_text.pieces()}
        settings = {"kernels": "full precision on rounded numbers"}
        return Artifact(files, onnx_text.runner(file), weights_bytes(file), settings)
    ranges = result_ranges(config)
    images = data.load(bank.network.forward.data, "validation").pixels[:_CHOOSING]
    ours = bank.logits(genome[None], images)[0]
    agreement = lambda file: agree(bank.network, runner(file)(images), ours)
    write = lambda layers: onnx_file.write(config, {i: ranges[i] for i in layers})
    layers = list(ranges)
    if (file := write(layers)) and agreement(file) < _WANTED:
        alone = {i: agreement(write([i])) for i in layers}
        layers.sort(key=lambda i: alone[i], reverse=True)
        while layers and agreement(file) < _WANTED:
            layers = layers[: len(layers) * 2 // 3]
            file = write(layers)
    if agreement(file) < _WANTED:  # rounded biases alone change too much
        return _plain(config)
    settings = {"kernels": "integer", "rounded_results": [bank.network.layers[i].name for i in layers]}
    return Artifact({"model.onnx": file}, runner(file), weights_bytes(file), settings, lambda: _plain(config))


def _plain(config: encoded.EncodedConfig) -> Artifact:
    """Keeps the codes and computes in full precision."""
    file = onnx_file.write(config, plain=True)
    settings = {"kernels": "full precision on rounded numbers"}
    return Artifact({"model.onnx": file}, runner(file), weights_bytes(file), settings)


def result_ranges(config: encoded.EncodedConfig) -> dict[int, onnx_file.Range]:
    """Returns layer -> the range of its results on training images, of the layers with results that go into sums."""
    network = config.bank.network
    layers = onnx_file.layers_into_sums(network)
    images = data.load(network.forward.data, "train").pixels[:_RANGES]
    run = onnx_runtime.open_session(onnx_file.write(config, more_outputs=layers))
    results = run([f"o{i}" for i in layers], {"images": images}) if layers else []
    return {i: (float(values.min()), float(values.max())) for i, values in zip(layers, results, strict=True)}


def runner(file: bytes) -> Callable[[np.ndarray], np.ndarray]:
    """Opens a file on one thread: images -> outputs."""
    run = onnx_runtime.open_session(file)
    return lambda images: run(["logits"], {"images": np.ascontiguousarray(images, np.float32)})[0]


def weights_bytes(file: bytes) -> int:
    """Counts the bytes of all constants."""
    import onnx  # pyright: ignore[reportMissingImports]

    constants = onnx.load_from_string(file).graph.initializer
    widths = {"FLOAT": 32, "INT32": 32, "INT64": 64, "FLOAT16": 16, "INT4": 4, "UINT4": 4, "INT2": 2, "UINT2": 2}  # others: 8
    name = onnx.TensorProto.DataType.Name
    bits = ((int(np.prod(c.dims, dtype=int)), widths.get(name(c.data_type), 8)) for c in constants)
    return sum((count * each + 7) // 8 for count, each in bits)


export = deploy.Exporter(make, "ort-cpu")
