"""A run folder with renderings, written by hand."""

import numpy as np

from qd.archives import insert
from qd.store import archive_file
from qd.types import Rows

BOUNDS = ((-1.0, 1.0), (0.0, 4.0))


POSE = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="-1 -1 2 2"><circle cx="0" cy="0" r="0.5" fill="#abc"/></svg>'


def stored_run(folder, archive_settings, renderings: bool = True):
    rng = np.random.default_rng(0)
    measures = rng.uniform(*np.array(BOUNDS).T, (60, 2)).astype(np.float32)
    rows = Rows(
        np.arange(60),
        rng.normal(size=(60, 3)).astype(np.float32),
        rng.uniform(0, 9, 60).astype(np.float32),
        {},
        np.ones(60, bool),
    )
    archive = archive_settings.open(rows, BOUNDS, (), 0)
    insert(archive, rows.ids, rows.solutions, rows.objective, measures, {})
    config = {"name": "toy", "descriptor": {"feature": "place"}}
    archive_file.save(
        folder, archive, BOUNDS, {"seed": 3, "evaluations": 1234, "config": config, "objective_range": [0.0, 9.0]}
    )
    (folder / "metrics.csv").write_text("evals,coverage,qd_score,best\n60,5.0,,8.0\n120,6.0,,8.5\n180,7")
    if renderings:
        (folder / "renderings").mkdir()
        for number in archive.data("id"):
            (folder / f"renderings/{number}.svg").write_text(POSE)
    return archive
