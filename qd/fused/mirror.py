"""The archive as arrays of fixed size, which a program can hold, draw from and fill as pyribs would.

N cells, B batch, D genes, R rows to take. A stamp says which row of the chunk a cell's elite is: of generation g
(from 0) and row r it is g B + B - r, so that it grows with time and the first of equal rows wins; 0: not of this chunk.
With fronts N counts slots, of which each cell has F, and ``order`` and ``size`` are brought up to date when a chunk ends.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from qd import abilities, archives
from qd.archives import HostElites
from qd.fused import fronts
from qd.fused.fronts import Fronts
from qd.fused.numbers import LOWEST, ordered, unordered
from qd.support.spelling import unknown
from qd.types import OBJECTIVES, Array, Features, Rows

EMPTY = LOWEST


class Thresholds(NamedTuple):
    """What CMA-MAE's rule needs more (Fontaine and Nikolaidis 2023, appendix)."""

    threshold: Array  # [N] of each cell
    lowest: Array  # of an empty cell
    keeps: Array  # [B + 1, 3] float64 as a sum of three float32: (1 - learning rate)^n, computed as pyribs does
    count: Array  # [N] insertable rows of the last generation that met the cell
    total: Array  # [N] sum of their objectives


class Mirror(NamedTuple):
    objective: Array  # [N] int32, ordered; EMPTY where there is no elite
    solutions: Array  # [N, ...]
    ids: Array  # [N] int32, of elites that are not of this chunk
    stamp: Array  # [N] int32
    order: Array  # [N] int32: cells, in the order in which they were first filled
    size: Array
    columns: Features  # more columns, of which the emitter asks some
    thresholds: Thresholds | None
    fronts: Fronts | None = None  # of an archive with a front in every cell


class Insertion(NamedTuple):
    cell: Array  # [B] -1: failed
    status: Array  # [B]
    base: Array  # [B] value = objective - base; the host subtracts again, for XLA drops subnormal numbers
    value: Array  # [B]
    threshold: Array | None = None  # [B] of the cell after this generation, where a row could enter
    stays: Array | None = None  # [B] of an archive with fronts: whether the row is in one after this generation


@dataclass
class MirrorElites:
    """Elites (see qd.types) over a mirror, in a trace."""

    mirror: Mirror
    features: tuple[str, ...]
    first: Array  # id of the chunk's first row
    batch: int  # B; 0 while nothing is stamped
    requests: set[str]  # names of all columns that were taken so far

    @property
    def size(self) -> Array:
        return self._listing[1]

    @cached_property
    def _listing(self) -> tuple[Array, Array]:
        mirror = self.mirror
        return (mirror.order, mirror.size) if mirror.fronts is None else fronts.listing(mirror.fronts)

    def draw_from_fronts(self, key: Array, n: int, crowded: bool, *names: str) -> tuple[Array, ...]:
        """Draws cells evenly, then a row of the front of each, with replacement.

        Args:
            key: a JAX key.
            n: how many.
            crowded: within a front in proportion to the crowding distance, else evenly.
            names: of columns; by default id and solution.

        Returns:
            The columns, [n, ...] each.
        """
        assert self.mirror.fronts is not None  # the emitter's check has seen to it
        slots = fronts.draw(self.mirror.fronts, key, n, crowded)
        return self._columns(slots, names or ("id", "solution"))

    def draw(self, key: Array, n: int, *names: str) -> tuple[Array, ...]:
        """Draws elites evenly, with replacement.

        Args:
            key: a JAX key.
            n: how many.
            names: of columns; by default id and solution.

        Returns:
            The columns, [n, ...] each.
        """
        bits = jax.random.bits(key, (n,), jnp.uint32)
        return self.take(fronts.scaled(bits, self.size), *(names or ("id", "solution")))

    def take(self, index: Array, *names: str) -> tuple[Array, ...]:
        """Returns columns of some elites.

        Args:
            index: [n] ranks in 0..size-1.
            names: of columns (see qd.types.Elites), without place.

        Returns:
            The columns, [n, ...] each.

        Raises:
            UserError: the mirror holds no such column.
        """
        return self._columns(self._listing[0][index], names)

    def rows(self) -> Rows:
        order, size = self._listing
        valid = jnp.arange(len(order)) < size
        cells = jnp.where(valid, order, 0)
        ids, solutions, objective = (self._column(name, cells) for name in ("id", "solution", "objective"))
        return Rows(ids, solutions, objective, {name: self._column(name, cells) for name in self.features}, valid)

    def _columns(self, cells: Array, names: tuple[str, ...]) -> tuple[Array, ...]:
        sure = self.mirror.size > 0
        return apart(sure, lambda: tuple(self._column(name, cells) for name in names))

    def _column(self, name: str, cells: Array) -> Array:
        self.requests.add(name)
        mirror = self.mirror
        if name == "id":
            return _ids(mirror.ids[cells], mirror.stamp[cells], self.first, self.batch)
        if name == "solution":
            return mirror.solutions[cells]
        if name == "objective":
            return unordered(mirror.objective[cells])
        if name not in mirror.columns:
            names = ["id", "solution", "objective", "measures", *self.features]
            raise unknown("column", name, names, "of the compiled archive", "or driver=host")
        return mirror.columns[name][cells]


def apart(sure: Array, function: Callable[[], Any]) -> Any:
    """Computes a function by itself, never merged into what reads its result; ``sure`` is traced and always true.

    XLA merges a gather into what varies its rows, which is then computed number by number (ten times slower), and computes
    a solution again wherever it is read, each time rounded otherwise. Its own optimization_barrier is dropped on CPU.

    Args:
        sure: a traced bool, always true, which XLA cannot know.
        function: takes nothing and returns a pytree of arrays.

    Returns:
        What the function returns.
    """
    program = jax.jit(function)
    blank = jax.eval_shape(program)
    return jax.lax.cond(sure, program, lambda: jax.tree.map(lambda like: jnp.zeros(like.shape, like.dtype), blank))


def opened(archive: Any, names: tuple[str, ...], batch: int) -> Mirror:
    """Copies a pyribs archive.

    Args:
        archive: an open grid or CVT of N cells, or one with fronts in N slots.
        names: the columns to copy besides solutions, objectives and ids.
        batch: B.

    Returns:
        A mirror without stamps; with thresholds where the archive has a finite ``threshold_min``.
    """
    cells = archives.occupied(archive)
    solutions, objective, ids, thresholds, *more = HostElites(archive).take(
        np.arange(len(cells)), "solution", "objective", "id", "threshold", *names
    )
    n = archives.capacity(archive)

    def dense(column: np.ndarray, fill: Any = 0, dtype: Any = None) -> np.ndarray:
        full = np.full((n, *column.shape[1:]), fill, dtype or jax.dtypes.canonicalize_dtype(column.dtype))
        full[cells] = column
        return full

    zeros = np.zeros(n, np.int32)
    mirror = Mirror(
        dense(ordered(objective), EMPTY),
        dense(solutions),
        dense(ids, 0, np.int32),
        zeros,
        np.concatenate([cells, zeros[len(cells) :]]),
        np.int32(len(cells)),
        {name: dense(column) for name, column in zip(names, more, strict=True)},
        None if archive.threshold_min == -np.inf else _thresholds(archive, dense(thresholds), zeros, batch),
        _fronts(archive, cells),
    )
    return jax.tree.map(jnp.array, mirror)  # copies: its arrays are given away


def closed(mirror: Mirror, first: Array, batch: int) -> Mirror:
    """Forgets the stamps at the end of a chunk, and lists what is occupied.

    Args:
        mirror: after the chunk's last generation.
        first: id of the chunk's first row.
        batch: B.

    Returns:
        The mirror with every elite's id, and all stamps 0.
    """
    if mirror.fronts is not None:
        order, size = fronts.listing(mirror.fronts)
        mirror = mirror._replace(order=order, size=size)
    return mirror._replace(ids=_ids(mirror.ids, mirror.stamp, first, batch), stamp=jnp.zeros_like(mirror.stamp))


def insert(
    mirror: Mirror, generation: Array, cell: Array, ok: Array, objective: Array, solutions: Array, columns: Features
) -> tuple[Mirror, Insertion]:
    """Offers a generation; all rows are compared with the archive as it was before them.

    Args:
        mirror: of N cells.
        generation: its number in the chunk, from 0.
        cell: [B], in 0..N-1 where ``ok``.
        ok: [B] whether a row counts: its numbers are finite.
        objective: [B] float32.
        solutions: [B, ...].
        columns: name -> [B, ...], those of the mirror and maybe more.

    Returns:
        The mirror after it, and what became of each row.
    """
    if mirror.fronts is not None:
        return _insert_in_fronts(mirror, generation, cell, ok, objective, solutions, columns)
    n, rule, size = len(mirror.order), mirror.thresholds, len(cell)
    cell, number = jnp.where(ok, cell, 0), ordered(objective)
    incumbent = mirror.objective[cell]
    occupied = incumbent != EMPTY
    if rule is None:
        bar, base = incumbent, jnp.where(occupied, unordered(incumbent), 0.0)
    else:
        base = jnp.where(occupied, rule.threshold[cell], rule.lowest)
        bar = ordered(base)
    enters = ok & (number > bar)
    where = jnp.where(enters, cell, n)  # n: nowhere
    top, after = mirror.objective, None
    if rule is not None:
        rule, after = _raised(rule, where, enters, objective, base)
        top = top.at[where].set(EMPTY, mode="drop")  # the best that enters replaces the elite, even a better one
    top = top.at[where].max(number, mode="drop")
    best = enters & (top[cell] == number)
    mark = _marks(generation, size)
    stamp = mirror.stamp.at[jnp.where(best, cell, n)].max(mark, mode="drop")
    won = best & (stamp[cell] == mark)
    to, new = jnp.where(won, cell, n), won & ~occupied
    place = jnp.where(new, mirror.size + jnp.cumsum(new) - 1, n)
    mirror = _written(mirror, to, solutions, columns)._replace(
        objective=top,
        stamp=stamp,
        order=mirror.order.at[place].set(cell, mode="drop"),
        size=mirror.size + new.sum(dtype=jnp.int32),
        thresholds=rule,
    )
    status = jnp.where(ok, jnp.where(enters, 2 - occupied, 0), -1)
    base = jnp.where(ok, base, jnp.nan)
    return mirror, Insertion(jnp.where(ok, cell, -1), status, base, objective - base, after)


def _insert_in_fronts(
    mirror: Mirror, generation: Array, cell: Array, ok: Array, objective: Array, solutions: Array, columns: Features
) -> tuple[Mirror, Insertion]:
    """The same, into a front of each cell; rows have no value."""
    there = mirror.fronts
    assert there is not None
    cell, size = jnp.where(ok, cell, 0), len(cell)
    goals = tuple(ordered(column) for column in columns[OBJECTIVES].astype(jnp.float32).T)
    first, to, beaten, opens, fresh = fronts.place(there, cell, ok, goals)
    after = [first, *there.goals[1:]]
    flat = [old.ravel().at[to].set(new, mode="drop") for old, new in zip(after, goals, strict=True)]
    at = jnp.where(fresh, there.cells + jnp.cumsum(fresh, dtype=jnp.int32) - 1, len(there.order))
    order, cells = there.order.at[at].set(cell, mode="drop"), there.cells + fresh.sum(dtype=jnp.int32)
    mirror = _written(mirror, to, solutions, columns)._replace(
        objective=mirror.objective.at[to].set(ordered(objective), mode="drop"),
        stamp=mirror.stamp.at[to].set(_marks(generation, size), mode="drop"),
        fronts=Fronts(tuple(column.reshape(first.shape) for column in flat), order, cells),
    )
    status = jnp.where(ok, jnp.where(beaten, 0, jnp.where(opens, 2, 1)), -1)
    none = jnp.full(size, jnp.nan, jnp.float32)
    return mirror, Insertion(jnp.where(ok, cell, -1), status, none, none, stays=to < len(mirror.stamp))


def _written(mirror: Mirror, to: Array, solutions: Array, columns: Features) -> Mirror:
    """Writes solutions and columns of rows [B] to cells, N: nowhere."""
    return mirror._replace(
        solutions=mirror.solutions.at[to].set(solutions.astype(mirror.solutions.dtype), mode="drop"),
        columns={name: old.at[to].set(columns[name].astype(old.dtype), mode="drop") for name, old in mirror.columns.items()},
    )


def _marks(generation: Array, size: int) -> Array:
    """The stamps of a generation's rows."""
    return generation * size + size - jnp.arange(size, dtype=jnp.int32)


def _raised(rule: Thresholds, where: Array, enters: Array, objective: Array, base: Array) -> tuple[Thresholds, Array]:
    """Thresholds of the cells that rows enter: keeps t + (1 - keeps) mean, in float64 as pyribs computes them."""
    n = len(rule.count)
    count = rule.count.at[where].set(0, mode="drop").at[where].add(1, mode="drop")
    total = rule.total.at[where].set(0, mode="drop").at[where].add(objective, mode="drop")
    at = jnp.where(enters, where, n - 1)
    with jax.enable_x64(True):
        wide = lambda x: x.astype(jnp.float64)
        many = jnp.where(enters, count[at], 1)
        keeps = wide(rule.keeps[many, 0]) + (wide(rule.keeps[many, 1]) + wide(rule.keeps[many, 2]))
        mean = wide(total[at]) / wide(many)
        new_threshold = (keeps * wide(base) + mean * (wide(jnp.float32(1)) - keeps)).astype(jnp.float32)
    return rule._replace(
        count=count, total=total, threshold=rule.threshold.at[where].set(new_threshold, mode="drop")
    ), new_threshold


def _fronts(archive: Any, slots: np.ndarray) -> Fronts | None:
    width = abilities.of_opened(archive).front_size
    if not archives.has_fronts(archive):
        return None
    (goals,) = HostElites(archive).take(np.arange(len(slots)), OBJECTIVES)
    return fronts.opened(goals, slots, archives.capacity(archive) // width, width)


def _thresholds(archive: Any, threshold: np.ndarray, zeros: np.ndarray, batch: int) -> Thresholds:
    rate, dtype = archive.learning_rate, archive.dtypes["threshold"]
    keeps = np.asarray(1.0 - rate, dtype) ** np.arange(batch + 1)  # float64
    parts = []
    for _ in range(3):
        parts.append(keeps.astype(np.float32))
        keeps = keeps - parts[-1]
    return Thresholds(
        threshold, np.asarray(archive.threshold_min, np.float32), np.stack(parts, 1), zeros, zeros.astype(np.float32)
    )


def _ids(ids: Array, stamp: Array, first: Array, batch: int) -> Array:
    if batch == 0:
        return ids
    generation = (stamp - 1) // batch
    row = generation * batch + batch - (stamp - generation * batch)
    return jnp.where(stamp > 0, first + row, ids)
