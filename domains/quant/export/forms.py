"""Weights stored as more than integers with a scale a channel: turned, in groups, with mixed channels, in powers of two.

Each form is what a file keeps, recovered from what the bank computes with, and the operations that make the weight of it when
the file is loaded. K inputs of a layer, O outputs, G groups of inputs.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from domains.quant.export.codes import Codes, Lookup, in_table
from domains.quant.quantize import published, rounding, tuned
from domains.quant.quantize.bank import Bank
from domains.quant.quantize.quantizers import WeightOption
from domains.quant.quantize.turns import ROTATES, WHOLE
from domains.quant.quantize.vectors import SmoothOption
from qd.support.errors import UserError

Add = Callable[..., str]  # (kind of ONNX, names or arrays, settings) -> name of the result
Store = Callable[[np.ndarray, int, bool], str]  # (codes, bits, are they signed) -> name of a tensor of floats


class Turned(NamedTuple):
    """S^-1 H (codes - zero) scale, or T (codes - zero) scale: codes of the turned weight [K, O], and what turns it back."""

    codes: Codes
    factors: np.ndarray | None  # S, float32 [K]
    rotates: bool  # by Hadamard's matrix
    matrix: np.ndarray | None = None  # T, float32 [K, K]

    @property
    def bits(self) -> int:
        return self.codes.bits


class Grouped(NamedTuple):
    """first (codes - zero) step, with a step and a zero point for each group of inputs (QServe's two levels)."""

    codes: np.ndarray  # int [G, inputs of a group, O], from 0
    zero: np.ndarray  # int [G, 1, O]
    step: np.ndarray  # int [G, 1, O]
    first: np.ndarray  # float32 [O]
    bits: int
    inputs: int  # K


class Mixed(NamedTuple):
    """Channels in few bits beside channels in 8."""

    few: Codes
    eight: Codes  # or so many bits as these channels have
    order: np.ndarray  # int [O]: where each channel stands among those in few bits and then in 8

    @property
    def bits(self) -> int:
        return self.few.bits


class Sparse(NamedTuple):
    """Groups of inputs that stay, a scale each; others are 0."""

    codes: np.ndarray  # int [groups that stay, inputs of a group]
    scale: np.ndarray  # float32 [groups that stay, 1]
    kept: np.ndarray  # bool [G, O]
    bits: int
    inputs: int  # K


Form = Turned | Grouped | Mixed | Sparse
TURNED = ("hadamard", "smooth", "learned", *WHOLE)
PUBLISHED = ("two_level", "nested", "nested_trained", "trained", "mixed", "mixed_random", "spread", "sign", "groups")


def carries(option: Any) -> bool:
    """Returns whether files carry a weight option in one of these forms, or by a table of its values."""
    if isinstance(option, SmoothOption):
        return True
    if not isinstance(option, WeightOption) or option.per != "channel":
        return False
    return option.format in (*TURNED, *PUBLISHED) or (option.format == "log2" and option.bits <= 4)


def encode(bank: Bank, layer: int, index: int) -> Form | Codes | Lookup:
    """Recovers the form of a layer's weights.

    Args:
        bank: L layers in W + A options.
        layer: its number.
        index: of a weight option that ``carries`` knows.

    Returns:
        The form; what it makes is what the bank computes with.

    Raises:
        UserError: it is not.
    """
    option, values = bank.weight_options[index], bank.weights[layer][index]
    flat = bank.network.weights[layer].reshape(-1, values.shape[-1]).astype(np.float64)
    own = values.reshape(flat.shape).astype(np.float64)
    if isinstance(option, WeightOption) and option.format == "log2":
        return in_table(bank, layer, index)
    form = (_turned if _turns(option) else _PUBLISHED[option.format])(bank, layer, option, flat, own)
    if not np.allclose(made(form), own, rtol=1e-3, atol=1e-5 * np.abs(own).max()):
        name = bank.network.layers[layer].name
        raise UserError(f"{name}: the bank's weights are not those of {option.name}", "build it again")
    if isinstance(form, Codes):
        return form._replace(codes=form.codes.reshape(values.shape))
    return form


def made(form: Form | Codes) -> np.ndarray:
    """Returns the weight [K, O] of a form."""
    if isinstance(form, Codes):
        return (form.codes - form.zero) * form.scale
    if isinstance(form, Turned):
        plain = made(form.codes)
        plain = rounding.hadamard(len(plain)) @ plain if form.rotates else plain
        plain = plain if form.matrix is None else form.matrix @ plain
        return plain if form.factors is None else plain / form.factors[:, None]
    if isinstance(form, Grouped):
        plain = (form.codes - form.zero) * form.step
        return plain.reshape(-1, plain.shape[2])[: form.inputs] * form.first
    if isinstance(form, Mixed):
        return np.concatenate([made(form.few), made(form.eight)], 1)[:, form.order]
    values = np.zeros((*form.kept.T.shape, form.codes.shape[1]))  # [O, G, inputs of a group]
    values[form.kept.T] = form.codes * form.scale
    return values.reshape(len(values), -1).T[: form.inputs]


def write(form: Form, add: Add, store: Store) -> str:
    """Adds the operations that make the weight.

    Args:
        form: what is stored.
        add: adds an operation.
        store: adds codes.

    Returns:
        Name of the weight [K, O].
    """
    if isinstance(form, Turned):
        plain = _write_codes(form.codes, add, store)
        if form.rotates:
            turned = rotate(add("Transpose", plain, perm=[1, 0]), len(form.codes.codes), add)
            plain = add("Transpose", turned, perm=[1, 0])
        if form.matrix is not None:
            plain = add("MatMul", form.matrix, plain)
        return plain if form.factors is None else add("Div", plain, form.factors[:, None].astype(np.float32))
    if isinstance(form, Grouped):
        codes, zero, step = (store(x, bits, False) for x, bits in zip(form[:3], (form.bits, form.bits, 8), strict=True))
        rows = add("Reshape", add("Mul", add("Sub", codes, zero), step), np.array([-1, form.codes.shape[2]]))
        return _first(add("Mul", rows, form.first.astype(np.float32)), form.inputs, add)
    if isinstance(form, Mixed):
        parts = [_write_codes(each, add, store) for each in (form.few, form.eight)]
        return add("Gather", add("Concat", *parts, axis=1), form.order.astype(np.int32), axis=1)
    values = add("Mul", store(form.codes, form.bits, True), form.scale.astype(np.float32))
    size, (groups, out) = form.codes.shape[1], form.kept.shape
    empty = np.zeros((1, size), np.float32)
    place = np.where(form.kept.T, np.cumsum(form.kept.T).reshape(out, groups), 0)
    spread = add("Gather", add("Concat", empty, values, axis=0), place.astype(np.int32).ravel(), axis=0)
    rows = add("Transpose", add("Reshape", spread, np.array([out, groups * size])), perm=[1, 0])
    return _first(rows, form.inputs, add)


def rotate(x: str, size: int, add: Add) -> str:
    """Adds the product of the last axis and ``rounding.hadamard(size)``, as two of small matrices.

    Args:
        x: name of [..., size].
        size: numbers of the axis.
        add: adds an operation.
    """
    block = size & -size
    inner = 2 ** (int(np.log2(block)) // 2)
    one, two = (rounding.hadamard(each).astype(np.float32) for each in (block // inner, inner))
    cut = add("Reshape", x, np.array([-1, size // block, block // inner, inner]))
    return add("Reshape", add("MatMul", one, add("MatMul", cut, two)), add("Shape", x))


def _first(x: str, rows: int, add: Add) -> str:
    return add("Slice", x, np.array([0]), np.array([rows]), np.array([0]))


def _write_codes(form: Codes, add: Add, store: Store) -> str:
    plain = store(form.codes, form.bits, form.signed)
    if np.any(form.zero):
        plain = add("Sub", plain, np.asarray(form.zero, np.float32))
    return add("Mul", plain, np.asarray(form.scale, np.float32))


def _turns(option: Any) -> bool:
    return isinstance(option, SmoothOption) or option.format in TURNED


def _turned(bank: Bank, layer: int, option: Any, flat: np.ndarray, own: np.ndarray) -> Turned:
    is_step = isinstance(option, SmoothOption)
    factors = bank.factors[layer].get("smooth" if is_step else option.format) if bank.factors else None
    rotates = not is_step and option.format in ROTATES
    plain = WeightOption(option.bits, clip="mse") if is_step else replace(option, format="int")
    if not is_step and option.format in WHOLE:
        assert factors is not None  # the bank has them where it has the option
        return Turned(_grid(plain, np.linalg.solve(factors, flat)), None, False, factors.astype(np.float32))
    turned = flat if factors is None else flat * factors[:, None]
    codes = _grid(plain, rounding.hadamard(len(flat)).T @ turned if rotates else turned)
    return Turned(codes, None if factors is None else factors.astype(np.float32), rotates)


def _grid(option: WeightOption, weight: np.ndarray) -> Codes:
    """The codes of plain rounding."""
    grid = option.quantize(weight)
    assert grid.codes is not None and grid.scale is not None and grid.zero is not None  # scales of channels
    return Codes(grid.codes, grid.scale.astype(np.float32), grid.zero, option.bits, option.symmetric)


def _two_level(bank: Bank, layer: int, option: WeightOption, flat: np.ndarray, own: np.ndarray) -> Grouped:
    codes, zero, step, first = published.two_level_parts(flat, option.bits)
    return Grouped(codes.astype(int), zero.astype(int), step.astype(int), first.astype(np.float32), option.bits, len(flat))


def _nested(bank: Bank, layer: int, option: WeightOption, flat: np.ndarray, own: np.ndarray) -> Codes:
    scale = np.maximum(np.abs(flat).max(0), 1e-12) / 127 * 2 ** (8 - option.bits)
    return _integers(own, scale, option.bits)


def _nested_trained(bank: Bank, layer: int, option: WeightOption, flat: np.ndarray, own: np.ndarray) -> Codes:
    steps = tuned.arrays()[f"nested_step{option.bits if option.bits in tuned.NESTED else 8}_{layer}"].astype(np.float64)
    return _integers(own, steps * 2 ** (8 - option.bits), option.bits)


def _trained(bank: Bank, layer: int, option: WeightOption, flat: np.ndarray, own: np.ndarray) -> Turned:
    """Codes from 0 to 2^b - 1 around a middle that is none of them (QuEST)."""
    steps, middle = tuned.arrays()[f"step{option.bits}_{layer}"].astype(np.float64), (2**option.bits - 1) / 2
    codes = np.rint(rounding.hadamard(len(own)).T @ own / steps + middle).astype(np.int32)
    zero = np.full(len(steps), middle, np.float32)
    return Turned(Codes(codes, steps.astype(np.float32), zero, option.bits, False), None, True)


def _sign(bank: Bank, layer: int, option: WeightOption, flat: np.ndarray, own: np.ndarray) -> Codes:
    return _integers(own, np.abs(own[0]), 2)


def _mixed(bank: Bank, layer: int, option: WeightOption, flat: np.ndarray, own: np.ndarray) -> Mixed:
    """Channels that are not those of few bits are those of more."""
    more = option.bits + 1 if option.format == "spread" else 8
    far = np.maximum(np.abs(flat).max(0), 1e-12)
    scale = far / (2 ** (option.bits - 1) - 1)
    is_few = np.isclose(np.round(own / scale) * scale, own, rtol=1e-4, atol=1e-6).all(0)
    few, eight = (
        _integers(own[:, is_few], scale[is_few], option.bits),
        _integers(own[:, ~is_few], far[~is_few] / (2 ** (more - 1) - 1), more),
    )
    order = np.argsort(np.concatenate([np.flatnonzero(is_few), np.flatnonzero(~is_few)]))
    return Mixed(few, eight, order)


def _sparse(bank: Bank, layer: int, option: WeightOption, flat: np.ndarray, own: np.ndarray) -> Sparse:
    size = published.SPARSE_GROUP
    cut = lambda x: np.pad(x, ((0, -len(x) % size), (0, 0))).reshape(-1, size, x.shape[1])
    scale = np.maximum(np.abs(cut(flat)).max(1), 1e-12) / (2 ** (option.bits - 1) - 1)  # [G, O]
    groups, kept = cut(own), np.abs(cut(own)).max(1) > 0
    scales = scale.T[kept.T][:, None]
    codes = np.rint(groups.transpose(2, 0, 1)[kept.T] / scales).astype(np.int32)
    return Sparse(codes, scales.astype(np.float32), kept, option.bits, len(flat))


def _integers(values: np.ndarray, scale: np.ndarray, bits: int) -> Codes:
    codes = np.rint(values / scale).astype(np.int32)
    return Codes(codes, scale.astype(np.float32), np.zeros(len(scale), np.int32), bits, True)


_PUBLISHED = dict.fromkeys(("mixed", "mixed_random", "spread"), _mixed) | {
    "two_level": _two_level,
    "nested": _nested,
    "nested_trained": _nested_trained,
    "trained": _trained,
    "sign": _sign,
    "groups": _sparse,
}
