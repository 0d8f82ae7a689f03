"""Descriptors that learn, on programs: principal components of syntax, and comparisons of embeddings."""

import numpy as np
import pytest

from domains.programs import Programs
from domains.programs.problems.synthesis import Synthesis
from domains.programs.sandbox.monty import Monty
from qd.cli.main import main
from qd.store import archive_file
from qd.support.errors import UserError
from tests.support.choices import OWN_PROGRAM, PROJECT, SCRIPTED

SMALL = [
    *SCRIPTED,
    "console=plain",
    "budget=24",
    "initial=8",
    "domain.problem.items=40",
    "domain.problem.instances=2",
    "seed=1",
]


@pytest.mark.usefixtures("own_folder")
@pytest.mark.parametrize(
    "words",
    [
        ["domain=bin_packing", "descriptor=pca", "refit=[16]"],
        pytest.param(
            ["recipe=programs_triplets", "refit=[16]", "judge.embed._target_=tests.support.hashed.Hashed"], marks=pytest.mark.ci
        ),
    ],
)
def test_kinds_of_programs_are_learned(words, tmp_path):
    assert main(["run", *words, *SMALL, "name=learned"]) == 0
    (run,) = (tmp_path / "runs/learned").iterdir()
    columns = archive_file.load(run).columns
    assert len(columns["id"]) >= 3 and len(np.unique(columns["measures"].round(4), axis=0)) >= 3


@pytest.mark.usefixtures("own_folder")
def test_too_few_programs_to_learn_from(capsys):
    words = ["domain=programs", *OWN_PROGRAM, "domain.problem.features=[]", "lm=toy", "sandbox=none", "descriptor=pca"]
    assert main(["run", *words, "refit=[0.2,0.5]", "budget=12"]) == 1
    shown = capsys.readouterr().err
    assert "1 solution is too few to learn from: 3 are needed; 3 of the 4 initial solutions failed, the first because" in shown
    assert "the reply is prose" in shown and "no reply of the language model gave a program" in shown
    assert main(["run", "domain=openevolve", f"domain.project={PROJECT}", *SCRIPTED, "descriptor=pca"]) == 1
    captured = capsys.readouterr()
    assert "initial=1 is too small: PCA learns from 3 solutions or more; type initial=6" in captured.err
    assert "write" not in captured.out  # the model was not called


def test_held_out_cases_may_have_another_sandbox():
    problem = Synthesis("roman")
    hidden = Synthesis("roman", hidden=True)
    domain = Programs(problem, None, Monty(), final=hidden, final_sandbox="bubblewrap")  # type: ignore[arg-type]
    assert domain.held_out is not None and domain.held_out.sandbox.name == "bubblewrap"
    assert domain.held_out.sandbox.limits == domain.sandbox.limits
    with pytest.raises(UserError, match=r"unknown domain.final_sandbox .montey.; type monty or none"):
        Programs(problem, None, Monty(), final=hidden, final_sandbox="montey")  # type: ignore[arg-type]
    with pytest.raises(UserError, match="for held-out cases, of which this domain has none"):
        Programs(problem, None, Monty(), final_sandbox="none")  # type: ignore[arg-type]
