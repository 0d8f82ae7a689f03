"""A command that takes seconds to begin says at once what it waits for; whole runs that say so are in test_cli.py."""

import os
import subprocess
import sys
from pathlib import Path

HOUSE = Path(__file__).resolve().parents[2]


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
