"""The pictures that a run ends with are those of this process, drawn by another one."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from qd.runner import ending
from qd.runner.display import waiting

HOUSE = Path(__file__).resolve().parents[2]
PROGRAM = """
import sys
from qd.cli import main
sys.argv = ["qd", "run", "budget=600", "domain.joints=3", "runs=there"]
status = main.main()
print(status, "matplotlib" in sys.modules)
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    """A run whose pictures another process drew."""
    place = tmp_path_factory.mktemp("run")
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        cwd=place,
        env=os.environ | {"PYTHONPATH": str(HOUSE)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines()[-1] == f"0 {(os.cpu_count() or 1) < 2}"
    return place / "there/arm/domain.joints=3-s0"


@pytest.mark.ci
def test_the_pictures_are_those_of_this_process(run, monkeypatch):
    monkeypatch.chdir(run.parents[2])
    before = {file: file.read_bytes() for file in (run / "figures/heatmap.png", run / "report.html")}
    assert [file.absolute() for file in ending.draw(run.relative_to(run.parents[2]))] == list(before)
    assert {file: file.read_bytes() for file in before} == before


@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="one core")
@pytest.mark.parametrize("program", [ending._COMMAND, "{} {}"])
def test_what_the_other_process_does_not_draw_is_drawn_here(tmp_path, run, monkeypatch, program):
    drawn_here: list[Path] = []
    monkeypatch.setattr(ending, "draw", lambda run: drawn_here.append(run) or [run / "map"])
    monkeypatch.setattr(ending, "_COMMAND", program)
    with ending.drawing_beside(tmp_path / "new", {}) as draw:
        files = draw(run)
    there = [run / "figures/heatmap.png", run / "report.html"]
    assert (files, drawn_here) == ((there, []) if "main" in program else ([run / "map"], [run]))


@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="one core")
def test_a_slow_process_is_waited_for_with_a_line(tmp_path, monkeypatch, capsys):
    program = "import sys, time; sys.path[:] = {!r}, {!r}; sys.stdin.readline(); time.sleep(0.5); print('[\"map\"]')"
    monkeypatch.setattr(ending, "_COMMAND", program)
    monkeypatch.setattr(ending, "_SILENCE", 0.1)
    monkeypatch.setattr(waiting, "_enabled", True)
    monkeypatch.setattr(ending, "draw", None)
    with ending.drawing_beside(tmp_path / "new", {}) as draw:
        assert draw(tmp_path) == [Path("map")]
    assert capsys.readouterr().err == "drawing ...\n"


@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="one core")
def test_what_a_process_prints_that_dies_is_no_answer(tmp_path, monkeypatch):
    program = "import os, sys; print('[\"ma', flush=True); sys.stdin.readline(); os._exit(1)  # {} {}"
    monkeypatch.setattr(ending, "_COMMAND", program)
    monkeypatch.setattr(ending, "draw", lambda run: [run / "map"])
    with ending.drawing_beside(tmp_path / "new", {}) as draw:
        assert draw(tmp_path) == [tmp_path / "map"]


def test_a_fault_is_raised_here(tmp_path):
    with ending.drawing_beside(tmp_path / "new", {}) as draw, pytest.raises(ValueError, match="new does not exist"):
        draw(tmp_path / "new")


def test_no_process_is_started_for_a_run_that_has_its_result_or_on_one_core(tmp_path, run, monkeypatch):
    monkeypatch.setattr(subprocess, "Popen", None)
    with ending.drawing_beside(run, {}) as draw:
        assert draw is ending.draw
    monkeypatch.setattr(os, "cpu_count", lambda: 1)
    with ending.drawing_beside(tmp_path / "new", {}) as draw:
        assert draw is ending.draw
