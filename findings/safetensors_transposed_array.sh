#!/usr/bin/env bash
# safetensors 0.8.0 with NumPy. Guess: a transposed (non-contiguous) array is stored by its values, as np.save does.
# Observed: save writes the memory as it lies and the shape of the view: what is loaded has the right shape and wrong values. bfloat16 can be saved
# and not loaded (KeyError). Why it matters: weights of a layer are often transposed views. Call np.ascontiguousarray first.
set -euo pipefail
work=$(mktemp -d) && trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env" && "$work/env/bin/pip" install -q safetensors==0.8.0 numpy==2.4.6
"$work/env/bin/python" - <<'PYTHON'
import numpy as np, safetensors
from safetensors.numpy import load, save

kernel = np.arange(6, dtype=np.float32).reshape(2, 3).T
back = load(save({"kernel": kernel}))["kernel"]
print("safetensors", safetensors.__version__, "| saved", kernel.tolist(), "| loaded", back.tolist())
assert back.shape == kernel.shape and not np.array_equal(back, kernel)
PYTHON
