"""The command line from outside: what it says, with which exit status; and the console."""

import io
import os
import re
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from qd.cli.main import COMMANDS, main
from qd.runner.display import console
from qd.runner.display.console import Console, clock, look_line, summary_lines
from tests.support.stored import stored

HOUSE = Path(__file__).resolve().parents[2]
ROW = {"evals": 100, "generation": 1, "coverage": 3.4, "qd_score": -5.46, "best": 49.5149, "failed": 2}
DISC = """from dataclasses import dataclass
from qd import keys
from qd.types import Evaluation

@dataclass(frozen=True)
class Disc:
    pure: bool = True
    def sample(self, key, n): return keys.uniform(key, (n, 2), -1, 1)
    def evaluate(self, keys, solutions): return Evaluation(-(solutions**2).sum(1), {"where": solutions})
"""
CHOICE = "# @package _global_\ndomain: {_target_: mine.Disc}\ndomain_defaults: {feature: where, bounds: [[-1, 1], [-1, 1]]}\n"


def qd(*args: str, where: Path, path: Path = HOUSE) -> subprocess.CompletedProcess:
    """Runs the command as its entry point does, in another folder."""
    env = {k: v for k, v in os.environ.items() if k != "OPENBLAS_NUM_THREADS"} | {
        "PYTHONPATH": str(path),
        "JAX_PLATFORMS": "cpu",
    }
    entry = [sys.executable, "-c", "import sys; sys.path.remove(''); from qd.cli.main import main; sys.exit(main())", *args]
    return subprocess.run(entry, cwd=where, env=env, capture_output=True, text=True, timeout=300)


def test_help_is_quick_and_lists_every_command(tmp_path):
    times = []
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        output = qd("--help", where=tmp_path)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)  # by CPU time, which other tests disturb least
        times.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    assert output.returncode == 0 and not output.stderr
    assert all(re.search(rf"^  {name} +\S", output.stdout, re.MULTILINE) for name in COMMANDS)
    assert min(times) < 0.3


def test_unknown_names_are_answered_in_one_line(capsys):
    assert main(["rnu"]) == 1
    assert main(["experiment", "nothing_like_it"]) == 1
    assert main(["run", "domain=amr"]) == 1
    assert main(["run", "-m", "domain=arm,amr"]) == 1
    output = capsys.readouterr()
    assert "qd: unknown command 'rnu'; type run\n" in output.err
    assert "qd: unknown study 'nothing_like_it'; type " in output.err
    assert output.err.count("qd: unknown domain 'amr'; type arm\n") == 2
    assert "qd: qd experiment is called qd study now" in output.err
    assert len(output.err.splitlines()) == 5 and not output.out


def test_run_hands_its_words_on_in_their_order(monkeypatch):
    words = ["-m", "seed=0,1", "--cfg", "job", "a=b", "-cd", "x", "~c"]
    monkeypatch.setattr("qd.runner.launch.launch", lambda rest: 7 if rest == words else 0)
    assert main(["run", *words]) == 7


def test_help_of_run_lists_every_choice(capsys):
    assert main(["run", "--help"]) == 0
    output = capsys.readouterr().out
    assert re.search(r"^  domain=arm +\w+, .*arm_cma, ", output, re.MULTILINE) and "cma_mae" in output


def test_a_misspelt_setting_ends_it_without_a_traceback(tmp_path):
    output = qd("run", "domain.jonts=3", where=tmp_path)
    assert output.returncode == 1 and not (tmp_path / "runs").exists()
    assert output.stderr == "importing ...\nqd: unknown setting 'domain.jonts' of Arm; type domain.joints\n"


def test_a_mistake_of_somebody_elses_code_keeps_its_traceback(monkeypatch):
    monkeypatch.setattr("qd.cli.run.main", lambda args: int("x"))
    with pytest.raises(ValueError, match="invalid literal"):
        main(["run"])


@pytest.mark.ci
def test_a_run_with_their_own_domain_tells_where_its_files_are(tmp_path):
    (tmp_path / "conf/domain").mkdir(parents=True)
    (tmp_path / "conf/domain/disc.yaml").write_text(CHOICE)
    (tmp_path / "mine.py").write_text(DISC + "import os\nprint('threads', os.environ['OPENBLAS_NUM_THREADS'])\n")
    output = qd("run", "domain=disc", "budget=700", where=tmp_path)
    assert output.returncode == 0 and output.stderr.splitlines() == ["importing ...", "compiling ..."], output.stderr
    assert re.search(
        r"^gen 1  100/700  -/s  coverage \S+ %  QD score not defined  best -\S+  failed 0$", output.stdout, re.MULTILINE
    )
    assert re.search(r"^finished: 868 evaluations in 0:\d\d \([\d,]+/s\)$", output.stdout, re.MULTILINE)
    assert "runs/disc/s0: archive.npz, metrics.csv, history.npz" in output.stdout
    assert re.search(r"^drawn: .*figures/heatmap\.png.*\nnext: open runs/disc/s0/report\.html\n\Z", output.stdout, re.MULTILINE)
    assert "DOCTYPE" in (tmp_path / "runs/disc/s0/report.html").read_text(encoding="utf-8").upper()
    assert output.stdout.count("report.html") == 1 and "threads 1" in output.stdout
    assert (tmp_path / "runs/disc/s0/result.json").exists() and not (tmp_path / ".hydra").exists()
    assert {path.name for path in tmp_path.iterdir()} - {"__pycache__"} == {"conf", "mine.py", "runs"}


@pytest.mark.ci
def test_a_domain_that_raises_is_named_with_its_line(tmp_path):
    (tmp_path / "conf/domain").mkdir(parents=True)
    (tmp_path / "conf/domain/disc.yaml").write_text(CHOICE)
    host = DISC.replace("pure: bool = True", "pure: bool = False")
    raising = host.replace(
        "def evaluate(self, keys, solutions): return",
        "def evaluate(self, keys, solutions):\n        if CALLS.append(1) or len(CALLS) > LAST: {}[7]\n        return",
    )
    for last, where in (
        (6, r"in generation \d+ \(rows \d+\.\.\d+\); results until the last checkpoint are in runs/disc/s0"),
        (0, r"in generation 0 \(rows 0\.\.\d+\); nothing is saved yet"),
    ):
        (tmp_path / "mine.py").write_text(raising.replace("\n@", f"\nCALLS, LAST = [], {last}\n@"))
        output = qd("run", "domain=disc", "budget=3000", *["again=true"] * (last == 0), where=tmp_path)
        *waiting, line, error, hint, end = output.stderr.strip().splitlines()
        assert output.returncode == 1 and waiting == ["importing ...", "compiling ..."]
        assert re.fullmatch(r"mine\.py:\d+, in evaluate: if CALLS\.append\(1\) or len\(CALLS\) > LAST: \{\}\[7\]", line), line
        assert error == "KeyError: 7" and hint == "(QD_TRACEBACK=1 before the command: the whole traceback)"
        assert re.fullmatch(rf"qd: domain Disc raised KeyError {where}: correct it and type the command again", end), end
    assert not (tmp_path / "runs/disc/s0/result.json").exists()


@pytest.mark.ci
def test_a_run_whose_reader_leaves_goes_on(tmp_path):
    with subprocess.Popen(
        [sys.executable, "-m", "qd", "run", "budget=300", "domain.joints=3"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(HOUSE), "JAX_PLATFORMS": "cpu"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as run:
        assert run.stdout and run.stderr
        assert run.stdout.readline().startswith("gen ")
        run.stdout.close()
        output = run.stderr.read()
    assert run.returncode == 0 and set(output.splitlines()) <= {"importing ...", "compiling ..."}
    (folder,) = (path.parent for path in tmp_path.glob("runs/arm/*/result.json"))
    assert (folder / "figures/heatmap.png").exists()


@pytest.mark.ci
def test_a_folder_of_theirs_that_hides_our_domains_is_named(tmp_path):
    (tmp_path / "domains").mkdir()
    (tmp_path / "domains/__init__.py").write_text("")
    appended = qd("run", "domain.joints=0", where=tmp_path)
    assert "hides ours" not in appended.stderr and "an arm of 0 joints cannot reach" in appended.stderr
    shadowed = qd("run", where=tmp_path, path=Path(f"{tmp_path}:{HOUSE}"))
    assert shadowed.returncode == 1 and "Traceback" not in shadowed.stderr
    assert f"the package `domains` is {tmp_path}/domains, which hides ours" in shadowed.stderr.replace("/private", "")
    assert "rename that folder" in shadowed.stderr


@pytest.mark.ci
def test_a_sweep_goes_on_where_one_job_fails(own_folder, capfd):
    tmp_path = own_folder
    assert main(["run", "-m", "domain.joints=0,3", "seed=0", "budget=300", "runs=there"]) == 1
    output = capfd.readouterr()
    assert "an arm of 0 joints cannot reach" in output.out + output.err
    assert (tmp_path / "there/arm/domain.joints=3-s0/result.json").exists()
    assert not list(tmp_path.glob("there/arm/domain.joints=0*/result.json"))


@pytest.mark.parametrize("words", [["run", "--help"], ["--help"], ["query", "RUN", "--top", "99", "--json"], ["new", "walk"]])
def test_a_command_whose_reader_leaves_ends_without_a_traceback(words, tmp_path):
    if "RUN" in words:
        stored(tmp_path / "run", np.zeros((2, 3), np.float32))
    command = [sys.executable, "-m", "qd", *(str(tmp_path / "run") if word == "RUN" else word for word in words)]
    read, write = os.pipe()
    os.close(read)
    try:
        env = os.environ | {"PYTHONPATH": str(HOUSE), "JAX_PLATFORMS": "cpu", "PYTHONUNBUFFERED": "1" * ("new" in words)}
        done = subprocess.run(command, cwd=tmp_path, env=env, stdout=write, stderr=subprocess.PIPE, text=True, timeout=300)
    finally:
        os.close(write)
    assert (done.returncode, done.stderr) == (141, "")


def test_a_broken_socket_is_no_reader_that_leaves(monkeypatch):
    def broken(words):
        raise BrokenPipeError(32, "a socket")

    monkeypatch.setattr("qd.cli.run.main", broken)
    with pytest.raises(BrokenPipeError, match="a socket"):
        main(["run"])


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_plain_lines_come_every_few_seconds(monkeypatch):
    now, file = [0.0], io.StringIO()
    monkeypatch.setattr(console.time, "monotonic", lambda: now[0])
    told = Console(budget=1000, file=file)
    for i in range(9):  # one update a second
        now[0] = float(i)
        told.update(ROW | {"evals": 100 * (i + 1), "generation": i + 1})
    told.say("something else")
    assert file.getvalue().splitlines() == [
        "gen 1  100/1,000  -/s  coverage 3.4 %  QD score -5.46  best 49.51  failed 2",
        "gen 6  600/1,000  100/s  coverage 3.4 %  QD score -5.46  best 49.51  failed 2  0:04 left",
        "something else",
    ]


def test_a_terminal_gets_one_live_line():
    file = Terminal()
    told = Console(budget=1000, file=file)
    told.update(ROW)
    told.update(ROW | {"evals": 200})
    told.say("[in between]")
    told.close(result(Path("nowhere"), "stopped"))
    output = file.getvalue()
    assert "200/1,000" in output and "[in between]" in output and "\x1b[2K" in output  # the line is written over
    assert output.rstrip().endswith("next: type the same command to go on")
    assert not any(line.startswith("next") for line in summary_lines(result(Path("nowhere"), "spent")))  # it wants more first


def test_what_is_not_defined_is_not_a_number():
    for nothing in (float("nan"), None):
        assert "coverage not defined  QD score not defined  best 49.51" in Console(9, "plain").line(
            ROW | {"coverage": nothing, "qd_score": nothing}
        )


def test_off_is_silent_and_an_unknown_console_is_named(capsys):
    told = Console(9, "off")
    told.update(ROW)
    told.say("x")
    told.close(result(Path("nowhere"), "finished"))
    assert capsys.readouterr().out == ""
    with pytest.raises(ValueError, match=r"unknown console 'plian'; type plain"):
        Console(9, "plian")


def result(folder: Path, status: str) -> dict:
    return {"status": status, "metrics": ROW, "folder": str(folder), "evaluations": 5000, "wall_s": 2.5}


def test_the_summary_names_the_files_that_are_there(tmp_path):
    folder = tmp_path / "a b"
    (folder / "renderings").mkdir(parents=True)
    (folder / "metrics.csv").write_text("")
    assert summary_lines(result(folder, "finished")) == [
        "finished: 5,000 evaluations in 0:02 (2,000/s)",
        "coverage 3.4 %  QD score -5.46  best 49.51  failed 2",
        f"{folder}: metrics.csv, renderings/",
    ]
    assert look_line(folder) == f"next: qd report '{folder}'"  # its page is not written yet
    (folder / "report.html").touch()
    assert look_line(folder) == f"next: open {folder / 'report.html'}"
    refereed = ROW | {"coverage_current": 50.0, "qd_score_current": 40.0, "coverage_all": 60.0, "qd_score_all": None}
    output = summary_lines(result(folder, "finished") | {"metrics": refereed})
    assert output[2] == "by the referee, current: coverage 50.0 %, QD score 40.00; all: coverage 60.0 %, QD score not defined"


def test_the_summary_tells_of_measures_outside_the_bounds(tmp_path):
    def output(**more) -> str:
        return "\n".join(
            summary_lines(result(tmp_path, "finished") | {"metrics": ROW | {"evals": 5000, "failed": 1000} | more})
        )

    assert "outside 41 (1.0 %): they crowd the border cells; widen the bounds" in output(outside=41)
    assert "outside 1,000 (25.0 %)" in output(outside=1000)
    assert "outside" not in output(outside=40)  # 1 % of those that were judged
    assert "outside" not in output(outside=1000, coverage=None)  # no cells
    assert "outside" not in output(failed=5000, outside=0)


def test_clock():
    assert [clock(s) for s in (0.4, 59.6, 75, 3725)] == ["0:00", "1:00", "1:15", "1:02:05"]
