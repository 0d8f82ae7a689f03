"""A domain that calls a program for each solution: what it gets, what may come back, and every way in which a call fails."""

import json
import os
import time
from pathlib import Path

import numpy as np
import pytest

from domains.program import Program, ProgramError
from qd import keys, remote
from qd.config import compose
from qd.config.scaffold import new
from qd.support.errors import UserError


@pytest.fixture
def here(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def script(name: str, text: str) -> tuple[str, ...]:
    """Writes an executable of the shell, which starts faster than Python."""
    Path(name).write_text(f"#!/bin/sh\n{text}\n")
    Path(name).chmod(0o755)
    return (f"./{name}",)


def evaluate(domain: Program, n: int = 1):
    return domain.evaluate(keys.split(keys.new(1), n), domain.sample(keys.new(0), n))


def test_objectives_that_float32_cannot_tell_apart_stay_apart(here):
    """20,000,000 and 20,000,001 are one number in float32, and the first to come would keep the cell."""
    command = script(
        "sim", """cat > asked; printf '{"objective": 2000000%d, "features": {"end": 0}}' $(grep -c '"key": .0, 1' asked)"""
    )
    domain = Program(command, 2, {"end": []})  # type: ignore[arg-type]
    found = domain.evaluate(np.array([[0, 0], [0, 1]], np.uint32), np.zeros((2, 2), np.float32))
    assert found.objective.tolist() == [20_000_000.0, 20_000_001.0]


def test_a_program_gets_solution_and_key_and_its_answer_comes_back(here):
    answer = '{"objective": -1.5, "features": {"end": [1, 2], "speed": 3, "more": "x"}}'
    command = script("sim", f"cat > {here}/asked.$$; pwd > {here}/where.$$; echo '{answer}'")
    domain = Program(command, 3, {"end": 2, "speed": []})  # type: ignore[arg-type]
    evaluation = evaluate(domain, 2)
    assert evaluation.objective.tolist() == [-1.5, -1.5] and evaluation.objective.dtype == np.float64
    assert evaluation.features["end"].tolist() == [[1, 2], [1, 2]] and evaluation.features["speed"].tolist() == [3, 3]
    questions = [json.loads(path.read_text()) for path in sorted(here.glob("asked.*"))]
    expected = domain.sample(keys.new(0), 2).tolist()
    assert sorted(each["solution"] for each in questions) == sorted(expected)
    assert sorted(each["key"] for each in questions) == sorted(keys.split(keys.new(1), 2).tolist())
    folders = {path.read_text().strip() for path in here.glob("where.*")}
    assert len(folders) == 2 and not any(map(os.path.exists, folders))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("echo no wheel >&2; exit 3", r"exit status 3; stderr ends in 'no wheel\\n'"),
        ("kill -9 $$", "exit status -9"),
        ("printf 'so \\033[31mred'", r"no JSON: 'so \\x1b\[31mred'"),
        ("yes | head -c 300", r"no JSON: '(y\\n){100}'"),
        ("true", "no JSON: ''"),
        ("echo '[1]'", r"no objective: '\[1\]\\n'"),
        ("""echo '{"objective": "x", "features": {}}'""", "its objective 'x' is no finite number"),
        ("""echo '{"objective": true, "features": {}}'""", "its objective True is no finite number"),
        ("""echo '{"objective": 1}'""", r"its features are 'None', but the domain's yaml has \['end'\]"),
        ("""echo '{"objective": 1, "features": {"end": [1]}}'""", r"its feature 'end' is '\[1\]', but it must be .* \[2\]"),
        ("""echo '{"objective": 1, "features": {"end": [1, NaN]}}'""", "its feature 'end' is"),
        ("""echo '{"objective": 1, "features": {"end": {"x": 1}}}'""", "its feature 'end' is"),
    ],
)
def test_every_way_in_which_a_call_fails_is_named(here, text, message):
    with pytest.raises(ProgramError, match=message):
        evaluate(Program(script("sim", text), 3, (("end", (2,)),)))


def test_null_means_that_the_solution_failed(here):
    evaluation = evaluate(Program(script("sim", """echo '{"objective": null}'"""), 3, (("end", (2,)),)))
    assert np.isnan(evaluation.objective).all() and not evaluation.features["end"].any()


def test_folders_of_failed_calls_can_be_kept(here):
    domain = Program(script("sim", "echo oh >&2; touch mark; exit 1"), 3, (("end", (2,)),), keep_failed="failed")
    with pytest.raises(ProgramError, match="its folder is"):
        evaluate(domain)
    (folder,) = (here / "failed").iterdir()
    assert (folder / "stderr").read_text() == "oh\n" and (folder / "mark").exists()


def test_a_program_that_cannot_be_called_is_refused(here):
    with pytest.raises(UserError, match=r"the program './sim' is not there; type domain.command=\[./NAME\]"):
        Program(("./sim",), 3, ())
    Path("sim").write_text("#!/bin/sh\n")
    with pytest.raises(UserError, match=r"the program './sim' is not executable; type chmod \+x ./sim"):
        Program(("./sim",), 3, ())
    with pytest.raises(UserError, match=r"command=\[\] names no program"):
        Program((), 3, ())
    assert Program(("sh", "sim"), 3, ()).space == (-1.0, 1.0)


@pytest.mark.ci
def test_a_call_that_hangs_and_its_own_children_end_at_the_time_limit(here):
    text = f"""read line; case "$line" in *7.5*) echo $$ > {here}/pid; sleep 3600;; esac
        echo '{{"objective": 1, "features": {{}}}}'"""
    domain = Program(script("sim", text), 1, ())
    solutions = np.array([[1.0], [7.5], [2.0]], np.float32)
    with remote.Pool(domain, 1, timeout=5.0, retries=0) as pool:
        evaluation = pool.evaluate(keys.split(keys.new(1), 3), solutions)
        ((_, failures),) = pool.dispatcher.calls
    assert [(failure.row, failure.reason) for failure in failures] == [(1, "timed_out")]
    assert np.isnan(evaluation.objective).tolist() == [False, True, False]
    status = Path("/proc", (here / "pid").read_text().strip(), "status")
    for _ in range(100):  # the system takes a moment to end it; a dead one may wait for its parent as a zombie
        if not status.exists() or "State:\tZ" in status.read_text():
            return
        time.sleep(0.1)
    raise AssertionError("the program still runs")


def test_qd_new_writes_a_program_that_composes_and_answers(here):
    assert [path.name for path in new("walk", program=True)] == ["walk_program", "walk.yaml"]
    settings = compose.load(["domain=walk"])
    assert (settings.workers, settings.remote.timeout, settings.budget) == (2, 60.0, 1000)
    domain = compose.assemble(settings).search.domain.domain
    evaluation = domain.evaluate(keys.split(keys.new(1), 1), np.zeros((1, 8), np.float32))
    assert evaluation.objective.tolist() == [0.0] and evaluation.features["end"].tolist() == [[1.0, 0.0]]
