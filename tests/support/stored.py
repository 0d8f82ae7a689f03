"""Archives written as a run writes them."""

import numpy as np

from qd.archives import Grid, insert
from qd.store import archive_file
from qd.types import Rows

BOUNDS = ((-1.0, 1.0), (0.0, 2.0))


def stored(run, solutions, about=None, **features) -> dict:
    """Writes an archive as a run does, and returns its columns, oldest first."""
    rng, n = np.random.default_rng(1), len(solutions)
    measures = np.stack([np.linspace(-1, 1, n), np.linspace(0, 2, n)], 1).astype(np.float32)
    rows = Rows(np.arange(n), solutions, rng.normal(size=n).astype(np.float32), features, np.ones(n, bool))
    archive = Grid((50, 50)).open(rows, BOUNDS, tuple(features), 0)
    insert(archive, rows.ids, rows.solutions, rows.objective, measures, features)
    assert len(archive) == n
    run.mkdir()
    archive_file.save(run, archive, BOUNDS, {"seed": 0, "evaluations": n} | (about or {}))
    columns = archive_file.load(run).columns
    order = np.argsort(columns["id"])
    return {name: column[order] for name, column in columns.items()}


def numbers(run) -> dict:
    rng = np.random.default_rng(0)
    draw = rng.normal(size=(20, 3)).astype(np.float32)
    return stored(run, draw, spot=draw[:, :2] / 3, speed=draw[:, 0], pair=np.stack([draw, 1 / draw], 2))
