"""QDax 0.5.0's MAP-Elites and CMA-ME as sides of the benchmarks; it is no dependency, and is left out where not installed.

QDax asks one emitter of its pool of improvement emitters a generation, the others wait: E emitters of b samples are E
generations of b rows here, where ours and pyribs' scheduler ask all of them at once.
"""

import importlib.util
from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from experiments.benchmarks.rounds import Side
from qd.types import Search

_AT_ONCE = 1024  # rows added at once: it measures the distance of each to every cell


def is_installed() -> bool:
    """Whether QDax is here."""
    return importlib.util.find_spec("qdax") is not None


def map_elites(
    search: Search, elites: dict, batch: int, dims: tuple[int, int], evaluations: int, iso: float, line: float
) -> Side:
    """Returns MAP-Elites with iso+line variation, from the same elites.

    Args:
        search: domain and descriptor.
        elites: columns of an archive: name -> array.
        batch: solutions a generation.
        dims: cells on each axis of the grid.
        evaluations: of a round.
        iso: standard deviation of the isotropic step.
        line: standard deviation of the step along the line.
    """
    from qdax.core.emitters.mutation_operators import isoline_variation  # pyright: ignore[reportMissingImports]
    from qdax.core.emitters.standard_emitters import MixingEmitter  # pyright: ignore[reportMissingImports]
    from qdax.core.map_elites import MAPElites  # pyright: ignore[reportMissingImports]

    vary = partial(isoline_variation, iso_sigma=iso, line_sigma=line)
    emitter = MixingEmitter(lambda x, key: (x, key), vary, 1.0, batch)
    program = MAPElites(_scoring(search), emitter, lambda repertoire: {})
    first = elites["solution"][:_AT_ONCE]
    repertoire, emitter_state, _ = program.init(first, _centroids(search, dims), jax.random.key(0))
    for begin in range(_AT_ONCE, len(elites["solution"]), _AT_ONCE):
        rows = slice(begin, begin + _AT_ONCE)
        repertoire = repertoire.add(elites["solution"][rows], elites["measures"][rows], elites["objective"][rows], {})
    return _scanning(program, repertoire, emitter_state, batch, evaluations)


def cma_me(search: Search, dims: tuple[int, int], count: int, samples: int, sigma: float, evaluations: int) -> Side:
    """Returns CMA-ME, from the middle of an empty repertoire.

    Args:
        search: domain and descriptor.
        dims: cells on each axis of the grid.
        count: number of strategies.
        samples: solutions of a strategy each generation.
        sigma: first step size.
        evaluations: of a round.
    """
    from qdax.core.emitters.cma_improvement_emitter import CMAImprovementEmitter  # pyright: ignore[reportMissingImports]
    from qdax.core.emitters.cma_pool_emitter import CMAPoolEmitter  # pyright: ignore[reportMissingImports]
    from qdax.core.map_elites import MAPElites  # pyright: ignore[reportMissingImports]

    dim, centroids = search.domain.dim, _centroids(search, dims)  # type: ignore[attr-defined]
    one = CMAImprovementEmitter(batch_size=samples, genotype_dim=dim, centroids=centroids, sigma_g=sigma, max_count=None)
    program = MAPElites(_scoring(search), CMAPoolEmitter(num_states=count, emitter=one), lambda repertoire: {})
    repertoire, emitter_state, _ = program.init(jnp.zeros((samples, dim)), centroids, jax.random.key(0))
    return _scanning(program, repertoire, emitter_state, samples, evaluations)


def _scoring(search: Search) -> Callable[[Any, Any], tuple[Any, Any, dict]]:
    feature = search.descriptor.reads[0]

    def score(solutions: Any, key: Any) -> tuple[Any, Any, dict]:
        evaluation = search.domain.evaluate(None, solutions)  # type: ignore[arg-type]
        return evaluation.objective, evaluation.features[feature], {}

    return score


def _centroids(search: Search, dims: tuple[int, int]) -> Any:
    from qdax.core.containers.mapelites_repertoire import compute_euclidean_centroids  # pyright: ignore[reportMissingImports]

    low, high = np.array(search.descriptor.bounds, np.float32).T
    return compute_euclidean_centroids(dims, list(map(float, low)), list(map(float, high)))


def _scanning(program: Any, repertoire: Any, emitter_state: Any, batch: int, evaluations: int) -> Side:
    """A side that does so many evaluations in one scan; the repertoire stays on the device."""
    n = -(-evaluations // batch)
    scan = jax.jit(lambda carry: jax.lax.scan(program.scan_update, carry, None, length=n)[0])
    carry = (repertoire, emitter_state, jax.random.key(1))

    def side() -> int:
        nonlocal carry
        carry = jax.block_until_ready(scan(carry))
        return n * batch

    return side
