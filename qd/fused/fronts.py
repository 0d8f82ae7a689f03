"""A front in every cell inside a program: the same fronts, row by row and slot by slot, as qd.archives.fronts has on the host.

N cells, F slots of a cell, K objectives, B batch, E rows that enter one cell. Objectives are ordered whole numbers
(qd.fused.numbers), of which the first says whether a slot is empty.
"""

from functools import reduce
from operator import and_, or_
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from qd.fused.numbers import HIGHEST, LOWEST, ordered, unordered
from qd.types import Array

_CELLS = 4  # too full cells that are thinned at once: a batch has few of them
_WORD = 32  # flags that are searched at once
_FEW = 8  # rows that enter a too full cell, usually at most
_TINY = np.float32(np.finfo(np.float32).tiny)  # XLA takes smaller numbers for zero, and so does qd.archives.fronts


class Fronts(NamedTuple):
    goals: tuple[Array, ...]  # K of [N, F] int32; the first is LOWEST where a slot is empty, the others are then of no meaning
    order: Array  # [N] cells, in the order in which they were first filled
    cells: Array  # how many are filled


class Placement(NamedTuple):
    first: Array  # [N, F] the first objective, without the rows that left
    slot: Array  # [B] c F + p, N F: the row does not stay
    beaten: Array  # [B] a row of the cell, as it was before the batch, dominates or equals it
    opens: Array  # [B] the cell was empty
    fresh: Array  # [B] the first row of a new cell that stays


def place(fronts: Fronts, cell: Array, ok: Array, goals: tuple[Array, ...]) -> Placement:
    """Finds which rows of a batch stay and where, and which rows of the fronts leave.

    Args:
        fronts: before the batch.
        cell: [B], in 0..N-1.
        ok: [B] whether a row counts.
        goals: K of [B] int32, ordered.

    Returns:
        What becomes of each row.
    """
    n, width = fronts.goals[0].shape
    number = jnp.arange(len(cell), dtype=jnp.int32)
    present = [column[cell] for column in fronts.goals]  # [B, F]; an empty slot is no better than any row
    beaten = _all(there >= new[:, None] for there, new in zip(present, goals, strict=True)).any(1)
    filled = present[0] != LOWEST
    candidate = ok & ~beaten
    home = jnp.where(candidate, cell, -1 - number)  # of all others one of its own
    together, older = home[:, None] == home, number[:, None] < number
    pairs = [(new[:, None], new) for new in goals]
    better = _all(a >= b for a, b in pairs) & (older | _any(a > b for a, b in pairs))  # [j, i]: i goes because of j
    stays = candidate & ~(together & better).any(0)
    mates = together & stays[:, None]
    rank, count = (mates & older).sum(0, dtype=jnp.int32), mates.sum(0, dtype=jnp.int32)
    dominated = _all(there <= new[:, None] for there, new in zip(present, goals, strict=True)) & filled & stays[:, None]
    first = fronts.goals[0].at[jnp.where(stays, cell, n)].min(jnp.where(dominated, LOWEST, HIGHEST), mode="drop")
    free = first[cell] == LOWEST
    full = stays & (count > free.sum(1))
    slot = cell * width + nth(free, rank)
    slot = jnp.where(stays & ~full, slot, n * width)
    first, slot = _thinned(fronts._replace(goals=(first, *fronts.goals[1:])), home, stays, full, goals, slot)
    opens = ~filled.any(1)
    return Placement(first, slot, beaten, opens, stays & opens & (rank == 0))


def _thinned(
    fronts: Fronts, home: Array, stays: Array, full: Array, goals: tuple[Array, ...], slot: Array
) -> tuple[Array, Array]:
    """Makes room in cells that are too full, a few at once; returns the first objective and the slots."""
    n, size = len(fronts.order), len(home)

    def some(carry: tuple) -> tuple:
        first, slot, full = carry
        (rows,) = jnp.nonzero(full, size=size, fill_value=size)
        cells = jnp.where(rows < size, home.at[rows].get(mode="fill", fill_value=n), n)
        leaders = rows[jnp.nonzero(_first_of_each(cells), size=_CELLS, fill_value=size - 1)[0]]
        cells = home.at[leaders].get(mode="fill", fill_value=n)
        here = (home == cells[:, None]) & stays & (cells < n)[:, None]  # [C, B]

        def thin(entrants: int) -> tuple:
            one = lambda cell, here: _thin(fronts.goals, first, cell, here, goals, entrants)
            return jax.vmap(one)(jnp.minimum(cells, n - 1), here)

        few = here.sum(1).max() <= _FEW
        left, to = thin(size) if size <= _FEW else jax.lax.cond(few, lambda: thin(_FEW), lambda: thin(size))
        first = first.at[cells].set(left, mode="drop")
        slot = jnp.where(here.any(0), to.min(0), slot)
        return first, slot, full & ~here.any(0)

    return jax.lax.while_loop(lambda carry: carry[2].any(), some, (fronts.goals[0], slot, full))[:2]


def _first_of_each(cells: Array) -> Array:
    """Whether a number [B] is the first of its kind."""
    number = jnp.arange(len(cells))
    return ~((cells[:, None] == cells) & (number[:, None] < number)).any(0)


def _thin(
    present: tuple[Array, ...], first: Array, cell: Array, here: Array, goals: tuple[Array, ...], entrants: int
) -> tuple[Array, Array]:
    """Thins one cell; returns its first objective [F] without those that leave, and slots [B], N F: nowhere."""
    n, width = first.shape
    (rows,) = jnp.nonzero(here, size=entrants, fill_value=len(here))
    columns = [first[cell], *(column[cell] for column in present[1:])]
    columns = [jnp.concatenate([a, b.at[rows].get(mode="fill", fill_value=0)]) for a, b in zip(columns, goals, strict=True)]
    remain = crowd_out(columns, jnp.concatenate([first[cell] != LOWEST, rows < len(here)]), width)
    enters = remain[width:]
    left = jnp.where(remain[:width], first[cell], LOWEST)
    (free,) = jnp.nonzero(~remain[:width], size=width, fill_value=0)
    to = cell * width + free[jnp.cumsum(enters) - 1]
    nowhere = jnp.full(len(here), n * width, jnp.int32)
    return left, nowhere.at[jnp.where(enters, rows, len(here))].set(to.astype(jnp.int32), mode="drop")


def crowd_out(goals: list[Array], remain: Array, size: int) -> Array:
    """Drops the most crowded of distinct rows, none of which dominates another, one after another.

    Args:
        goals: K of [N] int32, ordered.
        remain: [N] which rows there are.
        size: rows to remain at most; of equally crowded ones that with the smallest objectives goes, as in ``pareto.thinned``.

    Returns:
        Which rows remain [N].
    """

    def drop(remain: Array) -> Array:
        distance = crowding(goals, remain)
        with jax.enable_x64(True):
            chosen = remain & (distance <= distance.min())
        for column in goals:
            chosen &= column == jnp.where(chosen, column, HIGHEST).min()
        return remain & ~chosen

    return jax.lax.while_loop(lambda remain: remain.sum() > size, drop, remain)


def crowding(goals: list[Array], remain: Array, mirrored: bool = False) -> Array:
    """The crowding distance [N] of distinct rows, float64, as qd.archives.pareto computes it; infinite where there is no row.

    Args:
        goals: K of [N] int32, ordered.
        remain: [N] which rows there are.
        mirrored: at an end of an objective the gap to the only neighbour counts twice, else it is infinite.
    """
    with jax.enable_x64(True):
        infinite = jnp.float64(np.inf)
        total = jnp.zeros(len(remain), jnp.float64)
        for column in goals:
            real = unordered(column)
            real = jnp.where(jnp.abs(real) < _TINY, 0, real).astype(jnp.float64)
            low, high = jnp.where(remain, real, infinite), jnp.where(remain, real, -infinite)
            below = jnp.where(high[None] < real[:, None], high[None], -infinite).max(1)
            above = jnp.where(low[None] > real[:, None], low[None], infinite).min(1)
            if mirrored:
                first, last = jnp.isinf(below), jnp.isinf(above)
                below, above = jnp.where(first, 2 * real - above, below), jnp.where(last, 2 * real - below, above)
            width = high.max() - low.min()
            gap = (above - below) / jnp.where(width > 0, width, 1)  # infinite at the ends
            total = total + jnp.where(width > 0, gap, 0)
        return jnp.where(remain, total, infinite)


def listing(fronts: Fronts) -> tuple[Array, Array]:
    """Returns all slots with a row, [N F], cells in the order in which they were first filled, and how many there are."""
    n, width = fronts.goals[0].shape
    slots = fronts.order[:, None] * width + jnp.arange(width, dtype=jnp.int32)
    filled = (fronts.goals[0][fronts.order] != LOWEST) & (jnp.arange(n) < fronts.cells)[:, None]
    place = jnp.cumsum(filled.ravel(), dtype=jnp.int32) - 1
    places = jnp.where(filled.ravel(), place, n * width)
    return jnp.zeros(n * width, jnp.int32).at[places].set(slots.ravel(), mode="drop"), filled.sum(dtype=jnp.int32)


def draw(fronts: Fronts, key: Array, n: int, crowded: bool) -> Array:
    """Draws cells evenly, then a row of the front of each.

    Args:
        fronts: F slots a cell.
        key: a JAX key.
        n: how many.
        crowded: in proportion to the crowding distance, mirrored at the ends; else evenly.

    Returns:
        Slots [n], c F + p.
    """
    width = fronts.goals[0].shape[1]
    of_cell, of_row = jax.random.bits(key, (2, n), jnp.uint32)
    cells = fronts.order[scaled(of_cell, fronts.cells)]
    filled = fronts.goals[0][cells] != LOWEST
    if not crowded:
        return cells * width + nth(filled, scaled(of_row, filled.sum(1)))
    sums = jnp.cumsum(_shares([column[cells] for column in fronts.goals], filled), 1)
    bar = (of_row >> 8).astype(jnp.float32)[:, None] / 2**24 * sums[:, -1:]
    return cells * width + jnp.argmax((sums > bar) & filled, 1).astype(jnp.int32)


def _shares(goals: list[Array], filled: Array) -> Array:
    """How often each row of some fronts [R, F] is drawn, by crowding distance, as pareto.shares has it."""
    distance = jax.vmap(lambda *rows: crowding(list(rows[:-1]), rows[-1], mirrored=True))(*goals, filled).astype(jnp.float32)
    distance = jnp.where(filled, distance, 0)
    return jnp.where(distance.max(1, keepdims=True) > 0, distance, filled)


def nth(flags: Array, rank: Array) -> Array:
    """Returns where in each row of flags [R, F] the flag number ``rank`` [R] stands that is set, counted from 0.

    Bits of words are searched by halves: a running sum over F takes ten times as long.
    """
    found, before = jnp.zeros(len(flags), jnp.int32), jnp.zeros(len(flags), jnp.int32)
    for start in range(0, flags.shape[1], _WORD):
        part = flags[:, start : start + _WORD]
        word = (part * (jnp.uint32(1) << jnp.arange(part.shape[1], dtype=jnp.uint32))).sum(1, dtype=jnp.uint32)
        left, place = rank - before, jnp.zeros(len(flags), jnp.uint32)
        count = jax.lax.population_count(word).astype(jnp.int32)
        inside = (left >= 0) & (left < count)
        for half in (16, 8, 4, 2, 1):
            low = jax.lax.population_count((word >> place) & jnp.uint32((1 << half) - 1)).astype(jnp.int32)
            beyond = low <= left
            left, place = jnp.where(beyond, left - low, left), jnp.where(beyond, place + half, place)
        found, before = jnp.where(inside, start + place.astype(jnp.int32), found), before + count
    return found


def scaled(bits: Array, size: Array) -> Array:
    """Returns floor(bits size / 2^32) in 32-bit arithmetic: draws from 0..size-1, even to within size / 2^32.

    Args:
        bits: uint32, of any shape.
        size: one number, or of the same shape.
    """
    size = size.astype(jnp.uint32)
    high, low = bits >> 16, bits & 0xFFFF
    upper, lower = size >> 16, size & 0xFFFF
    middle = high * lower + ((low * lower) >> 16)
    other = low * upper + (middle & 0xFFFF)
    return (high * upper + (middle >> 16) + (other >> 16)).astype(jnp.int32)


def opened(goals: np.ndarray, slots: np.ndarray, cells: int, width: int) -> Fronts:
    """Makes fronts of the rows of an archive.

    Args:
        goals: [R, K] float32.
        slots: [R] c F + p, in the archive's order.
        cells: N.
        width: F.

    Returns:
        The fronts; their cells in the order in which the archive names them first.
    """
    columns = []
    for column in goals.T:
        columns.append(np.full(cells * width, LOWEST, np.int32))
        columns[-1][slots] = ordered(np.ascontiguousarray(column))
    filled, where = np.unique(slots // width, return_index=True)
    order = np.zeros(cells, np.int32)
    order[: len(filled)] = filled[np.argsort(where)]
    return Fronts(tuple(column.reshape(cells, width) for column in columns), order, np.int32(len(filled)))


def _all(flags) -> Array:
    return reduce(and_, flags)


def _any(flags) -> Array:
    return reduce(or_, flags)
