"""The journal of programs: edited evaluators judge again, damage is named, and links are not followed."""

import math
import shutil
from pathlib import Path

import pytest

from domains.programs import Programs
from domains.programs.coder import Coder
from domains.programs.journal import ProgramJournal, Record
from domains.programs.problems.own import Command, Evaluator
from domains.programs.sandbox.plain import Plain
from qd.support import links
from qd.support.errors import UserError

OWN = Path(__file__).parents[2] / "support/own_program"
RECORD = Record(12.5, {"a": 1.0}, "why", "out", 0.1, math.nan)


def journal_of(problem, run):
    return Programs(problem, Coder(None), Plain(), ("length",), folder=str(run)).journal


def test_an_evaluator_that_was_edited_judges_again(tmp_path):
    shutil.copytree(OWN, tmp_path / "mine")
    mine = tmp_path / "mine"
    (mine / "scale.py").write_text("SCALE = 1\n")  # what it may import
    (mine / "judge.sh").write_text("echo '{\"objective\": 1}'\n")
    for problem in (
        Evaluator(str(mine / "evaluator.py"), str(mine / "first.py"), "A number.", ("size",)),
        Command("sh judge.sh", str(mine / "first.py"), "A number."),
    ):
        run = tmp_path / type(problem).__name__
        journal_of(problem, run).add("x = 1", RECORD)
        assert journal_of(problem, run).find("x = 1").objective == 12.5
        for name in ("scale.py", "judge.sh", "evaluator.py"):
            before = (mine / name).read_bytes()
            (mine / name).write_bytes(before + b"# edited\n")
            assert journal_of(problem, run).find("x = 1") is None
            (mine / name).write_bytes(before)
        (mine / "notes.log").write_text("no code")
        assert journal_of(problem, run).find("x = 1").objective == 12.5


def test_a_damaged_line_is_no_other_score(tmp_path):
    journal = ProgramJournal(str(tmp_path), "this")
    journal.add("x = 1", RECORD)
    file = tmp_path / "programs.jsonl"
    whole = file.read_text()
    assert '"objective": 12.5' in whole
    file.write_text(whole.replace('"objective": 12.5', '"objective": 1.5'))
    with pytest.raises(
        UserError, match=r"line 1 of .*programs\.jsonl is damaged: .* remove the line, and what it kept is done"
    ):
        ProgramJournal(str(tmp_path), "this")


def test_a_link_in_the_place_of_the_journal_is_not_followed(tmp_path):
    mine = tmp_path / "mine.txt"
    mine.write_text("")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "programs.jsonl").symlink_to(mine)
    with pytest.raises(UserError, match=r"programs\.jsonl is a link"):
        ProgramJournal(str(tmp_path / "run"), "this").add("x = 1", RECORD)
    with pytest.raises(UserError, match=r"programs\.jsonl is a link"):
        links.check(tmp_path / "run")  # as every command does that goes on with a run, or reads one
    assert mine.read_text() == ""
