"""How sets of configs are scored, and each way to spend evaluations, on the network of digits."""

from pathlib import Path

import numpy as np
import pytest

from domains.quant.cost import latency_measure
from domains.quant.domain import Quant
from experiments.quant import front, score
from experiments.quant.rivals import METHODS, Problem
from experiments.quant.screening import _best_of_each_cell_first
from qd.support.errors import UserError

RANDOM = np.random.default_rng(0)
SPENT = score.RelativeCost(RANDOM.random(40) * 1.2, RANDOM.random(40) * 1.2)
ACCURACY = RANDOM.uniform(0, 100, 40)


@pytest.fixture(autouse=True)
def _a_quick_look_at_the_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """How long layers take on this machine is no matter here."""
    monkeypatch.setattr(latency_measure, "SECONDS", 0.002)


def test_hypervolume_equals_counting_points() -> None:
    points = RANDOM.random((100_000, 3))
    beaten = np.zeros(len(points), bool)
    for accuracy, size, bops in zip(ACCURACY, *SPENT, strict=True):
        beaten |= (points[:, 0] >= size) & (points[:, 1] >= bops) & (100 * points[:, 2] <= accuracy)
    volume = score.hypervolume(ACCURACY, SPENT)
    assert volume == pytest.approx(beaten.mean(), abs=0.005) and 0.3 < volume < 1
    rows = score.front(ACCURACY, SPENT)
    few = score.RelativeCost(SPENT.size[rows], SPENT.bops[rows])
    assert 1 < len(rows) < 40 and score.hypervolume(ACCURACY[rows], few) == pytest.approx(volume)
    one = score.RelativeCost(np.array([0.5]), np.array([0.25]))
    assert score.hypervolume(np.array([80.0]), one) == pytest.approx(0.8 * 0.5 * 0.75)


def test_the_best_of_each_cell_and_budget() -> None:
    costs = score.RelativeCost(np.array([0.26, 0.27, 1.0, 0.3]), np.array([1 / 16, 1 / 16, 1.0, 0.2]))
    accuracy = np.array([10.0, 20, 90, 50])
    cells = score.cells(costs)
    assert cells[0] == cells[1] == 0 and cells[2] == 63
    assert sorted(score.elites(accuracy, costs)) == [1, 2, 3]
    assert score.best(accuracy, costs) == {"size/3": 3, "bops/4": 3, "bops/8": 1, "size/2, bops/4": 3}
    assert score.best(accuracy[2:3], score.RelativeCost(costs.size[2:3], costs.bops[2:3]))["bops/4"] == -1
    assert score.qd_score(np.array([64.0, 32])) == 1.5
    assert _best_of_each_cell_first(np.array([3.0, 9, 8, 1]), np.array([0, 1, 1, 2])).tolist() == [1, 0, 3, 2]


_SLOW = (pytest.param(name, marks=pytest.mark.slow) for name in ("GA x 4 budgets", "boosted trees"))


@pytest.mark.parametrize("method", [*_SLOW, "NSGA-II seeded", "ours"])
def test_each_method_spends_no_more_than_it_may(method: str) -> None:
    domain = Quant("digits", "bits", 60)
    assert method in METHODS
    configs = METHODS[method](Problem(domain, domain), 48, 0)
    assert configs.shape[1] == 14 and 20 < len(configs) <= 48
    assert (configs >= 0).all() and (configs < np.array(domain.space)).all()
    assert len(np.unique(configs, axis=0)) > 40


def test_the_experiment_fills_what_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(front.BUDGETS, "quick", (("digits", 24),))
    monkeypatch.setitem(front.IMAGES, "digits", (60, 60))  # as above: nothing is compiled anew
    settings = {"budget": "quick", "out": str(tmp_path / "out")}
    front.main(seeds=1, methods=("uniform", "stratified"), **settings)
    front.main(seeds=2, methods=("uniform", "stratified", "ours"), **settings)
    lines = (tmp_path / "out" / "runs.jsonl").read_text().splitlines()
    assert len(lines) == 6
    assert "ours - stratified" in (tmp_path / "out" / "table.csv").read_text() and "qd test" in capsys.readouterr().out
    with pytest.raises(UserError, match="unknown case 'moon' of budget=quick; type 24, digits or digits-24"):
        front.main(cases=("moon",), **settings)
