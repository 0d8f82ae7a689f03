"""The graph of one denoising step, node by node as ``Diffusion`` computes it. T tokens, D width, S timesteps, K inputs."""

from typing import Any, NamedTuple

import numpy as np

from domains.quant import onnx_runtime
from domains.quant.export import forms
from domains.quant.export.codes import Codes, Lookup
from domains.quant.networks.diffusion import frequencies
from domains.quant.networks.layers import Network
from domains.quant.networks.transformer import places
from domains.quant.quantize.steps import InputTable
from domains.quant.quantize.vectors import VectorCodes


class Levels(NamedTuple):
    """How keys or values are stored: the largest code of each token of each head; 0: as they are."""

    most: float


StoredWeight = Codes | Lookup | VectorCodes | forms.Form | Levels


class Graph:
    """Nodes and constants of a network, as they are needed."""

    def __init__(self, network: Network, weights: list[StoredWeight], tables: list[InputTable]) -> None:
        self.network, self.weights, self.tables = network, weights, tables
        self.at = {layer.name: i for i, layer in enumerate(network.layers)}
        self.nodes: list[Any] = []
        self.constants: list[Any] = []
        self.weights_bytes = 0

    def node(self, kind: str, *inputs: Any, outputs: int = 1, **settings: Any) -> Any:
        """Adds an operation.

        Args:
            kind: of ONNX.
            inputs: names, or numbers and arrays, which become constants.
            outputs: how many it has.
            settings: its attributes.

        Returns:
            The output's name, or several.
        """
        from onnx import helper  # pyright: ignore[reportMissingImports]

        names = [each if isinstance(each, str) else self.constant(each) for each in inputs]
        results = [f"{kind}{len(self.nodes)}.{i}" for i in range(outputs)]
        self.nodes.append(helper.make_node(kind, names, results, **settings))
        return results[0] if outputs == 1 else results

    def constant(self, value: Any) -> str:
        """Adds a number or an array; floats become float32, whole numbers int64."""
        from onnx import numpy_helper  # pyright: ignore[reportMissingImports]

        array = np.asarray(value)
        array = array.astype(np.float32 if array.dtype.kind == "f" else array.dtype if array.dtype.itemsize < 4 else np.int64)
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(array), f"c{len(self.constants)}"))
        return f"c{len(self.constants) - 1}"

    def layer(self, name: str, x: str) -> str:
        """Adds a layer: inputs rounded as the step's table says, times the weight, plus the bias.

        Args:
            name: of the layer.
            x: name of its inputs.
        """
        i = self.at[name]
        bias = self.network.biases[i].astype(np.float32)
        self.weights_bytes += bias.nbytes
        return self.node("Add", self.node("MatMul", self._rounded(x, self.tables[i]), self._weight(i)), bias)

    def product(self, name: str, x: str, stored: str, perm: list[int] | None = None) -> str:
        """Adds a product of queries by keys, or of attention by values.

        Args:
            name: of the layer.
            x: name of queries or attention [N, H, T, K].
            stored: name of keys or values, [N, H, T, D / H].
            perm: how keys are laid out for the product.
        """
        i, kept = self.at[name], stored
        levels = self.weights[i]
        if isinstance(levels, Levels) and levels.most:
            kept = self._by_token(stored, self.constant(levels.most))
        return self.node("MatMul", self._rounded(x, self.tables[i]), self.node("Transpose", kept, perm=perm) if perm else kept)

    def _weight(self, i: int) -> str:
        weight = self.weights[i]
        if isinstance(weight, VectorCodes):
            return self._vectors(weight, self.network.layers[i].shape)
        if isinstance(weight, Lookup):
            from onnx import TensorProto  # pyright: ignore[reportMissingImports]

            index = self.node("Cast", self._store(weight.indices, weight.bits, False), to=TensorProto.INT32)
            plain = self.node("Gather", weight.table, index)
            return plain if weight.scale is None else self.node("Mul", plain, weight.scale)
        if isinstance(weight, Codes):
            plain = self._store(weight.codes, weight.bits, weight.signed)
            self.weights_bytes += weight.scale.size * 4
            return self.node("Mul", self.node("Sub", plain, weight.zero.astype(float)), weight.scale)
        assert not isinstance(weight, Levels), "keys and values have no weight"
        return forms.write(weight, self.node, self._store)

    def _store(self, codes: np.ndarray, bits: int, signed: bool) -> str:
        """Integers in 4 or 8 bits, widened to floats when the file is loaded."""
        from onnx import TensorProto, helper  # pyright: ignore[reportMissingImports]

        if bits > 4:
            self.weights_bytes += codes.size
            return self.node("Cast", self.constant(codes.astype(np.int8 if signed else np.uint8)), to=TensorProto.FLOAT)
        name, number = f"c{len(self.constants)}", TensorProto.DataType.Value("INT4" if signed else "UINT4")
        flat = np.append(codes.ravel(), [0] * (codes.size % 2)).astype(np.uint8) & 15
        packed = flat[::2] | flat[1::2] << 4
        self.constants.append(helper.make_tensor(name, number, codes.shape, packed.tobytes(), raw=True))
        self.weights_bytes += packed.size
        return self.node("Cast", name, to=TensorProto.FLOAT)

    def _vectors(self, weight: VectorCodes, shape: tuple[int, ...]) -> str:
        """Vectors looked up and laid out as the weight [K, O]."""
        from onnx import TensorProto  # pyright: ignore[reportMissingImports]

        (into, out), size = shape, weight.codebook.shape[1]
        self.weights_bytes += weight.indices.nbytes + weight.codebook.nbytes
        vectors = self.node("Gather", weight.codebook, self.node("Cast", weight.indices, to=TensorProto.INT32), axis=0)
        rows = self.node("Transpose", self.reshaped(vectors, -1, out, size), perm=[0, 2, 1])
        return self.node("Slice", self.reshaped(rows, -1, out), np.array([0]), np.array([into]), np.array([0]))

    def _rounded(self, x: str, table: InputTable) -> str:
        if table.levels.any():
            return self._by_token(x, self._of_step(table.levels[:, None]))
        if table.powers.any():
            return self._in_powers(x, table)
        if not (table.low.any() or table.high.any()):  # as they are
            return x
        scale, low, high = (self._of_step(column) for column in (table.up, table.low, table.high))
        if (table.up != table.down).any():
            scale = self.node("Where", self.node("GreaterOrEqual", x, 0.0), scale, self._of_step(table.down))
        code = self.node("Round", self.node("Div", x, scale))
        return self.node("Mul", self.node("Max", self.node("Min", code, high), low), scale)

    def _in_powers(self, x: str, table: InputTable) -> str:
        """Attention rounded to powers of two; channels without powers stay."""
        counts = (table.powers[:1] > 0).astype(np.float32)
        top = self._of_step(table.up)
        if not table.up.any():
            top = self.node("ReduceMax", self.node("Mul", x, counts), np.array([1, 2, 3]), keepdims=1)
        share = self.node("Div", self.node("Max", x, 1e-30), self.node("Max", top, 1e-12))
        code = self.node("Round", self.node("Div", self.node("Log", share), -float(np.log(2))))
        code = self.node("Max", self.node("Min", code, self._of_step(table.powers)), 0.0)
        rounded = self.node("Mul", self.node("Max", top, 1e-12), self.node("Pow", 2.0, self.node("Neg", code)))
        return rounded if counts.all() else self.node("Where", counts > 0, rounded, x)

    def _of_step(self, column: np.ndarray) -> str:
        """One row of [S, K]; of what is the same in all channels, or in all timesteps, only one is stored."""
        if (column == column[:, :1]).all():
            column = column[:, :1]
        if (column == column[:1]).all():
            return self.constant(column[0].astype(np.float32))
        return self.node("Gather", column.astype(np.float32), "step", axis=0)

    def _by_token(self, x: str, levels: str) -> str:
        ends = (self.node(kind, x, np.array([-1]), keepdims=1) for kind in ("ReduceMin", "ReduceMax"))
        low, high = (self.node(kind, end, 0.0) for kind, end in zip(("Min", "Max"), ends, strict=True))
        step = self.node("Max", self.node("Div", self.node("Sub", high, low), levels), 1e-12)
        zero = self.node("Round", self.node("Div", self.node("Neg", low), step))
        code = self.node("Add", self.node("Round", self.node("Div", x, step)), zero)
        code = self.node("Max", self.node("Min", code, levels), 0.0)
        return self.node("Mul", self.node("Sub", code, zero), step)

    def norm(self, x: str, shift: str, scale: str) -> str:
        """Adds a layer norm, scaled and shifted.

        Args:
            x: name of the tokens [N, T, D].
            shift: name of what is added, [N, 1, D].
            scale: name of what is multiplied by, less 1.
        """
        middle = self.node("Sub", x, self.node("ReduceMean", x, np.array([-1]), keepdims=1))
        variance = self.node("ReduceMean", self.node("Mul", middle, middle), np.array([-1]), keepdims=1)
        even = self.node("Div", middle, self.node("Sqrt", self.node("Add", variance, 1e-6)))
        return self.node("Add", self.node("Mul", even, self.node("Add", scale, 1.0)), shift)

    def silu(self, x: str) -> str:
        """Adds x sigmoid(x)."""
        return self.node("Mul", x, self.node("Sigmoid", x))

    def reshaped(self, x: str, *shape: int) -> str:
        """Adds a reshape.

        Args:
            x: name of a value.
            shape: -1 for what is left, 0 for as it is.
        """
        return self.node("Reshape", x, np.array(shape))


def write_step(graph: Graph) -> bytes:
    """Returns the file of a denoising step: inputs [N, P + 2] and step [] -> clean [N, P].

    Args:
        graph: without nodes yet.
    """
    from onnx import TensorProto, helper  # pyright: ignore[reportMissingImports]

    form = graph.network.forward
    pixels, time, label = graph.node("Split", "inputs", np.array([form.pixels, 1, 1]), outputs=3, axis=1)
    condition = _condition(graph, time, label)
    side, p = form.side // form.patch, form.patch
    cut = graph.node("Transpose", graph.reshaped(pixels, -1, side, p, side, p), perm=[0, 1, 3, 2, 4])
    x = graph.layer("patches", graph.reshaped(cut, -1, side * side, p * p))
    x = graph.node("Add", x, places(form.tokens, form.width))
    earlier = []
    for b in range(form.blocks):
        if f"block{b}.shortcut" in graph.at:
            x = graph.layer(f"block{b}.shortcut", graph.node("Concat", x, earlier.pop(), axis=-1))
        x = _block(graph, b, x, condition)
        if b < form.blocks // 2:
            earlier.append(x)
    x = graph.layer("pixels", graph.norm(x, *_modulation(graph, "final", condition, 2)))
    joined = graph.node("Transpose", graph.reshaped(x, -1, side, side, p, p), perm=[0, 1, 3, 2, 4])
    graph.nodes.append(helper.make_node("Identity", [graph.reshaped(joined, -1, form.pixels)], ["clean"]))
    inputs = [
        helper.make_tensor_value_info("inputs", TensorProto.FLOAT, ["N", form.pixels + 2]),
        helper.make_tensor_value_info("step", TensorProto.INT64, []),
    ]
    outputs = [helper.make_tensor_value_info("clean", TensorProto.FLOAT, ["N", form.pixels])]
    whole = helper.make_graph(graph.nodes, graph.network.name, inputs, outputs, graph.constants)
    opsets = [helper.make_opsetid("", onnx_runtime.OPSET)]
    model = helper.make_model(whole, opset_imports=opsets, ir_version=onnx_runtime.IR, producer_name="qd-atlas")
    return model.SerializeToString()


def _condition(graph: Graph, time: str, label: str) -> str:
    """Timestep and class as a vector of each image."""
    from onnx import TensorProto  # pyright: ignore[reportMissingImports]

    form = graph.network.forward
    angle = graph.node("Mul", time, frequencies(form.waves)[None])
    waves = graph.node("Concat", graph.node("Sin", angle), graph.node("Cos", angle), axis=-1)
    of_time = graph.layer("time.down", graph.silu(graph.layer("time.up", waves)))
    number = graph.node("Cast", graph.node("Squeeze", label, np.array([1])), to=TensorProto.INT64)
    one_hot = graph.node("OneHot", number, np.array([form.classes + 1]), np.array([0.0, 1.0]), axis=-1)
    return graph.silu(graph.node("Add", of_time, graph.layer("class", one_hot)))


def _modulation(graph: Graph, name: str, condition: str, several: int) -> list[str]:
    """Shifts, scales and gates [N, 1, D]."""
    vector = graph.node("Unsqueeze", graph.layer(f"{name}.modulation", condition), np.array([1]))
    return graph.node("Split", vector, outputs=several, axis=-1, num_outputs=several)


def _block(graph: Graph, b: int, x: str, condition: str) -> str:
    form, name = graph.network.forward, f"block{b}"
    shift, scale, gate, net_shift, net_scale, net_gate = _modulation(graph, name, condition, 6)
    y = graph.norm(x, shift, scale)
    each = form.width // form.heads
    split = lambda part: graph.node(
        "Transpose", graph.reshaped(graph.layer(f"{name}.{part}", y), 0, form.tokens, form.heads, each), perm=[0, 2, 1, 3]
    )
    score = graph.product(f"{name}.keys", split("query"), split("key"), [0, 1, 3, 2])
    attention = graph.node("Softmax", graph.node("Div", score, float(each) ** 0.5), axis=-1)
    mixed = graph.node("Transpose", graph.product(f"{name}.values", attention, split("value")), perm=[0, 2, 1, 3])
    mixed = graph.layer(f"{name}.output", graph.reshaped(mixed, 0, form.tokens, form.width))
    x = graph.node("Add", x, graph.node("Mul", gate, mixed))
    up = graph.node("Gelu", graph.layer(f"{name}.up", graph.norm(x, net_shift, net_scale)), approximate="tanh")
    return graph.node("Add", x, graph.node("Mul", net_gate, graph.layer(f"{name}.down", up)))
