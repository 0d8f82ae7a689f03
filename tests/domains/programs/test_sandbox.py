"""Sandboxes: 25 probes of which none succeeds, limits, what is returned, and messages where one is not there."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import tempfile
import threading
import time
from pathlib import Path

import pytest

from domains.programs.sandbox import bubblewrap, worker
from domains.programs.sandbox.bubblewrap import Bubblewrap
from domains.programs.sandbox.limits import Execution, ExecutionLimits
from domains.programs.sandbox.monty import Monty
from domains.programs.sandbox.plain import Plain
from qd.support.errors import UserError
from tests.domains.programs.probes import PROBES

SHORT = ExecutionLimits(seconds=1, wall=2.5, memory=400, processes=24, files=4, output=0.5)


def sandbox(name: str, limits: ExecutionLimits = SHORT):
    if name == "monty":
        pytest.importorskip("pydantic_monty", reason="needs the extra 'programs'")
    elif name == "bubblewrap" and not shutil.which("bwrap"):
        pytest.skip("needs Debian's package bubblewrap")
    return {"monty": Monty, "bubblewrap": Bubblewrap, "none": Plain}[name](limits)


@pytest.fixture
def outside(tmp_path, monkeypatch):
    """A home folder with a marker, a listening socket that counts what it hears, and a process to end."""
    monkeypatch.setenv("QD_PROBE", "1")
    (tmp_path / "marker.txt").write_text("marker")
    victim = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    heard = []
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        server.settimeout(0.2)

        def listen():
            with contextlib.suppress(OSError):
                heard.append(server.accept()[1])

        thread = threading.Thread(target=listen)
        thread.start()
        words = {"folder": tmp_path, "home": tmp_path, "marker": tmp_path / "marker.txt"}
        yield words | {"port": server.getsockname()[1], "pid": victim.pid}, heard, victim
        thread.join()
    victim.kill()
    victim.wait()


@pytest.mark.parametrize("name", ["monty", "bubblewrap"])
@pytest.mark.parametrize("probe", PROBES)
def test_a_probe_fails_with_its_reason_and_the_next_program_runs(name, probe, outside, tmp_path):
    words, heard, victim = outside
    each = sandbox(name)
    before = set(tmp_path.iterdir())
    source = PROBES[probe]
    for word, value in words.items():
        source = source.replace(f"{{{word}}}", str(value))
    outcome = each.run(Execution(source, "result = 'it had its way'"))
    assert outcome.value is None and len(outcome.fault) > 5, outcome
    assert len(outcome.output) <= 600_000 and not heard
    assert set(tmp_path.iterdir()) == before and victim.poll() is None
    assert each.run(Execution("", "result = 6 * 7")).value == 42


def test_25_probes():
    assert len(PROBES) == 25


@pytest.mark.parametrize("name", ["monty", "bubblewrap", "none"])
def test_a_program_returns_what_json_holds_and_what_it_prints(name):
    outcome = sandbox(name).run(
        Execution("def f(x):\n    print('hello')\n    return [x, {'a': 0.5}]\n", "result = f(n)", {"n": 3})
    )
    assert outcome.value == [3, {"a": 0.5}] and outcome.fault == "" and outcome.output == "hello\n" and outcome.seconds < 60


@pytest.mark.parametrize("name", ["monty", "bubblewrap", "none"])
@pytest.mark.parametrize(
    ("source", "harness", "fault"),
    [
        ("def f(:\n    pass", "", "SyntaxError"),
        ("def g():\n    return 1", "result = f()", "NameError: name 'f' is not defined"),
        ("def f():\n    return 1 / 0", "result = f()", "ZeroDivisionError"),
        ("import nowhere_to_be_found", "", "ModuleNotFoundError"),
    ],
)
def test_a_fault_is_an_outcome(name, source, harness, fault):
    outcome = sandbox(name).run(Execution(source, harness))
    assert outcome.value is None and fault in outcome.fault


@pytest.mark.parametrize("name", ["bubblewrap", "none"])
def test_a_command_returns_the_json_of_its_last_line(name):
    each = sandbox(name)
    folder = "/job" if name == "bubblewrap" else "."
    files = {"a.sh": "echo hello; echo '{\"objective\": 3}'"}
    assert each.run(Execution(files=files, command=["sh", f"{folder}/a.sh"]))[:3] == ({"objective": 3}, "", "hello\n")
    assert "no JSON: 'hello'" in each.run(Execution(files={"a.sh": "echo hello"}, command=["sh", f"{folder}/a.sh"])).fault
    assert "status 3" in each.run(Execution(files={"a.sh": "exit 3"}, command=["sh", f"{folder}/a.sh"])).fault


def test_numpy_is_there_in_bubblewrap_and_two_runs_share_nothing():
    each = sandbox("bubblewrap")
    assert each.run(Execution("import numpy as np", "result = float(np.arange(4).sum())")).value == 6.0
    assert each.run(Execution("open('a', 'w').write('1')", "import os; result = os.listdir('.')")).value == ["a"]
    assert each.run(Execution("import os", "result = os.listdir('.')")).value == []


@pytest.mark.skipif(os.getuid() != 0, reason="only root can run it as another user")
def test_root_is_nobody_in_bubblewrap():
    real, effective = sandbox("bubblewrap").run(Execution("import os", "result = [os.getuid(), os.geteuid()]")).value
    assert real == effective and 65_000 < real <= 65_534  # each worker's programs are a user of their own


_LEAVE = """
import os, sys, numpy
open("/tmp/left", "w").write("1")
open("left", "w").write("1")
numpy.pi = 4
sys.modules["left"] = numpy
if os.fork() == 0:
    os.setsid()
    while True:
        pass
"""


def test_a_warm_worker_keeps_nothing_of_a_program():
    each = sandbox("bubblewrap")
    assert each.run(Execution(_LEAVE, "result = 1")).value == 1
    look = "result = [numpy.pi, os.listdir('.'), 'left' in os.listdir('/tmp'), 'left' in sys.modules, numbers()]"
    source = "import numpy, os, sys\ndef numbers():\n    return sorted(int(n) for n in os.listdir('/proc') if n.isdigit())\n"
    pi, here, in_tmp, known, processes = each.run(Execution(source, look)).value
    assert (pi, here, in_tmp, known, processes) == (3.141592653589793, [], False, False, [1, 2])
    draws = {
        each.run(Execution("import numpy, random", "result = [numpy.random.rand(), random.random()]")).value[0]
        for _ in range(3)
    }
    assert len(draws) == 3


_STARTS = """
import os, subprocess, sys

def start(*options):
    open("a.py", "w").write("import sys; print(sys.argv, __name__); print('wrong', file=sys.stderr); sys.exit(3)")
    done = subprocess.run([sys.executable, *options, "a.py", "x"], capture_output=True, text=True)
    return [done.returncode, done.stdout, done.stderr]
"""


@pytest.mark.parametrize("name", ["bubblewrap", "none"])
def test_a_script_that_a_program_starts_runs_as_python_itself_would_run_it(name):
    each = sandbox(name, ExecutionLimits(wall=60))
    forked, started = each.run(Execution(_STARTS, "result = [start(), start('-X', 'utf8')]")).value
    assert forked == started == [3, "['a.py', 'x'] __main__\n", "wrong\n"]


@pytest.mark.ci
def test_a_warm_worker_imports_packages_once_and_is_thrown_away_after_a_cut():
    each, before = sandbox("bubblewrap"), set(worker._BUSY)
    assert each.run(Execution("import sys", "result = 'fractions' in sys.modules", packages=["fractions", "nowhere"])).value
    number = max(set(worker._BUSY) - before, default=None)
    assert each.run(Execution("", "result = 1", packages=["fractions", "nowhere"])).value == 1
    assert max(set(worker._BUSY) - before, default=None) == number  # the same worker
    assert "by the clock" in each.run(Execution("import time", "time.sleep(9)", packages=["fractions", "nowhere"])).fault
    assert number not in worker._BUSY or number is None


def test_a_machine_without_bubblewrap_is_told_what_to_type(monkeypatch):
    monkeypatch.setattr(bubblewrap.shutil, "which", lambda name: None)
    bubblewrap._problem.cache_clear()
    with pytest.raises(UserError, match=r"needs the program bwrap.*apt install bubblewrap.*sandbox=none"):
        Bubblewrap().check()
    bubblewrap._problem.cache_clear()


def test_limits_that_are_none_are_refused():
    with pytest.raises(UserError, match=r"sandbox.limits.seconds=0 is no limit; type sandbox.limits.seconds=5"):
        Monty({"seconds": 0})
    with pytest.raises(UserError, match=r"sandbox.limits.time is no limit; type one of seconds, wall"):
        Bubblewrap({"time": 3})


def test_monty_runs_no_command():
    with pytest.raises(UserError, match="plain Python only"):
        sandbox("monty").run(Execution(command=["true"]))


@pytest.mark.slow
@pytest.mark.skipif(os.getuid() != 0 or not shutil.which("setpriv"), reason="only root can run it as another user")
def test_the_probes_of_an_ordinary_user_fail_too():
    house, packages = Path(__file__).parents[3], sysconfig.get_path("purelib")
    folder = tempfile.mkdtemp()  # a user's own: those of pytest are closed to others
    os.chmod(folder, 0o777)
    env = {"PATH": os.environ["PATH"], "HOME": folder, "PYTHONPATH": f"{house}:{packages}", "PYTHONDONTWRITEBYTECODE": "1"}
    if binary := shutil.which("monty", path=f"{Path(sys.executable).parent}:{env['PATH']}"):
        env["MONTY_BIN"] = binary
    nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    look = "import pytest, subprocess, sys; subprocess.check_call([sys.executable, '-c', ''])"
    for python in (sys.executable, f"/usr/bin/python3.{sys.version_info[1]}"):
        start = [*nobody, python, "-c", look]
        if shutil.which(python) and not subprocess.run(start, env=env, cwd="/", stderr=subprocess.DEVNULL).returncode:
            break
    else:
        pytest.skip("no Python here that another user than root can start")
    words = ["-q", "-p", "no:cacheprovider", f"--basetemp={folder}/t", __file__, "-k", "probe and fails"]
    done = subprocess.run([*nobody, python, "-m", "pytest", *words], env=env, cwd=house, capture_output=True, text=True)
    shutil.rmtree(folder)
    assert done.returncode == 0 and " passed" in done.stdout, done.stdout


def test_an_interpreter_that_is_ended_from_outside_is_a_failed_row_and_the_next_program_runs():
    monty = sandbox("monty", ExecutionLimits(seconds=20, wall=20))
    assert monty.run(Execution("result = 1")).value == 1
    results = []
    thread = threading.Thread(target=lambda: results.append(monty.run(Execution("while True:\n    pass"))))
    thread.start()
    time.sleep(0.5)
    for child in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            parent = int(child.read_text().rpartition(")")[2].split()[1])
            if parent == os.getpid() and b"monty" in (child.parent / "cmdline").read_bytes():
                os.kill(int(child.parent.name), signal.SIGKILL)
    thread.join(20)
    assert results and "crashed" in results[0].fault and results[0].value is None
    assert monty.run(Execution("result = 2")).value == 2
