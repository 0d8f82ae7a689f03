"""How a layer's weights and inputs become a few bits: each way an option, each option one more index of the bank.

A weight is laid out as rows that share a scale, [R, n]: one row a tensor, an output channel, or a group of 32 inputs of
a channel. NumPy, eagerly: to compile each search for a clipping range costs more than to run it. K inputs of a channel.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from domains.quant.quantize import grids, published, rounding, tuned, turns
from domains.quant.quantize.estimators import gaussian_scale
from domains.quant.quantize.published import Hints
from qd.support.errors import UserError
from qd.support.spelling import unknown

SCALE_BITS, FULL_BITS, GROUP = 16, 32, 32
SIGNED_BITS = 7  # at most, of int8 weights in an integer kernel: 2 * 255 * 2^(7 - 1) = 32,640 fits into 16 bits
CLIPS, PER = ("minmax", "mse", "percentile"), ("tensor", "channel", "group")
TURNS = (*turns.TURNS, *turns.WHOLE)
_PAPERS = published.FORMATS | {"trained": tuned.trained, "nested_trained": tuned.nested_trained}
FORMATS = ("int", *grids.FORMATS, "codebook", "round", "sparse", *TURNS[1:], *_PAPERS)
ONE_BIT = ("sign", "trained")  # formats that have one
_RATIOS, _ACTIVATION_RATIOS = np.linspace(0.3, 1, 36), np.linspace(0.2, 1, 33)
_PERCENTILE, _ACTIVATION_PERCENTILE = 99.5, 99.9


class QuantizedWeight(NamedTuple):
    values: np.ndarray  # float32, shaped as the weight
    codes: np.ndarray | None  # int32, shaped as the weight, where values == (codes - zero) * scale
    scale: np.ndarray | None  # broadcasts to the weight; None where groups or a table share it
    zero: np.ndarray | None
    stored_bits: int  # codes, scales of 16 bits, zero points, indices, tables


@dataclass(frozen=True)
class WeightOption:
    """One way to store a weight."""

    bits: int = 8  # of one code
    # round: int, rounded by GPTQ; sparse: int, two of four kept; those of turns.py: int of the turned weight
    format: str = "int"
    symmetric: bool = True  # -(2^(b-1) - 1) ... 2^(b-1) - 1; else 2^b levels, a whole zero point, and 0 in the range
    per: str = "channel"
    clip: str = "minmax"

    def __post_init__(self) -> None:
        for name, value, choices in (("format", self.format, FORMATS), ("per", self.per, PER), ("clip", self.clip, CLIPS)):
            if value not in choices:
                raise unknown(name, value, choices)
        if not (1 if self.format in ONE_BIT else 2) <= self.bits <= 8:
            raise UserError(f"{self.bits} bits cannot be a weight's", f"type 2 to 8; of {' or '.join(ONE_BIT)} also 1")

    @property
    def name(self) -> str:
        if self.format == "codebook":
            return f"codebook-{self.bits}"
        kind = {"int": f"int{self.bits}"}.get(
            self.format, self.format if self.format[-1] in "468" else f"{self.format}-{self.bits}"
        )
        return f"{kind} {'sym' if self.symmetric else 'asym'} {self.per} {self.clip}"

    @property
    def runs_in_integers(self) -> bool:
        """Whether onnxruntime's integer kernels compute with such weights: a scale and a zero point a channel, no groups."""
        return self.format in ("int", "round", "sparse") and self.per != "group"

    @property
    def kernel(self) -> str:
        """The kernel that multiplies it by 8-bit inputs: int8, uint8, or rounded (in full precision)."""
        if not self.runs_in_integers:
            return "rounded"
        return "int8" if self.symmetric and self.bits <= SIGNED_BITS else "uint8"

    @property
    def is_table(self) -> bool:
        """Whether weights are looked up in a table of values: few bits in the file, full precision in the kernel."""
        return self.per != "group" and (self.format == "codebook" or self.format[:2] in ("fp", "nf"))

    def quantize(self, weight: np.ndarray, gram: np.ndarray | None = None, hints: Hints | None = None) -> QuantizedWeight:
        """Quantizes one layer's weight.

        Args:
            weight: [..., out].
            gram: X'X [K, K] of its inputs, which `round` needs.
            hints: what formats of papers need besides.

        Returns:
            The rounded weight, its codes and scales where they exist, and its size in bits.

        Raises:
            UserError: the option is learned rounding, and there is no gram, or no scale of a tensor or channel.
        """
        if self.format == "codebook":
            return _codebook(weight, self.bits)
        if self.format in grids.FORMATS:
            return _on_grid(weight, self)
        if self.format in TURNS:
            return _turn_and_round(weight, self, hints or Hints())
        if self.format in _PAPERS:
            flat = weight.reshape(-1, weight.shape[-1]).astype(np.float64)
            values, stored_bits = _PAPERS[self.format](flat, self.bits, hints or Hints())
            return QuantizedWeight(values.reshape(weight.shape).astype(np.float32), None, None, None, stored_bits)
        mask = rounding.two_of_four(weight) if self.format == "sparse" else np.ones(weight.shape, bool)
        affine = _affine(weight * mask, self)
        if self.format == "round":
            affine = _round_by_gptq(weight, self, affine, gram)
        if self.format == "sparse":
            stored_bits = affine.stored_bits - int((~mask).sum()) * self.bits + 2 * int(mask.sum())
            return affine._replace(stored_bits=stored_bits)
        return affine


@dataclass(frozen=True)
class ActivationOption:
    """One way to store a layer's inputs: a scale and a zero point for the whole tensor, found once on calibration images.

    With 32 bits they stay as they are, and only weights are quantized.
    """

    bits: int = 8
    clip: str = "minmax"
    symmetric: bool = False
    # token: each has a range of its own, found as it comes; gaussian: as wide as suits normal numbers (QuEST)
    per: str = "tensor"
    turn: str = ""  # a name of turns.py: what is done to inputs before they are rounded, and undone after

    def __post_init__(self) -> None:
        for name, value, choices in (
            ("clip", self.clip, CLIPS),
            ("per", self.per, ("tensor", "token", "gaussian")),
            ("turn", self.turn, TURNS),
        ):
            if value not in choices:
                raise unknown(name, value, choices)
        if self.per != "tensor" and self.clip != "minmax":
            raise UserError(f"a range for each token is not clipped by {self.clip}", "type clip='minmax'")
        if self.bits != FULL_BITS and not (1 if self.per == "gaussian" else 2) <= self.bits <= 8:
            fix = f"type 2 to 8, or {FULL_BITS} to leave it as it is; with per='gaussian' also 1"
            raise UserError(f"{self.bits} bits cannot be an input's", fix)

    @property
    def full(self) -> bool:
        return self.bits == FULL_BITS

    @property
    def name(self) -> str:
        words = (f"int{self.bits}", "sym" if self.symmetric else "asym", self.per, self.clip, self.turn)
        return "fp32" if self.full else " ".join(word for word in words if word)

    def fit(self, x: np.ndarray) -> np.ndarray:
        """Returns (scale, zero, levels) of turned inputs: code = clip(round(x / scale) + zero, 0, levels); levels 0: as is."""
        if self.full:
            return np.array([1.0, 0.0, 0.0])
        if self.per == "gaussian":  # of a token's root mean square
            levels = 2**self.bits - 1
            return np.array([2 * gaussian_scale(self.bits) / levels, levels / 2, levels])
        if self.per == "token":
            levels = 2**self.bits - 2 if self.symmetric else 2**self.bits - 1
            return np.array([1.0, levels // 2 if self.symmetric else 0, levels])
        rows = np.asarray(x, np.float32).reshape(1, -1)
        if rows.shape[1] > 1 << 17:  # a calibration set has more values than a range needs, and its ends are kept
            rows = np.concatenate([rows[:, :: rows.shape[1] >> 16], rows.min(1)[:, None], rows.max(1)[:, None]], 1)
        low, high = _range(rows, self.clip, _ACTIVATION_PERCENTILE, self.symmetric)
        if self.clip == "mse":
            low, high = _least(rows, low, high, self.bits, self.symmetric, _ACTIVATION_RATIOS)
        scale, zero, levels = _steps(low, high, self.bits, self.symmetric)
        if self.symmetric:
            zero = np.full_like(zero, levels // 2)
        return np.array([scale[0, 0], zero[0, 0], levels])


def _affine(weight: np.ndarray, option: WeightOption) -> QuantizedWeight:
    rows, back = _rows(weight, option.per)
    scale, zero, levels = _scales(rows, option)
    bottom = -(levels // 2) if option.symmetric else 0
    codes = np.clip(np.round(rows / scale) + zero, bottom, bottom + levels)
    stored_bits = weight.size * option.bits + scale.size * (SCALE_BITS + (0 if option.symmetric else option.bits))
    values = back((codes - zero) * scale).astype(np.float32)
    if option.per == "group":
        return QuantizedWeight(values, None, None, None, stored_bits)
    return QuantizedWeight(values, back(codes).astype(np.int32), scale[:, 0], zero[:, 0].astype(np.int32), stored_bits)


def _scales(rows: np.ndarray, option: WeightOption) -> tuple[np.ndarray, np.ndarray, int]:
    low, high = _range(rows, option.clip, _PERCENTILE, option.symmetric)
    if option.clip == "mse":
        low, high = _least(rows, low, high, option.bits, option.symmetric, _RATIOS)
    return _steps(low, high, option.bits, option.symmetric)


def _range(rows: np.ndarray, clip: str, percent: float, symmetric: bool) -> tuple[np.ndarray, np.ndarray]:
    """Returns each row's low and high, [R, 1], with 0 between them."""
    low, high = np.minimum(rows.min(1, keepdims=True), 0), np.maximum(rows.max(1, keepdims=True), 0)
    if clip == "percentile":
        far = np.percentile(np.abs(rows), percent, axis=1, keepdims=True)
        low, high = np.maximum(low, -far), np.minimum(high, far)
    if symmetric:
        high = np.maximum(high, -low)
        low = -high
    return low, high


def _steps(low: np.ndarray, high: np.ndarray, bits: int, symmetric: bool) -> tuple[np.ndarray, np.ndarray, int]:
    levels = 2**bits - 2 if symmetric else 2**bits - 1
    scale = np.maximum((high - low) / levels, 1e-12)
    return scale, np.zeros_like(scale) if symmetric else np.round(-low / scale), levels


def _least(
    rows: np.ndarray, low: np.ndarray, high: np.ndarray, bits: int, symmetric: bool, ratios: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Shrinks each row's range by the ratio that leaves the least squared error."""
    best, best_ratio = np.full(low.shape, np.inf), np.ones(low.shape)
    for ratio in ratios:
        scale, zero, levels = _steps(low * ratio, high * ratio, bits, symmetric)
        bottom = -(levels // 2) if symmetric else 0
        values = (np.clip(np.round(rows / scale) + zero, bottom, bottom + levels) - zero) * scale
        error = ((values - rows) ** 2).sum(1, keepdims=True)
        best_ratio, best = np.where(error < best, ratio, best_ratio), np.minimum(error, best)
    return low * best_ratio, high * best_ratio


def _on_grid(weight: np.ndarray, option: WeightOption) -> QuantizedWeight:
    rows, back = _rows(weight, option.per)
    grid = grids.grid(option.format, option.bits)
    far = np.maximum(_range(rows, option.clip, _PERCENTILE, True)[1], 1e-12)
    best, values = np.full(far.shape, np.inf), np.zeros_like(rows)
    for ratio in _RATIOS if option.clip == "mse" else (1.0,):
        candidate = grid[grids.nearest(grid, rows / (far * ratio))] * far * ratio
        error = ((candidate - rows) ** 2).sum(1, keepdims=True)
        values, best = np.where(error < best, candidate, values), np.minimum(error, best)
    stored_bits = weight.size * option.bits + far.size * SCALE_BITS
    return QuantizedWeight(back(values).astype(np.float32), None, None, None, stored_bits)


def _codebook(weight: np.ndarray, bits: int) -> QuantizedWeight:
    """k-means over a layer's weights, 2^b centres (Han et al. 2016), begun at their quantiles."""
    flat = np.sort(weight.ravel().astype(np.float64))
    centres = np.quantile(flat, (np.arange(2**bits) + 0.5) / 2**bits)
    for _ in range(30):
        ends = np.searchsorted(flat, (centres[1:] + centres[:-1]) / 2)
        parts = np.split(flat, ends)
        centres = np.array([part.mean() if len(part) else centre for part, centre in zip(parts, centres, strict=True)])
    values = centres[grids.nearest(centres, weight)].astype(np.float32)
    return QuantizedWeight(values, None, None, None, weight.size * bits + 2**bits * SCALE_BITS)


def _turn_and_round(weight: np.ndarray, option: WeightOption, hints: Hints) -> QuantizedWeight:
    """T Q(T^-1 w): turned weights have no outliers (Ashkboos et al. 2024)."""
    flat = weight.reshape(-1, weight.shape[-1])
    missing = UserError(f"{option.name} needs its layer's inputs", "build the bank with calibration images")
    if option.format in turns.WHOLE:
        if hints.matrices is None:
            raise missing
        turn = hints.matrices[option.format]
        affine = _affine(np.linalg.solve(turn, flat), option)
        values, more = turn @ affine.values, SCALE_BITS * turn.size
    else:
        factors = {"smooth": hints.smooth, "learned": hints.learned}.get(option.format, np.ones(len(flat)))
        if factors is None:
            raise missing
        matrix = rounding.hadamard(len(flat)) if option.format in turns.ROTATES else np.eye(len(flat))
        affine = _affine(matrix.T @ (flat * factors[:, None]), option)
        values = (matrix @ affine.values) / factors[:, None]
        more = SCALE_BITS * len(flat) if option.format != "hadamard" else 0
    return QuantizedWeight(values.reshape(weight.shape).astype(np.float32), None, None, None, affine.stored_bits + more)


def _round_by_gptq(
    weight: np.ndarray, option: WeightOption, affine: QuantizedWeight, gram: np.ndarray | None
) -> QuantizedWeight:
    if gram is None or affine.scale is None or affine.zero is None:
        raise UserError(
            f"{option.name} needs its layer's inputs and a scale a channel", "type per='channel', or another format"
        )
    out = weight.shape[-1]
    scale = np.broadcast_to(affine.scale, (out,))
    bottom, levels = (1 - 2 ** (option.bits - 1), 2**option.bits - 2) if option.symmetric else (0, 2**option.bits - 1)
    zero = np.broadcast_to(affine.zero, (out,))
    codes = rounding.gptq(weight.reshape(-1, out), gram, scale, zero, bottom, bottom + levels).reshape(weight.shape)
    return affine._replace(values=((codes - zero) * scale).astype(np.float32), codes=codes.astype(np.int32))


def _rows(weight: np.ndarray, per: str):  # -> [R, n], and the way back to the weight's shape
    flat = weight.reshape(-1, weight.shape[-1]).T.astype(np.float64)  # [out, K]
    out, k = flat.shape
    if per == "tensor":
        return flat.reshape(1, -1), lambda rows: rows.reshape(out, k).T.reshape(weight.shape)
    if per == "channel":
        return flat, lambda rows: rows.T.reshape(weight.shape)
    padded = np.pad(flat, ((0, 0), (0, -k % GROUP))).reshape(-1, GROUP)
    return padded, lambda rows: rows.reshape(out, -1)[:, :k].T.reshape(weight.shape)
