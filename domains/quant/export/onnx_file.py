"""A config as an ONNX file of quantize/dequantize pairs (QDQ), which onnxruntime turns into integer kernels.

Inputs of fewer than 8 bits are clipped as codes; weights of up to 4 bits are stored two in a byte, those of 2 bits four in a
byte where onnxruntime runs that, and widened when the file is loaded. A convolution becomes an integer kernel only where its
result is rounded again: where it goes into a sum, ``result_ranges`` allow 8 bit for that, and it is fast; without, it stays
as exact as the bank, and slow.

NCHW inside; the file takes images [N, H, W, C] as the bank does.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from domains.quant import onnx_runtime
from domains.quant.export import forms
from domains.quant.export.codes import Codes, Lookup, for_kernel
from domains.quant.export.encoded import EncodedConfig
from domains.quant.export.trace import Step, steps
from domains.quant.networks.layers import Layer, Network

Range = tuple[float, float]


def write(
    config: EncodedConfig,
    result_ranges: dict[int, Range] | None = None,
    more_outputs: Sequence[int] = (),
    plain: bool = False,
) -> bytes:
    """Returns the file of a config.

    Args:
        result_ranges: layer -> range (low, high) of its results, for those with results that are rounded to 8 bit.
        more_outputs: layers of which the file gives the results too.
        plain: every kernel in full precision, on rounded numbers: agrees best, and is slower.
    """
    from onnx import TensorProto, helper  # pyright: ignore[reportMissingImports]

    network = config.bank.network
    order, result = steps(network)
    two_bits = any(weight is not None and weight.bits == 2 for weight in config.weights) and onnx_runtime.runs_two_bits()
    nodes = Nodes(config, result_ranges or {}, plain, two_bits)
    nodes.node("Transpose", ["images"], "v0", perm=[0, 3, 1, 2])
    for step in order:
        nodes.add(step)
    nodes.node("Identity", [f"v{result}"], "logits")
    inputs = [helper.make_tensor_value_info("images", TensorProto.FLOAT, ["N", *network.layers[0].inputs])]
    names = ["logits", *[f"o{i}" for i in more_outputs]]
    outputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in names]
    graph = helper.make_graph(nodes.nodes, network.name, inputs, outputs, nodes.constants)
    opset, ir = onnx_runtime.TWO_BITS if two_bits else (onnx_runtime.OPSET, onnx_runtime.IR)
    opsets = [helper.make_opsetid("", opset)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=ir, producer_name="qd-atlas").SerializeToString()


def layers_into_sums(network: Network) -> list[int]:
    """Returns the convolutions with results that go elsewhere than, after a ReLU, into layers alone."""
    order, _ = steps(network)
    users: dict[int, list[Step]] = {}
    for step in order:
        for value in step.inputs:
            users.setdefault(value, []).append(step)

    def into_layers(value: int) -> bool:
        return all(u.kind == "layer" or (u.kind == "relu" and into_layers(u.output)) for u in users.get(value, []))

    layers = [step for step in order if step.kind == "layer" and users.get(step.output)]
    return [step.setting for step in layers if not into_layers(step.output)]


class Nodes:
    """Nodes and constants of a graph, as they are needed; each method adds some and returns the name of what they give."""

    def __init__(self, config: EncodedConfig, result_ranges: dict[int, Range], plain: bool, two_bits: bool) -> None:
        self.config, self.network = config, config.bank.network
        self.result_ranges, self.plain, self.two_bits = result_ranges, plain, two_bits
        self.nodes: list[Any] = []
        self.constants: list[Any] = []
        self.rounded: dict[tuple, str] = {}  # one pair for all layers that round a value in the same way

    def node(self, kind: str, inputs: list[str], output: str, **settings: Any) -> str:
        """Adds a node and returns its output's name.

        Args:
            kind: of the operator, e.g. ``MatMul``.
            inputs: names of values.
            output: name of its one output.
            settings: attributes of the operator.
        """
        from onnx import helper  # pyright: ignore[reportMissingImports]

        self.nodes.append(helper.make_node(kind, inputs, [output], **settings))
        return output

    def constant(self, name: str, value: Any) -> str:
        """Adds a constant and returns its name.

        Args:
            name: of the value.
            value: array, or what becomes one.
        """
        from onnx import numpy_helper  # pyright: ignore[reportMissingImports]

        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def add(self, step: Step) -> None:
        names, out = [f"v{value}" for value in step.inputs], f"v{step.output}"
        if step.kind == "layer":
            self._layer(step.setting, names[0], out)
        elif step.kind == "relu":
            self.node("Relu", names, out)
        elif step.kind == "add":
            self.node("Add", names, out)
        elif step.kind == "sum":
            axes = [{0: 0, 1: 2, 2: 3, 3: 1}[axis] for axis in step.setting]  # NHWC -> NCHW
            self.node("ReduceSum", [*names, self.constant(f"{out}.axes", np.array(axes, np.int64))], out, keepdims=0)
        else:
            self.node("Mul", [*names, self.constant(f"{out}.factor", np.float32(step.setting))], out)

    def _layer(self, i: int, x: str, out: str) -> None:
        layer = self.network.layers[i]
        scale, zero, levels = self.config.bank.scales[i, self.config.activations[i]].tolist()
        integers = isinstance(self.config.weights[i], Codes) and not self.plain
        x = self._pair(x, scale, int(zero), int(levels), integers) if levels else x
        w, grid = self.weight(i, layer)
        b = self._bias(i, None if grid is None else grid * np.float32(scale))
        if layer.kind == "conv":
            self.node("Conv", [x, w, b], f"o{i}", strides=[layer.stride] * 2, auto_pad="SAME_UPPER")
        else:
            self.node("Gemm", [x, w, b], f"o{i}")
        if i in self.result_ranges:
            low, high = self.result_ranges[i]
            step = max((max(high, 0) - min(low, 0)) / 255, 1e-12)
            self.rounded[f"o{i}",] = self._pair(f"o{i}", step, int(np.clip(round(-min(low, 0) / step), 0, 255)), 255)
        self.node("Identity", [self.rounded.get((f"o{i}",), f"o{i}")], out)

    def _bias(self, i: int, grid: np.ndarray | None) -> str:
        """The bias as integers on the grid of weights x inputs: onnxruntime would choose a coarser one by itself."""
        bias = self.network.biases[i].astype(np.float32)
        if grid is None:
            return self.constant(f"b{i}", bias)
        codes = np.clip(np.rint(bias / grid), -(2**31) + 1, 2**31 - 1).astype(np.int32)
        names = [self.constant(f"b{i}.code", codes), self.constant(f"b{i}.s", np.float32(grid))]
        return self.node("DequantizeLinear", names, f"b{i}", **({"axis": 0} if np.ndim(grid) else {}))

    def _pair(self, x: str, scale: float, zero: int, levels: int, integers: bool = True) -> str:
        """Rounds a value to codes and back; for kernels in full precision by arithmetic that onnxruntime does not rewrite."""
        key = (x, scale, zero, levels, integers)
        if key not in self.rounded:
            n = f"q{len(self.rounded)}.{len(self.nodes)}"
            s, z = self.constant(f"{n}.s", np.float32(scale)), self.constant(f"{n}.z", np.uint8(zero))
            code = self.node("QuantizeLinear", [x, s, z], f"{n}.code")
            if levels < 255:
                bounds = [self.constant(f"{n}.{end}", np.uint8(value)) for end, value in (("low", 0), ("high", levels))]
                code = self.node("Clip", [code, *bounds], f"{n}.clipped")
            if integers:
                self.rounded[key] = self.node("DequantizeLinear", [code, s, z], n)
            else:
                float_zero = self.constant(f"{n}.zero", np.float32(zero))
                plain = self.node("Sub", [self.node("Cast", [code], f"{n}.plain", to=1), float_zero], f"{n}.moved")
                self.rounded[key] = self.node("Mul", [plain, s], n)
        return self.rounded[key]

    def weight(self, i: int, layer: Layer) -> tuple[str, np.ndarray | None]:
        """Returns the weight's name and the scale of its integers; None where it has none.

        Args:
            i: number of the layer.
            layer: itself.
        """
        turn = (lambda w: w.transpose(3, 2, 0, 1)) if layer.kind == "conv" else (lambda w: w)
        weight = self.config.weights[i]
        if weight is None:
            return self.constant(f"w{i}", turn(self.network.weights[i])), None
        if isinstance(weight, Lookup):
            return self._look_up(f"w{i}", turn, weight), None
        if not isinstance(weight, Codes):
            return self._form(f"w{i}", layer, weight), None
        weight = for_kernel(weight)
        kind = np.int8 if weight.signed else np.uint8
        finer = weight.widening  # the same values on a finer grid: kernels round biases to the grid of weights x inputs
        code = self._codes(f"w{i}.code", turn(weight.codes), weight.bits, weight.signed)
        if finer > 1:
            code = self._times(code, finer, kind)
        if self.plain:
            shape = (-1, 1, 1, 1) if layer.kind == "conv" and weight.scale.ndim else weight.scale.shape
            zero = self.constant(f"w{i}.zero", (weight.zero * finer).astype(np.float32).reshape(shape))
            shift = self.node("Sub", [self.node("Cast", [code], f"w{i}.plain", to=1), zero], f"w{i}.moved")
            step = self.constant(f"w{i}.step", np.float32(weight.scale / finer).reshape(shape))
            return self.node("Mul", [shift, step], f"w{i}"), None
        axis = {"axis": 0 if layer.kind == "conv" else 1} if weight.scale.ndim else {}
        s, z = self.constant(f"w{i}.s", weight.scale / finer), self.constant(f"w{i}.z", (weight.zero * finer).astype(kind))
        return self.node("DequantizeLinear", [code, s, z], f"w{i}", **axis), weight.scale / finer

    def _form(self, name: str, layer: Layer, weight: forms.Form) -> str:
        """The weight that a form makes, [out, in, kh, kw] of a convolution."""

        def add(kind: str, *inputs: Any, **settings: Any) -> str:
            at = f"{name}.{len(self.nodes)}"
            names = [x if isinstance(x, str) else self.constant(f"{at}.{k}", x) for k, x in enumerate(inputs)]
            return self.node(kind, names, at, **settings)

        def store(codes: np.ndarray, bits: int, signed: bool) -> str:
            code = self._codes(f"{name}.{len(self.nodes)}.code", codes, bits, signed)
            return self.node("Cast", [code], f"{code}.plain", to=1)

        flat = forms.write(weight, add, store)
        if layer.kind != "conv":
            return flat
        return add("Transpose", add("Reshape", flat, np.array(layer.shape, np.int64)), perm=[3, 2, 0, 1])

    def _look_up(self, name: str, turn: Callable[[np.ndarray], np.ndarray], weight: Lookup) -> str:
        from onnx import TensorProto  # pyright: ignore[reportMissingImports]

        code = self._codes(f"{name}.code", turn(weight.indices), weight.bits, False)
        index = self.node("Cast", [code], f"{name}.place", to=TensorProto.INT32)
        table = self.constant(f"{name}.table", weight.table)
        if weight.scale is None:
            return self.node("Gather", [table, index], name)
        plain = self.node("Gather", [table, index], f"{name}.plain")
        shape = (-1, 1, 1, 1) if weight.indices.ndim == 4 else (1, -1)
        return self.node("Mul", [plain, self.constant(f"{name}.s", weight.scale.reshape(shape))], name)

    def _times(self, code: str, factor: int, kind: type) -> str:
        from onnx import helper  # pyright: ignore[reportMissingImports]

        wide = self.node("Cast", [code], f"{code}.wide", to=helper.np_dtype_to_tensor_dtype(np.dtype(np.int32)))
        more = self.node("Mul", [wide, self.constant(f"{code}.factor", np.int32(factor))], f"{code}.more")
        return self.node("Cast", [more], f"{code}.fine", to=helper.np_dtype_to_tensor_dtype(np.dtype(kind)))

    def _codes(self, name: str, codes: np.ndarray, bits: int, signed: bool) -> str:
        if bits > 4:
            return self.constant(name, codes.astype(np.int8 if signed else np.uint8))
        from onnx import TensorProto, helper  # pyright: ignore[reportMissingImports]

        width = 2 if bits == 2 and self.two_bits else 4
        small = TensorProto.DataType.Value(f"{'INT' if signed else 'UINT'}{width}")
        self.constants.append(helper.make_tensor(f"{name}.{width}", small, codes.shape, codes.ravel().tolist()))
        return self.node("Cast", [f"{name}.{width}"], name, to=TensorProto.INT8 if signed else TensorProto.UINT8)
