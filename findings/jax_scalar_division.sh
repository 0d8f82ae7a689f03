#!/usr/bin/env bash
# jax 0.10.2, CPU. Guess: x / 41.0 is the correctly rounded quotient, as in NumPy.
# Observed: an array divided by a scalar is multiplied by the rounded reciprocal, also without jit: 41 / 41 is 0.99999994.
# Dividing by an array of the same shape is exact. Why it matters: a quotient that chooses a cell, a rank or a mask (k / n on a
# border of a grid) falls on the other side.
set -euo pipefail
work=$(mktemp -d) && trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env" && "$work/env/bin/pip" install -q jax==0.10.2 jaxlib==0.10.2 numpy==2.4.6
JAX_PLATFORMS=cpu "$work/env/bin/python" - <<'PYTHON'
import jax, jax.numpy as jnp, numpy as np

x = np.full(8, 41.0, np.float32)
by_scalar = np.asarray(jnp.asarray(x) / 41.0)
by_array = np.asarray(jnp.asarray(x) / jnp.full(8, 41.0, jnp.float32))
grid = np.arange(100_001, dtype=np.float32)
different = int((np.asarray(jnp.asarray(grid) / 10.0) != grid / np.float32(10)).sum())
print("jax", jax.__version__, "| by a scalar:", by_scalar[0], "| by an array:", by_array[0], "| numpy:", (x / np.float32(41))[0])
print("x / 10 differs from NumPy in", different, "of", len(grid))
assert by_scalar[0] != 1 and by_array[0] == 1 and different > 10_000
PYTHON
