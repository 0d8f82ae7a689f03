#!/usr/bin/env bash
# onnx 1.23.2. Guess: make_tensor without raw=True stores an int8 weight in one byte, at worst in the four of an int32.
# Observed: one byte for 0 ... 127 and ten bytes for each negative number, for the field is a protobuf int32 of variable length whose sign is
# extended to 64 bits. 4-bit numbers are packed in pairs first, are never negative, and take about what raw data takes.
# Why it matters: a model quantised to 8 bits is larger than the one of 32-bit floats; a size measured from the file counts signs.
set -euo pipefail
work=$(mktemp -d) && trap 'rm -rf "$work"' EXIT
python3.11 -m venv "$work/env" && "$work/env/bin/pip" install -q onnx==1.23.2 numpy==2.4.6
"$work/env/bin/python" - <<'PYTHON'
import numpy as np, onnx
from onnx import TensorProto, helper, numpy_helper

N = 4096
values = np.random.default_rng(0).integers(-127, 128, N).astype(np.int8)
sizes = {
    "float32 raw": numpy_helper.from_array(values.astype(np.float32)).ByteSize(),
    "int8 raw": numpy_helper.from_array(values).ByteSize(),
    "int8": helper.make_tensor("w", TensorProto.INT8, [N], values).ByteSize(),
    "int8 of 1": helper.make_tensor("w", TensorProto.INT8, [N], [1] * N).ByteSize(),
    "int8 of -1": helper.make_tensor("w", TensorProto.INT8, [N], [-1] * N).ByteSize(),
    "int4 of -1": helper.make_tensor("w", TensorProto.INT4, [N], [-1] * N).ByteSize(),
}
print("onnx", onnx.__version__, "| bytes of", N, "numbers:", sizes)
assert sizes["int8 of 1"] < 1.1 * N and 10 * N <= sizes["int8 of -1"] < 10.1 * N
assert sizes["int8"] > sizes["float32 raw"] > sizes["int8 raw"] and sizes["int4 of -1"] < 1.1 * N
PYTHON
