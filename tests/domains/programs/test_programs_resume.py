"""A run of programs that is killed and given again pays no call twice, and ends with the archive of a run that was not."""

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
from tests.support.choices import SCRIPTED

HOUSE = Path(__file__).resolve().parents[3]
WORDS = [
    "domain=minimise",
    *SCRIPTED,
    "domain.problem.budget=40",
    "domain.axes=[spread,length]",
    "domain_defaults.bounds=[[0,4],[0,800]]",
    "budget=60",
    "emitter=code_islands",
    "emitter.migrate=3",
    "console=plain",
]
pytestmark = [pytest.mark.usefixtures("own_folder"), pytest.mark.slow]


def calls(name: str) -> list[dict]:
    lines = [line for file in Path("runs", name).glob("*/lm/*.jsonl") for line in file.read_text().splitlines()]
    rows = []
    for line in lines:
        try:
            rows.append(json.loads(line))
        except json.JSONDecodeError:
            continue
    return rows


def answered(name: str) -> list[str]:
    rows = calls(name)
    keys = {row["ticket"]: row["key"] for row in rows if row["event"] == "sent" and row["role"] != "probe"}
    return [keys[row["ticket"]] for row in rows if row["event"] == "answered" and row["ticket"] in keys]


def test_killed_ten_times():
    command = [sys.executable, "-m", "qd", "run", *WORDS, "name=killed", "lm.cache=killed.sqlite"]
    env = os.environ | {"PYTHONPATH": str(HOUSE)}
    kills, goal = 0, 0
    while kills < 10:
        child = subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        goal = len(answered("killed")) + 4
        for _ in range(6000):
            if len(answered("killed")) >= goal or child.poll() is not None:
                break
            time.sleep(0.01)
        if child.poll() is not None:
            break
        child.send_signal(signal.SIGKILL)
        kills += child.wait() == -signal.SIGKILL
    assert kills >= 8
    assert main(["run", *WORDS, "name=killed", "lm.cache=killed.sqlite"]) == 0
    assert main(["run", *WORDS, "name=whole", "lm.cache=whole.sqlite"]) == 0
    paid = answered("killed")
    assert len(paid) == len(set(paid)) and set(paid) == set(answered("whole"))
    (one,), (other,) = (Path("runs", name).iterdir() for name in ("killed", "whole"))
    one, other = archive_file.load(one).columns, archive_file.load(other).columns
    assert set(one) == set(other) and all(np.array_equal(one[name], other[name]) for name in one) and len(one["id"]) > 2


def test_a_budget_is_never_passed():
    assert main(["run", *WORDS, "name=spent", "lm.cache=spent.sqlite", "lm.budget.calls=30"]) == 3
    assert 20 <= len([row for row in calls("spent") if row["event"] == "sent"]) <= 30
    assert main(["run", *WORDS, "name=spent", "lm.cache=spent.sqlite", "lm.budget.calls=200"]) == 0


def test_a_spent_run_that_is_given_again_keeps_what_it_has():
    words = ["run", *WORDS, "name=kept", "lm.mode=off", "lm.budget.calls=30"]
    assert main(words) == 3
    (path,) = Path("runs/kept").iterdir()
    before = archive_file.load(path).columns
    assert main(words) == 3
    after = archive_file.load(path).columns
    assert len(before["id"]) > 2 and all(np.array_equal(before[name], after[name]) for name in before)
