"""Inputs of a denoising network in a few bits, with ranges that may differ by timestep, by channel, by sign or by token.

A network that denoises sees other inputs in each timestep. Every way here is a code times a scale,
q(x) = s clip(round(x / s), low, high), with s = up where x >= 0 and s = down elsewhere, and all four numbers given for each
timestep and channel; by token they come from the token itself. Attention may be rounded to powers of two instead,
q(x) = s 2^-clip(round(-log2(x / s)), 0, most). S timesteps, K channels, A options, n calibration samples.
"""

from dataclasses import dataclass
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np

from domains.quant import preconditions
from domains.quant.networks.layers import Layer
from domains.quant.quantize.quantizers import CLIPS, ActivationOption
from qd.support.errors import UserError
from qd.support.spelling import unknown
from qd.types import Array

PER = ("tensor", "halves", "signs", "outliers", "smooth", "token", "log2", "log2 image", "log2 image first")
COMPUTED = ("token", "log2", "log2 image", "log2 image first")  # those that take more than a range of each channel
DRAWN = ("evenly", "middle", "noise", "images")
_OUTLIERS = (0.75, 0.9375)  # shares of the channels, by their largest value, that end a group: 3/4, 3/16 and 1/16 of them
_VALUES = 1 << 12  # of a range that are looked at; its ends always are
_RATIOS = np.linspace(0.2, 1, 25)


class Samples(NamedTuple):
    """One layer's inputs on n calibration samples."""

    values: np.ndarray  # [n, K], [n, T, K], or of queries and attention [n, heads, T, K]
    steps: np.ndarray  # [n] the timestep of each, 0 is noise


class InputTable(NamedTuple):
    """One layer's inputs in A options and, last, as they are."""

    up: np.ndarray  # float32 [A + 1, S, K]
    down: np.ndarray  # float32 [A + 1, S, K]
    low: np.ndarray  # float32 [A + 1, S, K]
    high: np.ndarray  # float32 [A + 1, S, K]; 0 with low 0: as they are
    levels: np.ndarray  # float32 [A + 1, S] by token: the largest code; 0: not by token
    powers: np.ndarray  # float32 [A + 1, S, K] the largest power of two; 0: none; where up is 0, s is the image's largest value

    def row(self, index: int) -> "InputTable":
        """Returns one option in all timesteps: [S, K] four times, [S], and [S, K]."""
        return InputTable(*(column[index] for column in self))


@dataclass(frozen=True)
class StepOption:
    """One way to store a layer's inputs in all timesteps.

    ``per``: one range for the tensor; for each half of a long shortcut's channels (Q-Diffusion, Li et al. 2023, eq. 9-10);
    for each sign (two ranges, as PTQ4DM's successors use after GELU); for three groups of channels by their largest value
    (DGQ, Ryu et al. 2025, section 4.1); one after channels are divided by (|x| / |w|)^0.5 (smoothing: ViDiT-Q, Zhao et al.
    2025; |x| by its root mean square); or each token's own, found when it runs (ViDiT-Q's dynamic ranges).
    Of attention alone, which lies between 0 and 1 (DGQ, section 4.2; all other inputs have one range then): ``log2`` rounds to
    powers of two below one s; with ``image`` s is found when it runs, the image's largest value; with ``first`` the attention
    to the first token stays as it is and does not count for s, as DGQ keeps that to a prompt's first token.
    ``drawn``: how the calibration samples lie in time: evenly, around 0.4 of the way from the image (PTQ4DM, Shang et al. 2023,
    section 3.4: normal), or all from pure noise or from the last step alone.
    """

    each: tuple[int, ...] = (8,)  # bits in each group of timesteps, noise first; one number: the same in all
    groups: int = 1  # of timesteps, each with ranges of its own
    per: str = "tensor"
    clip: str = "mse"
    drawn: str = "evenly"

    def __post_init__(self) -> None:
        for name, value, choices in (("per", self.per, PER), ("clip", self.clip, CLIPS), ("drawn", self.drawn, DRAWN)):
            if value not in choices:
                raise unknown(name, value, choices)
        if self.groups < 1 or len(self.each) not in (1, self.groups) or not all(2 <= bits <= 8 for bits in self.each):
            raise UserError(
                f"bits {self.each} in {self.groups} groups of timesteps", "give 2 to 8 bits, one number or one for each group"
            )
        if self.groups > 1 and self.drawn != "evenly":
            raise UserError(f"{self.groups} groups of timesteps need samples of each", "leave out drawn=")

    @property
    def bits(self) -> float:
        """Mean over timesteps."""
        return float(np.mean(self.each))

    @property
    def full(self) -> bool:
        return False

    @property
    def name(self) -> str:
        bits = "-".join(map(str, self.each))
        parts = [f"{self.groups} groups" * (self.groups > 1), self.per, self.clip, self.drawn * (self.drawn != "evenly")]
        return " ".join([f"int{bits}", *filter(None, parts)])

    def fit(self, x: np.ndarray) -> np.ndarray:
        """Returns (scale, zero, levels) of one range for all timesteps, as the bank wants it for a single step."""
        return ActivationOption(max(self.each), self.clip).fit(x)

    def bits_of(self, group: int) -> int:
        """Returns the bits of a group of timesteps."""
        return self.each[group if len(self.each) > 1 else 0]


def groups_of(steps: int, groups: int) -> np.ndarray:
    """Returns the group of each timestep, neighbours together.

    Args:
        steps: S.
        groups: how many.

    Returns:
        [S] numbers from 0.

    Raises:
        UserError: there are more groups than steps.
    """
    preconditions.check_groups(groups, steps, groups)
    return np.arange(steps) * groups // steps


def check(options: tuple[StepOption, ...], steps: int, samples: int) -> None:
    """Raises UserError where an option has more groups of timesteps than there are steps or calibration samples.

    Args:
        options: of inputs.
        steps: S.
        samples: n.
    """
    for option in options:
        preconditions.check_groups(option.groups, steps, samples)


def table(
    layer: Layer, weight: np.ndarray, options: tuple[StepOption, ...], samples: dict[str, Samples], steps: int
) -> InputTable:
    """Finds the ranges of a layer's inputs.

    Args:
        layer: the layer.
        weight: its weight [K, out], for smoothing.
        options: the A options.
        samples: its inputs on the calibration samples, by how these were drawn.
        steps: S.

    Returns:
        The table; row A leaves inputs as they are.

    Raises:
        UserError: a group of timesteps has no calibration sample.
    """
    rows = [_row(layer, weight, option, samples[option.drawn], steps) for option in options]
    channels = samples["evenly"].values.shape[-1]
    ones, zeros = np.ones((steps, channels)), np.zeros((steps, channels))
    as_it_is = InputTable(ones, ones, zeros, zeros, np.zeros(steps), zeros)
    return InputTable(*(np.stack(column).astype(np.float32) for column in zip(*rows, as_it_is, strict=True)))


def round_inputs(x: Array, table: InputTable, ways: frozenset[str]) -> Array:
    """Rounds a layer's inputs to their grid and back, in a function that JAX traces.

    Args:
        x: [N, K], [N, T, K] or [N, heads, T, K].
        table: the row of one option in one timestep: four vectors [K], a number, and a vector.
        ways: of COMPUTED, those that the option may be.

    Returns:
        Shaped as ``x``.
    """
    up = jnp.where(table.up > 0, table.up, 1)
    scale = jnp.where(x >= 0, up, table.down)
    rounded = jnp.clip(jnp.round(x / scale), table.low, table.high) * scale
    rounded = jnp.where((table.low == 0) & (table.high == 0), x, rounded)
    if "token" in ways:
        rounded = jnp.where(table.levels > 0, _by_token(x, table.levels), rounded)
    if x.ndim == 4 and ways - {"token"}:  # queries have no powers
        rounded = jnp.where(table.powers > 0, _in_powers(x, table), rounded)
    return rounded


def _by_token(x: Array, levels: Array) -> Array:
    low, high = jnp.minimum(x.min(-1, keepdims=True), 0), jnp.maximum(x.max(-1, keepdims=True), 0)
    step = jnp.maximum((high - low) / jnp.maximum(levels, 1), 1e-12)
    zero = jnp.round(-low / step)
    return (jnp.clip(jnp.round(x / step) + zero, 0, levels) - zero) * step


def _in_powers(x: Array, table: InputTable) -> Array:
    """Attention [N, heads, T, K] as s 2^-code (DGQ, eq. 2); s is given, or the largest value of each image."""
    largest = jnp.where(table.powers > 0, x, 0).max((1, 2, 3), keepdims=True)
    top = jnp.maximum(jnp.where(table.up > 0, table.up, largest), 1e-12)
    code = jnp.clip(jnp.round(-jnp.log2(jnp.maximum(x, 1e-30) / top)), 0, table.powers)
    return top * 2.0**-code


def smoothing(magnitude: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Returns what channels are divided by: (|x| / |w|)^0.5 (SmoothQuant, Xiao et al. 2023, eq. 4, alpha 0.5).

    Args:
        magnitude: of each channel's inputs [K].
        weight: [K, out].
    """
    largest = np.abs(weight.reshape(len(magnitude), -1)).max(1)
    usable = (magnitude > 1e-8) & (largest > 1e-8)
    return np.where(usable, np.sqrt(np.where(usable, magnitude, 1) / np.where(usable, largest, 1)), 1.0)


def _row(layer: Layer, weight: np.ndarray, option: StepOption, samples: Samples, steps: int) -> InputTable:
    """One option in all timesteps: [S, K] four times, [S], and [S, K]."""
    group_of_step, parts = groups_of(steps, option.groups), []
    for group in range(option.groups):
        values = samples.values[group_of_step[samples.steps] == group]
        if not len(values):
            raise UserError(
                f"group {group} of {option.groups} groups of timesteps has none of {len(samples.steps)} calibration samples",
                f"type domain.calibration={10 * option.groups}",
            )
        parts.append(_range(layer, weight, option, values.reshape(-1, values.shape[-1]), option.bits_of(group)))
    levels = np.array([2.0 ** option.bits_of(g) - 1 if option.per == "token" else 0 for g in range(option.groups)])
    up, down, low, high, powers = (np.stack(column)[group_of_step] for column in zip(*parts, strict=True))
    return InputTable(up, down, low, high, levels[group_of_step], powers)


def _range(layer: Layer, weight: np.ndarray, option: StepOption, x: np.ndarray, bits: int) -> tuple[np.ndarray, ...]:
    """Up, down, low, high and powers of each channel, for inputs [n, K]."""
    channels = x.shape[1]
    if option.per.startswith("log2") and layer.kind == "values":
        return _powers(option.per, x, bits)
    return *_linear(layer, weight, option, x, bits), np.zeros(channels)


def _powers(per: str, x: np.ndarray, bits: int) -> tuple[np.ndarray, ...]:
    """Of attention: s, by the least squared error of ten shares of the largest value (DGQ's code), or 0: the image's own."""
    channels, most = x.shape[1], 2.0**bits - 1
    powers, flat = np.full(channels, most), np.maximum(few(x), 1e-30)
    powers[0] = 0 if per.endswith("first") else most
    tops = np.linspace(0.1, 1, 10) * flat.max()
    error = [((top * 2.0 ** -np.clip(np.round(-np.log2(flat / top)), 0, most) - flat) ** 2).sum() for top in tops]
    top = 0.0 if "image" in per else tops[int(np.argmin(error))]
    none = np.zeros(channels)
    return np.full(channels, top), np.ones(channels), none, none, powers


def _linear(layer: Layer, weight: np.ndarray, option: StepOption, x: np.ndarray, bits: int) -> tuple[np.ndarray, ...]:
    """Up, down, low and high of each channel."""
    channels = x.shape[1]
    if option.per == "signs":
        sides = [_side(side, bits, option.clip) for side in (np.maximum(x, 0), np.maximum(-x, 0))]
        top = 2.0 ** (bits - 1) - 1
        return tuple(np.full(channels, value) for value in (*sides, -top, top))
    smooths = option.per == "smooth" and not layer.is_cached
    divide = smoothing(np.sqrt((x**2).mean(0)), weight) if smooths else np.ones(channels)
    columns = np.ones((4, channels))
    for part in _parts(layer, option, x):
        scale, zero, levels = ActivationOption(bits, option.clip).fit(few((x / divide)[:, part]))
        columns[:, part] = np.array([scale, scale, -zero, levels - zero])[:, None]
    columns[:2] *= divide
    return tuple(columns)


def _parts(layer: Layer, option: StepOption, x: np.ndarray) -> list[np.ndarray]:
    """The channels that share a range."""
    everything = np.arange(x.shape[1])
    if option.per == "halves" and layer.name.endswith("shortcut"):
        return np.array_split(everything, 2)
    if option.per == "outliers":
        order = np.argsort(np.abs(x).max(0), kind="stable")
        ends = [max(1, round(share * len(order))) for share in _OUTLIERS]
        return [part for part in np.split(order, ends) if len(part)]
    return [everything]


def few(x: np.ndarray) -> np.ndarray:
    """Returns some thousand of an array's numbers, with its ends, flat."""
    flat = x.ravel()
    return flat if len(flat) <= _VALUES else np.concatenate([flat[:: len(flat) // _VALUES], [flat.min(), flat.max()]])


def _side(x: np.ndarray, bits: int, clip: str) -> float:
    """The step of one sign's values, 2^(bits - 1) - 1 of them beside 0."""
    flat, top = few(x), 2.0 ** (bits - 1) - 1
    far = max(float(flat.max()), 1e-8)
    if clip != "mse":
        return far / top
    scales = _RATIOS * far / top
    errors = [((np.clip(np.round(flat / s), 0, top) * s - flat) ** 2).sum() for s in scales]
    return float(scales[int(np.argmin(errors))])
