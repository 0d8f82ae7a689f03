"""Runs by workers: the same archive, history and metrics however many there are, and whatever is killed."""

import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from qd.cli.main import main
from qd.doctor.examine import examine
from qd.remote.overhead import Overhead
from qd.store import metrics_file
from qd.support import run_files
from qd.support.errors import UserError
from tests.remote.test_pool import gone
from tests.support.runs import QuietRun
from tests.support.workers.runs import compare, run

pytestmark = pytest.mark.usefixtures("own_key")


def start(path: Path, **settings) -> subprocess.Popen:
    return subprocess.Popen([sys.executable, "-m", "tests.support.workers.runs", str(path), json.dumps(settings)])


def workers_of(pid: int) -> list[int]:
    """Process ids of the evaluating processes that a driver has started, at any depth."""
    table = subprocess.run(["ps", "-ww", "-eo", "pid,ppid,args"], capture_output=True, text=True, check=True).stdout
    rows = [line.split(None, 2) for line in table.splitlines()[1:]]
    family, size = {pid}, 0
    while len(family) > size:
        size = len(family)
        family |= {int(child) for child, parent, _ in rows if int(parent) in family}
    kinds = "qd.remote.worker", "spawn import spawn_main"  # of a pool, of Dask
    return [int(child) for child, _, command in rows if int(child) in family and any(kind in command for kind in kinds)]


@pytest.mark.parametrize("domain", ["bump", "pairs", "arm"])
def test_the_number_of_workers_changes_no_archive(tmp_path, domain):
    run(tmp_path / "serial", domain, remote={"engine": "serial"})
    for workers in (1, 2, 4) if domain == "bump" else (2,):
        run(tmp_path / f"{workers}", domain, workers=workers)
        compare(tmp_path / "serial", tmp_path / f"{workers}")


@pytest.mark.ci
def test_dask_changes_no_archive(tmp_path):
    pytest.importorskip("distributed")
    run(tmp_path / "serial", "pairs", remote={"engine": "serial"})
    run(tmp_path / "dask", "pairs", workers=3, remote={"engine": "dask"})
    compare(tmp_path / "serial", tmp_path / "dask")


def test_a_run_goes_on_with_other_workers_and_keeps_its_chunks(tmp_path):
    run(tmp_path / "whole", remote={"engine": "serial"})
    path = tmp_path / "grown"
    run(path, workers=2, budget=150)
    assert run(path, remote={"engine": "serial"})["status"] == "finished"
    compare(tmp_path / "whole", path)
    with pytest.raises(UserError, match=r"remote\.chunk was 4 and is now 5"):
        run(path, workers=2, budget=500, remote={"chunk": 5})
    with pytest.raises(UserError, match=r"remote\.chunk was 4 and is now absent"):
        run(path, budget=500, remote={"chunk": 1})


def test_failures_are_counted_with_their_reasons(tmp_path):
    poison = {"_target_": "tests.support.workers.domains.Unlucky", "kind": "raised", "above": 0.9}
    result = run(tmp_path / "two", workers=2, of_domain=poison, remote={"retries": 0})
    run(tmp_path / "serial", remote={"engine": "serial", "retries": 0}, of_domain=poison)
    compare(tmp_path / "serial", tmp_path / "two")
    failed = int(metrics_file.metrics(tmp_path / "two" / "metrics.csv")["failed"][-1])
    assert 0 < failed < 150 and result["failures"] == {"raised": failed}
    events = [json.loads(line) for line in (tmp_path / "two" / "events.jsonl").read_text().splitlines()]
    told = [event for event in events if event["event"] == "evaluation failed"]
    assert len(told) == min(failed, 100) and {event["reason"] for event in told} == {"raised"}
    assert "ZeroDivisionError" in told[0]["detail"] and len({event["id"] for event in told}) == len(told)
    assert not (tmp_path / "two" / run_files.EVALUATIONS_AHEAD).exists()


def test_metrics_have_the_seconds_of_an_evaluation_and_the_idle_share(tmp_path):
    run(tmp_path / "run", workers=2, of_domain={"seconds": 0.01}, budget=120)
    table = metrics_file.metrics(tmp_path / "run" / "metrics.csv")
    assert (table["eval_s_mean"] > 0.009).all() and (table["eval_s_p95"] >= table["eval_s_mean"] * 0.9).all()
    assert ((table["idle"] >= 0) & (table["idle"] <= 1)).all()
    assert not table["timed_out"].any() and not table["retried"].any() and not table["failed"].any()
    run(tmp_path / "plain", "bump", remote={"chunk": 1}, budget=120)
    assert "idle" not in metrics_file.metrics(tmp_path / "plain" / "metrics.csv")


def test_the_live_line_shows_the_workers_while_a_generation_is_under_way(tmp_path, monkeypatch):
    monkeypatch.setattr("qd.runner.display.worker_view._GLANCE", 0.0)
    monkeypatch.setattr("qd.remote.dispatch._GLANCE", 0.01)
    console = QuietRun()
    run(tmp_path / "run", workers=2, of_domain={"seconds": 0.01}, budget=60, console=console)
    shown = [re.fullmatch(r"workers ([012])/([12]) busy, (\d+) in flight", row["workers"]).groups() for row in console.rows]
    assert len(shown) > 5 and {int(rows) for _, _, rows in shown} & set(range(1, 30))
    assert all(busy <= alive for busy, alive, _ in shown)


@pytest.mark.slow
def test_what_a_killed_driver_had_evaluated_is_not_evaluated_again(tmp_path):
    """Also in the middle of a generation: results are recorded before a checkpoint holds them."""
    log, path = tmp_path / "log", tmp_path / "killed"
    settings = {"workers": 2, "of_domain": {"seconds": 0.01, "log": str(log)}, "save_every": 10_000, "budget": 260}
    process = start(path, **settings)
    while not log.exists() or log.stat().st_size < 80 * 17:
        time.sleep(0.1)
        assert process.poll() is None
    pids = workers_of(process.pid)
    process.kill()
    process.wait()
    assert len(pids) == 2 and gone(pids)
    assert start(path, **settings).wait() == 0
    counts = Counter(log.read_text().splitlines())
    twice = sum(count - 1 for count in counts.values())
    assert len(counts) == 25 + 30 * 8 + 2  # all evaluations of the run, and the rehearsal
    assert twice <= 2 * 4 + 2  # what was in flight, and the rehearsal
    run(tmp_path / "whole", remote={"engine": "serial"}, budget=260)
    compare(tmp_path / "whole", path)


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["pool", "dask"])
def test_twenty_kills_of_workers_and_five_of_the_driver_change_nothing(tmp_path, engine):
    dice, log, path = random.Random(0), tmp_path / "log", tmp_path / "killed"
    of_domain = {"seconds": 0.06, "log": str(log)}  # a run that outlasts the kills
    settings = {"workers": 3, "of_domain": of_domain, "budget": 1500, "remote": {"engine": engine, "retries": 8}}
    run(tmp_path / "whole", remote={"engine": "serial"}, budget=1500)
    killed, drivers, evaluated = 0, 0, 0  # kills begin once the workers evaluate: what a start needs is another matter
    process = start(path, **settings)
    while process.poll() is None:
        time.sleep(dice.uniform(0.2, 0.8))  # on average half of the time that a run without kills takes, for all 25
        if not log.exists() or log.stat().st_size <= evaluated:
            continue
        pids = workers_of(process.pid)
        if drivers < 5 and killed >= 4 * (drivers + 1):
            drivers += 1
            process.kill()
            process.wait()
            assert gone(pids, 90.0)  # a Dask worker takes its time to see that its scheduler is gone
            evaluated = log.stat().st_size
            process = start(path, **settings)
        elif len(pids) > 1 and killed < 20:
            killed += 1
            os.kill(dice.choice(pids), signal.SIGKILL)
    assert (process.returncode, killed, drivers) == (0, 20, 5)
    compare(tmp_path / "whole", path)
    assert len(set(log.read_text().splitlines())) == 1525 + 2  # each once in the archive's books, and the rehearsal
    table = metrics_file.metrics(path / "metrics.csv")
    assert table["evals"][-1] == 1525 and not table["failed"][-1]


def write_domain(folder: Path, name: str, seconds: float = 0.0) -> None:
    path = folder / f"conf/domain/{name}.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        f"# @package _global_\ndomain: {{_target_: tests.support.workers.domains.Bump, seconds: {seconds}}}\n"
        "domain_defaults: {feature: end, bounds: [[-1, 1], [-1, 1]], reads: [end], batch_size: 20}\n"
    )


@pytest.mark.ci
def test_the_doctor_measures_what_workers_cost_and_says_where_they_pay(own_folder, monkeypatch):
    (own_folder / "conf/domain").mkdir(parents=True)
    yaml = "# @package _global_\ndomain: {_target_: tests.support.workers.domains.Bump, seconds: SECONDS}\n"
    yaml += "domain_defaults: {feature: end, bounds: [[-1, 1], [-1, 1]], reads: [end], batch_size: 20}\n"
    for name, seconds in (("slow", 0.02), ("fast", 0.0)):
        (own_folder / f"conf/domain/{name}.yaml").write_text(yaml.replace("SECONDS", str(seconds)))
    report = examine(["domain=slow", "workers=2", "initial=20"], samples=60)
    assert re.fullmatch(
        r"workers: [\d.]+ ms beside .* by 2 .* pay from [\d.]+ ms on; an evaluation here takes [\d.]+ ms", report.facts[-1]
    )
    assert report.findings == []
    assert Overhead(2, each=0.02, cost=0.001).pays and not Overhead(2, each=0.001, cost=0.001).pays
    monkeypatch.setattr("qd.remote.overhead.Overhead.pays", False)
    report = examine(["domain=fast", "workers=2", "initial=20"], samples=60)
    assert [finding.name for finding in report.findings] == ["workers"]


def test_several_seeds_share_the_words_and_have_workers_one_after_another(own_folder, capsys):
    write_domain(own_folder, "bump")
    words = ["domain=bump", "workers=2", "remote.chunk=10", "budget=60", "initial=20"]
    assert main(["run", *words, "seeds=2", "console=plain", "log_every=20", "renderings=0"]) == 0
    results = [json.loads(path.read_text()) for path in sorted(own_folder.glob("runs/*/*/result.json"))]
    assert [(result["seed"], result["evaluations"]) for result in results] == [(0, 60), (1, 60)]
    assert "seed 1: finished: 60 evaluations" in capsys.readouterr().out
