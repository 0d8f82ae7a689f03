"""What a program needs to know before it can be traced: how many rows, of what shapes, what the emitter looks at.

B batch, K generations at most in a chunk, N cells.
"""

import math
import os
from functools import lru_cache
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import jax
import jax.numpy as jnp
import numpy as np

from qd import abilities, archives, checks, keys, programs
from qd.archives import CVT, Fronts, HostElites
from qd.fused import fronts, index
from qd.fused.mirror import Mirror, MirrorElites, Thresholds
from qd.fused.program import Place, Recipe, generation
from qd.support.errors import UserError
from qd.types import OBJECTIVES, Array, Features, Memory, Search, State

BYTES = 16 * 2**20  # of rows in a chunk: larger buffers leave the caches, and the system clears their pages each time
_CELL_BYTES = 24  # of a mirror, besides the columns of its elites
_SHARE = 0.4  # of the memory that a mirror may take
_tables: WeakKeyDictionary = WeakKeyDictionary()  # archive -> its table


class Work(NamedTuple):
    """A search made ready: its recipe, and what its program is called with."""

    recipe: Recipe
    names: tuple[str, ...]  # columns that the emitter looks at, besides solutions, objectives and ids
    table: index.Table
    memory: Memory  # as JAX arrays
    params: Any
    shapes: Features  # name -> one generation's rows, as shapes


def prepare(search: Search, state: State, generator: str = "threefry", length: int | None = None, share: int = 1) -> Work:
    """Finds out all that a program needs to know.

    Args:
        search: the recipe; all its components are pure.
        state: of the search; its archive, memory and params are read.
        generator: threefry or hash.
        length: generations in a chunk, at most; None: as many as the bytes hold.
        share: a chunk's rows take at most this part (1 / share) of 16 MB, but always hold one generation.

    Returns:
        The search made ready. Nothing is evaluated.

    Raises:
        UserError: cells cannot be found exactly, the emitter takes a column that the archive lacks, or no such generator.
    """
    archive = state.archive
    if archive not in _tables:
        _tables[archive] = jax.tree.map(jnp.asarray, index.table(archive))  # on the device, once
    memory, params = jax.tree.map(jnp.asarray, (state.memory, state.params))
    parts = Recipe(search.domain, search.descriptor, search.emitter, programs.feature_names(search), False, 0, 0, generator)
    recipe, names, shapes = _rehearsed(
        parts, share, _shapes_of(archive), _Static(memory), _Static(params), _Static(_tables[archive])
    )
    if length is not None:
        recipe = recipe._replace(length=min(recipe.length, length))
    memory = jax.tree.map(lambda leaf, like: leaf.astype(like.dtype), memory, shapes["memory"])
    return Work(recipe, names, _tables[archive], memory, params, shapes["rows"])


def check_memory(archive: Any, work: Work) -> None:
    """Raises UserError where memory cannot hold the mirror beside the archive.

    Args:
        archive: an opened pyribs archive of N cells.
        work: the search made ready; says which columns the mirror holds.

    Raises:
        UserError: the mirror takes more than 0.4 of the memory of the device, or of the machine where JAX states none.
    """
    columns = HostElites(archive).take(np.arange(0), "solution", *work.names)
    why = _too_large(archives.capacity(archive), sum(math.prod(column.shape[1:]) * 4 for column in columns))
    if why is not None:
        raise UserError(f"{why}", "type driver=host, or fewer cells")


def too_large(search: Search) -> str | None:
    """Says, before anything is evaluated or opened, that memory could not hold the mirror of a search's grid or CVT."""
    archive: Any = search.archive
    cells = archive.cells if isinstance(archive, CVT) else math.prod(archive.dims)
    cells *= archive.front_size if isinstance(archive, Fronts) else 1
    return _too_large(cells, _solution_bytes(search.domain))


@lru_cache(maxsize=64)
def _solution_bytes(domain: Any) -> int:
    solutions = domain.sample(keys.new(0), 1)
    checks.sampled(domain, solutions, 1)
    return 4 * math.prod(np.shape(solutions)[1:])


def _too_large(cells: int, row: int) -> str | None:
    need, have = cells * (row + _CELL_BYTES), _memory()
    if need <= _SHARE * have:
        return None
    return (
        f"a mirror of {cells:,} cells x {row + _CELL_BYTES:,} bytes needs {need / 2**30:,.1f} GiB beside the archive, "
        f"and there are {have / 2**30:,.1f}"
    )


class _Static:
    """A pytree of which only structure, shapes and dtypes tell one from another."""

    def __init__(self, tree: Any) -> None:
        self.shapes = jax.tree.map(lambda leaf: _shape(leaf.dtype, *np.shape(leaf)), tree)
        leaves, structure = jax.tree.flatten(self.shapes)
        self._same = structure, tuple((leaf.shape, str(leaf.dtype)) for leaf in leaves)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Static) and self._same == other._same

    def __hash__(self) -> int:
        return hash(self._same)


def _shapes_of(archive: Any) -> tuple:
    """The columns of an archive: (name, shape, dtype), cells, whether it has thresholds, and slots of a front or 0."""
    columns = HostElites(archive).take(np.arange(0), *(name for name in archive.field_list if name != "index"))
    pairs = zip((name for name in archive.field_list if name != "index"), columns, strict=True)
    kinds = tuple((name, column.shape[1:], str(column.dtype)) for name, column in pairs)
    width = abilities.of_opened(archive).front_size if archives.has_fronts(archive) else 0
    return kinds, archives.capacity(archive), bool(archive.threshold_min != -np.inf), width


@lru_cache(maxsize=64)
def _rehearsed(
    parts: Recipe, share: int, columns: tuple, memory: _Static, params: _Static, table: _Static
) -> tuple[Recipe, tuple[str, ...], dict[str, Any]]:
    """Traces a generation without running it: how many rows, of what shapes, and what the emitter looks at."""
    kinds, cells, thresholds, width = columns
    there = _blank_fronts(kinds, cells, width)
    every, names = _blank(kinds, cells, None)._replace(fronts=there), set()
    key = jax.eval_shape(lambda: jax.random.key(0))
    gradients = []

    def ask(key: Array, memory: Memory, mirror: Mirror) -> tuple:
        elites = MirrorElites(mirror, parts.names, jnp.int32(0), 0, names)
        next_memory, offspring = parts.emitter.ask(key, memory, elites)
        gradients.append(offspring.gradients)
        return next_memory, offspring._replace(gradients=None)

    _, offspring = jax.eval_shape(ask, key, memory.shapes, every)
    size = len(offspring.solutions)
    extra = tuple(sorted(names - {"id", "solution", "objective"}))
    parts = parts._replace(gradients=gradients[-1], size=size)
    mirror = _blank([kind for kind in kinds if kind[0] in (*extra, "solution")], cells, size if thresholds else None)
    mirror = mirror._replace(fronts=there)
    number = _shape(np.int32)
    at = Place(_shape(np.uint32, 2), number, number, number)
    next_memory, rows = jax.eval_shape(
        lambda *args: generation(parts, *args)[1:], mirror, memory.shapes, params.shapes, table.shapes, at, number
    )
    bytes_a_row = sum(math.prod(like.shape[1:]) * like.dtype.itemsize for like in rows.values())
    length = max(1, BYTES // share // (bytes_a_row * size))
    return parts._replace(length=length), extra, {"rows": rows, "memory": next_memory}


def _blank(kinds: Any, cells: int, thresholds: int | None) -> Any:
    """A mirror of shapes."""
    columns = {name: _shape(np.dtype(dtype), cells, *shape) for name, shape, dtype in kinds}
    whole, real = _shape(np.int32, cells), _shape(np.float32, cells)
    rule = None
    if thresholds is not None:
        rule = Thresholds(real, _shape(np.float32), _shape(np.float32, thresholds + 1, 3), whole, real)
    solutions = columns.pop("solution")
    return Mirror(whole, solutions, whole, whole, whole, _shape(np.int32), columns, rule)


def _blank_fronts(kinds: Any, slots: int, width: int) -> fronts.Fronts | None:
    """Fronts of shapes; None where there are none."""
    if width == 0:
        return None
    cells = slots // width
    (count,) = next(shape for name, shape, _ in kinds if name == OBJECTIVES)
    return fronts.Fronts((_shape(np.int32, cells, width),) * count, _shape(np.int32, cells), _shape(np.int32))


def _shape(dtype: Any, *shape: int) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(shape, jax.dtypes.canonicalize_dtype(dtype))


def _memory() -> int:
    stats = jax.devices()[0].memory_stats() or {}
    return stats.get("bytes_limit") or os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
