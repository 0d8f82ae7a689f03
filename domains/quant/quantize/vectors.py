"""Weights as vectors out of a codebook (VQ4DiT), codebooks refitted to what a layer gives, and weights of smoothed inputs.

VQ4DiT (Deng et al. 2024, eq. 3): w = C[a], a layer's weights cut into vectors, each the nearest of k-means' centres.
PV-Tuning (Malinovskii et al. 2024, algorithm 1) alternates codes and codebook; here for one layer's outputs,
min |X (w - C[a])|^2, both steps exact or never uphill. K inputs of a channel, O outputs, V vectors, C codes of d numbers.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from domains.quant.quantize.quantizers import SCALE_BITS, QuantizedWeight, WeightOption
from domains.quant.quantize.steps import smoothing
from qd.support.errors import UserError

_SIZES = {2: (2, 16), 3: (2, 64), 4: (2, 256), 8: (1, 256)}  # bits -> d, C: codebooks small enough for small layers
_ROUNDS, _TUNE_ROUNDS, _DESCENTS = 8, 2, 10
_SAMPLE = 2048  # vectors that k-means looks at


@dataclass(frozen=True)
class VectorOption:
    """Weights out of a codebook of the layer's own; ``tuned``: codes and codebook refitted to the layer's outputs."""

    bits: int = 4
    tuned: bool = False
    runs_in_integers = False
    is_table = True
    kernel = "rounded"

    def __post_init__(self) -> None:
        if self.bits not in _SIZES:
            raise UserError(f"{self.bits} bits have no codebook of vectors", f"type one of {', '.join(map(str, _SIZES))}")

    @property
    def name(self) -> str:
        return f"vector-{self.bits}{' tuned' * self.tuned}"

    @property
    def size(self) -> int:
        """Numbers of a vector."""
        return _SIZES[self.bits][0]

    def quantize(self, weight: np.ndarray, inputs: np.ndarray) -> QuantizedWeight:
        """Quantizes one layer's weight.

        Args:
            weight: [K, O].
            inputs: the layer's on calibration samples, [n, K].

        Returns:
            The weight, and its size in bits with the codebook in numbers of 16 bits.
        """
        gram = inputs.T.astype(np.float64) @ inputs if self.tuned else None
        values, several, size = quantize(weight, self.bits, gram)
        stored_bits = weight.size * self.bits + several * size * SCALE_BITS
        return QuantizedWeight(values, None, None, None, stored_bits)


@dataclass(frozen=True)
class SmoothOption:
    """Integers of s w, where s is what the layer's inputs are divided by (``StepOption(per="smooth")``)."""

    bits: int = 4
    runs_in_integers = False
    is_table = False
    kernel = "rounded"

    @property
    def name(self) -> str:
        return f"int{self.bits} smooth"

    def quantize(self, weight: np.ndarray, inputs: np.ndarray) -> QuantizedWeight:
        """Quantizes one layer's weight.

        Args:
            weight: [K, O].
            inputs: the layer's on calibration samples, [n, K].

        Returns:
            Q(s w) / s, and its size in bits; s goes into the layer before and is not stored.
        """
        factor = self.factors(weight, inputs)[:, None]
        scaled = WeightOption(self.bits, clip="mse").quantize(weight * factor)
        return QuantizedWeight((scaled.values / factor).astype(np.float32), None, None, None, scaled.stored_bits)

    @staticmethod
    def factors(weight: np.ndarray, inputs: np.ndarray) -> np.ndarray:
        """Returns s [K].

        Args:
            weight: [K, O].
            inputs: [N, K].
        """
        return smoothing(np.sqrt((inputs**2).mean(0)), weight)


class VectorCodes(NamedTuple):
    """A weight as indices into its codebook: pairs of inputs, one output each."""

    indices: np.ndarray  # uint8 or uint16 [V], inputs outermost, then outputs
    codebook: np.ndarray  # float32 [C, d]


def encode(values: np.ndarray, size: int) -> VectorCodes:
    """Recovers indices and codebook from a weight that ``quantize`` gave.

    Args:
        values: [K, O].
        size: numbers of a vector.

    Returns:
        Both; where vectors do not divide the inputs, the last ones bring vectors of their own.
    """
    vectors = cut(np.pad(values, ((0, -len(values) % size), (0, 0)), mode="edge"), size)
    codebook, indices = np.unique(vectors, axis=0, return_inverse=True)
    kind = np.uint8 if len(codebook) <= 256 else np.uint16
    return VectorCodes(indices.ravel().astype(kind), codebook.astype(np.float32))


def quantize(weight: np.ndarray, bits: int, gram: np.ndarray | None = None) -> tuple[np.ndarray, int, int]:
    """Quantizes a layer's weight.

    Args:
        weight: [K, O].
        bits: a weight, 2, 3, 4 or 8.
        gram: X'X [K, K] of the layer's inputs: codes and codebook are tuned to it; None: plain k-means.

    Returns:
        The quantized weight, how many codes there are, and how many numbers each holds.
    """
    size, several = _SIZES[bits]
    rows = np.pad(weight, ((0, -len(weight) % size), (0, 0)))  # [K', O]
    vectors = cut(rows, size)
    codebook = kmeans(vectors, several)
    codes = nearest(vectors, codebook)
    if gram is not None:
        padding = len(rows) - len(weight)
        codes, codebook = _tune(rows, codes, codebook, np.pad(gram, ((0, padding), (0, padding))))
    return lay_out(codes, codebook, rows.shape[1])[: len(weight)].astype(np.float32), several, size


def cut(rows: np.ndarray, size: int) -> np.ndarray:
    """Returns the vectors of a weight, [V, size], inputs outermost, then outputs.

    Args:
        rows: the weight [K, O].
        size: numbers of a vector, a divisor of K.
    """
    return rows.reshape(-1, size, rows.shape[1]).swapaxes(1, 2).reshape(-1, size)


def lay_out(codes: Any, codebook: Any, out: int) -> Any:
    """Returns the weight [K, O] of codes and their codebook, of NumPy or JAX.

    Args:
        codes: [V].
        codebook: [C, d].
        out: O.
    """
    return codebook[codes].reshape(-1, out, codebook.shape[1]).swapaxes(1, 2).reshape(-1, out)


def kmeans(vectors: np.ndarray, several: int, seed: int = 0) -> np.ndarray:
    """Returns the centres of vectors by Lloyd's algorithm, from some drawn at random.

    Args:
        vectors: [V, d].
        several: how many centres.
        seed: of the draw.
    """
    random = np.random.default_rng(seed)
    few = vectors[random.permutation(len(vectors))[:_SAMPLE]].astype(np.float64)
    codebook = few[random.permutation(len(few))[:several]] if len(few) >= several else np.resize(few, (several, few.shape[1]))
    if vectors.shape[1] == 1:
        codebook = np.quantile(few, (np.arange(several) + 0.5) / several)[:, None]
    for _ in range(_ROUNDS):
        codes = nearest(few, codebook)
        count = np.bincount(codes, minlength=several)[:, None]
        total = np.stack([np.bincount(codes, column, several) for column in few.T], 1)
        codebook = np.where(count > 0, total / np.maximum(count, 1), codebook)
    return codebook


def nearest(vectors: np.ndarray, codebook: np.ndarray, metric: np.ndarray | None = None) -> np.ndarray:
    """Returns the code of each vector, [V].

    Args:
        vectors: [V, d].
        codebook: [C, d].
        metric: [d, d] of (v - c)' metric (v - c); None: squared distance.
    """
    m = np.eye(codebook.shape[1]) if metric is None else metric
    return ((codebook @ m * codebook).sum(1) - 2 * vectors @ (m @ codebook.T)).argmin(1)


def _tune(rows: np.ndarray, codes: np.ndarray, codebook: np.ndarray, gram: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    size, out = codebook.shape[1], rows.shape[1]
    gram = gram + np.eye(len(gram)) * (0.01 * np.trace(gram) / len(gram) + 1e-9)
    codes, codebook, steepest = codes.reshape(-1, out).copy(), codebook.copy(), float(np.linalg.eigvalsh(gram)[-1])
    for _ in range(_TUNE_ROUNDS):
        rest = rows - lay_out(codes.ravel(), codebook, out)
        for i in range(len(codes)):  # P: the best code of each vector while all others stay
            at = slice(size * i, size * (i + 1))
            block = gram[at, at]
            wanted = codebook[codes[i]] + np.linalg.solve(block, gram[at] @ rest).T
            codes[i] = nearest(wanted, codebook, block)
            rest[at] = rows[at] - codebook[codes[i]].T
        flat = codes.ravel()
        count = np.maximum(np.bincount(flat, minlength=len(codebook)), 1)[:, None]
        for _ in range(_DESCENTS):  # V: gradient steps of the codebook, short enough never to go uphill
            slope = cut(gram @ (rows - lay_out(flat, codebook, out)), size)
            total = np.stack([np.bincount(flat, column, len(codebook)) for column in slope.T], 1)
            codebook = codebook + total / (count * steepest)
    return codes.ravel(), codebook
