#!/usr/bin/env bash
# jax 0.10.2, CPU. Guess: `jax.random.choice(key, 6, (4,), replace=False, p=p)` with two entries of p above zero raises, as NumPy
# does ("Fewer non-zero entries in p than size"), or is padded.
# Observed: it returns four indices; the last two have probability zero. They are the same two, the lowest indices in order,
# whatever the key. With replacement a NaN in p makes every draw that index.
# Why it matters: a selection by weights (parents, cells that are filled) takes what was excluded as soon as fewer are left than asked.
set -euo pipefail
work=$(mktemp -d) && trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env" && "$work/env/bin/pip" install -q jax==0.10.2 jaxlib==0.10.2 numpy==2.4.6
JAX_PLATFORMS=cpu "$work/env/bin/python" - <<'PYTHON'
import jax, jax.numpy as jnp, numpy as np

p = jnp.array([0.0, 0.5, 0.0, 0.0, 0.5, 0.0])
draws = np.array([jax.random.choice(jax.random.key(seed), 6, (4,), replace=False, p=p) for seed in range(50)])
print("jax", jax.__version__, "| four of six without replacement, two have a weight:", draws[:3].tolist())
excluded = np.asarray(p)[draws] == 0
print("draws of weight zero in each:", excluded.sum(axis=1).min(), "to", excluded.sum(axis=1).max(), "| which:", np.unique(draws[:, 2:], axis=0).tolist())
try:
    np.random.default_rng(0).choice(6, 4, replace=False, p=np.asarray(p, float))
except ValueError as error:
    print("numpy:", error)
missing = jax.random.choice(jax.random.key(0), 3, (100,), p=jnp.array([0.5, jnp.nan, 0.5]))
print("with replacement, the second weight is NaN:", np.unique(missing).tolist())
assert (excluded.sum(axis=1) == 2).all() and len(np.unique(draws[:, 2:], axis=0)) == 1 and np.unique(missing).tolist() == [1]
PYTHON
