"""The experiment: it plays, goes on where it was cut off, and its referee sees what the search does not."""

from dataclasses import replace

import numpy as np
import pytest

from experiments import qdhf, qdhf_cases
from qd import keys, table

TINY = replace(qdhf_cases.task("arm"), generations=20, batch=20, initial=40)


@pytest.fixture
def tiny(monkeypatch):
    monkeypatch.setattr(qdhf, "task", lambda name: TINY)
    monkeypatch.setattr(qdhf, "QUICK", (("arm", 8, 0.0, ("pca", "random")), ("arm", 8, 0.2, ("paper",))))


def test_it_writes_a_table_and_runs_nothing_twice(tiny, tmp_path, monkeypatch, capsys):
    qdhf.main(budget="quick", seeds="2", out=str(tmp_path))
    rows = table.read(tmp_path / "table.csv")
    assert {(r.case, r.method) for r in rows} == {
        ("arm, 8 answers", "pca"), ("arm, 8 answers", "random"), ("arm, 8 answers, 20 % flips", "paper")}  # fmt: skip
    assert {r.n for r in rows} == {2} and set(qdhf.METRICS) <= {r.metric for r in rows}
    assert (tmp_path / "about.json").exists() and "qd_score_current" in capsys.readouterr().out
    monkeypatch.setattr(qdhf, "play", None)  # whoever calls it fails
    qdhf.main(budget="quick", seeds="2", out=str(tmp_path))
    with pytest.raises(ValueError, match="no budget 'big'"):
        qdhf.main(budget="big")


def test_the_truth_is_its_own_referee_and_strangers_are_in_no_table(tiny):
    truth = qdhf.play(TINY, "truth", 8, 0.0, seed=0)
    assert truth["coverage_current"] == truth["coverage_all"] > 5 and truth["evaluations"] == 40 + 20 * 20
    paper = qdhf.play(TINY, "paper", 8, 0.0, seed=0)
    assert paper["evaluations"] == truth["evaluations"] + 3 * 2  # a quarter of 8 questions, three strangers each
    assert paper["coverage_all"] >= paper["coverage_current"] > 0 and 0 <= paper["aligned_r2"] <= 1


def test_a_turned_truth_is_the_truth():
    turned = qdhf_cases.method("truth turned 15", TINY, 8, 0.0, 0).descriptor
    seen = keys.normal(keys.new(0), (50, 2))
    np.testing.assert_allclose(np.linalg.norm(turned((), {"gripper": seen}), axis=1), np.linalg.norm(seen, axis=1), rtol=1e-5)
    right = np.asarray(turned((), {"gripper": np.array([[1.0, 0.0]], np.float32)}))
    np.testing.assert_allclose(right, [[np.cos(np.pi / 12), np.sin(np.pi / 12)]], rtol=1e-5)


def test_every_method_is_a_descriptor_and_unknown_names_are_named():
    from qd.types import Descriptor

    for name in qdhf_cases.METHODS:
        made = qdhf_cases.method(name, TINY, 200, 0.2, 1)
        assert isinstance(made.descriptor, Descriptor) and len(made.descriptor.bounds) == 2
        hash(made.descriptor)
    for call in (lambda: qdhf_cases.method("magic", TINY, 8, 0.0, 0), lambda: qdhf_cases.task("moon")):
        with pytest.raises(ValueError, match="there is no"):
            call()
