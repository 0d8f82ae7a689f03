"""The script that a user of QDax writes for one map: MAP-Elites in one scan, one heatmap at 200 dpi.

python plain_qdax.py arm|cvt map.png
"""

import sys
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import matplotlib

matplotlib.use("agg")
import matplotlib.pyplot as plt
import numpy as np
from qdax.core.containers.mapelites_repertoire import (  # pyright: ignore[reportMissingImports]
    compute_cvt_centroids,
    compute_euclidean_centroids,
)
from qdax.core.emitters.mutation_operators import isoline_variation  # pyright: ignore[reportMissingImports]
from qdax.core.emitters.standard_emitters import MixingEmitter  # pyright: ignore[reportMissingImports]
from qdax.core.map_elites import MAPElites  # pyright: ignore[reportMissingImports]

EVALUATIONS, BATCH = 50_000, 100


def arm(angles: jax.Array, key: Any) -> tuple[jax.Array, jax.Array, dict]:
    """A planar arm of length 1: objective (1 - variance of the angles) x 100, measures the gripper's position.

    Args:
        angles: [B, J] in radians.
        key: of JAX; nothing is random.

    Returns:
        Objective [B], measures [B, 2], and no more columns.
    """
    heading = jnp.cumsum(angles, axis=1)
    gripper = jnp.stack([jnp.cos(heading).mean(1), jnp.sin(heading).mean(1)], axis=1)
    return (1 - angles.var(axis=1)) * 100, gripper, {}


def draw_map(case: str, file: str) -> None:
    """Searches, and draws the map.

    Args:
        case: arm or cvt.
        file: of the figure.
    """
    if case == "arm":
        centroids = compute_euclidean_centroids((50, 50), -1.0, 1.0)
    else:
        centroids = compute_cvt_centroids(2, 50_000, 1000, -1.0, 1.0, jax.random.key(0))
    emitter = MixingEmitter(lambda x, key: (x, key), partial(isoline_variation, iso_sigma=0.1, line_sigma=0.2), 1.0, BATCH)
    search = MAPElites(arm, emitter, lambda repertoire: {})
    repertoire, emitter_state, _ = search.init(jnp.zeros((BATCH, 10)), centroids, jax.random.key(1))
    carry = repertoire, emitter_state, jax.random.key(2)
    scan = jax.jit(lambda carry: jax.lax.scan(search.scan_update, carry, None, length=EVALUATIONS // BATCH - 1)[0])
    repertoire, _, _ = scan(carry)
    objective = np.array(repertoire.fitnesses).reshape(-1)
    objective[objective == -np.inf] = np.nan
    plt.figure(figsize=(5, 4.3))
    if case == "cvt":
        plt.scatter(*np.asarray(repertoire.descriptors).T, c=objective, s=8)
    else:
        plt.imshow(objective.reshape(50, 50).T, origin="lower")
    plt.colorbar()
    plt.savefig(file, dpi=200)


if __name__ == "__main__":
    draw_map(*sys.argv[1:])
