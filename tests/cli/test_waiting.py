"""A command that takes seconds to begin says at once what it waits for."""

import os
import subprocess
import sys
from pathlib import Path

HOUSE = Path(__file__).resolve().parents[2]


def lines(folder: Path) -> list[str]:
    """Runs a small search as a process and returns the lines of standard error."""
    env = os.environ | {"PYTHONPATH": str(HOUSE)}
    command = [sys.executable, "-m", "qd", "run", "budget=600", "domain.joints=3"]
    ended = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=True)
    return ended.stderr.splitlines()


def test_a_run_says_what_it_waits_for(tmp_path):
    """One with console=off says nothing: see test_light.py."""
    assert lines(tmp_path) == ["importing ...", "compiling ..."]


def test_the_first_line_comes_before_anything_slow_is_imported():
    program = """
import sys
from qd.cli import main
shown = []
main.waiting.show = lambda what: shown.append((what, [name for name in ("hydra", "numpy", "jax") if name in sys.modules]))
sys.argv = ["qd", "run", "budgett=3"]
main.main()
print(shown)
"""
    ended = subprocess.run(
        [sys.executable, "-c", program], env=os.environ | {"PYTHONPATH": str(HOUSE)}, capture_output=True, text=True
    )
    assert ended.stdout.strip() == "[('importing', [])]" and "budgett" in ended.stderr
