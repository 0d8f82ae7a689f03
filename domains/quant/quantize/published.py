"""Ways to store a weight, from papers on language models: scales of two levels, nested bits, mixed channels, sparse groups.

Each is a function (weight [K, O], bits, hints) -> (values [K, O], stored bits). K inputs, O outputs, G inputs of a group.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from qd.support.errors import UserError

GROUP, SPARSE_GROUP, SCALE_BITS = 32, 16, 16
SALIENT, PRUNED = 0.1, 0.5  # share of channels with 8 bits (MixLLM's W4.4), and of groups that go (GQSA's S50%)
_PROTECTED = 119  # QServe, section 4.1: codes of the first level stay so small that those of the second fit into 8 bits


class Hints(NamedTuple):
    """What calibration knows of one layer; None where no option of the bank asks for it."""

    gram: np.ndarray | None = None  # X'X of its inputs, [K, K]
    smooth: np.ndarray | None = None  # factors of its inputs, [K]
    learned: np.ndarray | None = None  # [K]
    channels: np.ndarray | None = None  # bool [O]: its most salient outputs
    layer: tuple[str, int] = ("", 0)  # name of the network, number of the layer
    matrices: dict[str, np.ndarray] | None = None  # name of a learned turn -> T of its inputs, [K, K]
    drawn: np.ndarray | None = None  # [O] in 0..1: evenly drawn numbers, for channels that are chosen at random


def two_level(weight: np.ndarray, bits: int, hints: Hints) -> tuple[np.ndarray, int]:
    """Codes of few bits within codes of 8 (QServe, Lin et al. 2024, section 4.1): a scale a channel, then whole steps a group.

    w = s0 q0, q0 in -119..119 a channel; q0 = (q1 - z) s1 in groups of 32 inputs, s1 a whole number of 8 bits, q1 and z of
    ``bits``.

    Args:
        weight: [K, O].
        bits: of a code.
        hints: not used.
    """
    k, out = weight.shape
    codes, zero, step, first = two_level_parts(weight, bits)
    values = ((codes - zero) * step).reshape(-1, out)[:k] * first
    return values, weight.size * bits + out * SCALE_BITS + step.size * (8 + bits)


def two_level_parts(weight: np.ndarray, bits: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Returns q1 [groups, 32, O], z and s1 [groups, 1, O], and s0 [O]; arguments as in ``two_level``."""
    first = np.maximum(np.abs(weight).max(0), 1e-12) / _PROTECTED  # s0
    codes = _groups(np.round(weight / first), GROUP)  # [K / G, G, O]
    low, high = np.minimum(codes.min(1, keepdims=True), 0), np.maximum(codes.max(1, keepdims=True), 0)
    step = np.maximum(np.round((high - low) / (2**bits - 1)), 1)  # s1
    zero = np.round(-low / step)
    return np.clip(np.round(codes / step) + zero, 0, 2**bits - 1), zero, step, first


def nested(weight: np.ndarray, bits: int, hints: Hints) -> tuple[np.ndarray, int]:
    """Rounds the stored codes of 8 bits once more (Double Rounding, Huang et al. 2025): one file serves all bits.

    q_b = clip(round(q_8 / 2^(8 - b))), w = q_b 2^(8 - b) s_8.

    Args:
        weight: [K, O].
        bits: that are read.
        hints: not used.
    """
    scale = np.maximum(np.abs(weight).max(0), 1e-12) / 127
    shift, most = 2 ** (8 - bits), 2 ** (bits - 1) - 1
    codes = np.clip(np.round(np.round(weight / scale) / shift), -most, most)
    return codes * shift * scale, weight.size * bits + weight.shape[1] * SCALE_BITS


def sign(weight: np.ndarray, bits: int, hints: Hints) -> tuple[np.ndarray, int]:
    """One bit: the sign, times the mean of |w| in a channel (XNOR-Net, Rastegari et al. 2016, eq. 6).

    Args:
        weight: [K, O].
        bits: 1.
        hints: not used.

    Raises:
        UserError: more bits are asked for.
    """
    if bits != 1:
        raise UserError(f"a sign has one bit, not {bits}", "type bits=1, or another format")
    return np.where(weight >= 0, 1.0, -1.0) * np.abs(weight).mean(0), weight.size + weight.shape[1] * SCALE_BITS


def mixed(weight: np.ndarray, bits: int, hints: Hints) -> tuple[np.ndarray, int]:
    """Gives 8 bits to the outputs that are most salient in the whole network (MixLLM, Zheng et al. 2024).

    Args:
        weight: [K, O].
        bits: of all other outputs.
        hints: gives the channels.
    """
    if hints.channels is None:
        raise UserError("mixed channels need a loss", "use them for a network with targets")
    return _mixed(weight, bits, 8, hints.channels)


def mixed_random(weight: np.ndarray, bits: int, hints: Hints) -> tuple[np.ndarray, int]:
    """Gives 8 bits to a tenth of the outputs, drawn at random: the control of ``mixed``, with the same mean bits.

    Args:
        weight: [K, O].
        bits: of all other outputs.
        hints: gives what is drawn.
    """
    return _mixed(weight, bits, 8, _drawn(hints, weight) < SALIENT)


def spread(weight: np.ndarray, bits: int, hints: Hints) -> tuple[np.ndarray, int]:
    """Gives one bit more to as many outputs, drawn at random, as makes the mean bits of ``mixed``: its other control.

    Args:
        weight: [K, O].
        bits: of all other outputs.
        hints: gives what is drawn.
    """
    return _mixed(weight, bits, bits + 1, _drawn(hints, weight) < SALIENT * (8 - bits))


def _mixed(weight: np.ndarray, bits: int, more: int, channels: np.ndarray) -> tuple[np.ndarray, int]:
    values = np.where(channels, _nearest(weight, more), _nearest(weight, bits))
    added = int(channels.sum()) * (more - bits) * len(weight)
    return values, weight.size * bits + added + weight.shape[1] * (SCALE_BITS + 1)


def _drawn(hints: Hints, weight: np.ndarray) -> np.ndarray:
    return np.random.default_rng(weight.shape).random(weight.shape[1]) if hints.drawn is None else hints.drawn


def groups(weight: np.ndarray, bits: int, hints: Hints) -> tuple[np.ndarray, int]:
    """Drops half of all groups of 16 inputs, and rounds the others, a scale a group (GQSA, Zeng et al. 2024).

    A weight's salience is w^2 / [H^-1]_ii^2 with H = X'X, a group's the mean of its weights'. Without their tuning after.

    Args:
        weight: [K, O].
        bits: of a weight that stays.
        hints: gives the gram.
    """
    if hints.gram is None:
        raise UserError("sparse groups need their layer's inputs", "build the bank with calibration images")
    kept = kept_groups(weight, hints.gram)
    several = _groups(weight, SPARSE_GROUP)
    most = 2 ** (bits - 1) - 1
    scale = np.maximum(np.abs(several).max(1, keepdims=True), 1e-12) / most
    values = np.round(several / scale) * scale * kept[:, None]
    stored_bits = int(kept.sum()) * (SPARSE_GROUP * bits + SCALE_BITS) + kept.size
    return values.reshape(-1, weight.shape[1])[: len(weight)], stored_bits


def kept_groups(weight: np.ndarray, gram: np.ndarray) -> np.ndarray:
    """Returns which groups of 16 inputs stay.

    Args:
        weight: [K, O].
        gram: X'X of its inputs, [K, K].

    Returns:
        bool [K / 16, O], the half with the larger mean of w^2 / [H^-1]_ii^2.
    """
    damped = gram + np.eye(len(gram)) * 0.01 * np.trace(gram) / len(gram)
    salience = _groups(weight**2 / (np.diag(np.linalg.inv(damped)) ** 2)[:, None], SPARSE_GROUP).mean(1)
    return salience > np.quantile(salience, PRUNED)


FORMATS: dict[str, Callable[[np.ndarray, int, Hints], tuple[np.ndarray, int]]] = {
    "two_level": two_level,
    "nested": nested,
    "mixed": mixed,
    "mixed_random": mixed_random,
    "spread": spread,
    "sign": sign,
    "groups": groups,
}


def _nearest(weight: np.ndarray, bits: int) -> np.ndarray:
    scale = np.maximum(np.abs(weight).max(0), 1e-12) / (2 ** (bits - 1) - 1)
    return np.round(weight / scale) * scale


def _groups(weight: np.ndarray, size: int) -> np.ndarray:
    """[K, O] -> [K / G, G, O], the last group filled up with zeros."""
    return np.pad(weight, ((0, -len(weight) % size), (0, 0))).reshape(-1, size, weight.shape[1])
