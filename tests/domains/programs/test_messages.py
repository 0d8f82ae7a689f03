"""What a user is told of an evaluator, a project or axes that cannot be used, and of numbers that JSON cannot hold."""

import math
import shutil
from pathlib import Path

import pytest

from domains.programs import Programs, run
from domains.programs.coder import Coder
from domains.programs.openevolve.project import Project
from domains.programs.problems.own import Command, Evaluator
from domains.programs.sandbox.monty import Monty
from domains.programs.sandbox.plain import Plain
from qd.support.errors import UserError
from tests.support.choices import PROJECT

SANDBOX = Plain()


def judged(folder: Path, evaluator: str, features: tuple[str, ...] = ()):
    """The record of a first program by an evaluator of one text."""
    (folder / "judge.py").write_text(evaluator)
    (folder / "first.py").write_text("x = 1\n")
    problem = Evaluator(str(folder / "judge.py"), str(folder / "first.py"), "A number.", features)
    return run(problem, SANDBOX, "x = 1\n")


def test_an_evaluator_may_return_numbers_of_numpy(tmp_path):
    answer = '{"objective": np.float32(2.5), "features": {"size": np.array([3]), "n": np.int64(4)}, "words": ["a", "b"]}'
    record = judged(tmp_path, f"import numpy as np\n\ndef evaluate(path):\n    return {answer}\n", ("size", "n"))
    assert record.objective == 2.5 and record.features == {"size": 3, "n": 4} and record.words == "a\nb"


def test_an_evaluator_without_its_function_or_objective_is_told_what_is_wanted(tmp_path):
    record = judged(tmp_path, "def evalute(path):\n    return 1\n")
    assert math.isnan(record.objective) and "judge.py has no function evaluate(path)" in record.words
    record = judged(tmp_path, "def evaluate(path):\n    return {'score': 1}\n")
    assert """no objective: {'score': 1}, where {"objective": NUMBER,""" in record.words


def test_a_command_that_is_not_there_is_named(tmp_path):
    (tmp_path / "first.sh").write_text("echo 4\n")
    record = run(Command("nowhere x", str(tmp_path / "first.sh"), "A number."), SANDBOX, "echo 4\n")
    assert "nowhere cannot be started here: No such file or directory" in record.words
    assert "Traceback" not in record.words + record.output


def test_a_file_that_is_no_text_is_refused(tmp_path):
    (tmp_path / "first.py").write_bytes(b"\xff\xfe")
    for kind, first in ((Evaluator, str(tmp_path / "first.py")), (Command, "sh judge.sh")):
        with pytest.raises(UserError, match=r"first.py is no text in UTF-8; type domain.problem"):
            kind(first, str(tmp_path / "first.py"), "A number.")


def test_a_dimension_that_no_metric_has_is_named_beside_the_artifacts(tmp_path):
    folder = shutil.copytree(PROJECT, tmp_path / "project")
    config = folder / "config.yaml"
    config.write_text(config.read_text().replace("[complexity, size]", "[complexity, speed]"))
    score = Project(str(folder)).score({"metrics": {"combined_score": 1.0}, "artifacts": {"log": "all is well"}})
    assert math.isnan(score.objective) and score.words.startswith("log: all is well\n")
    assert score.words.endswith("the feature dimension speed is none")


def test_an_axis_that_the_sandbox_does_not_measure_is_refused():
    pytest.importorskip("pydantic_monty", reason="needs the extra 'programs'")
    from domains.programs.problems.minimise import Minimise

    with pytest.raises(UserError, match="'memory', which monty does not measure; type sandbox=bubblewrap"):
        Programs(Minimise(), Coder(None), Monty(), ("seconds", "memory"))
