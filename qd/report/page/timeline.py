"""How the map came about, as a film of changes: replayed from history.npz, in at most so many frames.

H accepted rows, F frames, C changes.
"""

from typing import NamedTuple

import numpy as np

from qd.store.history import Columns

Clock = tuple[np.ndarray, np.ndarray]  # generations [G], evaluations [G]


class Timeline(NamedTuple):
    """Frame f is the map after ``evaluations[f]`` evaluations; its changes to the frame before are start[f] to start[f + 1]."""

    evaluations: np.ndarray  # [F]
    start: np.ndarray  # [F + 1]
    cell: np.ndarray  # [C]
    id: np.ndarray  # [C] the new elite of the cell
    objective: np.ndarray  # [C]


def replay(history: Columns, total: int, frames: int, clock: Clock | None = None) -> Timeline:
    """Replays the insertions of a run without refits.

    In each generation the best accepted row of a cell becomes its elite; of equals the first.

    Args:
        history: as ``qd.store.history.load`` returns it, rows in order of generation.
        total: evaluations of the run.
        frames: at most.
        clock: generations that had ended, and the evaluations until then, as metrics.csv has them; without it the end of a
            generation is where the next one's first accepted row begins.

    Returns:
        The frames, at even steps of evaluations; none where nothing was accepted.
    """
    winners = _winners(history)
    generation = history["generation"][winners]
    generations, first = np.unique(history["generation"], return_index=True)
    ends = np.append(history["id"][first[1:]], total)  # evaluations at the end of each generation
    if clock is not None and len(clock[0]):
        ends = np.interp(generations + 1, *clock).round().astype(int)
    ends = np.maximum.accumulate(ends)
    steps = np.unique(np.searchsorted(ends, np.linspace(0, total, frames + 1)[1:]).clip(0, len(ends) - 1)) if len(ends) else []
    changes, start, low = [], [0], 0
    for step in steps:
        high = int(np.searchsorted(generation, generations[step], "right"))
        rows = winners[low:high][::-1]
        _, last = np.unique(history["cell"][rows], return_index=True)
        changes.append(rows[last])
        start.append(start[-1] + len(last))
        low = high
    rows = np.concatenate(changes) if changes else np.zeros(0, int)
    return Timeline(
        np.asarray(ends)[np.asarray(steps, int)],
        np.array(start),
        history["cell"][rows],
        history["id"][rows],
        history["objective"][rows],
    )


def by_birth(ids: np.ndarray, cell: np.ndarray, objective: np.ndarray, total: int, frames: int) -> Timeline:
    """Shows today's elites from the evaluation on that made each: for runs in which cells have changed their meaning.

    Args:
        ids: [N] of the elites.
        cell: [N]
        objective: [N]
        total: evaluations of the run.
        frames: at most.
    """
    order = np.argsort(ids, kind="stable")
    evaluations = np.unique(np.linspace(0, total, frames + 1)[1:].astype(int))
    start = np.append(0, np.searchsorted(ids[order], evaluations))
    start[-1] = len(order)
    return Timeline(evaluations, start, cell[order], ids[order], objective[order])


def last_frame(timeline: Timeline) -> dict[int, int]:
    """Returns cell -> id at the end of a timeline."""
    return dict(zip(timeline.cell.tolist(), timeline.id.tolist(), strict=True))


def _winners(history: Columns) -> np.ndarray:
    """Returns the rows that became elites, in order of generation."""
    objective = np.nan_to_num(history["objective"].astype(float), nan=-np.inf)
    order = np.lexsort((np.arange(len(objective)), -objective, history["cell"], history["generation"]))
    generation, cell = history["generation"][order], history["cell"][order]
    first = np.ones(len(order), bool)
    first[1:] = (generation[1:] != generation[:-1]) | (cell[1:] != cell[:-1])
    rows = order[first & (cell >= 0)]
    return rows[np.argsort(history["generation"][rows], kind="stable")]
