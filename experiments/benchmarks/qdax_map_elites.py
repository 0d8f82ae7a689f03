"""QDax 0.5.0's MAP-Elites as a side of the benchmarks; it is no dependency, and is left out where not installed."""

import importlib.util
from functools import partial
from typing import Any

import jax
import numpy as np

from qd.types import Search

_AT_ONCE = 1024  # rows added at once: it measures the distance of each to every cell


def installed() -> bool:
    return importlib.util.find_spec("qdax") is not None


def side(search: Search, elites: dict, batch: int, dims: tuple[int, int], done: int, iso: float, line: float) -> Any:
    """Returns a function that does so many evaluations in one scan; the repertoire stays on the device."""
    from qdax.core.containers.mapelites_repertoire import compute_euclidean_centroids  # pyright: ignore[reportMissingImports]
    from qdax.core.emitters.mutation_operators import isoline_variation  # pyright: ignore[reportMissingImports]
    from qdax.core.emitters.standard_emitters import MixingEmitter  # pyright: ignore[reportMissingImports]
    from qdax.core.map_elites import MAPElites  # pyright: ignore[reportMissingImports]

    read = search.descriptor.reads[0]

    def score(solutions: Any, key: Any) -> tuple[Any, Any, dict]:
        said = search.domain.evaluate(None, solutions)  # type: ignore[arg-type]
        return said.objective, said.features[read], {}

    vary = partial(isoline_variation, iso_sigma=iso, line_sigma=line)
    emitter = MixingEmitter(lambda x, key: (x, key), vary, 1.0, batch)
    program = MAPElites(score, emitter, lambda repertoire: {})
    low, high = np.array(search.descriptor.bounds, np.float32).T
    centroids = compute_euclidean_centroids(dims, list(map(float, low)), list(map(float, high)))
    first = elites["solution"][:_AT_ONCE]
    repertoire, emitter_state, _ = program.init(first, centroids, jax.random.key(0))
    for begin in range(_AT_ONCE, len(elites["solution"]), _AT_ONCE):
        rows = slice(begin, begin + _AT_ONCE)
        repertoire = repertoire.add(elites["solution"][rows], elites["measures"][rows], elites["objective"][rows], {})
    n = -(-done // batch)
    scan = jax.jit(lambda carry: jax.lax.scan(program.scan_update, carry, None, length=n)[0])
    carry = (repertoire, emitter_state, jax.random.key(1))

    def run() -> int:
        nonlocal carry
        carry = jax.block_until_ready(scan(carry))
        return n * batch

    return run
