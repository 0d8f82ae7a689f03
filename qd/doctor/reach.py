"""How many cells a run fills, from how fast a trial found new ones."""

import numpy as np

from qd import archives
from qd.doctor.trial import Trial

_NEW = 2  # the status of a row that filled an empty cell
_MARGIN = 1.5  # a search that leaves the region of its initial solutions finds new cells faster than its trial did at the end


def coverage(trial: Trial) -> tuple[float, float] | None:
    """Returns the range of the percentage of cells that a run of the whole budget fills.

    Args:
        trial: of the recipe, with G batches.

    Returns:
        At least what the trial filled; at most as many more as if new cells were found at 1.5 times the rate of the trial's
        second half until the end, since they become rarer. None where nothing was tried, or the archive has no fixed number
        of cells.
    """
    cells = None if trial.state is None else archives.count_cells(trial.state.archive)
    if not cells:
        return None
    new = np.array([np.sum(np.asarray(batch.status) == _NEW) for batch in trial.batches])
    evaluations = np.cumsum([len(batch.ids) for batch in trial.batches])
    filled, budget = np.cumsum(new), trial.settings.budget
    within = max(np.searchsorted(evaluations, budget, side="right") - 1, 0)
    middle = len(new) // 2
    rate = (filled[-1] - filled[middle - 1]) / (evaluations[-1] - evaluations[middle - 1]) if middle else 1.0
    most = filled[within] + _MARGIN * rate * max(budget - evaluations[within], 0)
    return 100 * filled[within] / cells, 100 * min(most, budget, cells) / cells
