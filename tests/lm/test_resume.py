"""Killed at random moments: no answer that was stored is asked for again, what was in flight is listed and charged."""

import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from feedback.lm.accounting.budget import Cost
from feedback.lm.accounting.ledger import Ledger
from feedback.lm.client import LM
from tests.support.endpoint import serving

WORK = """
import json, sys
from feedback.lm.client import LM

lm = LM(model="m", base_url=sys.argv[1], cache="lm.sqlite", folder="run", limits={"concurrency": 6}, price={"in": 1, "out": 1},
        traits={"logprobs": True, "seed": "taken"},
        mode=sys.argv[2], budget={"calls": int(sys.argv[3])})
texts = [f"tale {i}" for i in range(8)]
for chapter in range(6):
    texts = lm([f"go on: {text}" for text in texts], role="writer")
    good = lm.label_scores([f"{text}: good? yes or no" for text in texts], ("yes", "no")).probabilities[:, 0]
    texts = [text for _, text in sorted(zip(good, texts))]
open(sys.argv[4], "w").write(json.dumps([texts, good.tolist(), lm.report()]))
"""
CALLS = 2 * 8 * 6


def command(url: str, mode: str = "readwrite", budget: int = 10_000, out: str = "out.json") -> list[str]:
    return [sys.executable, "-c", WORK, url, mode, str(budget), out]


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))


@pytest.mark.parametrize("kills", [pytest.param(3, marks=pytest.mark.ci), pytest.param(10, marks=pytest.mark.slow)])
def test_killed_at_random_moments(kills):
    draw, killed, lost = random.Random(0), 0, 0
    with serving(fickle=True, latency=0.4 if kills == 10 else 0.15) as server:
        for _ in range(kills):
            requests, before = _stored_requests(), len(server.requests)
            child = subprocess.Popen(command(server.url))
            while len(server.requests) == before and child.poll() is None:
                time.sleep(0.01)
            time.sleep(draw.uniform(0, 1.2))
            child.send_signal(signal.SIGKILL)
            with server.lock:
                lost += server.flying
            child.wait()
            killed += child.returncode == -signal.SIGKILL
            with server.lock:
                assert not requests & {json.dumps(body) for body in server.requests[before:]}
            time.sleep(0.5)  # what is in flight ends, unheard
        requests, before = _stored_requests(), len(server.requests)
        subprocess.run(command(server.url), check=True, timeout=200)
        assert not requests & {json.dumps(body) for body in server.requests[before:]} and killed == kills
        calls = len(server.requests)
        subprocess.run(command(server.url, "replay", out="again.json"), check=True, timeout=200)
        assert len(server.requests) == calls
    events = _events()
    assert events["sent"] == events["answered"] + events["failed"] + events["lost"] >= calls
    assert events["lost"] >= lost > 0
    texts, good, report = json.loads(Path("out.json").read_text())
    assert [texts, good] == json.loads(Path("again.json").read_text())[:2]  # the same answers, the same end
    rows = {row["role"]: row for row in report}
    assert sum(row["lost"] for row in report) == events["lost"] and sum(row["calls"] for row in report) == events["sent"]
    charged = sum(line["in"] + line["out"] for line in _lines() if line["event"] in ("answered", "failed", "lost"))
    assert charged == sum(row["tokens_in"] + row["tokens_out"] for row in report) and rows["judge"]["cached"] > 0
    print(f"{events}, in flight at {kills} kills: {lost}; {CALLS} answers wanted")


@pytest.mark.ci
def test_what_was_spent_before_a_kill_still_counts():
    with serving(latency=0.1) as server:
        child = subprocess.Popen(command(server.url, budget=40))
        while len(server.requests) < 30 and child.poll() is None:
            time.sleep(0.01)
        child.send_signal(signal.SIGKILL)
        child.wait()
        process = subprocess.run(command(server.url, budget=40), capture_output=True, text=True, timeout=200)
        assert "Spent: the language model's budget is spent: 40 of 40 calls" in process.stderr
        assert 30 <= len(server.requests) <= 40


def test_a_ledger_cut_off_in_a_line_is_read_and_a_damaged_one_is_refused(tmp_path):
    with serving() as server:
        lm = LM(model="m", base_url=server.url, folder="run")
        lm(["a", "b"], role="writer")
        lm.close()
        (path,) = Path("run/lm").glob("*.jsonl")
        whole = path.read_bytes()
        path.write_bytes(whole + b'{"event": "sent", "tick')
        again = LM(model="m", base_url=server.url, folder="run")
        assert again.report()[-1]["calls"] == 2 and again.lost_calls == []
        again(["c"], role="writer")
        again.close()
        assert again.report()[-1]["calls"] == 3  # opened once more
        again.close()
        path.write_bytes(b"what?\n" + whole)
        with pytest.raises(ValueError, match="line 1 of .* is damaged .*the spending is not known: move the file"):
            LM(model="m", base_url=server.url, folder="run")(["c"])


def test_a_call_in_flight_is_charged_once():
    ledger = Ledger(Path("lm.jsonl"))
    ledger.close_call(ledger.open_call("writer", b"1", Cost(1, 10, 5, 0.1)), Cost(1, 8, 2, 0.05))
    ledger.open_call("writer", b"2", Cost(1, 10, 5, 0.1))
    ledger.close()
    for _ in range(2):
        ledger = Ledger(Path("lm.jsonl"))
        (row,) = ledger.report()
        assert (row["calls"], row["lost"], row["tokens_in"], row["tokens_out"]) == (2, 1, 18, 7)
        assert ledger.total == Cost(2, 18, 7, pytest.approx(0.15)) and ledger.keys == {b"1".hex()}
        ledger.close()
    assert ledger.lost_calls == []  # told of once, when it was found


def _stored_requests() -> set[str]:
    if not os.path.exists("lm.sqlite"):
        return set()
    with sqlite3.connect("lm.sqlite") as db:
        return {row for (row,) in db.execute("SELECT request FROM records")}


def _lines() -> list[dict]:
    (path,) = Path("run/lm").glob("*.jsonl")
    return [json.loads(line) for line in path.read_text().splitlines() if line]


def _events() -> dict[str, int]:
    lines = _lines()
    return {event: sum(line["event"] == event for line in lines) for event in ("sent", "answered", "failed", "lost")}
