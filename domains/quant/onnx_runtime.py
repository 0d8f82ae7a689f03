"""onnx and onnxruntime as latency and export use them: one version of the format, one thread, on the CPU."""

import importlib.util
import time
from collections.abc import Callable
from functools import cache
from typing import Any

from qd.support.provenance import processor

OPSET, IR = 21, 10
TWO_BITS = 25, 13  # opset and IR of the first version of ONNX with INT2 and UINT2
VNNI = ("avx512_vnni", "avx_vnni")  # as /proc/cpuinfo calls them: products of 8-bit integers that do not saturate in 16 bits
INSTALL = "pip install 'qd-atlas[onnx]'"


def missing_packages() -> list[str]:
    """Returns the packages that are not installed; none: graphs can be written and run."""
    return [name for name in ("onnx", "onnxruntime") if importlib.util.find_spec(name) is None]


def vnni() -> str:
    """Returns which of VNNI this processor has, "none" of it, or "unknown" where the system lists no instruction sets."""
    flags = processor().flags
    return next((name for name in VNNI if name in flags), "none") if flags else "unknown"


def open_session(graph: bytes) -> Callable[..., Any]:
    """Opens a serialized graph on one thread and returns its run(output names, inputs)."""
    import onnxruntime  # pyright: ignore[reportMissingImports]

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"]).run


@cache
def runs_two_bits() -> bool:
    """Returns whether the installed onnx writes and onnxruntime runs weights of 2 bits; tried once, on a tensor of four."""
    from onnx import TensorProto, helper  # pyright: ignore[reportMissingImports]
    from onnxruntime.capi.onnxruntime_pybind11_state import (  # pyright: ignore[reportMissingImports]
        Fail,
        InvalidArgument,
        InvalidGraph,
        NotImplemented,
    )

    if "INT2" not in dict(TensorProto.DataType.items()):
        return False
    constant = helper.make_tensor("codes", TensorProto.DataType.Value("INT2"), [4], [-2, -1, 0, 1])
    cast = helper.make_node("Cast", ["codes"], ["wide"], to=TensorProto.INT8)
    graph = helper.make_graph([cast], "probe", [], [helper.make_tensor_value_info("wide", TensorProto.INT8, [4])], [constant])
    opset, ir = TWO_BITS
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=ir)
    try:
        return open_session(model.SerializeToString())(None, {})[0].tolist() == [-2, -1, 0, 1]
    except (Fail, InvalidArgument, InvalidGraph, NotImplemented):  # an older onnxruntime
        return False


def shortest_run(run: Callable[[], Any], seconds: float) -> float:
    """Returns the shortest of many runs, in microseconds; the first, which may compile, does not count.

    Args:
        run: what is timed.
        seconds: how long it is repeated.
    """
    run()
    shortest, end = float("inf"), time.perf_counter() + seconds
    while time.perf_counter() < end:
        start = time.perf_counter()
        run()
        shortest = min(shortest, time.perf_counter() - start)
    return shortest * 1e6
