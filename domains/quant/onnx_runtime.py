"""onnx and onnxruntime as latency and export use them: one version of the format, one thread, on the CPU."""

import importlib.util
import time
from collections.abc import Callable
from typing import Any

OPSET, IR = 21, 10
INSTALL = "pip install 'qd-atlas[onnx]'"


def missing_packages() -> list[str]:
    """Returns the packages that are not installed; none: graphs can be written and run."""
    return [name for name in ("onnx", "onnxruntime") if importlib.util.find_spec(name) is None]


def open_session(graph: bytes) -> Callable[..., Any]:
    """Opens a serialized graph on one thread and returns its run(output names, inputs)."""
    import onnxruntime  # pyright: ignore[reportMissingImports]

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"]).run


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
