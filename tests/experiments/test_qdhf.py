"""The experiment: it plays, goes on where it was cut off, and its referee sees what the search does not."""

from dataclasses import replace

import numpy as np
import pytest

from experiments.qdhf import cases, curves, study
from experiments.qdhf.plan import PlanEntry
from feedback.preferences import posterior
from qd import fused, keys
from qd.archives import Grid, HostElites
from qd.emitters.vary import Gaussian, Vary
from qd.fused import seeds
from qd.report import table
from qd.search import refit, start
from qd.support.errors import UserError
from qd.types import Search, State

TINY = replace(cases.task("arm"), generations=20, batch=20, initial=40)


@pytest.fixture
def tiny(monkeypatch):
    monkeypatch.setattr(study, "task", lambda name: TINY)
    entries = (PlanEntry("arm", 8, 0.0, ("pca", "random")), PlanEntry("arm", 8, 0.2, ("paper",)))
    monkeypatch.setattr(study, "QUICK", entries)


@pytest.mark.ci
def test_it_writes_a_table_and_runs_nothing_twice(tiny, tmp_path, monkeypatch, capsys):
    study.main(budget="quick", seeds=2, out=str(tmp_path))
    rows = table.read(tmp_path / "table.csv")
    assert {(r.case, r.method) for r in rows} == {
        ("arm, 8 answers", "pca"), ("arm, 8 answers", "random"), ("arm, 8 answers, 20 % flips", "paper")}  # fmt: skip
    assert {r.n for r in rows} == {2} and set(study.METRICS) <= {r.metric for r in rows}
    assert (
        (tmp_path / "about.json").exists()
        and (tmp_path / "curves.png").stat().st_size > 1000
        and "qd_score_current" in capsys.readouterr().out
    )
    monkeypatch.setattr(study, "play", None)  # whoever calls it fails
    study.main(budget="quick", seeds=2, out=str(tmp_path))
    with pytest.raises(UserError, match="unknown case 'moon'; type .*arm, 8 answers"):
        study.main(budget="quick", cases="moon", out=str(tmp_path))


@pytest.mark.ci
def test_the_truth_is_its_own_referee_and_strangers_are_in_no_table(tiny):
    truth = study.play(TINY, "truth", 8, 0.0, seed=0)
    assert truth["coverage_current"] == truth["coverage_all"] > 5 and truth["evaluations"] == 40 + 20 * 20
    paper = study.play(TINY, "paper", 8, 0.0, seed=0)
    assert paper["evaluations"] == truth["evaluations"] + 3 * 2  # a quarter of 8 questions, three strangers each
    assert paper["coverage_all"] >= paper["coverage_current"] > 0 and 0 <= paper["aligned_r2"] <= 1


def test_a_turned_truth_is_the_truth():
    turned = cases.method("truth turned 15", TINY, 8, 0.0, 0).descriptor
    features = keys.normal(keys.new(0), (50, 2))
    np.testing.assert_allclose(
        np.linalg.norm(turned((), {"gripper": features}), axis=1), np.linalg.norm(features, axis=1), rtol=1e-5
    )
    right = np.asarray(turned((), {"gripper": np.array([[1.0, 0.0]], np.float32)}))
    np.testing.assert_allclose(right, [[np.cos(np.pi / 12), np.sin(np.pi / 12)]], rtol=1e-5)


def test_every_method_is_a_descriptor_and_unknown_names_are_named():
    from qd.types import Descriptor

    for name in cases.METHODS:
        method = cases.method(name, TINY, 200, 0.2, 1)
        assert isinstance(method.descriptor, Descriptor) and len(method.descriptor.bounds) == 2
        hash(method.descriptor)
    for call in (lambda: cases.method("magic", TINY, 8, 0.0, 0), lambda: cases.task("moon")):
        with pytest.raises(ValueError, match="unknown (task|method) "):
            call()


def test_curves_are_of_medians_and_no_point_is_drawn_twice():
    def row(case, method, value):
        return table.Row(case, method, "qd_score_current", value, value - 1, value + 1, 20)

    rows = [row("arm, 200 answers", "ours", 57.0), row("arm, 50 answers", "ours", 50.0), row("arm, 50 answers", "pca", 9.0),
            row("arm, 200 answers, 20 % flips", "ours", 45.0), row("arm, 200 answers", "ours - paper", 30.0),
            row("images, 200 answers", "ours", 16.0)]  # fmt: skip
    clean, noise = curves.Panel("arm", None, 0), curves.Panel("arm", 200, None)
    assert [(p.x, p.row.value) for p in curves.points(rows, clean, "ours")] == [(50, 50.0), (200, 57.0)]
    assert [(p.x, p.row.value) for p in curves.points(rows, noise, "ours")] == [(0, 57.0), (20, 45.0)]
    (left, right) = [axes for axes in curves.draw(rows).axes if axes.lines]
    np.testing.assert_array_equal(left.lines[0].get_ydata(), [50.0, 57.0])
    np.testing.assert_array_equal(right.lines[0].get_xdata(), [0, 20])
    assert curves.draw([]).axes


def _programs() -> list[int]:
    return [program._cache_size() for program in (posterior.find_modes, posterior.hmc_segment)]  # type: ignore[attr-defined]


@pytest.mark.slow
@pytest.mark.parametrize("how", ["map", "threads"])
def test_seeds_that_each_learn_their_own_map_share_one_program(how):
    learner = cases.method("ours uniform", TINY, 40, 0.0, 0).descriptor
    search = Search(TINY.domain, learner, Grid(TINY.dims), Vary(Gaussian(TINY.sigma), TINY.batch), TINY.truth.reads)

    def begin(seed: int) -> State:
        key, sample_key = keys.split(keys.new(seed))
        return start(search, key, TINY.domain.sample(sample_key, TINY.initial))[0]

    together = [begin(0), begin(1)]
    compiled = _programs()
    for stop in (240, 440):
        for together, _ in seeds.run(search, together, stop, how):
            pass
        together = [refit(search, state) for state in together]
    assert _programs() == compiled  # all fits of all seeds are one program
    lone = begin(1)
    for stop in (240, 440):
        for lone, _ in fused.run(search, lone, stop):
            pass
        lone = refit(search, lone)
    np.testing.assert_array_equal(together[1].params.weights, lone.params.weights)
    for one, other in zip(HostElites(together[1].archive).rows()[:3], HostElites(lone.archive).rows()[:3], strict=True):
        np.testing.assert_array_equal(one, other)
    assert (together[0].params.weights != lone.params.weights).any()


def test_ours_is_compared_with_its_neighbours_and_with_shuffled_answers(tmp_path):
    runs = table.Runs(tmp_path / "runs.jsonl")
    for method, score in (("ours", 9.0), ("ours uniform", 8.0), ("ours shuffled", 3.0), ("pca", 4.0)):
        for seed in range(3):
            runs.add("arm, 8 answers", method, seed, {"qd_score_current": score + seed, "aligned_r2": 0.5})
    scores = {row.method: row.value for row in study.rows(runs) if row.metric == "qd_score_current"}
    assert {name: value for name, value in scores.items() if " - " in name} == {
        "ours - ours shuffled": 6.0,
        "ours - pca": 5.0,
        "ours uniform - ours shuffled": 5.0,
        "ours uniform - pca": 4.0,
    }
