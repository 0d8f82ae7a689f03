"""Weights as vectors of low rank out of a codebook, trained for what the whole network gives (LR2VQ, Zhu et al. 2022).

w = C[a] L: a layer's weights are cut into vectors of m numbers; a vector is one of k codes of d numbers, d at most m, times a
matrix [d, m] of the layer's own. m sets the size, d how much is left out by the rank against how well k codes cover what
stays (arXiv 2211.11397). L begins as the vectors' principal axes and C as k-means there; codebook_training.py trains both.
K inputs of a layer, O outputs, V vectors.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from domains.quant.quantize.quantizers import SCALE_BITS, QuantizedWeight
from domains.quant.quantize.vectors import cut, kmeans, lay_out, nearest
from qd.support.errors import UserError

_SIZES = {2: (4, 2), 3: (3, 2), 4: (2, 2), 8: (1, 1)}  # bits -> m, d; a code is 8 bits for m weights
_CODES = 256  # k
_ROUNDS = 3  # of codes, C and L before they are trained


class Factors(NamedTuple):
    """A layer's weights: C[a] L."""

    codes: Any  # a: int [V]
    codebook: Any  # C: [k, d]
    matrix: Any  # L: [d, m]


@dataclass(frozen=True)
class LowRankVectorOption:
    """Weights out of a codebook of low rank; ``codebook_training.tune`` trains it."""

    bits: int = 2
    runs_in_integers = False
    is_table = True
    kernel = "rounded"

    def __post_init__(self) -> None:
        if self.bits not in _SIZES:
            raise UserError(f"{self.bits} bits have no codebook of low rank", f"type one of {', '.join(map(str, _SIZES))}")

    @property
    def name(self) -> str:
        return f"low-rank vector-{self.bits}"

    @property
    def size(self) -> int:
        """Numbers of a vector, m."""
        return _SIZES[self.bits][0]

    def quantize(self, weight: np.ndarray, inputs: np.ndarray) -> QuantizedWeight:
        """Quantizes one layer's weight, without training.

        Args:
            weight: [K, O].
            inputs: not used.

        Returns:
            The weight, and its size in bits: codes of 8 bits, C and L of 16 bits each number.
        """
        factors = factorize(weight, self.bits)
        numbers = factors.codebook.size + factors.matrix.size
        values = weight_of(factors, *weight.shape).astype(np.float32)
        return QuantizedWeight(values, None, None, None, 8 * len(factors.codes) + numbers * SCALE_BITS)


def factorize(weight: np.ndarray, bits: int) -> Factors:
    """Returns codes, codebook and matrix of a weight, by squared error.

    Args:
        weight: [K, O].
        bits: a weight, 2, 3, 4 or 8.
    """
    return _factorize(weight.tobytes(), weight.dtype.str, weight.shape, bits)


@lru_cache(maxsize=256)
def _factorize(content: bytes, dtype: str, shape: tuple[int, ...], bits: int) -> Factors:
    """The same, once for each weight."""
    weight, (size, rank) = np.frombuffer(content, dtype).reshape(shape), _SIZES[bits]
    vectors = cut(np.pad(weight, ((0, -len(weight) % size), (0, 0))), size).astype(np.float64)
    _, axes = np.linalg.eigh(vectors.T @ vectors)
    matrix = axes[:, ::-1][:, :rank].T
    codebook = kmeans(vectors @ matrix.T, _CODES)
    for _ in range(_ROUNDS):
        codes = nearest(vectors, codebook @ matrix)
        count = np.bincount(codes, minlength=_CODES)[:, None]
        inverse = np.linalg.pinv(matrix)
        total = np.stack([np.bincount(codes, column, _CODES) for column in (vectors @ inverse).T], 1)
        codebook = np.where(count > 0, total / np.maximum(count, 1), codebook)
        matrix = np.linalg.lstsq(codebook[codes], vectors, rcond=None)[0]
    return Factors(nearest(vectors, codebook @ matrix), codebook, matrix)


def weight_of(factors: Factors, into: int, out: int) -> Any:
    """Returns C[a] L laid out as the weight, of NumPy or JAX.

    Args:
        factors: of the weight.
        into: K.
        out: O.
    """
    return lay_out(factors.codes, factors.codebook @ factors.matrix, out)[:into]
