"""A run of texts that is killed and given again ends with the same archive, and asks for no stored answer twice."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from qd.cli.main import main
from qd.store import archive_file

HOUSE = Path(__file__).resolve().parents[2]
WORDS = ["recipe=qdaif_paper", "lm=toy", "initial=8", "budget=60", "save_every=10", "log_every=20", "console=plain"]
pytestmark = pytest.mark.usefixtures("own_folder")


def found(name: str) -> dict[str, np.ndarray]:
    (run,) = Path("runs", name).iterdir()
    return archive_file.load(run).columns


def events(name: str) -> list[dict]:
    (ledger,) = Path("runs", name).glob("*/lm/*.jsonl")
    return [json.loads(line) for line in ledger.read_text().splitlines()]


@pytest.mark.slow
def test_the_papers_recipe_killed_and_given_again():
    cache = "lm.cache=killed.sqlite"
    command = [sys.executable, "-m", "qd", "run", *WORDS, "name=killed", cache, "lm.limits.requests_per_minute=2400"]
    child = subprocess.Popen(command, env=os.environ | {"PYTHONPATH": str(HOUSE)}, stdout=subprocess.DEVNULL)
    ledger = Path("runs/killed")
    for _ in range(2000):
        lines = [line for file in ledger.glob("*/lm/*.jsonl") for line in file.read_text().splitlines()]
        if len(lines) > 160 or child.poll() is not None:
            break
        time.sleep(0.02)
    child.send_signal(signal.SIGKILL)
    assert child.wait() == -signal.SIGKILL  # it had not ended by itself
    before = {row["key"] for row in _sent("killed") if row["ticket"] in _answered("killed")}
    sent = len(_sent("killed"))
    assert 20 < len(before) < 170

    assert main(["run", *WORDS, "name=killed", cache]) == 0
    again = {row["key"] for row in _sent("killed")[sent:]}
    assert again and not again & before
    assert main(["run", *WORDS, "name=whole", "lm.cache=whole.sqlite"]) == 0
    one, other = found("killed"), found("whole")
    assert set(one) == set(other) and all(np.array_equal(one[name], other[name]) for name in one)
    assert len(one["solution"]) > 0 and all(isinstance(text, str) for text in one["solution"])


def _sent(name: str) -> list[dict]:
    return [line for line in events(name) if line["event"] == "sent" and line["role"] != "probe"]


def _answered(name: str) -> set[int]:
    return {line["ticket"] for line in events(name) if line["event"] == "answered"}
