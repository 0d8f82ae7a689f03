"""Evaluators of AlphaEvolve's form: metrics, the objective among them, insights, and what is a failure."""

import math

import pytest

from domains.programs import run
from domains.programs.problems.alphaevolve import AlphaEvolve
from domains.programs.sandbox.limits import ExecutionLimits
from domains.programs.sandbox.plain import Plain
from qd.support.errors import UserError

SANDBOX = Plain(ExecutionLimits(seconds=5, wall=20))
EVALUATOR = """
from types import SimpleNamespace

def evaluate(candidate):
    (file,) = candidate["content"]["files"]
    names = {}
    exec(file["content"], names)
    value = names["solve"]()
    print("evaluating", file["path"])
    scores = [{"metric": "value", "score": value}, SimpleNamespace(metric="size", score=len(file["content"]) / 100)]
    return SimpleNamespace(scores={"scores": scores}, insights={"insights": [{"label": "note", "text": f"it said {value}"}]})
"""


@pytest.fixture
def problem(tmp_path):
    (tmp_path / "evaluator.py").write_text(EVALUATOR)
    (tmp_path / "first.py").write_text("def solve():\n    return 2.5\n")
    return AlphaEvolve(str(tmp_path / "evaluator.py"), str(tmp_path / "first.py"), "A number.", "value", ("size",))


def test_metrics_and_insights(problem):
    record = run(problem, SANDBOX, problem.initial[0])
    assert record.objective == 2.5 and record.features == {"size": 0.28} and record.words == "note: it said 2.5"
    assert "evaluating first.py" in record.output


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("def solve():\n    return None", "note: it said None"),
        ("def solve():\n    return -1e12", "note: it said"),
        ("def solve():\n    return float('nan')", "note: it said nan"),
        ("def other():\n    return 1", "KeyError: 'solve'"),
    ],
)
def test_no_score_is_a_failure(problem, source, words):
    record = run(problem, SANDBOX, source)
    assert math.isnan(record.objective) and words in record.words


def test_a_metric_that_is_none_of_them_is_named(problem):
    other = AlphaEvolve(problem.evaluator, problem.program, "", "speed")
    assert "metrics are value, size; speed is none of them" in run(other, SANDBOX, problem.initial[0]).words
    assert "metrics are none; value is none of them" in problem.score(None).words
    with pytest.raises(UserError, match=r"domain.problem.program=nowhere.py is no file"):
        AlphaEvolve(problem.evaluator, "nowhere.py", "", "value")
