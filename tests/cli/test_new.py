"""qd new: a domain in somebody's own folder that runs as it stands, and names and files that are refused."""

import ast
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from qd.cli.main import main
from qd.config import compose
from qd.config.scaffold import new

HOUSE = Path(__file__).resolve().parents[2]


@pytest.fixture
def here(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def processor_seconds() -> float:
    """Of all processes that were begun here; unlike a clock's, they do not depend on who else is at work."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


@pytest.mark.ci
def test_an_empty_folder_gets_a_picture(here):
    """As a user would, in processes of their own."""
    env = os.environ | {"PYTHONPATH": str(HOUSE), "JAX_PLATFORMS": "cpu", "XDG_CONFIG_HOME": str(here / "home")}
    begun = processor_seconds()
    for command in (["new", "pendulum"], ["run", "domain=pendulum"]):
        done = subprocess.run([sys.executable, "-m", "qd", *command], env=env, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stdout + done.stderr
    assert processor_seconds() - begun < 60
    run = here / "runs/pendulum/s0"
    assert (run / "figures/heatmap.png").stat().st_size > 0
    assert '"evaluations": 50' in (run / "result.json").read_text()
    assert "QD score not defined" not in done.stdout


def test_it_is_small(here):
    new("pendulum")
    lines = {path.name: path.read_text().splitlines() for path in here.rglob("*.*") if path.is_file()}
    assert sorted(lines) == ["pendulum.py", "pendulum.yaml", "test_pendulum.py"]
    tree = ast.parse((here / "pendulum.py").read_text())
    imports = {alias.name for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) for alias in node.names}
    arguments = {argument.arg for node in ast.walk(tree) if isinstance(node, ast.arguments) for argument in node.args}
    assert {"uniform", "Evaluation"} <= imports and {"key", "keys", "solutions"} <= arguments and not imports & arguments
    assert len(lines["pendulum.py"]) <= 25 and sum(map(len, lines.values())) <= 30
    assert max(len(line) for text in lines.values() for line in text) <= 100


@pytest.mark.parametrize("name", ["walk_2", "Zoo", "domains_of_mine", "x"])
def test_any_name_does(here, monkeypatch, name):
    monkeypatch.syspath_prepend(str(here))
    assert main(["new", name]) == 0
    made = compose.assemble(compose.load([f"domain={name}"])).search
    assert type(made.domain).__module__ == name and made.domain.sample


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("my-domain", "'my-domain' is no valid Python module name; type .* qd new my_domain"),
        ("2d", "qd new d$"),
        ("größe", "is no valid Python module"),
        ("", "is no valid Python module"),
        ("_x", "is no valid Python module"),
        ("../x", "is no valid Python module.*qd new x"),
        ("class", "qd new class_domain"),
        ("nan", "means something else to Hydra"),
        ("random", "the name of Python's own module 'random'; type another name, e.g. qd new my_random"),
        ("jax", r"the name of the package 'jax' that is installed"),
        ("qd", "the name of the package 'qd' that is installed"),
        ("domains", "the name of the package 'domains'"),
        ("arm", "domain=arm is one of our own choices"),
    ],
)
def test_names_that_cannot_be(here, name, message):
    with pytest.raises(ValueError, match=message):
        new(name)
    assert list(here.iterdir()) == []


def test_what_is_there_stays(here, capsys):
    (here / "test_walk.py").write_text("mine")
    assert main(["new", "walk"]) == 1
    assert "test_walk.py is here already and stays as it is" in capsys.readouterr().err
    assert [path.name for path in here.iterdir()] == ["test_walk.py"] and (here / "test_walk.py").read_text() == "mine"
    (here / "swing").mkdir()
    new("swing")  # a folder of that name hides nothing
    (here / "pack").mkdir()
    (here / "pack/__init__.py").touch()
    with pytest.raises(ValueError, match="the package 'pack' in this folder"):
        new("pack")


def test_how_it_is_asked(here, capsys):
    assert main(["new", "--help"]) == 0 and main(["new"]) == 2
    said = capsys.readouterr()
    assert "usage: qd new NAME" in said.out and "usage: qd new NAME" in said.err
    assert main(["new", "a", "b"]) == 2 and "unrecognized arguments: b" in capsys.readouterr().err
    assert main(["new", "--exernal"]) == 2 and "usage: qd new NAME [--external | --program]" in capsys.readouterr().err
