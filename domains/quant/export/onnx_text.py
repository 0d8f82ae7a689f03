"""A config of the language model as an ONNX file: tokens in, logits of the next token out.

Codes of weights are stored in 4 or 8 bits and widened when the file is loaded; inputs, keys and values are rounded by
arithmetic as in the bank. The file computes whole windows, so keys and values are rounded but not kept. N windows, T tokens,
V pieces.
"""

import json
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from domains.quant import onnx_runtime
from domains.quant.export import forms
from domains.quant.export.encoded import EncodedConfig
from domains.quant.export.onnx_file import Nodes
from domains.quant.networks import language
from domains.quant.networks.language import PARTS, Language, rotary_places


def write(config: EncodedConfig) -> bytes:
    """Returns the file of a config: input tokens int64 [N, T], output logits float32 [N * T, V].

    Args:
        config: of a bank of the form Language.
    """
    from onnx import TensorProto, helper  # pyright: ignore[reportMissingImports]

    form = config.bank.network.forward
    two_bits = any(weight is not None and weight.bits == 2 for weight in config.weights) and onnx_runtime.runs_two_bits()
    graph = _Graph(Nodes(config, {}, True, two_bits), form)
    graph.model()
    inputs = [helper.make_tensor_value_info("tokens", TensorProto.INT64, ["N", form.tokens])]
    outputs = [helper.make_tensor_value_info("logits", TensorProto.FLOAT, None)]
    made = helper.make_graph(graph.nodes.nodes, config.bank.network.name, inputs, outputs, graph.nodes.constants)
    opset, ir = onnx_runtime.TWO_BITS if two_bits else (onnx_runtime.OPSET, onnx_runtime.IR)
    opsets = [helper.make_opsetid("", opset)]
    return helper.make_model(made, opset_imports=opsets, ir_version=ir, producer_name="qd-atlas").SerializeToString()


def runner(file: bytes) -> Callable[[np.ndarray], np.ndarray]:
    """Opens a file on one thread: embedded tokens [N, T, D] -> logits [N * T, V]; looks up which tokens they are."""
    run = onnx_runtime.open_session(file)
    number = {row.tobytes(): i for i, row in enumerate(language.stored().embedding)}

    def logits(embedded: np.ndarray) -> np.ndarray:
        tokens = np.array([[number[row.tobytes()] for row in window] for window in embedded], np.int64)
        return np.concatenate([run(["logits"], {"tokens": tokens[i : i + 16]})[0] for i in range(0, len(tokens), 16)])

    return logits


def pieces() -> bytes:
    """Returns the vocabulary as JSON: a list of strings, each character a byte (Latin-1); a text is cut into the longest."""
    return (json.dumps([piece.decode("latin-1") for piece in language.stored().pieces.pieces]) + "\n").encode()


class _Turn(NamedTuple):
    """What is done to numbers before they are rounded, and undone after."""

    factors: np.ndarray  # that they are divided by
    size: int  # of the last axis, which Hadamard's matrix rotates; 0: it is not rotated
    matrices: np.ndarray | None = None  # [2, K, K] a matrix and its inverse, in place of both


class _Graph:
    """The forward pass of networks/language.py in operations of ONNX; names of values go in and come out."""

    def __init__(self, nodes: Nodes, form: Language) -> None:
        self.nodes, self.form, self.last = nodes, form, 0
        self.bank, self.names = nodes.config.bank, dict[tuple, str]()  # of constants, each of them once

    def op(self, kind: str, *inputs: Any, **settings: Any) -> str:
        """Adds an operation on values and constants, and returns the name of its result."""
        self.last += 1
        names = [x if isinstance(x, str) else self.constant(x) for x in inputs]
        return self.nodes.node(kind, names, f"t{self.last}", **settings)

    def constant(self, value: Any) -> str:
        x = np.asarray(value)
        key = (x.dtype.str, x.shape, x.tobytes())
        if key not in self.names:
            self.names[key] = self.nodes.constant(f"c{len(self.names)}", x)
        return self.names[key]

    def model(self) -> None:
        form, norm = self.form, lambda x: self.op("Mul", self.even(x), self.form.scale())
        tokens, heads, width = form.tokens, form.heads, form.width // form.heads
        split = lambda x: self.op("Transpose", self.op("Reshape", x, _shape(0, tokens, heads, width)), perm=[0, 2, 1, 3])
        later = np.triu(np.full((tokens, tokens), -1e9, np.float32), 1)
        x = self.op("Cast", self.op("Gather", language.stored().embedding.astype(np.float16), "tokens"), to=1)
        for b in range(form.blocks):
            query, key, value, keys, values, output, up, down = range(len(PARTS) * b, len(PARTS) * (b + 1))
            y = norm(x)
            q, k, v = (split(self.layer(i, y)) for i in (query, key, value))
            q = self.op("Div", self.rotary(q), np.float32(width**0.5))
            k = self.op("Transpose", self.stored(keys, self.rotary(k)), perm=[0, 1, 3, 2])
            attention = self.op("Softmax", self.op("Add", self.op("MatMul", self.inputs(keys, q), k), later), axis=-1)
            mixed = self.op("MatMul", self.inputs(values, attention), self.stored(values, v))
            mixed = self.op("Reshape", self.op("Transpose", mixed, perm=[0, 2, 1, 3]), _shape(0, tokens, form.width))
            x = self.op("Add", x, self.layer(output, mixed))
            inner = self.op("Relu", self.layer(up, norm(x)))
            x = self.op("Add", x, self.layer(down, self.op("Mul", inner, inner)))
        logits = self.op("Reshape", self.layer(len(form.layers) - 1, norm(x)), _shape(-1, form.pieces))
        self.nodes.node("Identity", [logits], "logits")

    def layer(self, i: int, x: str) -> str:
        weight, _ = self.nodes.weight(i, self.form.layers[i])
        return self.op("Add", self.op("MatMul", self.inputs(i, x), weight), self.bank.network.biases[i].astype(np.float32))

    def inputs(self, i: int, x: str) -> str:
        """Rounds a layer's inputs as its option does."""
        index = self.nodes.config.activations[i]
        option, (scale, zero, levels) = self.bank.activation_option(index), self.bank.scales[i, index].tolist()
        if option is None or option.full:
            return x
        turns, layer = self.bank.turns[i] if self.bank.turns else {}, self.form.layers[i]
        factors = turns["factors"][index].astype(np.float32) if "factors" in turns else np.ones(1)
        size = self.form.tokens if layer.kind == "values" else layer.inputs[-1]
        turn = _Turn(factors, size * bool("rotate" in turns and turns["rotate"][index]))
        if "whole" in turns and turns["is_whole"][index]:
            turn = _Turn(np.ones(1), 0, turns["whole"][index])
        if option.per == "gaussian":
            return self.turned(x, turn, lambda y: self.gaussian(y, scale, zero, levels))
        if option.per == "token":
            return self.turned(x, turn, lambda y: self.by_token(y, levels, zero))
        return self.turned(x, turn, lambda y: self.rounded(y, np.float32(scale), np.float32(zero), levels))

    def turned(self, x: str, turn: "_Turn", rounded: Callable[[str], str]) -> str:
        """Divides by factors and rotates, rounds, and turns back."""
        is_plain = bool((turn.factors == 1).all())
        y = x if is_plain else self.op("Div", x, turn.factors)
        if turn.matrices is not None:
            return self.op("MatMul", rounded(self.op("MatMul", y, turn.matrices[0])), turn.matrices[1])
        y = rounded(forms.rotate(y, turn.size, self.op) if turn.size else y)
        y = forms.rotate(y, turn.size, self.op) if turn.size else y
        return y if is_plain else self.op("Mul", y, turn.factors)

    def stored(self, i: int, x: str) -> str:
        """Rounds keys or values as their option does."""
        index = self.nodes.config.cached[i]
        if self.bank.weight_option(index) is None:
            return x
        row, heads = self.bank.weights[i][index], self.form.heads
        factors = row[2:].reshape(heads, 1, -1).astype(np.float32)
        turn = _Turn(factors, factors.shape[-1] * bool(row[1] > 0))
        return self.turned(x, turn, lambda y: self.by_token(y, float(row[0]), 0))

    def by_token(self, x: str, levels: float, zero: float) -> str:
        axis, none = np.array([-1], np.int64), np.float32(0)
        high = self.op("Max", self.op("ReduceMax", x, axis, keepdims=1), none)
        low = self.op("Min", self.op("ReduceMin", x, axis, keepdims=1), none)
        if zero:
            far = self.op("Max", high, self.op("Neg", low))
            return self.rounded(x, self._step(self.op("Mul", far, np.float32(2)), levels), np.float32(zero), levels)
        step = self._step(self.op("Sub", high, low), levels)
        return self.rounded(x, step, self.op("Round", self.op("Div", self.op("Neg", low), step)), levels)

    def _step(self, spread: str, levels: float) -> str:
        return self.op("Max", self.op("Div", spread, np.float32(levels)), np.float32(1e-9))

    def rounded(self, x: str, step: Any, zero: Any, levels: float) -> str:
        """(clip(round(x / step) + zero, 0, levels) - zero) * step."""
        code = self.op(
            "Clip", self.op("Add", self.op("Round", self.op("Div", x, step)), zero), np.float32(0), np.float32(levels)
        )
        return self.op("Mul", self.op("Sub", code, zero), step)

    def gaussian(self, x: str, scale: float, zero: float, levels: float) -> str:
        """Evenly spaced values around 0, as wide as suits normal numbers of the token's size; 0 lies between two."""
        mean = self.op("ReduceMean", self.op("Mul", x, x), np.array([-1], np.int64), keepdims=1)
        step = self.op("Mul", self.op("Sqrt", self.op("Add", mean, np.float32(1e-12))), np.float32(scale))
        code = self.op("Round", self.op("Sub", self.op("Div", x, step), np.float32(0.5)))
        code = self.op("Clip", self.op("Add", code, np.float32(zero + 0.5)), np.float32(0), np.float32(levels))
        return self.op("Mul", self.op("Sub", code, np.float32(zero)), step)

    def even(self, x: str) -> str:
        mean = self.op("ReduceMean", self.op("Mul", x, x), np.array([-1], np.int64), keepdims=1)
        return self.op("Div", x, self.op("Sqrt", self.op("Add", mean, np.float32(1e-6))))

    def rotary(self, x: str) -> str:
        half = self.form.width // self.form.heads // 2
        cos, sin = rotary_places(self.form.tokens, 2 * half)
        part = lambda start: self.op("Slice", x, *(np.array([n], np.int64) for n in (start, start + half, -1)))
        one, two = part(0), part(half)
        left = self.op("Sub", self.op("Mul", one, cos), self.op("Mul", two, sin))
        right = self.op("Add", self.op("Mul", two, cos), self.op("Mul", one, sin))
        return self.op("Concat", left, right, axis=-1)


def _shape(*sizes: int) -> np.ndarray:
    return np.array(sizes, np.int64)
