"""Dask workers on this machine: the same evaluations as in this process, poison solutions, lost workers, refusals."""

import importlib
import os
import signal
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

import qd
from qd import keys, remote
from qd.remote import pickling
from qd.remote.child import Child
from qd.remote.worker import Ready
from qd.support.errors import UserError
from tests.remote.test_pool import LUCK, gone, same
from tests.support.runs import QuietRun
from tests.support.workers.domains import Bump, Pairs, Unlucky, poisoned
from tests.support.workers.runs import compare, run

distributed = pytest.importorskip("distributed")


@pytest.fixture(scope="module")
def cluster() -> Iterator:
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, host="127.0.0.1", dashboard_address="127.0.0.1:0", memory_limit=0
    ) as cluster:
        yield cluster


def children_of(cluster) -> list[int]:
    """Process ids of the evaluating processes of a cluster's workers."""
    with distributed.Client(cluster, set_as_default=False) as client:
        return [pid for pids in client.run(child_pids).values() for pid in pids]


def child_pids() -> list[int]:
    import psutil

    return [child.pid for child in psutil.Process().children(recursive=True)]


@pytest.mark.parametrize("domain", [Bump(), Pairs()], ids=repr)
def test_dask_gives_the_same_evaluations_as_this_process(cluster, domain):
    solutions = domain.sample(keys.new(0), 21)
    solutions = solutions if isinstance(solutions, np.ndarray) else np.array([*solutions, None], object)[:-1]
    each = keys.split(keys.new(1), 21)
    expected = remote.Serial(domain, chunk=4).evaluate(each, solutions)
    with remote.Dask(domain, cluster.scheduler_address, chunk=4) as there:
        assert same(there.evaluate(each, solutions), expected)
        assert there.dispatcher.status().alive == 2
        pids = children_of(cluster)
        assert pids
    assert gone(pids)


@pytest.mark.ci
@pytest.mark.parametrize("kind", ["hang"])
def test_one_poison_solution_fails_alone_and_no_dask_worker_dies(cluster, kind):
    n, row = 1000, 437
    solutions, each = poisoned(n, row), keys.split(keys.new(1), n)
    expected = remote.Serial(Unlucky("nan"), chunk=16).evaluate(each, solutions)
    with remote.Dask(Unlucky(kind), cluster.scheduler_address, chunk=16, timeout=0.3 if kind == "hang" else None) as there:
        evaluation = there.evaluate(each, solutions)
        ((_, failures),) = there.dispatcher.calls
        assert [(failure.row, failure.reason) for failure in failures] == [(row, LUCK[kind])]
        assert there.dispatcher.status().lost == 0
    others = np.arange(n) != row
    assert np.isnan(evaluation.objective[row]) and np.array_equal(evaluation.objective[others], expected.objective[others])


@pytest.mark.slow
def test_a_dask_worker_that_is_killed_loses_nothing():
    domain, n = Bump(seconds=0.02), 80
    solutions, each = domain.sample(keys.new(0), n), keys.split(keys.new(1), n)
    expected = remote.Serial(replace(domain, seconds=0.0), chunk=4).evaluate(each, solutions)
    with remote.Dask(domain, workers=2, chunk=4) as there:
        there.evaluate(each[:8], solutions[:8])
        client = there.dispatcher._engine._client
        pids = list(client.run(os.getpid).values())
        children = [pid for each_pids in client.run(child_pids).values() for pid in each_pids]
        timer = threading.Timer(0.2, os.kill, (pids[0], signal.SIGKILL))
        timer.start()
        assert same(there.evaluate(each, solutions), expected)
        timer.join()
        assert there.dispatcher.workload.evaluations == n + 8 and not there.dispatcher.workload.reasons
    assert gone([*pids, *children])


def test_a_worker_imports_the_domain_from_the_folder_where_it_was_started(tmp_path, monkeypatch):
    (tmp_path / "module_of_a_user.py").write_text("class Domain:\n    pure = False\n    evaluate = None\n")
    with monkeypatch.context() as patch:
        patch.syspath_prepend(tmp_path)
        payload = pickling.dumps(importlib.import_module("module_of_a_user").Domain())
    monkeypatch.chdir(tmp_path)
    assert str(tmp_path) not in sys.path and "" not in sys.path
    child = Child(payload, None, None, idle=30.0)
    message = child.receive()
    child.kill()
    assert isinstance(message, Ready) and message.error == ""


def test_without_a_scheduler_it_says_how_to_start_one(monkeypatch):
    monkeypatch.setattr("qd.remote.cluster._CONNECT", 0.3)
    with (
        remote.Dask(Bump(), "tcp://127.0.0.1:9") as there,
        pytest.raises(UserError, match=r"no Dask scheduler answers at tcp://127\.0\.0\.1:9 .* type dask scheduler"),
    ):
        there.evaluate(keys.split(keys.new(1), 1), poisoned(1, 0))


def test_without_a_worker_it_says_how_to_start_one():
    with distributed.LocalCluster(n_workers=0, host="127.0.0.1", dashboard_address="127.0.0.1:0") as cluster:
        there = remote.Dask(Bump(), cluster.scheduler_address, patience=0.2)
        with there, pytest.raises(UserError, match=r"no worker came within 0\.2 s .* type dask worker tcp://127\.0\.0\.1:\d+"):
            there.evaluate(keys.split(keys.new(1), 1), poisoned(1, 0))


def test_other_versions_are_refused(cluster, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(qd, "__version__", "99.0")
        there = remote.Dask(Bump(), cluster.scheduler_address)
        with there, pytest.raises(UserError, match=r"the worker tcp://\S+ has qd-atlas \S+ \(here 99\.0\); install the same"):
            there.evaluate(keys.split(keys.new(1), 1), poisoned(1, 0))
    monkeypatch.setattr("distributed.versions._version_cached", lambda package: "1.0")
    there = remote.Dask(Bump(), cluster.scheduler_address)
    with (
        there,
        pytest.raises(UserError, match=rf"the worker tcp://\S+ of {cluster.scheduler_address} has dask \S+ \(here 1\.0\)"),
    ):
        there.evaluate(keys.split(keys.new(1), 1), poisoned(1, 0))


def test_workers_and_an_address_are_refused_together():
    with pytest.raises(UserError, match=r"workers= is of a local cluster"):
        remote.Dask(Bump(), "tcp://127.0.0.1:8786", workers=4)
    with pytest.raises(UserError, match=r"workers=0 evaluates nothing"):
        remote.Dask(Bump(), workers=0)


@pytest.mark.slow
@pytest.mark.usefixtures("own_key")
def test_a_run_that_loses_all_workers_ends_with_a_checkpoint_and_goes_on(tmp_path):
    class Scaling(QuietRun):
        """Takes the workers away at the third row of metrics."""

        def update(self, row: dict) -> None:
            super().update(row)
            if row["evals"] >= 85 and not self.closed:
                self.closed = {}
                client = distributed.Client(cluster, set_as_default=False)
                client.retire_workers(list(client.nthreads()))
                client.close()

    run(tmp_path / "whole", remote={"engine": "serial"}, budget=240)
    settings = {"remote": {"engine": "dask", "patience": 1.0}, "budget": 240}
    with distributed.LocalCluster(1, threads_per_worker=1, host="127.0.0.1", dashboard_address="127.0.0.1:0") as cluster:
        settings["remote"]["address"] = cluster.scheduler_address
        console = Scaling()
        result = run(tmp_path / "run", console=console, **settings)
        assert result["status"] == "spent" and 85 <= result["evaluations"] < 240
        assert any("no worker is alive, and none came within 1 s (remote.patience)" in line for line in console.said)
    assert run(tmp_path / "run", workers=1, budget=240)["status"] == "finished"
    compare(tmp_path / "whole", tmp_path / "run")
