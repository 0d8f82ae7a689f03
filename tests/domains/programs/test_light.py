"""What a run of programs does without: packages that it does not use, workers that it does not need."""

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from domains.programs.sandbox import worker
from domains.programs.sandbox.worker import Setup, borrow, put_back
from tests.support.choices import PROJECT, SCRIPTED

HOUSE = Path(__file__).resolve().parents[3]
HEAVY = ("jax", "matplotlib", "openai", "jsonschema")
SLEEP = 0.3  # seconds that a worker of the tests takes to start


class Idle:
    """A worker of the tests that starts as slowly as a real one, and runs nothing."""

    reusable, fault = True, ""

    def __init__(self) -> None:
        time.sleep(SLEEP)

    def close(self, running: bool = False) -> None:
        """It has no process."""


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    """A folder in which a project has run to its end."""
    return tmp_path_factory.mktemp("light")


def packages_of(place: Path, budget: int) -> tuple[str, set[str]]:
    """Runs a project; returns what was printed, and which heavy packages were imported."""
    words = ["run", "domain=openevolve", f"domain.project={PROJECT}", *SCRIPTED, "sandbox=none", f"budget={budget}", "name=r"]
    code = f"import sys; from qd.cli.main import main; status = main(sys.argv[1:]); import json; print(json.dumps([status, \
[name for name in {HEAVY} if name in sys.modules]]))"
    env = os.environ | {"PYTHONPATH": str(HOUSE)}
    command = [sys.executable, "-c", code, *words, "lm.cache=replies.sqlite"]
    done = subprocess.run(command, cwd=place, env=env, capture_output=True, text=True, timeout=200)
    status, packages = json.loads(done.stdout.splitlines()[-1])
    assert status == 0, done.stderr
    return done.stdout, set(packages)


def test_a_run_imports_neither_jax_nor_matplotlib_and_writes_its_page(place):
    shown, packages = packages_of(place, 3)
    (run,) = (place / "runs/r").iterdir()
    assert packages == {"openai"} and (run / "report.html").exists() and not (run / "figures").exists()
    assert "report.html" in shown and "heatmap.png" not in shown


@pytest.mark.ci
def test_a_run_of_which_all_replies_are_recorded_imports_no_client(place):
    packages_of(place, 3)
    (run,) = (place / "runs/r").iterdir()
    run.rename(place / "aside")
    assert packages_of(place, 3)[1] == set()


def borrowed(setup: Setup, seconds: float, n: int) -> int:
    """Runs n programs of so many seconds at the same time; returns how many workers were started for them."""
    started = []

    def program() -> None:
        number, runner = borrow(setup, lambda number: started.append(number) or Idle())  # type: ignore[arg-type, return-value]
        time.sleep(seconds)
        put_back(setup, number, runner, usable=True)

    threads = [threading.Thread(target=program) for _ in range(n)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert len(set(started)) == len(started)
    return len(started)


def test_short_programs_share_a_worker_and_long_ones_get_more():
    assert borrowed(Setup("short", (), ()), 0.01, 4) == 1
    assert 2 <= borrowed(Setup("long", (), ()), 4 * SLEEP, 4) <= 4
    for (_, setup), pool in worker._POOLS.items():
        assert setup.sandbox not in ("short", "long") or (pool.busy == 0 and not pool.is_starting)
    worker.stop()


def test_a_worker_that_does_not_start_keeps_nobody_waiting():
    def fail(number: int) -> worker.Worker:
        raise OSError("no memory")

    setup = Setup("fails", (), ())
    for _ in range(2):
        with pytest.raises(OSError, match="no memory"):
            borrow(setup, fail)
