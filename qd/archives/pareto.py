"""Rows of several objectives: which are dominated, which are crowded, how much a front dominates, all groups of rows at once.

N rows, K objectives, more is better; F slots of a front. A row dominates another where it is no worse in all objectives and
better in one. A group is the rows of one cell, and rows are sorted by group.
"""

from collections.abc import Sequence

import numpy as np

from qd.support.errors import UserError

_TINY = np.finfo(np.float32).tiny  # smaller numbers count as zero in distances, for a compiled program takes them for zero
_EXACT = {2: 10**7, 3: 10**5, 4: 2_000, 5: 400}  # objectives -> rows of which an exact hypervolume takes a tenth of a second
_DIRECTIONS = 20_000  # of an approximate one


def losers(groups: np.ndarray, goals: np.ndarray) -> np.ndarray:
    """Which rows another of their group dominates, or an earlier one equals.

    Args:
        groups: [N], sorted.
        goals: [N, K].
    """
    lost = np.zeros(len(groups), bool)
    for step in range(1, len(groups)):
        together = groups[step:] == groups[:-step]
        if not together.any():
            break
        first, second = goals[:-step], goals[step:]
        lost[step:] |= together & (first >= second).all(axis=1)
        lost[:-step] |= together & (second >= first).all(axis=1) & (second > first).any(axis=1)
    return lost


def thinned(groups: np.ndarray, goals: np.ndarray, size: int) -> np.ndarray:
    """Which rows remain where of each group the most crowded go, one after another, until ``size`` remain.

    Args:
        groups: [N], sorted.
        goals: [N, K], of a group distinct and none dominated by another.
        size: of equally crowded rows that with the smallest objectives goes, the first objective before the second.
    """
    remain = np.ones(len(groups), bool)
    while True:
        rows = np.flatnonzero(remain)
        _, group, counts = np.unique(groups[rows], return_inverse=True, return_counts=True)
        rows, group = rows[counts[group] > size], group[counts[group] > size]
        if len(rows) == 0:
            return remain
        order = np.lexsort((*goals[rows].T[::-1], crowding(goals[rows], group), group))
        remain[rows[order[np.flatnonzero(np.diff(group, prepend=-1))]]] = False


def crowding(goals: np.ndarray, groups: np.ndarray | None = None, mirrored: bool = False) -> np.ndarray:
    """The crowding distance of NSGA-II (Deb et al. 2002); infinite at the ends of a group.

    Args:
        goals: [N, K], of a group distinct.
        groups: [N], sorted; None: one group.
        mirrored: at an end of an objective the gap to the only neighbour counts twice instead.

    Returns:
        [N], in units of the width of the group in each objective, summed over those in which it has one.
    """
    total = np.zeros(len(goals))
    if len(goals) == 0:
        return total
    groups = np.zeros(len(goals), int) if groups is None else groups
    starts = np.flatnonzero(np.diff(groups, prepend=groups[0] - 1))
    lengths = np.diff(starts, append=len(groups))
    for column in np.where(np.abs(goals) < _TINY, 0, goals).astype(np.float64).T:
        width = np.repeat(np.maximum.reduceat(column, starts) - np.minimum.reduceat(column, starts), lengths)
        gap = np.full(len(column), np.inf)
        below, above = _neighbours(column, groups)
        if mirrored:
            first, last = np.isinf(below), np.isinf(above)
            below, above = np.where(first, 2 * column - above, below), np.where(last, 2 * column - below, above)
        inner = np.isfinite(below) & np.isfinite(above)
        gap[inner] = (above[inner] - below[inner]) / width[inner]
        total += np.where(width > 0, gap, 0)
    return total


def _neighbours(column: np.ndarray, groups: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The next smaller and the next larger value of a row's group, infinite where there is none."""
    order = np.lexsort((column, groups))
    values, sorted_groups = column[order], groups[order]
    new = np.ones(len(order), bool)
    new[1:] = (values[1:] != values[:-1]) | (sorted_groups[1:] != sorted_groups[:-1])
    run, (heads,) = np.cumsum(new), np.nonzero(new)  # rows of equal value are one run
    value, group = np.concatenate([[0], values[heads], [0]]), np.concatenate([[-1], sorted_groups[heads], [-1]])
    below, above = np.empty(len(order)), np.empty(len(order))
    below[order] = np.where(group[run - 1] == group[run], value[run - 1], -np.inf)
    above[order] = np.where(group[run + 1] == group[run], value[run + 1], np.inf)
    return below, above


def shares(present: np.ndarray, filled: np.ndarray) -> np.ndarray:
    """How often each row of some fronts is drawn: by its mirrored crowding distance (MOME-PGX, Janmohamed et al. 2023).

    So it is in the authors' own code (adaptive-intelligent-robotics/MOME_PGX); rows of equal value in an objective have there
    an order, and here the same neighbours.

    Args:
        present: [N, F, K].
        filled: [N, F] which slots hold a row.

    Returns:
        [N, F], above 0 where there is a row.
    """
    distance = np.zeros(filled.shape)
    group, place = np.nonzero(filled)
    distance[group, place] = crowding(present[group, place], group, mirrored=True)
    return np.where(distance.max(axis=1, keepdims=True) > 0, distance, filled)  # a front of one row has no width


def select(goals: np.ndarray, size: int) -> np.ndarray:
    """Returns the rows of one front: those that no other dominates, of equal ones the first, at most ``size``.

    Args:
        goals: [N, K].
        size: of more the most crowded go, as ``thinned`` has it.

    Returns:
        Their indices, ascending.
    """
    group = np.zeros(len(goals), int)
    rows = np.flatnonzero(~losers(group, goals))
    return rows[thinned(group[rows], goals[rows], size)]


def hypervolume(goals: Sequence | np.ndarray) -> float:
    """Returns the hypervolume of rows [N, K] above the origin, by moocore.

    It is exact (Fonseca, Paquete and Lopez-Ibanez 2006), but for many rows of four and more objectives, where it would take too
    long: then it is moocore's approximation by directions (Deng and Zhang 2019), the same at each call.
    """
    moocore = _moocore()
    rows = np.asarray(goals, np.float64)
    rows = rows[(rows > 0).all(axis=1)] if len(rows) else rows
    if len(rows) == 0:
        return 0.0
    count = rows.shape[1]
    if len(rows) > _EXACT.get(count, 10**7 if count < 2 else 100):
        rows = rows[moocore.is_nondominated(rows, maximise=True)]
        if len(rows) > _EXACT.get(count, 100):
            return float(moocore.hv_approx(rows, ref=np.zeros(count), maximise=True, nsamples=_DIRECTIONS))
    return float(moocore.hypervolume(rows, ref=np.zeros(count), maximise=True))


def hypervolumes(groups: np.ndarray, goals: np.ndarray) -> np.ndarray:
    """Returns the hypervolume above the origin of each group, in order.

    Args:
        groups: [N], sorted.
        goals: [N, K], of a group none dominated by another; of two objectives all groups are summed at once.
    """
    starts = np.flatnonzero(np.diff(groups, prepend=-1))
    if goals.shape[1] != 2 or len(starts) == 0:
        return np.array([hypervolume(front) for front in np.split(goals, starts[1:])] if len(starts) else [])
    order = np.lexsort((goals[:, 0], groups))  # of a group from the lowest first objective, which has the highest second
    x, y = goals[order].clip(0).T
    left = np.concatenate([[0], x[:-1]])
    left[starts] = 0
    return np.add.reduceat((x - left) * y, starts)


def improvement(goals: np.ndarray, present: np.ndarray, filled: np.ndarray) -> np.ndarray:
    """By how much each row would raise the hypervolume of its front; below 0 where the front dominates it.

    Then it is minus the least step, equal in all objectives, after which no row of the front would be as good in all: it leads
    back to the front, as the distance of uncrowded hypervolume improvement does (Toure, Hansen, Auger and Brockhoff 2019).

    Args:
        goals: [N, K], above the origin where they count, in units of the objectives' ranges.
        present: [N, F, K] the front of each row's cell.
        filled: [N, F] which of its slots hold a row.

    Returns:
        [N].
    """
    depth = np.where(filled, (present - goals[:, None]).min(axis=2), -np.inf).max(axis=1)
    rows = np.flatnonzero(depth < 0)
    value = -depth
    there = np.where(filled[rows, :, None], present[rows], 0).clip(0)
    value[rows] = (_gain_of_two if goals.shape[1] == 2 else _gain)(goals[rows].clip(0), there)
    return value


def _gain_of_two(goals: np.ndarray, present: np.ndarray) -> np.ndarray:
    """The area of each row above the stairs of its front."""
    order = np.argsort(present[..., 0], axis=1, kind="stable")
    x, y = (np.take_along_axis(present[..., k], order, axis=1) for k in range(2))
    steps = np.minimum(x, goals[:, :1])
    steps = np.diff(steps, axis=1, prepend=0, append=goals[:, :1])
    y = np.maximum.accumulate(np.concatenate([y, np.zeros((len(y), 1))], axis=1)[:, ::-1], axis=1)[:, ::-1]
    return (steps * (goals[:, 1:] - y).clip(0)).sum(axis=1)


def _gain(goals: np.ndarray, present: np.ndarray) -> np.ndarray:
    """The volume of each row that no row of its front has."""
    parts = np.minimum(present, goals[:, None])
    return np.array([whole.prod() - hypervolume(part) for whole, part in zip(goals, parts, strict=True)])


def _moocore():
    try:
        import moocore  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        raise UserError("hypervolumes need the package moocore", "type pip install 'qd-atlas[objectives]'") from error
    return moocore
