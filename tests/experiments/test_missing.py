"""Goals of tables: what is kept is counted, what is older is not, and the rest has a price."""

import pytest

from experiments import command, missing
from experiments.missing import Goal
from qd.report import table
from qd.support.errors import UserError

GOAL = Goal("mine", "two methods", "mine", "arm", ("ours", "theirs"), tuple(range(4)), "qd study mine seeds=4")


@pytest.fixture
def results(tmp_path):
    runs = table.Runs(tmp_path / "mine" / "runs.jsonl")
    for seed, seconds in enumerate((30.0, 50.0, 40.0)):
        runs.add("arm", "ours", seed, {"score": 1.0, "cpu_seconds": seconds}, {"code": "older"} if seed == 2 else None)
    return tmp_path


def test_rows_are_counted_and_the_rest_costs_what_kept_rows_took(results):
    assert missing.progress(GOAL._replace(methods=("ours",)), results) == (2, 4, 2 * 40 / 3600)
    assert missing.progress(GOAL, results) == (2, 8, None)  # nothing tells what theirs costs
    like = GOAL._replace(like=("arm", "ours"), scale=2.0)
    assert missing.progress(like, results).cpu_hours == pytest.approx((2 * 40 + 4 * 80) / 3600)
    priced = GOAL._replace(cpu_seconds=900.0)
    assert missing.cells(priced, results) == ("mine", "two methods", "2 of 8", "1", "qd study mine seeds=4")
    assert missing.cells(GOAL, results)[3] == "not known"
    assert missing.cells(GOAL._replace(methods=("ours",), seeds=(0, 1)), results)[2:4] == ("2 of 2", "0")


@pytest.mark.parametrize("goal", missing.goals(), ids=lambda goal: f"{goal.page}-{goal.rows}")
def test_a_goal_names_a_kept_study_and_a_command_that_exists(goal):
    assert (missing.RESULTS / goal.study / "runs.jsonl").is_file() and goal.methods and goal.seeds
    _, _, name, *words = missing.words(goal.command)
    settings = command.parse(command.find(name), words)
    assert set(settings.get("methods", goal.methods)) >= set(goal.methods)


def test_lines_are_those_of_a_page_and_an_unknown_page_is_named(capsys):
    missing.main("sparse")
    printed = capsys.readouterr().out
    assert "pixels" in printed and "MiniLM" not in printed and "qd study sparse" in printed
    assert len(list(missing.lines())) == len(missing.goals()) + 2
    with pytest.raises(UserError, match="unknown page 'moon'"):
        missing.main("moon")
