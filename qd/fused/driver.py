"""``run`` for searches of which every part is pure: whole generations in one XLA program.

B batch, K generations at most in a chunk, N cells, R rows of a chunk.
"""

import math
import os
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import jax
import jax.numpy as jnp
import numpy as np

from qd import archives
from qd.archives import CVT, Grid, HostElites
from qd.fused import index
from qd.fused.mirror import Mirror, MirrorElites, opened
from qd.fused.program import Chunk, Place, Recipe, compiled, generation
from qd.search import stored
from qd.types import Array, Batch, Evaluation, Features, Memory, Search, State

BYTES = 32 * 2**20  # of rows in a chunk: larger buffers leave the heap, and the system clears their pages each time
_LAST_ID = 2**31 - 1
_tables: WeakKeyDictionary = WeakKeyDictionary()  # archive -> its table
_mirrors: WeakKeyDictionary = WeakKeyDictionary()  # archive -> (its version, recipe, mirror), while nothing else changed it


class Work(NamedTuple):
    """A search made ready: its recipe, and what its program is called with."""

    recipe: Recipe
    asked: tuple[str, ...]  # columns that the emitter looks at, besides solutions, objectives and ids
    table: index.Table
    memory: Memory  # as JAX arrays
    params: Any
    shapes: Features  # name -> one generation's rows, as shapes


def run(search: Search, state: State, until: int, generator: str = "threefry") -> Iterator[tuple[State, Batch]]:
    """Yields chunks of generations until there are ``until`` evaluations; stops where ``qd.search.run`` would.

    Args:
        generator: threefry, or hash: faster random numbers of good but lesser quality.

    Raises:
        ValueError: a part is not pure, or the archive is one that it cannot hold.
    """
    why = applies(search)
    if why is not None:
        raise ValueError(f"the fused driver cannot run this search: {why}; type driver=host")
    if state.evaluations >= until:
        return
    work = prepare(search, state, generator)
    mirror, memory, rows = open_mirror(work, state), work.memory, buffers(work)
    while state.evaluations < until:
        at = place(work, state, until)
        done: Chunk = compiled(work.recipe)(rows, mirror, memory, work.params, work.table, at)
        mirror, memory, rows = done.mirror, done.memory, done.rows
        state, batch = finish(work, state, done, at)
        _mirrors[state.archive] = archives.version(state.archive), work.recipe, work.asked, mirror
        yield state, batch


def applies(search: Search) -> str | None:
    """Returns None where the fused driver can run a search, else the reason why not."""
    for part in search.domain, search.descriptor, search.emitter:
        if not part.pure:
            return f"{type(part).__name__} runs on the host (pure = False)"
    archive = search.archive
    if type(archive) not in (Grid, CVT):
        return f"its archive is neither a grid nor a CVT but {type(archive).__name__}"
    if archive.dtype != "float32":  # type: ignore[attr-defined]
        return f"its archive stores {archive.dtype}, not float32"  # type: ignore[attr-defined]
    return None


def prepare(search: Search, state: State, generator: str = "threefry", share: int = 1) -> Work:
    """Finds out all that a program needs to know; a ``share``-th of the bytes is for this search."""
    archive = state.archive
    if archive not in _tables:
        _tables[archive] = index.table(archive)
    memory, params = jax.tree.map(jnp.asarray, (state.memory, state.params))
    parts = Recipe(search.domain, search.descriptor, search.emitter, stored(search), False, 0, 0, generator)
    recipe, asked, shapes = _rehearsed(
        parts, share, _shapes_of(archive), _Static(memory), _Static(params), _Static(_tables[archive])
    )
    memory = jax.tree.map(lambda leaf, like: leaf.astype(like.dtype), memory, shapes["memory"])
    return Work(recipe, asked, _tables[archive], memory, params, shapes["rows"])


def open_mirror(work: Work, state: State) -> Mirror:
    """Copies the archive, or takes up the mirror of the last chunk where nothing else has changed the archive since."""
    version, recipe, asked, mirror = _mirrors.pop(state.archive, (None,) * 4)
    if (version, recipe, asked) == (archives.version(state.archive), work.recipe, work.asked):
        return mirror
    _check_memory(state.archive, work)
    return opened(state.archive, work.asked, work.recipe.size)


def buffers(work: Work) -> Features:
    """Makes room for K generations of rows."""
    length = work.recipe.length
    return {name: jnp.zeros((length * like.shape[0], *like.shape[1:]), like.dtype) for name, like in work.shapes.items()}


def place(work: Work, state: State, until: int) -> Place:
    """Says where the next chunk begins, and how many generations it does."""
    size = work.recipe.size
    todo = min(work.recipe.length, math.ceil((until - state.evaluations) / size))
    if state.evaluations + todo * size > _LAST_ID:
        raise ValueError(f"the fused driver numbers evaluations up to {_LAST_ID:,}; type driver=host to go on")
    return Place(state.key, np.int32(state.generation), np.int32(state.evaluations), np.int32(todo))


def finish(work: Work, state: State, done: Chunk, at: Place) -> tuple[State, Batch]:
    """Pours a chunk into the pyribs archive, and returns the state after it and its rows."""
    count = int(at.todo) * work.recipe.size
    rows = {name: _copied(column, count) for name, column in done.rows.items()}
    batch = _batch(rows, state.generation, np.arange(state.evaluations, state.evaluations + count), state.archive)
    stamp, order = np.asarray(done.stamp), np.asarray(done.order)[: int(done.size)]
    _pour(state.archive, rows, batch, stamp, order, work.recipe.size)
    memory = jax.tree.map(np.array, done.memory)
    evaluations = state.evaluations + count
    return state._replace(memory=memory, generation=state.generation + int(at.todo), evaluations=evaluations), batch


def _batch(rows: Features, first: int, ids: np.ndarray, archive: Any) -> Batch:
    objective = np.asarray(rows["objective"], archive.dtypes["objective"])
    named = lambda kind: {name.split("/")[1]: rows[name] for name in rows if name.startswith(kind)}
    with np.errstate(all="ignore"):  # failed rows
        value = objective - rows["base"]
    return Batch(
        first=first,
        ids=ids,
        parents=rows["parents"].astype(np.int64),
        solutions=rows["solutions"],
        evaluation=Evaluation(rows["objective"], named("features/")),
        measures=rows["measures"],
        signals=named("signals/"),
        cell=rows["cell"],
        status=rows["status"],
        value=value,
        info={},
        jacobian=rows.get("jacobian"),
    )


def _pour(archive: Any, rows: Features, batch: Batch, stamp: np.ndarray, order: np.ndarray, size: int) -> None:
    cells = np.flatnonzero(stamp)
    if len(cells) == 0:
        return
    changed = (stamp[cells] - 1) // size
    winners = 2 * changed * size + size - stamp[cells]
    objective = np.asarray(batch.evaluation.objective, archive.dtypes["objective"])

    def columns(of: np.ndarray) -> Features:
        thresholds = rows.get("threshold", objective)
        measures = archives.clamp(archive, np.asarray(batch.measures[of], archive.dtypes["measures"]))
        own = {"solution": batch.solutions[of], "objective": objective[of], "threshold": thresholds[of], "id": batch.ids[of]}
        return own | {"measures": measures} | {name: column[of] for name, column in batch.evaluation.features.items()}

    best = archives.best_row(archive, objective, batch.status, batch.cell, size)
    if best is None:
        beaten = None
    else:
        one = columns(np.array([best]))
        dtypes = archive.dtypes
        beaten = {name: np.asarray(one[name], dtypes[name])[0] for name in archive.field_list if name != "index"}
        beaten["index"] = batch.cell[best]
    archives.pour(archive, order, cells, columns(winners), beaten)


def _copied(column: Array, count: int) -> np.ndarray:
    """Copies rows out, without a hold on the buffer that would forbid to donate it."""
    if column.size == 0:
        return np.zeros((count, *column.shape[1:]), column.dtype)
    if jax.default_backend() != "cpu":
        return jax.device_get(column)[:count]
    return np.from_dlpack(column)[:count].copy()


class _Static:
    """A pytree of which only structure, shapes and dtypes tell one from another."""

    def __init__(self, tree: Any) -> None:
        self.shapes = jax.tree.map(
            lambda leaf: jax.ShapeDtypeStruct(np.shape(leaf), jax.dtypes.canonicalize_dtype(leaf.dtype)), tree
        )
        leaves, structure = jax.tree.flatten(self.shapes)
        self._same = structure, tuple((leaf.shape, str(leaf.dtype)) for leaf in leaves)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Static) and self._same == other._same

    def __hash__(self) -> int:
        return hash(self._same)


def _shapes_of(archive: Any) -> tuple:
    """The columns of an archive: (name, shape, dtype), cells, and whether it has thresholds."""
    columns = HostElites(archive).take(np.arange(0), *(name for name in archive.field_list if name != "index"))
    described = zip((name for name in archive.field_list if name != "index"), columns, strict=True)
    kinds = tuple((name, column.shape[1:], str(column.dtype)) for name, column in described)
    return kinds, archives.capacity(archive), bool(archive.threshold_min != -np.inf)


@lru_cache(maxsize=64)
def _rehearsed(
    parts: Recipe, share: int, columns: tuple, memory: _Static, params: _Static, table: _Static
) -> tuple[Recipe, tuple[str, ...], dict[str, Any]]:
    """Traces a generation without running it: how many rows, of what shapes, and what the emitter looks at."""
    kinds, cells, thresholds = columns
    every, asked = _blank(kinds, cells, None, 0), set()
    key = jax.eval_shape(lambda: jax.random.key(0))
    ask = lambda key, memory, mirror: parts.emitter.ask(key, memory, MirrorElites(mirror, parts.names, jnp.int32(0), 0, asked))
    gradients = []

    def asking(key: Array, memory: Memory, mirror: Mirror) -> tuple:
        carried, offspring = ask(key, memory, mirror)
        gradients.append(offspring.gradients)
        return carried, offspring._replace(gradients=None)

    _, offspring = jax.eval_shape(asking, key, memory.shapes, every)
    size = len(offspring.solutions)
    extra = tuple(sorted(asked - {"id", "solution", "objective"}))
    parts = parts._replace(gradients=gradients[-1], size=size)
    mirror = _blank([kind for kind in kinds if kind[0] in (*extra, "solution")], cells, size if thresholds else None, size)
    number = jax.ShapeDtypeStruct((), jnp.int32)
    at = Place(jax.ShapeDtypeStruct((2,), jnp.uint32), number, number, number)
    told, rows = jax.eval_shape(
        lambda *args: generation(parts, *args)[1:], mirror, memory.shapes, params.shapes, table.shapes, at, number
    )
    bytes_a_row = sum(math.prod(like.shape[1:]) * like.dtype.itemsize for like in rows.values())
    length = max(1, BYTES // share // (bytes_a_row * size))
    return parts._replace(length=length), extra, {"rows": rows, "memory": told}


def _blank(kinds: Any, cells: int, thresholds: int | None, size: int) -> Any:
    """A mirror of shapes."""
    from qd.fused.mirror import Thresholds

    def of(dtype: Any, *shape: int) -> jax.ShapeDtypeStruct:
        return jax.ShapeDtypeStruct(shape, jax.dtypes.canonicalize_dtype(dtype))

    columns = {name: of(np.dtype(dtype), cells, *shape) for name, shape, dtype in kinds}
    whole, real = of(np.int32, cells), of(np.float32, cells)
    rule = None
    if thresholds is not None:
        rule = Thresholds(real, of(np.float32), of(np.float32, thresholds + 1, 3), whole, real)
    solutions = columns.pop("solution")
    return Mirror(whole, solutions, whole, whole, whole, of(np.int32), columns, rule)


def _check_memory(archive: Any, work: Work) -> None:
    """Raises ValueError where memory cannot hold the mirror beside the archive."""
    columns = HostElites(archive).take(np.arange(0), "solution", *work.asked)
    row = sum(math.prod(column.shape[1:]) * 4 for column in columns) + 24
    need, have = archives.capacity(archive) * row, _memory()
    if need > 0.4 * have:
        raise ValueError(
            f"a mirror of {archives.capacity(archive):,} cells x {row:,} bytes needs {need / 2**30:,.1f} GiB beside the "
            f"archive, and there are {have / 2**30:.1f}; type driver=host, or fewer cells"
        )


def _memory() -> int:
    stats = jax.devices()[0].memory_stats() or {}
    return stats.get("bytes_limit") or os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
