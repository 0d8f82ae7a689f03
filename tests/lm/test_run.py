"""A language model in a run: its budget ends the run cleanly, its answers are kept, its key is nowhere."""

import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import yaml

from qd.cli.main import main
from qd.config import compose
from qd.store import archive_file
from tests.support import tales
from tests.support.endpoint import serving

KEY = "MARKED-KEY-5d41402abc4b2a76"
HOUSE = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def here(own_folder, monkeypatch) -> Path:
    monkeypatch.setenv("MARKED", KEY)
    Path("conf/domain").mkdir(parents=True)
    Path("conf/domain/tales.yaml").write_text(tales.YAML)
    return own_folder


def words(server, *more: str) -> list[str]:
    return ["run", "domain=tales", "initial=8", "budget=64", "log_every=16", "save_every=32", "renderings=0", "console=plain",
            "lm=custom", "lm.model=m", f"lm.base_url={server.url}", "lm.price.in=1", "lm.price.out=1",
            "yes=true", "lm.key_variable=MARKED",
            "name=tale", *more]  # fmt: skip


def elites(name: str = "tale") -> dict[str, np.ndarray]:
    (path,) = Path("runs", name).iterdir()
    columns = archive_file.load(path).columns
    order = np.argsort(columns["index"])
    return {name: column[order] for name, column in columns.items()}


def same(one: dict, other: dict) -> bool:
    return all(np.array_equal(one[name], other[name]) for name in ("index", "id", "objective", "measures", "solution"))


def test_a_judge_with_the_settings_of_the_writer_is_the_same_client():
    one, other = (compose.assemble(compose.load(["domain=opinions", "lm=toy", *more])) for more in (["lm@judge_lm=toy"], [
        "lm@judge_lm=toy", "judge_lm.budget.calls=5"]))  # fmt: skip
    assert len(one.services) == 1 and one.search.domain.grade.lm is one.search.domain.writer.lm
    assert len(other.services) == 2 and other.search.domain.grade.lm is not other.search.domain.writer.lm


def test_a_run_is_replayed_from_its_recorded_answers_and_its_key_is_nowhere(here, capsys):
    with serving(fickle=True) as server:
        assert main(words(server)) == 0
        first, output = elites(), capsys.readouterr()
        assert all(headers["Authorization"] == f"Bearer {KEY}" for headers in server.headers)
        calls = len(server.requests)
        assert "role  calls  cached" in output.out and "judge" in output.out and "writer" in output.out
        assert main(words(server, "name=again", "lm.mode=replay")) == 0 and len(server.requests) == calls
    assert same(first, elites("again"))
    files = [path for path in here.rglob("*") if path.is_file()]
    assert len(files) > 15 and any(path.suffix == ".sqlite" for path in files)
    assert any(path.parent.name == "lm" and path.stat().st_size for path in files)
    assert [path for path in files if KEY.encode() in path.read_bytes()] == []
    assert KEY not in output.out + output.err


@pytest.mark.ci
def test_a_key_that_the_endpoint_sends_back_is_not_kept(here, capsys, caplog):
    caplog.set_level("DEBUG")
    with serving() as server:
        real = server.script
        server.script = lambda n, body: "500" if n % 5 == 1 else real(n, body)
        from tests.support import endpoint

        plain = endpoint.reply

        def telling(*args):
            body = plain(*args)
            if "message" in body["choices"][0]:
                body["choices"][0]["message"]["content"] += f" {KEY}"
            return body

        endpoint.reply = telling
        try:
            assert main(words(server, "budget=24")) == 0
        finally:
            endpoint.reply = plain
    assert [path for path in here.rglob("*") if path.is_file() and KEY.encode() in path.read_bytes()] == []
    output = capsys.readouterr()
    assert KEY not in output.out + output.err + caplog.text
    assert any("***" in text for text in elites()["solution"])


def test_a_spent_budget_ends_the_run_and_a_larger_one_goes_on(capsys):
    with serving(fickle=True) as server:
        assert main(words(server, "lm.budget.calls=70")) == 3
        output = capsys.readouterr().out
        assert "archive saved: the language model's budget is spent: 70 of 70 calls" in output
        (path,) = Path("runs/tale").iterdir()
        (ledger,) = (path / "lm").glob("*.jsonl")
        assert "Type a larger lm.budget.calls=" in output and len(server.requests) <= 70 == ledger.read_text().count(
            '"sent"'
        ), ledger.read_text()
        assert not (path / "result.json").exists() and len(elites()["id"]) > 0
        assert json.loads((path / "events.jsonl").read_text().splitlines()[-1])["event"] == "spent"
        assert main(words(server, "lm.budget.calls=70")) == 3 and len(server.requests) <= 70  # still spent
        assert main(words(server, "lm.budget.calls=1000")) == 0  # the same folder
        whole = elites()
        assert main(words(server, "name=again", "lm.mode=replay")) == 0
    assert same(whole, elites("again"))
    assert yaml.safe_load((path / "config.yaml").read_text())["lm"]["budget"]["calls"] == 1000


def test_a_budget_too_small_for_the_start_says_so(capsys):
    with serving() as server:
        assert main(words(server, "lm.budget.calls=10")) == 3
        assert "qd: the language model's budget is spent: 10 of 10 calls" in capsys.readouterr().err
        assert len(server.requests) <= 10


@pytest.mark.slow
def test_a_killed_run_asks_nothing_twice_and_ends_with_the_same_archive(here):
    draw = random.Random(0)
    environment = os.environ | {"PYTHONPATH": str(HOUSE), "JAX_PLATFORMS": "cpu"}
    with serving(fickle=True, latency=0.3) as server:
        command = [sys.executable, "-m", "qd", *words(server, "budget=160", "lm.limits.concurrency=4")]
        lost = killed = 0
        for _ in range(4):
            requests, before = _stored_requests(), len(server.requests)
            child = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
            while len(server.requests) == before and child.poll() is None:
                time.sleep(0.02)
            time.sleep(draw.uniform(0.5, 4))
            child.send_signal(signal.SIGKILL)
            with server.lock:
                lost += server.flying
            child.wait()
            killed += child.returncode == -signal.SIGKILL
            assert not requests & {json.dumps(body) for body in server.requests[before:]}
            time.sleep(0.5)  # what was in flight ends, unheard
        requests, before = _stored_requests(), len(server.requests)
        process = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
        assert process.returncode == 0, process.stderr
        assert not requests & {json.dumps(body) for body in server.requests[before:]} and killed == 4
        (path,) = Path("runs/tale/").iterdir()
        (ledger,) = (path / "lm").glob("*.jsonl")
        lines = [json.loads(line) for line in ledger.read_text().splitlines() if line]
        count = {event: sum(line["event"] == event for line in lines) for event in ("sent", "answered", "failed", "lost")}
        assert count["sent"] == count["answered"] + count["failed"] + count["lost"] >= len(server.requests)
        assert count["lost"] >= lost > 0 and all(
            line["in"] > 0 and line["out"] > 0 for line in lines if line["event"] == "lost"
        )
        whole = elites()
        assert main(words(server, "budget=160", "name=again", "lm.mode=replay")) == 0
    assert same(whole, elites("again"))
    print(f"{count}, in flight at the kills: {lost}")


def _stored_requests() -> set[str]:
    """The requests whose answers are stored, the start-up probe's own aside."""
    if not Path("runs/lm.sqlite").exists():
        return set()
    with sqlite3.connect("runs/lm.sqlite") as db:
        return {row for (row,) in db.execute("SELECT request FROM records")}
