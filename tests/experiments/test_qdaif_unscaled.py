"""Texts scored without a scale: which texts are elites, and what a judge without a scale sees."""

import pytest

from experiments.qdaif import ticks, unscaled
from experiments.qdaif.held_out import AnchorAxis, Ruler
from experiments.qdaif.scores import elite_texts
from qd.support.errors import UserError
from tests.support.hashed import Hashed

RULER = Ruler(Hashed(), (AnchorAxis(("hate",), ("love",), 2.0, -1.0),), ((0.5,),), (("rain",), ("vegetables",)))
LINES = [
    {"text": "love love", "quality": 0.5, "kind": [0.9]},
    {"text": "hate hate", "quality": 0.6, "kind": [0.1]},
    {"text": "love", "quality": 0.9, "kind": [0.95]},
    {"text": "hate", "quality": 0.6, "kind": [0.12]},
    {"text": "", "quality": None, "kind": [None]},
]


def test_the_best_text_of_each_cell_is_an_elite_and_the_oldest_of_equals():
    assert elite_texts(LINES, ((0.5,),)) == ["love", "hate hate"]
    assert elite_texts(LINES[4:], ((0.5,),)) == []


def test_a_judge_without_a_scale_has_cells_of_its_own():
    judge = unscaled.without_scale(RULER)
    assert judge.axes[0].slope == 1 and judge.axes[0].offset == 0 and judge.ticks == (unscaled.BORDERS,)
    assert RULER.axes[0].slope == 2
    scores = unscaled.score(judge, LINES)
    assert scores.unscaled_coverage == 20 and 0 < scores.unscaled_qd_score <= scores.unscaled_qd_score_all < 20
    with pytest.raises(UserError, match="type qd fetch minilm"):
        unscaled.without_scale(None)


def test_cells_of_the_paper_are_twenty_and_narrow_at_both_ends():
    borders = ticks.paper_ticks()
    assert len(borders) == 19 and borders == tuple(sorted(borders)) and borders[0] == 0.005 and borders[-1] == 0.995
    scores = ticks.score(
        [line | {"calls": 0} for line in LINES], borders, start=2
    )  # at .9, .1, .95 and .12: three cells, of which one holds two texts
    assert scores["paper_cells"] == 3 and scores["widest"] == 50
    assert scores["paper_qd_score"] == pytest.approx(0.5 + 0.9 + 0.6) and scores["start_qd_score"] == pytest.approx(0.5 + 0.6)
