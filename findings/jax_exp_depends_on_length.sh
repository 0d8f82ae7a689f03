#!/usr/bin/env bash
# jax 0.10.2, CPU. Guess: exp(x[i]) has the same bits whatever the length of x.
# Observed: exp and log differ in the last bit with the length of the array (vector body and scalar tail round differently); sin,
# cos and tanh do not. Why it matters: an evaluation in chunks of another size gives another archive; batch shapes must be fixed.
set -euo pipefail
work=$(mktemp -d) && trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env" && "$work/env/bin/pip" install -q jax==0.10.2 jaxlib==0.10.2 numpy==2.4.6
JAX_PLATFORMS=cpu "$work/env/bin/python" - <<'PYTHON'
import jax, jax.numpy as jnp, numpy as np

x = np.random.default_rng(0).uniform(0.1, 3, 4096).astype(np.float32)


def lengths_that_differ(f):
    whole = np.asarray(jax.jit(f)(x))
    return [n for n in range(1, 17) if any((np.asarray(jax.jit(f)(x[i : i + n])) != whole[i : i + n]).any() for i in range(0, 4096 - n, 61))]


found = {f.__name__: lengths_that_differ(f) for f in (jnp.exp, jnp.log, jnp.sin, jnp.cos, jnp.tanh)}
print("jax", jax.__version__, "| lengths whose bits differ from the long array's:", found)
assert found["exp"] and found["log"] and not (found["sin"] or found["cos"] or found["tanh"])
PYTHON
