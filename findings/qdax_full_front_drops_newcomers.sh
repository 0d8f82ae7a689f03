#!/usr/bin/env bash
# QDax 0.5.0, MOMERepertoire with room for two rows a cell. Guess: a row that dominates none of a full front, but is by far the best in one
# objective, takes the place of another; and of equal rows one is kept.
# Observed: a full front takes no row that dominates none of its own, however far out it lies, as the newest are cut off; equal rows fill it.
# Why it matters: a front that is full early stays where it is; ties (whole numbers, shares) use up the room.
set -euo pipefail
work=$(mktemp -d) && trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env" && "$work/env/bin/pip" install -q jax==0.10.2 numpy==2.4.6 flax==0.12.8 \
    chex==0.1.92 scikit-learn==1.9.1 pandas==3.1.1 && "$work/env/bin/pip" install -q --no-deps qdax==0.5.0 # without simulators
JAX_PLATFORMS=cpu "$work/env/bin/python" -W ignore - <<'PYTHON'
from importlib.metadata import version

import jax.numpy as jnp
import numpy as np
from qdax.core.containers.mome_repertoire import MOMERepertoire


def cell_of(rows, room):
    """One cell with these objectives; the first gene numbers the rows from 1."""
    genes, place = jnp.arange(1.0, len(rows) + 1)[:, None], jnp.full((len(rows), 1), 0.5)
    return MOMERepertoire.init(genes, jnp.array(rows), place, jnp.array([[0.5]]), pareto_front_max_length=room)


full = cell_of([[1.0, 2.0], [2.0, 1.0]], 2).add(jnp.array([[9.0]]), jnp.array([[0.5]]), jnp.array([[0.0, 100.0]]))
equal = cell_of([[1.0, 2.0]] * 3, 4)
fronts = [np.asarray(each.fitnesses)[0].tolist() for each in (full, equal)]
print("qdax", version("qdax"), "| full front after (0, 100):", fronts[0], "| three equal rows:", fronts[1])
assert fronts[0] == [[1, 2], [2, 1]] and fronts[1].count([1, 2]) == 3
PYTHON
