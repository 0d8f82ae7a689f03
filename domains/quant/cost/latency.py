"""How long a layer takes on this machine: a table of (op, shape, precision) in microseconds, measured through onnxruntime.

Per example, of a batch of 8 images or one sequence; one thread, the least of many runs, less what an empty run costs.
Measured once for a machine and stored in the user's cache; without onnxruntime the table that comes with the package, of the
machine it names.
"""

import importlib.util
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from domains.quant.networks.layers import Layer
from domains.quant.onnx_runtime import VNNI
from qd.support.atomic import replacing
from qd.support.cache_dirs import cache_path
from qd.support.errors import UserError
from qd.support.provenance import processor

BATCH = 8  # images at a time: a single one is too quick to compare kernels

# int8, uint8: of weights; rounded: fp32 after rounding its input; int4: weights in blocks, dense only
PRECISIONS = ("fp32", "int8", "uint8", "rounded", "int4")

SHIPPED = Path(__file__).parent / "latency.json"


class Op(NamedTuple):
    """A layer as far as its time goes."""

    kind: str  # conv | dense
    shape: tuple[int, ...]  # of the weights: conv (kh, kw, in, out); dense (in, out)
    inputs: tuple[int, ...]  # of one example: conv (H, W, in); dense (in,) or (T, in)
    stride: int = 1

    @property
    def name(self) -> str:
        step = f" stride {self.stride}" if self.stride > 1 else ""
        return f"{self.kind} {'x'.join(map(str, self.shape))} @{'x'.join(map(str, self.inputs))}{step}"


def op(layer: Layer) -> Op:
    """Returns the op of a network's layer; products by keys or values are those of one head with all the width."""
    if layer.is_cached:
        tokens, width = layer.shape
        return Op("dense", (width, tokens), (tokens, width))
    return Op(layer.kind, tuple(layer.shape), tuple(layer.inputs), layer.stride)


@dataclass(frozen=True, eq=False)
class LatencyTable:
    """Microseconds by op and precision, and the machine that they were measured on."""

    machine: str
    microseconds: dict[str, dict[str, float]]  # op's name -> precision -> us

    def of(self, op: Op, precision: str) -> float:
        """Returns the time of one op.

        Args:
            op: a layer.
            precision: one of PRECISIONS.

        Returns:
            Microseconds an example; NaN where it is not measured.
        """
        return self.microseconds.get(op.name, {}).get(precision, float("nan"))

    def of_all(self, ops: Sequence[Op], precisions: Sequence[Sequence[str]]) -> np.ndarray:
        """Returns the times of L ops in each of a table of precisions.

        Args:
            ops: L layers.
            precisions: [W][A] of PRECISIONS.

        Returns:
            Microseconds an example, [L, W, A]; NaN where it is not measured.
        """
        return np.array([[[self.of(op, precision) for precision in row] for row in precisions] for op in ops])

    def check(self) -> "LatencyTable":
        """Raises ValueError where a time cannot be."""
        for name, row in self.microseconds.items():
            for precision, time_taken in row.items():
                if precision not in PRECISIONS or not np.isfinite(time_taken) or time_taken < 0:
                    raise UserError(
                        f"the latency table has {time_taken} us for {name}, {precision}: a time is a finite number, not below "
                        f"0, for one of {', '.join(PRECISIONS)}",
                        f"delete {cache_file(self.machine)} to measure again",
                    )
        return self


def read(file: Path) -> LatencyTable:
    """Reads a table. Raises ValueError where it is damaged."""
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        return LatencyTable(
            content["machine"], {n: {p: float(t) for p, t in row.items()} for n, row in content["us"].items()}
        ).check()
    except (OSError, KeyError, TypeError, AttributeError, json.JSONDecodeError) as error:
        raise UserError(
            f"the latency table {file} cannot be read ({error!r})", "delete it, and it is measured again"
        ) from error


def write(table: LatencyTable, file: Path) -> None:
    """Writes a table, whole or not at all.

    Args:
        table: times in microseconds, written with three decimals.
        file: the JSON file, replaced where it exists; its folder is made where it is missing.

    Raises:
        OSError: the file cannot be written.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    microseconds = {name: {p: round(t, 3) for p, t in row.items()} for name, row in sorted(table.microseconds.items())}
    content = {"machine": table.machine, "batch": BATCH, "unit": "us an example, one thread", "us": microseconds}
    with replacing(file) as scratch:
        scratch.write((json.dumps(content, indent=1) + "\n").encode())


def cache_file(machine: str) -> Path:
    """Where a machine's table lies, in the user's cache."""
    return cache_path("quant", f"latency-{''.join(c if c.isalnum() else '-' for c in machine)[:120]}.json")


@cache
def machine() -> str:
    """Names processor, its fast integer instructions and onnxruntime's version: what a measured time holds for."""
    name, flags, _ = processor()
    fast = [flag for flag in ("avx2", "avx512f", *VNNI, "amx_int8") if flag in flags] or ["unknown"]
    if importlib.util.find_spec("onnxruntime") is None:
        return f"{name} ({' '.join(fast)})"
    import onnxruntime  # pyright: ignore[reportMissingImports]

    return f"{name} ({' '.join(fast)}), onnxruntime {onnxruntime.__version__}"
