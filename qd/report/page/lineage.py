"""The ancestors of the elites, followed back to generation 0.

H accepted rows, P parents of one solution, A ancestors and elites.
"""

from typing import NamedTuple

import numpy as np

from qd.store.history import Columns


class Lineage(NamedTuple):
    """The elites and all their ancestors, in order of id."""

    id: np.ndarray  # [A]
    generation: np.ndarray  # [A]
    objective: np.ndarray  # [A]
    parents: np.ndarray  # [A, P] positions in these arrays; -1: none, or none that is kept; -2: one that was never accepted
    left_out: int  # ancestors that the limit has cut off


def trace(history: Columns, ids: np.ndarray, limit: int = 60_000) -> Lineage:
    """Follows the parents of elites back, the nearest generations first.

    Args:
        history: as ``qd.store.history.load`` returns it.
        ids: [N] of the elites.
        limit: rows at most.
    """
    order = np.argsort(history["id"], kind="stable")
    all_ids, parents = history["id"][order], history["parents"][order]
    is_selected = np.zeros(len(all_ids), bool)
    front = _positions(all_ids, ids)
    room, left_out = limit, 0
    while len(front):
        is_selected[front[:room]] = True
        left_out = max(0, len(front) - room)
        if left_out:
            break
        room -= len(front)
        above = _positions(all_ids, np.unique(parents[front]))
        front = above[~is_selected[above]]
    rows = np.flatnonzero(is_selected)
    place = np.full(len(all_ids) + 1, -1)
    place[rows] = np.arange(len(rows))
    ancestors = np.searchsorted(all_ids, parents[rows]).clip(0, max(0, len(all_ids) - 1))
    is_kept = (
        (parents[rows] >= 0) & (all_ids[ancestors] == parents[rows]) if len(all_ids) else np.zeros_like(parents[rows], bool)
    )
    return Lineage(
        all_ids[rows],
        history["generation"][order][rows],
        history["objective"][order][rows],
        np.where(is_kept, place[ancestors], np.where(parents[rows] >= 0, -2, -1)),
        left_out,
    )


def _positions(all_ids: np.ndarray, ids: np.ndarray) -> np.ndarray:
    """Returns where those of the ids stand that are in the history."""
    if not len(all_ids):
        return np.zeros(0, int)
    at = np.searchsorted(all_ids, ids).clip(0, len(all_ids) - 1)
    return at[all_ids[at] == ids]
