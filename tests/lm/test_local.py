"""The local server: a child process, here with a toy engine in place of xllamacpp; it is shared and ends with its parent."""

import importlib.util
import os
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from feedback.lm.client import LM
from feedback.lm.local.server import Local, stop
from feedback.lm.local.weights import home
from qd.config.compose import assemble, load

HERE = home()  # the user's; tests themselves have another
HOUSE = Path(__file__).resolve().parents[2]
ENGINE = """
import sys, threading, types
from http.server import ThreadingHTTPServer
from feedback.lm import toy

class CommonParams(types.SimpleNamespace):
    def __init__(self):
        super().__init__(**{name: types.SimpleNamespace() for name in ("model", "cpuparams", "cpuparams_batch")})

class Loading(toy._Handler):
    asked = 0
    def do_GET(self):
        Loading.asked += 1
        self._say(503 if Loading.asked < 3 else 200, {})

class Server:
    def __init__(self, params):
        assert params.hostnames == ["127.0.0.1"] and params.port == 0 and params.n_parallel == 1
        assert params.cpuparams.n_threads == params.cpuparams_batch.n_threads == 1 and params.n_ctx == 2048
        print("an engine says much on standard output")
        if b"broken" in open(params.model.path, "rb").read():
            raise RuntimeError("failed to load model")
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Loading)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.listening_address = f"http://127.0.0.1:{self.server.server_address[1]}"
"""


@pytest.fixture
def weights(tmp_path, monkeypatch):
    """A file that is taken for a model, and an engine that is taken for xllamacpp."""
    (tmp_path / "engine").mkdir()
    (tmp_path / "engine" / "xllamacpp.py").write_text(ENGINE, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path / "engine"))
    path = tmp_path / "model.gguf"
    path.write_bytes(b"GGUF and more")
    yield str(path)
    stop()


def is_alive(pid):
    """A process that has ended and waits to be reaped is not alive."""
    status = Path(f"/proc/{pid}/stat")
    return status.exists() and status.read_text().rsplit(") ", 1)[1][0] not in "ZX"


def gone(pid, seconds=10.0):
    until = time.monotonic() + seconds
    while is_alive(pid) and time.monotonic() < until:
        time.sleep(0.05)
    return not is_alive(pid)


def test_one_child_serves_all_who_ask_for_the_same(weights):
    url = Local(weights).start()
    assert url.startswith("http://127.0.0.1:") and url.endswith("/v1")
    assert Local(weights).start() == url
    assert urllib.request.urlopen(url.replace("/v1", "/health"), timeout=5).status == 200
    pid = Local(weights).pid
    assert pid not in (None, os.getpid()) and is_alive(pid)
    os.kill(pid, signal.SIGKILL)
    assert gone(pid)
    until = time.monotonic() + 10.0
    while Local(weights).start() and Local(weights).pid == pid and time.monotonic() < until:
        time.sleep(0.05)  # its first thread is gone, the last of the others may need a moment more
    assert Local(weights).pid != pid  # one that died is started again
    again = Local(weights).pid
    Local(weights).close()
    assert gone(again)


def test_the_client_speaks_to_it_as_to_any_endpoint(weights):
    lm = LM(model="toy", server=Local(weights))
    scores = lm.label_scores(
        ["We lost, and he died.\nAnswer with one word: sad or happy.", "joy\nAnswer sad or happy."], ("sad", "happy")
    )
    assert scores.probabilities[0, 0] > 0.5 > scores.probabilities[1, 0]
    assert (scores.mass > 0.9).all()
    lm.close()


def test_it_ends_with_its_parent_however_that_ends(weights):
    program = (
        f"from feedback.lm.local.server import Local; s = Local({weights!r}); s.start(); print(s.pid, flush=True); input()"
    )
    engine = str(Path(weights).parent / "engine")
    env = os.environ | {"PYTHONPATH": os.pathsep.join([engine, str(HOUSE)])}
    for end in (signal.SIGKILL, signal.SIGTERM):
        parent = subprocess.Popen(
            [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env
        )
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        assert is_alive(child)
        parent.send_signal(end)
        parent.wait()
        assert gone(child), end


def test_what_is_missing_is_named_with_the_line_to_type(weights, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "empty"))
    with pytest.raises(ValueError, match="type qd fetch local_small"):
        Local("local_small").start()
    assert len(Local("local_small").fingerprint) == 64  # known without the file, so that a recording needs none
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match=r"pip install 'qd-atlas\[local-lm\]'"):
        Local(weights).start()


def test_a_missing_model_stops_the_first_call_and_is_no_failed_row(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(ValueError, match="type qd fetch local"):
        LM(model="local", server=Local("local"))(["Hello."])


def test_an_engine_that_cannot_load_says_why(weights, tmp_path):
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(b"GGUF broken")
    with pytest.raises(ValueError, match="failed to load model"):
        Local(str(broken)).start()


@pytest.mark.parametrize(("words", "calls"), [([], 1), (["lm.server.slots=7"], 7), (["lm.limits.concurrency=3"], 3)])
def test_as_many_calls_at_a_time_as_it_has_slots(words, calls):
    assert assemble(load(["domain=bin_packing", "lm=local_small", *words])).services[0].limits.concurrency == calls


def test_another_file_is_another_model(weights, tmp_path):
    other = tmp_path / "other.gguf"
    other.write_bytes(b"GGUF and less")
    assert Local(weights).fingerprint == Local(weights, threads=2).fingerprint != Local(str(other)).fingerprint


@pytest.mark.slow
def test_the_real_model_judges_by_log_probability(monkeypatch):
    pytest.importorskip("xllamacpp", reason="needs pip install 'qd-atlas[local-lm]'")
    if not (HERE / "local_small").is_dir():
        pytest.skip("the weights are not there: qd fetch local_small")
    monkeypatch.setenv("XDG_CACHE_HOME", str(HERE.parents[1]))
    lm = LM(model="local_small", server=Local("local_small"))
    question = "Is this an animal or a tool? {} Answer with one word: animal or tool."
    p = lm.label_scores([question.format(text) for text in ("A horse.", "A hammer.")], ("animal", "tool")).probabilities[:, 1]
    assert p[0] < 0.5 < p[1]  # 0.28 and 0.91; whether a story is sad or happy it cannot say
    assert lm.endpoint_traits.logprobs and lm.endpoint_traits.completions and lm.endpoint_traits.seed == "repeats"
    Local("local_small").close()
