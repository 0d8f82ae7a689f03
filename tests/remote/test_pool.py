"""A pool of processes: the same evaluations as in this process, and one poison solution that fails alone."""

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from dataclasses import dataclass, replace

import numpy as np
import pytest

from qd import keys, remote
from qd.remote import memory
from qd.support.errors import UserError
from qd.types import Evaluation, Spent
from tests.support.workers.domains import Bump, Holding, Pairs, Unlucky, poisoned

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits the memory of one process")
MARKS = {"memory": LINUX, "hang": pytest.mark.ci}
LUCK = {
    "raised": "raised", "exit in a library": "raised", "nan": "nan", "none": "rubbish", "text": "rubbish", "shape": "rubbish",
    "hang": "timed_out", "memory": "memory", "exited": "exited", "killed": "killed", "crash": "killed",
}  # fmt: skip


def is_gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def gone(pids: list[int], seconds: float = 10.0) -> bool:
    """Whether all processes have ended, at the latest after so many seconds in which this process was not paused."""
    for _ in range(int(seconds / 0.02)):
        if all(map(is_gone, pids)):
            return True
        time.sleep(0.02)
    return False


def same(one, two) -> bool:
    names = one.features.keys() == two.features.keys()
    return names and all(
        np.array_equal(a, b, equal_nan=True) and a.dtype == b.dtype
        for a, b in zip((one.objective, *one.features.values()), (two.objective, *two.features.values()), strict=True)
    )


@pytest.mark.parametrize("domain", [Bump(), Pairs()], ids=repr)
def test_one_and_two_workers_and_this_process_give_the_same_evaluations(domain):
    solutions = domain.sample(keys.new(0), 21)
    solutions = solutions if isinstance(solutions, np.ndarray) else np.array([*solutions, None], object)[:-1]
    each = keys.split(keys.new(1), 21)
    expected = remote.Serial(domain, chunk=4).evaluate(each, solutions)
    assert np.isfinite(expected.objective).all() and expected.features["end"].shape == (21, 2)
    for workers in (1, 2):
        with remote.Pool(domain, workers, chunk=4) as pool:
            assert same(pool.evaluate(each, solutions), expected)
            assert same(pool.evaluate(each, solutions), expected)
            pids = pool.dispatcher.pids()
            assert len(pids) == workers
        assert gone(pids)


def test_several_objectives_come_back_and_a_solution_without_one_of_them_has_failed():
    n, row = 40, 17
    solutions, each = poisoned(n, row), keys.split(keys.new(1), n)
    for kind, reason in (("nan", "nan"), ("raised", "raised")):
        with remote.Pool(Several(kind), 2, chunk=8) as pool:
            evaluation = pool.evaluate(each, solutions)
            ((_, failures),) = pool.dispatcher.calls
        assert evaluation.objective.shape == (n, 2) and [(f.row, f.reason) for f in failures] == [(row, reason)]
        assert np.flatnonzero(np.isnan(evaluation.objective).any(axis=1)).tolist() == [row]
        one = remote.Serial(Unlucky("nan"), chunk=8).evaluate(each, solutions)
        assert np.array_equal(evaluation.objective[:, 0], one.objective, equal_nan=True)


@dataclass(frozen=True)
class Several(Unlucky):
    """Two objectives, the second without failures."""

    def evaluate(self, each, solutions):
        objective, features = super().evaluate(each, solutions)
        return Evaluation(np.stack([objective, np.ones_like(objective)], axis=1), features)


@pytest.mark.parametrize("kind", [pytest.param(kind, marks=MARKS.get(kind, ())) for kind in LUCK])
def test_one_poison_solution_in_a_thousand_fails_alone_with_its_reason(kind):
    n, row = 1000, 437
    solutions, each = poisoned(n, row), keys.split(keys.new(1), n)
    expected = remote.Serial(Unlucky("nan"), chunk=16).evaluate(each, solutions)
    limits = {"timeout": 0.3} if kind == "hang" else {"memory": 500} if kind == "memory" else {}
    with remote.Pool(Unlucky(kind), 2, chunk=16, retries=1, **limits) as pool:
        evaluation = pool.evaluate(each, solutions)
        ((rows, failures),) = pool.dispatcher.calls
        assert (rows, [(failure.row, failure.reason) for failure in failures]) == (n, [(row, LUCK[kind])])
        assert pool.dispatcher.workload.reasons == {LUCK[kind]: 1} and pool.dispatcher.workload.evaluations == n
        assert pool.dispatcher.workload.retries == (0 if kind == "nan" else 33 if LUCK[kind] == "killed" else 17)
    assert np.flatnonzero(np.isnan(evaluation.objective)).tolist() == [row]
    others = np.arange(n) != row
    assert np.array_equal(evaluation.objective[others], expected.objective[others])
    assert np.array_equal(evaluation.features["end"][others], expected.features["end"][others])
    assert kind == "nan" or not evaluation.features["end"][row].any()
    assert evaluation.features["end"].dtype == np.float32


@pytest.mark.ci
@LINUX
def test_a_hang_that_does_not_let_go_of_python_is_ended_and_ends_with_its_driver(tmp_path):
    with remote.Pool(Unlucky("hang in C"), 1, timeout=0.3, retries=0) as pool:
        evaluation = pool.evaluate(keys.split(keys.new(1), 3), poisoned(3, 1))
    assert np.isnan(evaluation.objective).tolist() == [False, True, False]
    driver = textwrap.dedent("""
        from qd import keys, remote
        from tests.support.workers.domains import Unlucky, poisoned
        pool = remote.Pool(Unlucky("hang in C"), 2)
        pool.evaluate(keys.split(keys.new(1), 2), poisoned(2, 1)[:1])
        print(*pool.dispatcher.pids(), flush=True)
        pool.evaluate(keys.split(keys.new(1), 2), poisoned(2, 1))
    """)
    process = subprocess.Popen([sys.executable, "-c", driver], stdout=subprocess.PIPE, text=True)
    pids = [int(word) for word in process.stdout.readline().split()]
    assert len(pids) == 2 and not any(map(is_gone, pids))
    time.sleep(0.3)
    process.kill()
    process.wait()
    assert gone(pids)


def test_a_worker_that_is_killed_loses_only_its_chunk_and_is_replaced():
    domain, n = Bump(seconds=0.02), 60
    solutions, each = domain.sample(keys.new(0), n), keys.split(keys.new(1), n)
    expected = remote.Serial(replace(domain, seconds=0.0), chunk=4).evaluate(each, solutions)
    with remote.Pool(domain, 2, chunk=4, retries=5) as pool:
        pool.evaluate(each[:4], solutions[:4])
        kills = threading.Timer(0.1, lambda: [os.kill(pid, signal.SIGKILL) for pid in pool.dispatcher.pids()])
        kills.start()
        evaluation = pool.evaluate(each, solutions)
        kills.join()
        assert same(evaluation, expected)
        assert pool.dispatcher.status().lost == 2 and pool.dispatcher.workload.retries > 0
        assert pool.dispatcher.workload.evaluations == n + 4 and not pool.dispatcher.workload.reasons


def test_programs_that_a_hung_evaluation_started_end_with_it():
    with remote.Pool(Holding("sleep"), 1, timeout=0.5, retries=0) as pool:
        pool.dispatcher._domain = ProgramThatSleeps()
        pool.evaluate(keys.split(keys.new(1), 2), np.array([[0.0], [1.0]]))
        ((_, failures),) = pool.dispatcher.calls
        assert [failure.reason for failure in failures] == ["timed_out"]
    sleepers = subprocess.run(["pgrep", "-f", "sleep 7531"], capture_output=True, text=True).stdout.split()
    assert sleepers == []


class ProgramThatSleeps:
    pure = False

    def evaluate(self, each, solutions):
        if solutions[0, 0]:
            subprocess.run(["sleep", "7531"])
        return np.zeros(1), {"end": np.zeros((1, 2))}


def test_where_all_solutions_fail_the_error_says_why():
    with remote.Pool(Unlucky("raised"), 1) as pool:
        pool.dispatcher._domain = AlwaysRaises()
        with pytest.raises(UserError, match=r"none of 3 solutions could be evaluated: raised: KeyError: 'wheel'"):
            pool.evaluate(keys.split(keys.new(1), 3), poisoned(3, 1))


class AlwaysRaises:
    pure = False

    def sample(self, key, n):
        return Bump().sample(key, n)

    def evaluate(self, each, solutions):
        raise KeyError("wheel")


@pytest.mark.parametrize(
    ("domain", "message"),
    [
        (Holding({"a": [threading.Lock()]}), r"Holding\.held\['a'\]\[0\] is a lock that cannot be pickled"),
        (Holding(lambda x: x), r"Holding\.held is a function that cannot be pickled"),
        (Holding(Bump(lambda: 1)), r"Holding\.held\.dim is a function"),
    ],
)
def test_a_domain_that_cannot_be_sent_is_refused_and_its_attribute_named(domain, message):
    with remote.Pool(domain, 1) as pool, pytest.raises(UserError, match=message):
        pool.evaluate(keys.split(keys.new(1), 1), poisoned(1, 0))


def test_settings_that_cannot_be_are_refused():
    with pytest.raises(UserError, match="workers=0 evaluates nothing; type workers=1 or more, or leave it out"):
        remote.Pool(Bump(), 0)
    with pytest.raises(UserError, match=r"remote\.timeout=0 ends every evaluation"):
        remote.Pool(Bump(), 1, timeout=0.0)
    with pytest.raises(UserError, match=r"remote\.chunk=0 is too small"):
        remote.Pool(Bump(), 1, chunk=0)
    with pytest.raises(UserError, match=r"remote\.retries=-1 is too small"):
        remote.Pool(Bump(), 1, retries=-1)
    with pytest.raises(UserError, match=r"remote\.memory=-1 is no limit"):
        remote.Pool(Bump(), 1, memory=-1)


@LINUX
def test_more_workers_than_fit_into_memory_are_refused_with_an_estimate(monkeypatch):
    monkeypatch.setattr(memory, "available", lambda: 100 * 2**20)
    with (
        remote.Pool(Bump(), 50) as pool,
        pytest.raises(UserError, match=r"50 workers of about \d+ MB each .* type workers=\d or fewer"),
    ):
        pool.evaluate(keys.split(keys.new(1), 1), poisoned(1, 0))


def test_a_worker_that_cannot_import_the_domain_says_so(tmp_path, monkeypatch):
    (tmp_path / "passing.py").write_text("class Passing:\n    pure = False\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    import passing

    domain = passing.Passing()
    (tmp_path / "passing.py").write_text("import no_such_package\n")
    with (
        remote.Pool(domain, 1) as pool,
        pytest.raises(UserError, match="cannot load the domain: ModuleNotFoundError.*no_such_package"),
    ):
        pool.evaluate(keys.split(keys.new(1), 1), poisoned(1, 0))


def test_a_script_without_its_guard_is_told_of_it(tmp_path):
    script = tmp_path / "script.py"
    script.write_text("from qd import keys, remote\nfrom tests.support.workers.domains import Bump, poisoned\n"
                      "remote.Pool(Bump(), 1).evaluate(keys.split(keys.new(1), 1), poisoned(1, 0))\n")  # fmt: skip
    process = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=120)
    assert process.returncode == 1 and '__name__ == "__main__"' in process.stderr


def test_a_domain_of_a_guarded_script_is_evaluated(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(textwrap.dedent("""
        import numpy as np
        from qd import keys, remote
        class Own:
            pure = False
            def evaluate(self, keys, solutions):
                return solutions.sum(1), {"end": solutions}
        if __name__ == "__main__":
            with remote.Pool(Own(), 1) as pool:
                print(*pool.evaluate(keys.split(keys.new(1), 2), np.ones((2, 3))).objective)
    """))  # fmt: skip
    process = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=120)
    assert (process.stdout, process.returncode) == ("3.0 3.0\n", 0), process.stderr


def test_without_a_worker_it_gives_up_after_its_patience():
    class Nobody:
        capacity = 1
        how_to_start = "buy one"

        def open(self, domain):
            return self

        def submit(self, task): ...

        def wait(self, seconds):
            return []

        def status(self):
            return remote.tasks.Status(0, 0, 3, 1)

        def close(self): ...

    shown = []
    pool = remote.Remote(Bump(), Nobody(), patience=0.05)
    pool.dispatcher.watch = shown.append
    with pytest.raises(UserError, match=r"no worker came within 0.05 s \(remote.patience\); buy one"):
        pool.evaluate(keys.split(keys.new(1), 1), poisoned(1, 0))
    pool.dispatcher.workload.add_work(1, 0.1)  # there was one before
    with pytest.raises(Spent, match=r"no worker is alive, and none came within 0.05 s \(remote.patience\)"):
        pool.evaluate(keys.split(keys.new(1), 1), poisoned(1, 0))
    assert str(shown[-1]) == "workers 0/0 busy, 3 lost, 1 in flight"


def test_the_wrapped_domain_is_still_there():
    domain = Bump()
    pool = remote.Pool(domain, 3, chunk=2)
    assert pool.objective_range == domain.objective_range and pool.dim == 4 and not pool.pure
    assert hash(pool) == hash(remote.Pool(domain, 3, chunk=2)) and pool == remote.Pool(domain, 3, chunk=2)
    with pytest.raises(AttributeError, match="no_such_ability"):
        pool.no_such_ability  # noqa: B018
