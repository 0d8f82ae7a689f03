"""How many cells a run fills, from how fast a trial found new ones."""

import numpy as np

from qd import archives
from qd.doctor.trial import Trial

_SEEDS = 1.5  # another seed fills by up to so much more or less: 15.1 and 12.8 % of the maze
_SPREAD = 3.0  # a search that spreads finds new cells faster than its trial did at the end: 2.4 times as fast on rastrigin


def coverage(trial: Trial) -> tuple[float, float] | None:
    """Returns the range of the percentage of cells that a run of the whole budget fills.

    Args:
        trial: of the recipe, with G batches.

    Returns:
        What the trial filled, less a third; half as many more, and as if new cells were found at three times the rate of the
        trial's second half until the end. None where nothing was tried, or the archive has no fixed number of cells.
    """
    cells = None if trial.state is None else archives.count_cells(trial.state.archive)
    if not cells:
        return None
    reached = [np.unique(np.asarray(batch.cell)[np.asarray(batch.status) > 0]) for batch in trial.batches]
    places = np.concatenate(reached)  # two rows of a batch may both be the first of a cell
    first = np.zeros(len(places), int)
    first[np.unique(places, return_index=True)[1]] = 1
    new = np.array([part.sum() for part in np.split(first, np.cumsum([len(part) for part in reached])[:-1])])
    evaluations = np.cumsum([len(batch.ids) for batch in trial.batches])
    filled, budget = np.cumsum(new), trial.settings.budget
    within = max(np.searchsorted(evaluations, budget, side="right") - 1, 0)
    middle = len(new) // 2
    rate = (filled[-1] - filled[middle - 1]) / (evaluations[-1] - evaluations[middle - 1]) if middle else 1.0
    most = _SEEDS * filled[within] + _SPREAD * rate * max(budget - evaluations[within], 0)
    return 100 * filled[within] / _SEEDS / cells, 100 * min(most, budget, cells) / cells
