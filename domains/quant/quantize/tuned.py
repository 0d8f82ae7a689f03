"""The file of tuned kernels of the language model: codes of QuEST's weights in 1 to 4 bits, and one set of nested codes of 8.

Both are what ``python -m domains.quant.tune.language`` makes. K inputs of a layer, O outputs.
"""

from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from domains.quant.networks import shipped
from domains.quant.quantize import rounding
from domains.quant.quantize.estimators import NESTED, project, rotate
from domains.quant.quantize.published import SCALE_BITS, Hints
from qd.support.errors import UserError

FILE = Path(__file__).parents[1] / "networks" / "weights" / "language_tuned.npz"
SHA256 = "6be678d3db60fbb62abae75690c0ae0ee69f34506e06b0c47d88c118e94de844"
TUNE_AGAIN = "python -m domains.quant.tune.language"
NETWORK = "language"  # whose kernels these are
BITS = (1, 2, 3, 4)  # of QuEST's weights


def quest_codes(params: dict[int, dict[str, Any]], bits: int) -> dict[str, np.ndarray]:
    """Returns what the file holds of kernels tuned by ``Gaussian``.

    Args:
        params: number of a layer -> kernel [K, O].
        bits: they were tuned for.

    Returns:
        Name -> array: packed codes 0 to 2^bits - 1 of the rotated kernel, and each output's step.
    """
    arrays = {}
    for i, layer in params.items():
        rotated = rotate(layer["kernel"], 0)
        values, step = (np.asarray(x) for x in project(rotated, bits, 0))
        codes = np.round(values / step + (2**bits - 1) / 2).astype(np.uint8)
        arrays[f"quest{bits}_{i}"] = np.packbits(np.unpackbits(codes[..., None], axis=-1)[..., -bits:])
        arrays[f"step{bits}_{i}"] = step[0].astype(np.float16)
    return arrays


def nested_codes(params: dict[int, dict[str, Any]]) -> dict[str, np.ndarray]:
    """Returns what the file holds of kernels tuned by ``Nested``.

    Args:
        params: number of a layer -> kernel [K, O] and the logarithms of its factors [O].

    Returns:
        Name -> array: codes of 8 bits, and for each number of bits the steps of these codes.
    """
    arrays = {}
    for i, layer in params.items():
        kernel = np.asarray(layer["kernel"])
        scale = np.maximum(np.abs(kernel).max(0), 1e-12) / 127
        arrays[f"nested_{i}"] = np.round(kernel / scale).astype(np.int8)
        for bits in NESTED:
            arrays[f"nested_step{bits}_{i}"] = (scale * np.exp(np.asarray(layer["logs"][bits - 1]))).astype(np.float16)
    return arrays


def write(path: Path, arrays: dict[str, np.ndarray]) -> None:
    """Writes the file, replacing one that exists.

    Args:
        path: of an ``.npz`` file.
        arrays: by name.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(path, **arrays)  # type: ignore[arg-type]


def trained(weight: np.ndarray, bits: int, hints: Hints) -> tuple[np.ndarray, int]:
    """Returns the kernel that QuEST trained for so many bits: H (code - middle) step (Panferov et al. 2025).

    Args:
        weight: of the same layer as shipped, [K, O].
        bits: 1 to 4.
        hints: gives the layer's number.

    Raises:
        UserError: the network is another, there is no such number of bits, or the file is missing or was changed.
    """
    i = _layer(hints)
    if bits not in BITS:
        raise UserError(f"there are no trained weights of {bits} bits", f"type bits={' or '.join(map(str, BITS))}")
    packed = np.unpackbits(arrays()[f"quest{bits}_{i}"])[: weight.size * bits].reshape(*weight.shape, bits)
    codes = packed @ (1 << np.arange(bits)[::-1])
    steps = arrays()[f"step{bits}_{i}"].astype(np.float64)
    values = rounding.hadamard(len(weight)) @ ((codes - (2**bits - 1) / 2) * steps)
    return values, weight.size * bits + weight.shape[1] * SCALE_BITS


def nested_trained(weight: np.ndarray, bits: int, hints: Hints) -> tuple[np.ndarray, int]:
    """Returns the kernel of Double Rounding with its training: ``published.nested`` with other codes and learned steps.

    Args:
        weight: of the same layer as shipped, [K, O].
        bits: that are read; of 5, 6 and 7 the steps are those of 8.
        hints: gives the layer's number.

    Raises:
        UserError: the network is another, or the file is missing or was changed.
    """
    i = _layer(hints)
    shift, most = 2 ** (8 - bits), 2 ** (bits - 1) - 1
    codes = np.clip(np.round(arrays()[f"nested_{i}"] / shift), -most, most)
    steps = arrays()[f"nested_step{bits if bits in NESTED else 8}_{i}"].astype(np.float64)
    return codes * shift * steps, weight.size * bits + weight.shape[1] * SCALE_BITS


@lru_cache(maxsize=1)
def arrays() -> dict[str, np.ndarray]:
    """Returns all arrays of the file.

    Raises:
        UserError: it is missing, or has another checksum.
    """
    return shipped.arrays(FILE, SHA256, TUNE_AGAIN, "tuned.py")


def _layer(hints: Hints) -> int:
    network, i = hints.layer
    if network != NETWORK:
        raise UserError(f"there are no tuned weights of {network or 'this network'}", f"type domain.network={NETWORK}")
    return i
