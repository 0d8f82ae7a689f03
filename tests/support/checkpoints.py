"""A checkpoint, and batches of which rows were accepted."""

import numpy as np

from qd.archives import Grid, insert
from qd.metrics import Tally
from qd.store.checkpoint import Checkpoint
from qd.types import Batch, Evaluation, Reserve, Rows, State

BOUNDS = ((-1.0, 1.0), (-1.0, 1.0))


CONFIG = {
    "name": "arm", "seed": 0, "budget": 100, "runs": "runs", "console": "off", "again": False,
    "domain": {"joints": 10}, "emitter": {"sigma": 1e-05, "workers": 2}, "archive": {"threshold_min": float("-inf")},
}  # fmt: skip


def rows(n: int = 30, solutions: np.ndarray | None = None) -> Rows:
    rng = np.random.default_rng(0)
    solutions = rng.normal(size=(n, 3)).astype(np.float32) if solutions is None else solutions
    features = {"place": rng.uniform(-1, 1, (n, 2)).astype(np.float32)}
    return Rows(np.arange(n), solutions, rng.normal(size=n).astype(np.float32), {"seen": features["place"]}, np.ones(n, bool))


def filled(settings=Grid((5, 5)), batch: Rows | None = None):  # noqa: B008 - settings are frozen
    batch = rows() if batch is None else batch
    archive = settings.open(batch, BOUNDS, ("seen",), 0)
    insert(archive, batch.ids, batch.solutions, batch.objective, batch.features["seen"], batch.features)
    return archive


def a_checkpoint(evaluations: int = 64, memory=()) -> Checkpoint:
    state = State(np.zeros(2, np.uint32), filled(), memory, (), Reserve(rows(0), 0), evaluations // 64, evaluations)
    return Checkpoint(state, None, Tally(evaluations=evaluations), 0, None, 1.5, {}, {})


def accepted(state_generation: int, first: int, ids: list[int], status: list[int], parents: list[list[int]]) -> tuple:
    n = len(ids)
    evaluation = Evaluation(np.array(ids, np.float32), {})
    batch = Batch(first, np.array(ids), np.array(parents), np.zeros((n, 1)), evaluation, np.zeros((n, 2)), {},
                  np.array(ids) * 10, np.array(status), np.zeros(n), {})  # fmt: skip
    return a_checkpoint().state._replace(generation=state_generation), batch
