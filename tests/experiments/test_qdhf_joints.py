"""Arms of other sizes and other raters: what each case asks, and that the study plays and goes on."""

import numpy as np
import pytest

from experiments.qdhf import joints
from experiments.qdhf.cases import RotatedTruth, task
from feedback.judges import Oracle
from qd import keys
from qd.report import table
from qd.types import Rows


def poses(n: int = 3000, of: int = 8) -> Rows:
    arm = joints.arm(of).domain
    solutions = arm.sample(keys.new(0), n)
    evaluation = arm.evaluate(None, solutions)
    features = {name: np.asarray(column) for name, column in evaluation.features.items()}
    return Rows(np.arange(n), solutions, np.asarray(evaluation.objective), features, np.ones(n, bool))


def parted(rows: Rows) -> list[Rows]:
    cut = lambda i: Rows(
        *(column[i::3] for column in rows[:3]), {k: v[i::3] for k, v in rows.features.items()}, rows.valid[i::3]
    )
    return [cut(i) for i in range(3)]


@pytest.mark.parametrize(
    ("noise", "wrong"),
    [
        ("no flips", 0.0),
        ("20 % flips", 0.2),
        ("raters of 2, 18 and 40 %, known", 0.2),
        ("a rater by another measure, known", 0.2),
    ],
)
def test_a_judge_errs_as_often_as_its_name_says(noise, wrong):
    x, a, b = parted(poses())
    case = joints.NOISES[noise]
    judge, truth = case.judge(5), Oracle("gripper")(x, a, b)
    share = np.mean(np.asarray(judge(x, a, b)) != truth)
    assert share == pytest.approx(wrong, abs=0.05)
    if case.raters > 1:
        raters = judge.raters(x, a, b)  # type: ignore[attr-defined]
        assert sorted(set(raters.tolist())) == [0, 1, 2]
        by_rater = [np.mean(judge(x, a, b)[raters == i] != truth[raters == i]) for i in range(3)]
        assert by_rater == sorted(by_rater) and by_rater[2] > 0.25


def test_bounds_around_elites_leave_the_room_that_they_are_given():
    truth, rows = RotatedTruth(task("arm").truth, 15.0), poses(300)
    tight, padded = (joints.BoundedTruth(truth, padding) for padding in ((0.0,), (0.05, 0.3, 1.0, 2.0)))
    for control, reach in ((tight, 1.0), (padded, 1 / 3)):
        params = control.init(keys.new(0), rows, None)  # type: ignore[arg-type]
        np.testing.assert_allclose(np.abs(control(params, rows.features)).max(axis=0), reach, rtol=1e-4)
        for _ in range(3):
            params = control.fit(keys.new(0), params, rows, None)  # type: ignore[arg-type]
        assert np.abs(control(params, rows.features)).max() == pytest.approx(1 / 1.05 if control is padded else 1, rel=1e-4)


@pytest.mark.ci
def test_it_writes_a_table_with_the_least_seed_and_runs_nothing_twice(tmp_path, monkeypatch):
    methods = ("truth turned 15", "truth turned 15, padded")
    joints.main("quick", methods=methods, out=str(tmp_path))
    rows = {(row.method, row.metric): row for row in table.read(tmp_path / "table.csv")}
    scores = table.Runs(tmp_path / "runs.jsonl").column("7 joints, 20 % flips", methods[0], "qd_score_current")
    assert sorted(scores) == [2000, 2001] and rows[methods[0], "least_qd_score_current"].value == pytest.approx(
        min(scores.values())
    )
    monkeypatch.setattr(joints, "play_method", None)  # whoever calls it fails
    joints.main("quick", methods=methods, out=str(tmp_path))
