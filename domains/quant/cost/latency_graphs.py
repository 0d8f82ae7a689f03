"""The smallest ONNX graphs that show how long one layer takes: each precision alone, its input as that precision has it."""

from typing import Any

import numpy as np

from domains.quant.cost.latency import Op
from domains.quant.onnx_runtime import IR, OPSET

_BLOCK = 32  # of MatMulNBits
GraphAndInputs = tuple[bytes, dict[str, np.ndarray]]  # a graph, and what to feed it


def empty(op: Op, batch: int) -> GraphAndInputs:
    """A graph that does nothing with the op's input.

    Args:
        op: the layer; gives the shape of its input.
        batch: examples at a time.

    Returns:
        The serialized graph, and its input x: float32 [batch, in, H, W] of a convolution, else [batch, in] or [batch, T, in].
    """
    x = _input(op, batch)
    return _graph([_node("Identity", ["x"], ["y"])], {}, x, np.float32)


def of(op: Op, batch: int) -> dict[str, GraphAndInputs]:
    """Returns precision -> graph; int4 only where the op has it.

    Args:
        op: the layer to time; its weights are random.
        batch: examples at a time.

    Returns:
        Precision -> (serialized graph, its input x, uint8 for int8 and uint8, else float32). fp32, int8, uint8 and rounded are
        always there, int4 for a dense op with a multiple of 32 inputs.
    """
    x, rng = _input(op, batch), np.random.default_rng(0)
    out = op.shape[-1]
    shape = (op.shape[3], op.shape[2], *op.shape[:2]) if op.kind == "conv" else op.shape
    w, codes = rng.normal(size=shape).astype(np.float32), rng.integers(-63, 64, shape).astype(np.int8)
    bias, scale = np.zeros(out, np.float32), np.full(out, 0.01, np.float32)
    settings: dict[str, Any] = {"strides": [op.stride] * 2, "auto_pad": "SAME_UPPER"} if op.kind == "conv" else {}
    input_grid = {"s": np.float32(0.05), "z": np.uint8(3)}
    if op.kind == "conv":
        plain = [_node("Conv", ["x", "w", "b"], ["y"], **settings)]
        names = ["x", "s", "z", "w", "ws", "wz", "s", "z", "b"]
        integer = [_node("QLinearConv", names, ["y"], **settings)]
    else:
        plain = [_node("MatMul", ["x", "w"], ["m"]), _node("Add", ["m", "b"], ["y"])]
        integer = [_node("QLinearMatMul", ["x", "s", "z", "w", "ws", "wz", "s", "z"], ["y"])]
    rounding = [_node("QuantizeLinear", ["x", "s", "z"], ["q"]), _node("DequantizeLinear", ["q", "s", "z"], ["r"])]
    on_rounded = [*rounding, *[_with_input(node, "x", "r") for node in plain]]
    signed = {"w": codes, "ws": scale, "wz": np.zeros(out, np.int8), "b": np.zeros(out, np.int32)}
    unsigned = signed | {"w": (codes.astype(int) + 128).astype(np.uint8), "wz": np.full(out, 128, np.uint8)}
    x8 = rng.integers(0, 256, x.shape).astype(np.uint8)
    graphs = {
        "fp32": _graph(plain, {"w": w, "b": bias}, x, np.float32),
        "int8": _graph(integer, input_grid | signed, x8, np.uint8),
        "uint8": _graph(integer, input_grid | unsigned, x8, np.uint8),
        "rounded": _graph(on_rounded, input_grid | {"w": w, "b": bias}, x, np.float32),
    }
    if op.kind == "dense" and op.shape[0] % _BLOCK == 0:
        graphs["int4"] = _int4(op, x, rng)
    return graphs


def _int4(op: Op, x: np.ndarray, rng: np.random.Generator) -> GraphAndInputs:
    """onnxruntime's own MatMulNBits: weights of 4 bit in blocks of 32, input in full precision."""
    rows, columns = op.shape
    blocks = rows // _BLOCK
    codes = rng.integers(0, 256, (columns, blocks, _BLOCK // 2)).astype(np.uint8)
    scale = np.full(columns * blocks, 0.01, np.float32)
    node = _node("MatMulNBits", ["x", "w", "ws"], ["y"], domain="com.microsoft", K=rows, N=columns, bits=4, block_size=_BLOCK)
    return _graph([node], {"w": codes, "ws": scale}, x, np.float32)


def _input(op: Op, batch: int) -> np.ndarray:
    inputs = (op.inputs[2], *op.inputs[:2]) if op.kind == "conv" else op.inputs
    return np.random.default_rng(1).normal(size=(batch, *inputs)).astype(np.float32)


def _graph(nodes: list, initial: dict[str, Any], x: np.ndarray, result: type) -> GraphAndInputs:
    import onnx  # pyright: ignore[reportMissingImports]
    from onnx import helper, numpy_helper  # pyright: ignore[reportMissingImports]

    used = {name for node in nodes for name in node.input}
    kinds = {np.dtype(np.float32): onnx.TensorProto.FLOAT, np.dtype(np.uint8): onnx.TensorProto.UINT8}
    graph_input = helper.make_tensor_value_info("x", kinds[x.dtype], x.shape)
    graph_output = helper.make_tensor_value_info("y", kinds[np.dtype(result)], None)
    constants = [numpy_helper.from_array(np.asarray(value), name) for name, value in initial.items() if name in used]
    graph = helper.make_graph(nodes, "op", [graph_input], [graph_output], constants)
    opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid("com.microsoft", 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=IR).SerializeToString(), {"x": x}


def _node(kind: str, inputs: list[str], outputs: list[str], **settings: Any) -> Any:
    from onnx import helper  # pyright: ignore[reportMissingImports]

    return helper.make_node(kind, inputs, outputs, **settings)


def _with_input(node: Any, old: str, new: str) -> Any:
    copy = type(node)()
    copy.CopyFrom(node)
    copy.input[:] = [new if name == old else name for name in node.input]
    return copy
