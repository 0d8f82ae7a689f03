"""A first part of the attacks in each CI run; `python -m tests.fuzz --full` is the whole."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fuzz.parts import SIZES

HOUSE = Path(__file__).resolve().parents[2]


@pytest.mark.slow
@pytest.mark.parametrize("part", SIZES)
def test_no_fault_is_left(part, tmp_path):
    if part == "page":
        pytest.importorskip("starlette", reason="starlette lacks: pip install 'qd-atlas[web]'")
    env = os.environ | {"PYTHONPATH": str(HOUSE), "TMPDIR": str(tmp_path)}
    words = [sys.executable, "-m", "tests.fuzz", "--part", part]
    ended = subprocess.run(words, cwd=HOUSE, env=env, capture_output=True, text=True)
    assert ended.returncode == 0, (ended.stdout + ended.stderr)[-5000:]
