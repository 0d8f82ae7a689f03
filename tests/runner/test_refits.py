"""When a descriptor learns again: the rules, a run that follows one however it was cut, and what is refused or said."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from qd.config import compose
from qd.outcomes import Why
from qd.runner import refits
from qd.runner.refits import Schedule
from qd.runner.run import run
from qd.store import archive_file
from qd.support.errors import TooFewSolutions, UserError
from tests.support.runs import Cut, QuietRun, run_settings

SMALL = ["domain.joints=3", "archive.dims=[8,8]", "domain_defaults.batch_size=20", "initial=20",
         "log_every=100", "save_every=300",
         "budget=3000", "renderings=0", "descriptor=pca"]  # fmt: skip
pytestmark = pytest.mark.usefixtures("own_key")


def run_refits(path: Path, *overrides: str, console=None, stop=None) -> dict:
    settings = compose.load([*SMALL, *overrides])
    return run(settings, compose.assemble(settings), path, console or QuietRun(), stop)


def fits(path: Path) -> list[int]:
    events = map(json.loads, (path / "events.jsonl").read_text().splitlines())
    return [event["evaluations"] for event in events if event["event"] in ("refit", "relearn")]


def test_the_share_outside_since_the_last_refit_decides():
    watch = Schedule(share=0.1, over=200)
    for evals, outside in ((100, 0), (200, 5), (300, 15)):
        watch.add({"evals": evals, "outside": outside})
        assert watch.next(0) is None  # 15 of 200 are less than a tenth
    watch.add({"evals": 400, "outside": 45})
    assert watch.next(0) == 400 and watch.next(400) is None  # what was before a refit does not count
    watch.add({"evals": 500, "outside": 95})
    assert watch.next(400) is None  # not yet long enough after it
    watch.add({"evals": 600, "outside": 96})
    assert watch.next(400) == 600


@pytest.mark.ci
def test_a_run_learns_again_where_offspring_leave_the_bounds_and_there_again_however_it_was_cut(tmp_path):
    rule = ["refit=outside", "outside.share=0.02", "outside.over=300", "domain.joints=3", "emitter.variation.iso=0.3"]
    run_refits(tmp_path / "whole", *rule)
    assert len(fits(tmp_path / "whole")) >= 1 and min(fits(tmp_path / "whole")) >= 300
    run_refits(tmp_path / "never", *rule, "outside.share=0.99")
    assert fits(tmp_path / "never") == []
    cuts = 0
    while run_refits(tmp_path / "cut", *rule, stop=Cut(12))["status"] == "stopped":
        cuts += 1
    assert cuts >= 2 and fits(tmp_path / "cut") == fits(tmp_path / "whole")
    columns, again = (archive_file.load(tmp_path / name).columns for name in ("whole", "cut"))
    for name in columns:
        np.testing.assert_array_equal(columns[name], again[name])


def test_shares_are_of_the_budget(tmp_path):
    run_refits(tmp_path / "run", "refit=[0.1,0.5]")
    assert fits(tmp_path / "run") == [300, 1500]


def test_a_learner_from_people_asks_all_its_questions_unless_told_otherwise():
    settings = compose.load(["domain=arm_qdhf", "descriptor=triplets"])
    learner = compose.assemble(settings).search.descriptor
    assert (
        len(refits.points(settings)) + 1 == len(learner.questions_per_fit)
        and refits.unused_questions(settings, learner) is None
    )
    message = "; ".join(refits.unused_questions(replace(settings, refit=None), learner) or ())
    assert (
        "only 50 of 200 questions" in message
        and "refit=[0.1,0.25,0.5]" in message
        and "descriptor.questions_per_fit=[200]" in message
    )
    problem, _ = refits.unused_questions(replace(settings, refit=settings.budget // 2), learner) or ("", "")
    assert problem.startswith("only 100 of 200")  # a refit at the end of the budget is none


@pytest.mark.ci
def test_what_will_not_be_asked_is_said_when_a_run_begins(tmp_path):
    quiet = QuietRun()
    asks = ["domain=arm_qdhf", "descriptor=triplets", "descriptor.questions_per_fit=[8,8]", "refit=null", "budget=200"]
    asks += ["descriptor.averaging_below=1"]  # no chains, which take long to compile
    run_refits(tmp_path / "run", *asks, console=quiet)
    assert any("only 8 of 16 questions are put" in line for line in quiet.said)


def test_what_helps_a_learner_with_too_few_solutions_is_said(tmp_path):
    with pytest.raises(UserError, match=r"^initial=2 is too small: PCA learns from 3 solutions or more; type initial=6$"):
        run_refits(tmp_path / "few", "initial=2")
    assert not (tmp_path / "few/metrics.csv").exists() or not (tmp_path / "few/metrics.csv").read_text().strip()
    settings = run_settings(initial=4, budget=12, refit=[0.2, 0.5])
    problem = "1 solution is too few to learn from: 3 are needed"
    error = TooFewSolutions(problem, 1, 3)
    assert str(refits.too_few_at_start(settings, error, Why("it is prose"))) == (
        f"{problem}; 3 of the 4 initial solutions failed, the first because: it is prose; type initial=18 budget=180"
    )
    assert str(refits.too_few_at_start(settings, error, Why("it is prose", "none", "type lm=local"))).endswith(
        "prose; none; type lm=local"
    )
    assert str(refits.too_few_at_refit(settings, error)) == (
        f"{problem} at a refit (refit=[0.2,0.5], budget=12); type a larger budget= or a "
        "later refit=, so that more solutions that do not fail are found before it"
    )


def test_a_budget_that_generation_0_uses_up_is_said_before_it(tmp_path):
    quiet = QuietRun()
    run_refits(tmp_path / "run", "budget=20", "initial=20", console=quiet)
    assert quiet.said[0] == "budget=20 is used up by the initial population (initial=20): no search follows"


@pytest.mark.parametrize("refit", ["0", "1.5", "[0]", "[0.0]", "[1.5]", "[true]", "true", "sometimes", "{a: 1}"])
def test_a_schedule_that_cannot_be_is_refused(refit):
    with pytest.raises(ValueError, match="type refit=10000 .* refit=outside"):
        compose.load([*SMALL, f"refit={refit}"])


@pytest.mark.parametrize("rule", ["share=0", "share=1", "over=0"])
def test_a_rule_that_cannot_be_is_refused(rule):
    with pytest.raises(ValueError, match="outside.share=0.05"):
        compose.load([*SMALL, "refit=outside", f"outside.{rule}"])
