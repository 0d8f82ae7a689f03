"""``run`` for searches of which every component is pure: whole generations in one XLA program.

B batch, K generations at most in a chunk, N cells.
"""

import ctypes
import math
from collections.abc import Iterator
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import jax
import jax.numpy as jnp
import numpy as np

from qd import archives
from qd.fused.fits import applies
from qd.fused.mirror import Mirror, opened
from qd.fused.prepare import Work, check_memory, prepare
from qd.fused.program import Chunk, Place, compiled
from qd.support.error_notes import in_generation, naming_component
from qd.support.errors import UserError
from qd.types import Array, Batch, Evaluation, Features, Search, State

_LAST_ID = 2**31 - 1
_continuations: WeakKeyDictionary = WeakKeyDictionary()  # archive -> its last chunk


class Continuation(NamedTuple):
    """What the next chunk of an archive goes on from, of use while nothing else changes the archive."""

    version: tuple
    request: tuple  # search, generator, length
    state: State  # that was handed out, without its archive, which it would keep alive
    work: Work
    mirror: Mirror
    rows: Features


def run(
    search: Search, state: State, until: int, generator: str = "threefry", length: int | None = None
) -> Iterator[tuple[State, Batch]]:
    """Yields chunks of generations until there are ``until`` evaluations; stops where ``qd.search.run`` would.

    Args:
        search: the recipe; all its components are pure.
        state: of ``qd.search.start``, of a refit or of another run; it is spent.
        until: evaluations in all, those of ``state`` included.
        generator: threefry, or hash: faster random numbers of good but lesser quality.
        length: generations in a chunk, at most; by default as many as 16 MB of rows hold. It changes no elite.

    Yields:
        The state after each chunk, and its rows as one batch.

    Raises:
        UserError: a component is not pure, or the archive is one that it cannot hold.
    """
    why = applies(search)
    if why is not None:
        raise UserError(f"the fused driver cannot run this search: {why}", "type driver=host")
    if state.evaluations >= until:
        return
    request = search, generator, length
    with naming_component(search, lambda: in_generation(state.generation)):
        work, mirror, rows = _taken_up(request, state) or _opened(prepare(search, state, generator, length), state)
        while state.evaluations < until:
            at = place(work, state, until)
            result: Chunk = compiled(work.recipe)(rows, mirror, work.memory, work.params, work.table, at)
            work, mirror, rows = work._replace(memory=result.memory), result.mirror, result.rows
            state, batch = finish(work, state, result, at)
            version = archives.version(state.archive)
            _continuations[state.archive] = Continuation(version, request, state._replace(archive=None), work, mirror, rows)
            yield state, batch


def _taken_up(request: tuple, state: State) -> tuple[Work, Mirror, Features] | None:
    """Goes on where the last chunk ended, if this is the state that it handed out."""
    continuation: Continuation | None = _continuations.pop(state.archive, None)
    if continuation is None or (continuation.version, continuation.request) != (archives.version(state.archive), request):
        return None
    same = continuation.state.params is state.params and continuation.state.memory is state.memory
    return (continuation.work, continuation.mirror, continuation.rows) if same else None


def _opened(work: Work, state: State) -> tuple[Work, Mirror, Features]:
    return work, open_mirror(work, state), buffers(work)


def open_mirror(work: Work, state: State) -> Mirror:
    """Copies the archive.

    Args:
        work: the search made ready; says which columns are copied.
        state: of the search.

    Returns:
        A mirror of N cells.

    Raises:
        UserError: memory cannot hold it.
    """
    check_memory(state.archive, work)
    return opened(state.archive, work.names, work.recipe.size)


def buffers(work: Work) -> Features:
    """Makes room for K generations of rows."""
    length = work.recipe.length
    return {name: jnp.zeros((length * like.shape[0], *like.shape[1:]), like.dtype) for name, like in work.shapes.items()}


def place(work: Work, state: State, until: int) -> Place:
    """Says where the next chunk begins, and how many generations it does.

    Args:
        work: the search made ready.
        state: after the last chunk.
        until: evaluations in all, at which the run ends.

    Returns:
        The place; it does K generations, or fewer where these reach ``until``.

    Raises:
        UserError: there would be more than 2^31 - 1 evaluations after the chunk.
    """
    size = work.recipe.size
    todo = min(work.recipe.length, math.ceil((until - state.evaluations) / size))
    if state.evaluations + todo * size > _LAST_ID:
        raise UserError(f"the fused driver numbers evaluations up to {_LAST_ID:,}", "type driver=host to go on")
    return Place(state.key, np.int32(state.generation), np.int32(state.evaluations), np.int32(todo))


def finish(work: Work, state: State, result: Chunk, at: Place) -> tuple[State, Batch]:
    """Pours a chunk into the pyribs archive, and returns the state after it and its rows.

    Args:
        work: the search made ready.
        state: before the chunk; its archive is written into.
        result: what the program returned.
        at: the place that the program was called with.

    Returns:
        The state after the chunk, and one batch of ``at.todo`` B rows, copied out of the chunk's buffers.
    """
    count = int(at.todo) * work.recipe.size
    rows = {name: _copied(column, count) for name, column in result.rows.items()}
    batch = _batch(rows, state.generation, np.arange(state.evaluations, state.evaluations + count), state.archive)
    stamp, order = np.asarray(result.stamp), np.asarray(result.order)[: int(result.size)]
    _pour(state.archive, rows, batch, stamp, order, work.recipe.size)
    memory = jax.tree.map(np.array, result.memory)
    evaluations = state.evaluations + count
    return state._replace(memory=memory, generation=state.generation + int(at.todo), evaluations=evaluations), batch


def _batch(rows: Features, first: int, ids: np.ndarray, archive: Any) -> Batch:
    objective = np.asarray(rows["objective"], archive.dtypes["objective"])
    columns_of = lambda kind: {name.split("/")[1]: rows[name] for name in rows if name.startswith(kind)}
    with np.errstate(all="ignore"):  # failed rows
        value = objective - rows["base"]
    return Batch(
        first=first,
        ids=ids,
        parents=rows["parents"].astype(np.int64),
        solutions=rows["solutions"],
        evaluation=Evaluation(rows["objective"], columns_of("features/")),
        measures=rows["measures"],
        signals=columns_of("signals/"),
        cell=rows["cell"],
        status=rows["status"],
        value=value,
        info={},
        jacobian=rows.get("jacobian"),
    )


def _pour(archive: Any, rows: Features, batch: Batch, stamp: np.ndarray, order: np.ndarray, size: int) -> None:
    cells = order[stamp[order] > 0] if "stays" in rows else np.flatnonzero(stamp)  # rows may have left a front
    if not stamp.any():
        return
    generation = (stamp[cells] - 1) // size
    winners = 2 * generation * size + size - stamp[cells]
    objective = np.asarray(batch.evaluation.objective, archive.dtypes["objective"])

    def columns(of: np.ndarray) -> Features:
        thresholds = rows.get("threshold", objective)
        measures = archives.clamp(archive, np.asarray(batch.measures[of], archive.dtypes["measures"]))
        own = {"solution": batch.solutions[of], "objective": objective[of], "threshold": thresholds[of], "id": batch.ids[of]}
        return own | {"measures": measures} | {name: column[of] for name, column in batch.evaluation.features.items()}

    status = np.where(rows["stays"], batch.status, 0) if "stays" in rows else batch.status
    best = archives.best_row(archive, objective, status, batch.cell, size)
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
    if jax.default_backend() != "cpu" and not isinstance(column, np.ndarray):
        return jax.device_get(column)[:count]
    if isinstance(column, np.ndarray):
        return column[:count].copy()
    column.block_until_ready()
    there = (ctypes.c_byte * column.nbytes).from_address(column.unsafe_buffer_pointer())  # every other way costs 50 us
    return np.frombuffer(there, column.dtype).reshape(column.shape)[:count].copy()
