"""Where a program went wrong: its failure names the line, however an evaluator runs it, in each sandbox."""

import os
import shutil
from pathlib import Path

import pytest

from domains.programs import run
from domains.programs.openevolve.project import Project
from domains.programs.problems.own import Evaluator
from domains.programs.sandbox.bubblewrap import Bubblewrap
from domains.programs.sandbox.limits import Execution
from domains.programs.sandbox.plain import Plain
from tests.support.choices import PROJECT

EVALUATOR = """import importlib.util


def by_import(path):
    spec = importlib.util.spec_from_file_location("any_name", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return {"objective": module.solve()}


def by_exec(path):
    names = {}
    exec(open(path).read(), names)
    return {"objective": names["solve"]()}


def with_other_words(path):
    try:
        return by_exec(path)
    except ArithmeticError as error:
        raise RuntimeError("it cannot be judged") from error


def in_a_process(path):
    import multiprocessing

    with multiprocessing.get_context("fork").Pool(1) as pool:
        return pool.apply(by_import, [path])
"""
WRONG = "def ratio(x):\n    y = 1\n    return y / x\n\n\ndef solve():\n    return ratio(0)\n"
ZERO = "ZeroDivisionError: division by zero"


@pytest.fixture(scope="module", params=[Plain, Bubblewrap])
def sandbox(request):
    if request.param is Bubblewrap and not shutil.which("bwrap"):
        pytest.skip("needs the program bwrap: apt-get install bubblewrap")
    return request.param()


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("places")
    folder.chmod(0o755)  # as root, programs run as another user
    (folder / "evaluator.py").write_text(EVALUATOR)
    (folder / "first.py").write_text("def solve():\n    return 1\n")
    return folder


@pytest.mark.parametrize(
    ("function", "words"),
    [
        ("by_import", f"{ZERO} (line 3 of the program)"),
        ("by_exec", f"{ZERO} (line 3 of the program)"),
        ("with_other_words", f"RuntimeError: it cannot be judged ({ZERO}, line 3 of the program)"),
    ],
)
def test_a_failure_under_an_own_evaluator_names_the_line(place, sandbox, function, words):
    problem = Evaluator(str(place / "evaluator.py"), str(place / "first.py"), "", function=function)
    assert run(problem, sandbox, WRONG).words == words
    assert run(problem, sandbox, "x = 1\ndef solve(:\n").words == "SyntaxError: invalid syntax (line 2 of the program)"
    unknown = run(problem, sandbox, "\n\nimport nowhere\n").words
    assert unknown == "ModuleNotFoundError: No module named 'nowhere' (line 3 of the program)"
    assert run(problem, sandbox, "def other():\n    pass\n").words.endswith(" of evaluator.py)")


@pytest.mark.skipif(os.getuid() != 0, reason="only of root are programs run as another user")
def test_a_folder_that_root_alone_can_read_is_named(tmp_path):
    (tmp_path / "evaluator.py").write_text(EVALUATOR)
    (tmp_path / "first.py").touch()
    tmp_path.chmod(0o700)
    words = run(Evaluator(str(tmp_path / "evaluator.py"), str(tmp_path / "first.py"), ""), Bubblewrap(), "x = 1").words
    assert words.endswith(f"type chmod o+rx {tmp_path.resolve()}")


def test_a_failure_in_a_process_of_the_evaluator_names_the_line(place):
    problem = Evaluator(str(place / "evaluator.py"), str(place / "first.py"), "", function="in_a_process")
    assert run(problem, Plain(), WRONG).words == f"{ZERO} (line 3 of the program)"


def test_a_failure_in_a_project_of_openevolve_names_the_line(sandbox):
    project = Project(str(PROJECT))
    source = project.initial[0].replace("2.5", "1 / 0")
    line = next(i for i, text in enumerate(source.splitlines(), 1) if "1 / 0" in text)
    assert run(project, sandbox, source).words == f"{ZERO} (line {line} of the program)"


def test_a_failure_in_monty_names_the_line():
    pytest.importorskip("pydantic_monty", reason="needs the extra 'programs'")
    from domains.programs.sandbox.monty import Monty

    assert Monty().run(Execution(WRONG, "\nresult = solve()")).fault == f"{ZERO} (line 3 of the program)"
    assert Monty().run(Execution("x = 1\ndef solve(:\n", "")).fault.endswith("(line 2 of the program)")
