"""ONNX files chosen and run: which results are rounded again, so that as many layers as may be run in integers."""

import importlib.util
from typing import Any

import numpy as np

from domains.quant.cost import latency, latency_measure
from domains.quant.export import onnx_file
from domains.quant.export.artifact import Ran, agree
from domains.quant.networks import data
from qd.support.errors import UserError

_WANTED = 99.75  # per cent: with room above what is asked on held-out images
_CHOOSING, _RANGES = 2_000, 256  # images of the validation and training splits


def make(domain: Any, genome: np.ndarray) -> Ran:
    """Returns the file that rounds as many results as agreement with the bank lets it; chosen on the validation split.

    Raises:
        ValueError: onnx or onnxruntime is not installed.
    """
    lacking = [name for name in ("onnx", "onnxruntime") if importlib.util.find_spec(name) is None]
    if lacking:
        raise UserError(f"ONNX files are written and run by {' and '.join(lacking)}, not installed", f"type {latency.INSTALL}")
    bank = domain.bank
    ranges = result_ranges(bank, genome)
    shown = data.load(bank.network.forward.data, "validation").pixels[:_CHOOSING]
    ours = bank.logits(genome[None], shown)[0]
    agreement = lambda file: agree(bank.network, runner(file)(shown), ours)
    of = lambda kept: onnx_file.write(bank, genome, {i: ranges[i] for i in kept})
    kept = list(ranges)
    if (file := of(kept)) and agreement(file) < _WANTED:
        alone = {i: agreement(of([i])) for i in kept}
        kept.sort(key=lambda i: alone[i], reverse=True)
        while kept and agreement(file) < _WANTED:
            kept = kept[: len(kept) * 2 // 3]
            file = of(kept)
    if agreement(file) < _WANTED:  # rounded biases alone change too much
        return _plain(bank, genome)
    names = [bank.network.layers[i].name for i in kept]
    chosen = {"kernels": "integer", "rounded_results": names}
    return Ran({"model.onnx": file}, runner(file), weights_bytes(file), chosen, lambda: _plain(bank, genome))


def _plain(bank: Any, genome: np.ndarray) -> Ran:
    """Keeps the codes and computes in full precision."""
    file = onnx_file.write(bank, genome, plain=True)
    return Ran({"model.onnx": file}, runner(file), weights_bytes(file), {"kernels": "full precision on rounded numbers"})


def result_ranges(bank: Any, genome: np.ndarray) -> dict[int, onnx_file.Range]:
    """Returns layer -> the range of what it gives on training images, of the layers whose results go into sums."""
    layers = onnx_file.summed(bank)
    shown = data.load(bank.network.forward.data, "train").pixels[:_RANGES]
    run = latency_measure.session(onnx_file.write(bank, genome, tell=tuple(layers)))
    told = run([f"o{i}" for i in layers], {"images": shown}) if layers else []
    return {i: (float(values.min()), float(values.max())) for i, values in zip(layers, told, strict=True)}


def runner(file: bytes):
    """Opens a file on one thread: images -> outputs."""
    run = latency_measure.session(file)
    return lambda images: run(["logits"], {"images": np.ascontiguousarray(images, np.float32)})[0]


def weights_bytes(file: bytes) -> int:
    """Counts the bytes of all constants."""
    import onnx  # pyright: ignore[reportMissingImports]

    constants = onnx.load_from_string(file).graph.initializer
    half = {onnx.TensorProto.INT4, onnx.TensorProto.UINT4}
    sizes: dict[int, int] = {onnx.TensorProto.FLOAT: 4, onnx.TensorProto.INT32: 4, onnx.TensorProto.INT64: 8}
    bits = ((int(np.prod(c.dims, dtype=int)), 4 if c.data_type in half else 8 * sizes.get(c.data_type, 1)) for c in constants)
    return sum((count * each + 7) // 8 for count, each in bits)
