"""Latency of single layers, measured through onnxruntime."""

import warnings
from collections.abc import Sequence

import numpy as np

from domains.quant import onnx_runtime
from domains.quant.cost import latency_graphs
from domains.quant.cost.latency import BATCH, SHIPPED, LatencyTable, Op, cache_file, machine, read, write

SECONDS = 0.08  # of measuring each op


def table(ops: Sequence[Op]) -> LatencyTable:
    """Returns a table that holds these ops; measures what is missing and stores it. Warns where it cannot measure."""
    if onnx_runtime.missing_packages():
        default = read(SHIPPED)
        lacking = sorted({op.name for op in ops} - set(default.microseconds))
        lacks = f"; it lacks {', '.join(lacking[:3])}" * bool(lacking)
        warnings.warn(
            f"latency is that of another machine ({default.machine}){lacks}: to measure this one, {onnx_runtime.INSTALL}",
            stacklevel=2,
        )
        return default
    file = cache_file(machine())
    times = read(file) if file.exists() else LatencyTable(machine(), {})
    missing = {op.name: op for op in ops if "uint8" not in times.microseconds.get(op.name, {})}
    if missing:
        times = LatencyTable(times.machine, times.microseconds | {name: measure(op) for name, op in missing.items()})
        write(times, file)
    return times


def measure(op: Op) -> dict[str, float]:
    """Measures one op in each precision that runs it: microseconds an example."""
    batch = BATCH if op.kind == "conv" or len(op.inputs) == 1 else 1
    empty = _measure(*latency_graphs.empty(op, batch))
    times = {precision: _measure(*graph) - empty for precision, graph in latency_graphs.of(op, batch).items()}
    return {precision: max(us, 0.1) / batch for precision, us in times.items()}


def _measure(graph: bytes, inputs: dict[str, np.ndarray]) -> float:
    run = onnx_runtime.open_session(graph)
    return onnx_runtime.shortest_run(lambda: run(None, inputs), SECONDS)
