"""QDax 0.5.0's CMA-ME as a side of the benchmarks; it is no dependency, and is left out where not installed.

Its pool of improvement emitters asks one emitter a generation, the others wait: E emitters of b samples are E generations
of b rows here, where ours and pyribs' scheduler ask all of them at once.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from qd.types import Search


def side(search: Search, dims: tuple[int, int], count: int, samples: int, sigma: float, done: int) -> Any:
    """Returns a function that does so many evaluations in one scan, from the middle of an empty repertoire."""
    from qdax.core.containers.mapelites_repertoire import compute_euclidean_centroids  # pyright: ignore[reportMissingImports]
    from qdax.core.emitters.cma_improvement_emitter import CMAImprovementEmitter  # pyright: ignore[reportMissingImports]
    from qdax.core.emitters.cma_pool_emitter import CMAPoolEmitter  # pyright: ignore[reportMissingImports]
    from qdax.core.map_elites import MAPElites  # pyright: ignore[reportMissingImports]

    read, dim = search.descriptor.reads[0], search.domain.dim  # type: ignore[attr-defined]

    def score(solutions: Any, key: Any) -> tuple[Any, Any, dict]:
        said = search.domain.evaluate(None, solutions)  # type: ignore[arg-type]
        return said.objective, said.features[read], {}

    low, high = np.array(search.descriptor.bounds, np.float32).T
    centroids = compute_euclidean_centroids(dims, list(map(float, low)), list(map(float, high)))
    one = CMAImprovementEmitter(
        batch_size=samples,
        genotype_dim=dim,
        centroids=centroids,
        sigma_g=sigma,
        max_count=None,
    )
    program = MAPElites(score, CMAPoolEmitter(num_states=count, emitter=one), lambda repertoire: {})
    repertoire, emitter_state, _ = program.init(jnp.zeros((samples, dim)), centroids, jax.random.key(0))
    n = -(-done // samples)
    scan = jax.jit(lambda carry: jax.lax.scan(program.scan_update, carry, None, length=n)[0])
    carry = (repertoire, emitter_state, jax.random.key(1))

    def run() -> int:
        nonlocal carry
        carry = jax.block_until_ready(scan(carry))
        return n * samples

    return run
