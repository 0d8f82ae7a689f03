"""K generations as one XLA program of traced length, over a mirror that it is given.

B batch, K generations at most in a chunk, N cells.
"""

from functools import lru_cache
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from qd import programs
from qd.fused import index
from qd.fused.generator import key_of
from qd.fused.mirror import Mirror, MirrorElites, apart, closed, insert
from qd.types import Array, Batch, Descriptor, Domain, Emitter, Features, Memory, Params


class Recipe(NamedTuple):
    """All that is fixed when a program is traced."""

    domain: Domain
    descriptor: Descriptor
    emitter: Emitter
    names: tuple[str, ...]  # of the stored features
    gradients: bool
    size: int  # B
    length: int  # K
    generator: str


class Place(NamedTuple):
    """Where a chunk begins; all traced."""

    key: Array  # uint32 [2]
    generation: Array  # number of its first generation
    first: Array  # id of its first row
    todo: Array  # generations to do, at most K


class Chunk(NamedTuple):
    mirror: Mirror
    memory: Memory
    rows: Features  # name -> [K B, ...]
    stamp: Array  # [N] which row each changed cell holds; of no meaning where it holds none
    order: Array  # [N]
    size: Array


def chunk(
    recipe: Recipe, rows: Features, mirror: Mirror, memory: Memory, params: Params, table: index.Table, at: Place
) -> Chunk:
    """Does ``at.todo`` generations and writes their rows into the buffers ``rows``, one generation after another.

    Args:
        recipe: what is fixed when the program is traced.
        rows: name -> [K B, ...], the buffers.
        mirror: of the archive, N cells, without stamps.
        memory: the emitter's.
        params: the descriptor's.
        table: that cells are looked up in.
        at: where the chunk begins.

    Returns:
        The chunk; its first ``at.todo`` B rows are of this chunk, the others are what the buffers held before.
    """

    def body(i: Array, carry: tuple) -> tuple:
        mirror, memory, rows = carry
        mirror, memory, new = generation(recipe, mirror, memory, params, table, at, i)
        start = i * recipe.size
        rows = {name: jax.lax.dynamic_update_slice_in_dim(rows[name], new[name], start, 0) for name in rows}
        return mirror, memory, rows

    mirror, memory, rows = jax.lax.fori_loop(0, at.todo, body, (mirror, memory, rows))
    final = closed(mirror, at.first, recipe.size)
    return Chunk(final, memory, rows, mirror.stamp, final.order + 0, final.size + 0)


def generation(
    recipe: Recipe, mirror: Mirror, memory: Memory, params: Params, table: index.Table, at: Place, i: Array
) -> tuple[Mirror, Memory, Features]:
    """Does generation i of a chunk; returns its rows as named columns too.

    Args:
        recipe: what is fixed when the program is traced.
        mirror: of the archive before the generation, N cells.
        memory: the emitter's.
        params: the descriptor's.
        table: that cells are looked up in.
        at: where the chunk begins.
        i: number of the generation in the chunk, from 0; traced.

    Returns:
        Mirror and memory after the generation, and its rows, name -> [B, ...].
    """
    size, number = recipe.size, at.generation + i
    key = jax.random.fold_in(key_of(at.key, recipe.generator), number)  # not carried: where chunks end changes nothing
    ask_key, evaluate_key = jax.random.split(key)
    elites = MirrorElites(mirror, recipe.names, at.first, size, set())

    def ask() -> tuple[Memory, Array, Array | None]:
        next_memory, offspring = recipe.emitter.ask(ask_key, memory, elites)
        return next_memory, offspring.solutions, offspring.parents

    sure = at.todo > 0
    next_memory, solutions, parents = apart(sure, ask)
    evaluate = programs.evaluator(recipe.domain, recipe.descriptor, recipe.names, recipe.gradients)
    results = apart(sure, lambda: evaluate(params, jax.random.split(evaluate_key, size), solutions))

    objective, measures = results.evaluation.objective.astype(jnp.float32), results.measures.astype(jnp.float32)
    ok = jnp.isfinite(objective) & jnp.isfinite(measures).all(1)
    cell, near = index.cells(table, measures)
    columns = results.evaluation.features | {"measures": near}
    mirror, insertion = insert(mirror, i, cell, ok, objective, solutions, columns)
    batch = Batch(
        first=number,
        ids=at.first + i * size + jnp.arange(size, dtype=jnp.int32),
        parents=jnp.zeros((size, 0), jnp.int32) if parents is None else parents,
        solutions=solutions,
        evaluation=results.evaluation,
        measures=results.measures,
        signals=results.signals,
        cell=insertion.cell,
        status=insertion.status,
        value=insertion.value,
        info={},
        jacobian=results.jacobian,
    )
    new_memory = recipe.emitter.tell(next_memory, batch)
    new_memory = jax.tree.map(lambda new, old: jnp.asarray(new).astype(old.dtype), new_memory, memory)
    return mirror, new_memory, _columns(batch, insertion)


def _columns(batch: Batch, insertion: Any) -> Features:
    columns = {name: getattr(batch, name) for name in ("parents", "solutions", "measures", "cell", "status")}
    columns |= {"objective": batch.evaluation.objective, "base": insertion.base}
    columns |= {f"features/{name}": column for name, column in batch.evaluation.features.items()}
    columns |= {f"signals/{name}": column for name, column in batch.signals.items()}
    optional = {"jacobian": batch.jacobian, "threshold": insertion.threshold, "stays": insertion.stays}
    return columns | {name: column for name, column in optional.items() if column is not None}


@lru_cache(maxsize=64)
def compiled(recipe: Recipe) -> Any:
    """Returns the compiled ``chunk`` of a recipe; buffers and mirror are donated."""
    return jax.jit(lambda *args: chunk(recipe, *args), donate_argnums=(0, 1))
