"""Many seeds of one search in one program, each bit-identical to its lone run, all compiled once.

    for states, batches in run(search, states, until): ...      # one of each for every seed

S seeds, K generations at most in a chunk.
"""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from qd import fused
from qd.fused import driver
from qd.fused.prepare import prepare
from qd.fused.program import Chunk, Place, Recipe, chunk
from qd.support.errors import UserError
from qd.support.spelling import unknown
from qd.types import Batch, Search, State


def run(
    search: Search, states: list[State], until: int, how: str = "auto", generator: str = "threefry"
) -> Iterator[tuple[list[State], list[Batch]]]:
    """Yields chunks of all seeds until each has ``until`` evaluations; stops where each lone run would.

    Args:
        how: threads (one program, one seed to a thread), map (all seeds after one another inside one program), or
            auto: threads where there are several cores, which experiments.benchmarks.seeds found faster, else map.

    Raises:
        ValueError: a part is not pure, the seeds are not at the same evaluation, or ``how`` is none of these.
    """
    why = fused.applies(search)
    if why is not None:
        raise UserError(f"many seeds share a program only where every part is fused: {why}", "run them one by one")
    if len({state.evaluations for state in states}) > 1:
        raise UserError("the seeds are not at the same evaluation", "start each from as many solutions")
    ways = {"threads": _by_threads, "map": _by_map}
    if how == "auto":
        how = "threads" if (os.cpu_count() or 1) > 1 and jax.default_backend() == "cpu" else "map"
    if how not in ways:
        raise unknown("how", how, [*ways, "auto"])
    yield from ways[how](search, list(states), until, generator)


def _by_threads(search: Search, states: list[State], until: int, generator: str) -> Iterator[tuple[list[State], list[Batch]]]:
    """XLA lets go of Python while it computes, so that seeds share the cores."""
    length = max(1, prepare(search, states[0], generator).recipe.length // min(len(states), os.cpu_count() or 1))
    runs = [fused.run(search, state, until, generator, length) for state in states]
    with ThreadPoolExecutor(min(len(runs), os.cpu_count() or 1)) as pool:
        steps = [next(runs[0], None)]  # alone, so that it compiles once
        steps += pool.map(_next, runs[1:])
        while steps[0] is not None:
            yield [state for state, _ in steps], [batch for _, batch in steps]  # type: ignore[misc]
            steps = list(pool.map(_next, runs))


def _next(run: Iterator) -> Any:
    return next(run, None)


def _by_map(search: Search, states: list[State], until: int, generator: str) -> Iterator[tuple[list[State], list[Batch]]]:
    works = [prepare(search, state, generator) for state in states]
    recipe = works[0].recipe._replace(length=max(1, works[0].recipe.length // len(states)))
    works = [work._replace(recipe=recipe) for work in works]
    stack = lambda trees: jax.tree.map(lambda *leaves: jnp.stack([jnp.asarray(leaf) for leaf in leaves]), *trees)
    mirrors = stack([driver.open_mirror(work, state) for work, state in zip(works, states, strict=True)])
    memories, params, table = stack([w.memory for w in works]), stack([w.params for w in works]), works[0].table
    rows = stack([driver.buffers(work) for work in works])
    while states[0].evaluations < until:
        places = [driver.place(work, state, until) for work, state in zip(works, states, strict=True)]
        result: Chunk = _mapped(recipe)(rows, mirrors, memories, params, table, stack(places))
        rows, mirrors, memories = result.rows, result.mirror, result.memory
        pairs = enumerate(zip(works, states, places, strict=True))
        ends = [driver.finish(work, state, _lone(result, i), at) for i, (work, state, at) in pairs]
        states = [state for state, _ in ends]
        yield list(states), [batch for _, batch in ends]


def _lone(result: Chunk, i: int) -> Chunk:
    """The chunk of seed i, as views that hold no buffer longer than they live."""
    on_cpu = jax.default_backend() == "cpu"
    whole = np.from_dlpack if on_cpu else jax.device_get
    view = lambda column: whole(column)[i] if column.size else np.zeros(column.shape[1:], column.dtype)
    return jax.tree.map(view, result._replace(mirror=None))  # type: ignore[arg-type]


@lru_cache(maxsize=16)
def _mapped(recipe: Recipe) -> Any:
    def all_seeds(rows: Any, mirrors: Any, memories: Any, params: Any, table: Any, places: Place) -> Chunk:
        def one(seed: tuple) -> Chunk:
            rows, mirror, memory, params, at = seed
            return chunk(recipe, rows, mirror, memory, params, table, at)

        return jax.lax.map(one, (rows, mirrors, memories, params, places))

    return jax.jit(all_seeds, donate_argnums=(0, 1))
