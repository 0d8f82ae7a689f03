"""Numbers that are shown: counts, coverage and QD score, by hand."""

import math

import numpy as np
import pytest

from domains.arm import Arm
from feedback.descriptors.select import Select
from qd import abilities
from qd.archives import Grid, Proximity, insert
from qd.emitters.vary import Gaussian, Vary
from qd.metrics import Tally, count, of_archive, qd_score
from qd.search import run
from qd.types import Archive, Search
from tests.support.searches import BOUNDS, begin, example
from tests.support.toys import SQUARE, Bowl, Failing

GRID = Grid((4, 3))


def archive_of(*objectives: float, settings: Archive = GRID):
    archive = settings.open(example(), BOUNDS, (), 0)
    n = len(objectives)
    measures = np.stack([np.linspace(-0.9, 0.9, n), np.full(n, 0.5)], 1)
    insert(archive, np.arange(n), np.zeros((n, 3), np.float32), np.array(objectives), measures, {})
    return archive


def test_an_archive_in_numbers() -> None:
    said = of_archive(archive_of(1.0, 3.0, -2.0), scale=(-2.0, 8.0))
    assert said["elites"] == 3 and said["coverage"] == pytest.approx(25) and said["best"] == 3
    assert said["mean"] == pytest.approx(2 / 3)
    assert said["qd_score"] == pytest.approx(100 * (0.3 + 0.5 + 0) / 12)


def test_negative_terms_stay_in_the_qd_score() -> None:
    assert qd_score(np.array([50.0, -196.0]), 2, (0.0, 100.0)) == pytest.approx(-73)


def test_a_full_archive_of_the_best_scores_100() -> None:
    assert qd_score(np.full(12, 7.0), 12, (-5.0, 7.0)) == pytest.approx(100)


def test_without_a_range_a_negative_objective_leaves_the_qd_score_undefined() -> None:
    assert math.isnan(of_archive(archive_of(1.0, -1.0), None)["qd_score"])
    assert of_archive(archive_of(1.0, 2.0), None)["qd_score"] == pytest.approx(3 / 12)


def test_an_empty_archive() -> None:
    said = of_archive(archive_of(), (0.0, 1.0))
    assert said["elites"] == said["coverage"] == said["qd_score"] == 0 and math.isnan(said["best"])


def test_an_archive_without_cells_has_no_coverage_and_no_qd_score() -> None:
    said = of_archive(archive_of(1.0, 2.0, settings=Proximity(k_neighbors=1, novelty_threshold=0.01)), (0.0, 2.0))
    assert said["elites"] == 2 and math.isnan(said["coverage"]) and math.isnan(said["qd_score"])


def test_scores_do_not_drift_over_many_generations() -> None:
    search = Search(Arm(4), Select("gripper", SQUARE), Grid((9, 9)), Vary(Gaussian(0.3), 64))
    state = begin(search)
    for state, _ in run(search, state, until=64 * 50):
        ...
    objective = np.asarray(state.archive.data("objective"), np.float64)
    assert of_archive(state.archive, (0.0, 100.0))["qd_score"] == pytest.approx(objective.sum() / 81, rel=1e-9)


def test_counts_add_up_to_what_was_evaluated() -> None:
    bounds = ((-0.5, 0.5), (-0.5, 0.5))
    search = Search(Failing(Bowl()), Select("xy", bounds), Grid((6, 6)), Vary(Gaussian(0.3), 32))
    state, tally, best, outside, rejected = begin(search), Tally(), -np.inf, 0, 0
    for state, batch in run(search, state, until=64 + 32 * 10):
        tally = count(tally, batch, bounds)
        ok = np.isfinite(batch.evaluation.objective)
        best = max(best, batch.evaluation.objective[ok].max())
        outside += (ok & (np.abs(batch.measures) > 0.5).any(axis=1)).sum()
        rejected += (batch.status == 0).sum()
    assert tally.evaluations == 320 and tally.outside == outside > 0 and tally.best == best
    assert 0 < tally.failed < 320 and tally.new > 0 and tally.improved > 0
    assert tally.failed + tally.new + tally.improved + rejected == 320


def test_a_batch_of_failures_counts() -> None:
    search = Search(Bowl(), Select("xy", SQUARE), Grid((6, 6)), Vary(Gaussian(0.3), 8))
    state = begin(search)
    _, batch = next(run(search._replace(domain=Failing(Bowl(), 1.1)), state, until=65))
    assert count(Tally(), batch, SQUARE) == Tally(evaluations=8, failed=8)


def test_ranges() -> None:
    assert abilities.of_domain(Arm()).objective_range == (0.0, 100.0)
    assert abilities.of_domain(Bowl()).objective_range is None
