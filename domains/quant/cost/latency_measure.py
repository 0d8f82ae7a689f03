"""Latency of single layers, measured through onnxruntime."""

import importlib.util
import time
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from domains.quant.cost.latency import BATCH, INSTALL, SHIPPED, Op, Table, kept, machine, read, write

SECONDS = 0.08  # of measuring each op


def table(ops: Sequence[Op]) -> Table:
    """Returns a table that holds these ops; measures what is missing and keeps it. Warns where it cannot measure."""
    if not can_measure():
        there = read(SHIPPED)
        lacking = sorted({op.name for op in ops} - set(there.microseconds))
        told = f"; it lacks {', '.join(lacking[:3])}" * bool(lacking)
        warnings.warn(
            f"latency is that of another machine ({there.machine}){told}: to measure this one, {INSTALL}", stacklevel=2
        )
        return there
    file = kept(machine())
    known = read(file) if file.exists() else Table(machine(), {})
    missing = {op.name: op for op in ops if op.name not in known.microseconds}
    if missing:
        known = Table(known.machine, known.microseconds | {name: measure(op) for name, op in missing.items()})
        write(known, file)
    return known


def can_measure() -> bool:
    """Whether onnx and onnxruntime are installed."""
    return all(importlib.util.find_spec(name) is not None for name in ("onnx", "onnxruntime"))


def measure(op: Op) -> dict[str, float]:
    """Measures one op in each precision that runs it: microseconds an example."""
    from domains.quant.cost import latency_graphs as graphs

    batch = BATCH if op.kind == "conv" or len(op.inputs) == 1 else 1
    empty = _least(*graphs.empty(op, batch))
    taken = {precision: _least(*graph) - empty for precision, graph in graphs.of(op, batch).items()}
    return {precision: max(us, 0.1) / batch for precision, us in taken.items()}


def _least(graph: bytes, feed: dict[str, np.ndarray]) -> float:
    """Returns the least of many runs, in microseconds."""
    run = session(graph)
    run(None, feed)
    least, end = np.inf, time.perf_counter() + SECONDS
    while time.perf_counter() < end:
        start = time.perf_counter()
        run(None, feed)
        least = min(least, time.perf_counter() - start)
    return least * 1e6


def session(graph: bytes | str) -> Any:
    """Opens a graph on one thread and returns its run(names, feed)."""
    import onnxruntime  # pyright: ignore[reportMissingImports]

    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = settings.inter_op_num_threads = 1
    settings.log_severity_level = 3
    return onnxruntime.InferenceSession(graph, settings, providers=["CPUExecutionProvider"]).run
