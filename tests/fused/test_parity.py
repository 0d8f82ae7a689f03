"""The fused driver's archive against pyribs, row by row: cells, statuses, values, elites, sums; 131,072 nasty rows."""

import numpy as np
import pytest

from feedback.descriptors.select import Select
from qd import fused, keys
from qd.archives import CVT, Grid
from qd.search import start
from qd.types import Search
from tests.support.scripted import Said, Table, contents, replay

BOUNDS = ((-1.0, 1.0), (0.1, 3.7))
GENERATIONS, BATCH = 128, 128
ARCHIVES = {
    "grid": Grid((20, 30)),
    "fine grid": Grid((300, 1)),
    "cvt": CVT(60, samples=600),
    "cvt of one cell": CVT(1, samples=10),
    "thresholds": Grid((20, 30), learning_rate=0.1, threshold_min=-1.5),
    "half": Grid((20, 30), learning_rate=0.5, threshold_min=0.0),
    "mean": Grid((20, 30), learning_rate=1.0, threshold_min=-1.5),
    "cvt thresholds": CVT(60, samples=600, learning_rate=0.01, threshold_min=-1.5),
}
HUGE = ("fine grid", "cvt", "half")


def borders(archive, rng: np.random.Generator, n: int) -> np.ndarray:
    """Points on borders between cells, as nearly as float32 can; halfway between centroids of a CVT, exactly."""
    low, high = np.float32(BOUNDS).T
    if hasattr(archive, "centroids"):
        a, b = archive.centroids[rng.integers(0, archive.cells, (2, n))]
        return ((a + b) / 2).astype(np.float32)
    k = rng.integers(0, archive.dims + 1, (n, 2))
    return (low + (high - low) * k / archive.dims).astype(np.float32)


def nasty(archive, rng: np.random.Generator, huge: bool) -> np.ndarray:
    """Rows [G, B, 4]: ties, borders and one step off, far away, subnormal, huge, failed; some generations all in one cell."""
    n = GENERATIONS * BATCH
    objective = np.where(rng.random(n) < 0.5, rng.integers(-4, 5, n), rng.normal(size=n)).astype(np.float32)
    low, high = np.float32(BOUNDS).T
    measures = (low + (high - low) * rng.uniform(-0.2, 1.2, (n, 2))).astype(np.float32)
    at = rng.random(n) < 0.5
    measures[at] = borders(archive, rng, n)[at]
    step = rng.random((n, 2)) < 0.4
    measures = np.where(
        step, np.nextafter(measures, np.where(rng.random((n, 2)) < 0.5, -np.inf, np.inf).astype(np.float32)), measures
    )
    some = lambda share: rng.random(n) < share
    odd = np.float32([3e38, -3e38, 3e9, -3e9, 2000, -1999, 1e-40, -1e-40, -0.0, 2001.0, 1e-45])
    measures = np.where(rng.random((n, 2)) < 0.02, rng.choice(odd, (n, 2)), measures)
    measures[some(0.02)] = low + (high - low) * 50
    if huge:
        objective = np.where(some(0.02), rng.choice(np.float32([3e38, -3e38, 2e38]), n), objective)
    objective[some(0.02)] = -0.0
    if archive.threshold_min == -np.inf:
        tiny = some(0.05)
        objective[tiny] = np.float32(1e-45) * rng.integers(-3, 4, tiny.sum())
    objective[some(0.03)] = np.nan
    objective[some(0.01)] = np.inf
    measures[some(0.02), 1] = np.nan
    measures[some(0.01), 0] = -np.inf
    crowd = np.repeat(rng.random(GENERATIONS) < 0.1, BATCH)
    measures[crowd] = measures[0]
    failed = np.repeat(rng.random(GENERATIONS) < 0.02, BATCH)
    objective[failed] = np.nan
    table = np.column_stack([objective, measures, np.arange(n)]).astype(np.float32)
    return table.reshape(GENERATIONS, BATCH, 4)


@pytest.mark.filterwarnings("ignore:overflow:RuntimeWarning", "ignore:invalid value:RuntimeWarning")  # in pyribs' sums
@pytest.mark.parametrize("name", ARCHIVES)
def test_no_row_differs_from_pyribs(name) -> None:
    search = Search(Said(), Select("xy", BOUNDS), ARCHIVES[name], Table(), keep=("row",))
    rng = np.random.default_rng(len(name))
    seeds = np.float32([[5.0, 0.0, 1.0, 0], [1.0, 0.0, 1.0, 1], [5.0, 0.7, 3.0, 2]])
    state, batch = start(search, keys.new(0), seeds)
    other = search.archive.open(_rows(batch), BOUNDS, ("xy", "row"), 0)
    replay(other, batch, len(seeds))
    state = state._replace(memory=(nasty(state.archive, rng, name in HUGE), np.int32(0)))
    done = list(fused.run(search, state, len(seeds) + GENERATIONS * BATCH))
    state, batch = done[-1]
    assert len(done) == 1 and len(batch.ids) == GENERATIONS * BATCH
    said = replay(other, batch, BATCH)
    for column in ("cell", "status", "value"):
        np.testing.assert_array_equal(getattr(batch, column), said[column], err_msg=column)
    theirs = contents(other)
    for column, mine in contents(state.archive).items():
        np.testing.assert_array_equal(mine, theirs[column], err_msg=column)
    _same_stats(state.archive, other, sums=name not in HUGE)
    statuses = set(batch.status.tolist())
    assert statuses == {-1, 0, 1, 2} or other.cells == 1


def _same_stats(archive, other, sums: bool) -> None:
    ours, theirs = archive.stats, other.stats
    assert (ours.num_elites, ours.coverage, ours.obj_max) == (theirs.num_elites, theirs.coverage, theirs.obj_max)
    scale = np.abs(archive.data("objective")).sum(dtype=np.float64)
    if sums:  # pyribs' own sum overflows where ours does not
        assert abs(float(ours.qd_score) - float(theirs.qd_score)) <= 1e-6 * scale
    for name, column in other.best_elite.items():
        np.testing.assert_array_equal(archive.best_elite[name], column, err_msg=name)


def _rows(batch):
    from qd.types import Rows

    return Rows(batch.ids, batch.solutions, *batch.evaluation, batch.status >= 0)
