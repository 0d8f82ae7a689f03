"""A proxy as a screen: it ranks, a rising curve makes accuracies of its ranks, and few children are evaluated."""

from pathlib import Path

import numpy as np
import pytest

from domains.quant.domain import Quant
from domains.quant.solve.emitter import EvaluatedConfigs
from experiments.emq import screen
from experiments.quant.rivals import Problem


def test_what_is_foretold_rises_with_what_a_table_sums_to() -> None:
    table = np.array([[0.0, 1.0, 2.0], [0.0, 10.0, 20.0]])
    past = EvaluatedConfigs(np.array([[0, 0], [1, 1], [2, 0], [2, 2]]), np.array([10.0, 60.0, 20.0, 90.0]))
    predictions = screen.rising(table)(past, np.array([[0, 0], [2, 0], [0, 1], [1, 1], [2, 1], [2, 2]]))
    assert (np.diff(predictions) >= 0).all() and predictions[1] == 20 and 20 < predictions[2] < 60 and predictions[5] == 90


@pytest.mark.ci
def test_few_of_many_children_are_evaluated_and_the_score_is_counted() -> None:
    of = Problem(Quant("digits", "bits", 64), Quant("digits", "bits", 64, "test"))
    bits = np.repeat(np.array([[2.0, 3, 4, 6, 8]]), len(of.domain.space), 0)
    configs = screen.search_screened(of, bits, 56, 0)
    assert configs.shape == (56, len(of.domain.space)) and len(np.unique(configs[40:], axis=0)) == 16
    scores = screen.scores(of, configs, np.inf)
    again = screen.scores(of, configs, 0.0)
    assert scores["evaluations to plain's QD"] + scores["saved"] == 56 and again["evaluations to plain's QD"] == 5
    assert 0 < scores["qd test"] <= 100 and scores["qd validation"] == again["qd validation"]


def test_a_map_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="does not exist; run qd study emq bench=fashion"):
        screen.evolved_table("fashion", "branch", tmp_path, 0)
