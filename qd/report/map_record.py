"""What a map shows of a stored archive: places, objectives, and the words at its axes.

Light, for pages too: without matplotlib.
"""

import numpy as np

from qd.plots.records import Map
from qd.report import measure_names
from qd.report.measure_names import plain_text
from qd.store import archive_file
from qd.support.errors import UserError


def record(archive: archive_file.StoredArchive) -> Map:
    """Returns the Map that figures of a stored archive are drawn from. Raises UserError where its config is damaged."""
    about, columns = archive.about, _best_of_each_cell(archive.columns)
    config, scale = about.get("config", {}), about.get("objective_range")
    try:
        axis_labels = measure_names.labels(about)
        title = plain_text(config.get("name", "archive"))
        names = measure_names.names(about)
    except (TypeError, AttributeError, LookupError, ValueError) as error:
        raise UserError(f"the config in archive.json is damaged ({error})", "give the run's command once more") from error
    return Map(
        columns["measures"],
        columns["objective"],
        columns["index"],
        [(low, high) for low, high in about["bounds"]],
        names,
        f"{title}, seed {about.get('seed', '?')}, {about.get('evaluations', 0):,} evaluations",
        about["dims"] if about["kind"].endswith("grid") else None,  # only a grid's cells are of equal width
        archive.centroids,
        None if scale is None else (float(scale[0]), float(scale[1])),
        axis_labels,
        len(archive.columns["index"]) if len(columns["index"]) < len(archive.columns["index"]) else None,
    )


def _best_of_each_cell(columns: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Returns the columns as they are, or where a cell has a front, of its row with the largest objective."""
    names = ("measures", "objective", "index")
    if len(np.unique(columns["index"])) == len(columns["index"]) or not (columns["index"] >= 0).all():
        return columns
    order = np.lexsort((-columns["objective"], columns["index"]))
    first = np.unique(columns["index"][order], return_index=True)[1]
    return {name: columns[name][order[first]] for name in names}
