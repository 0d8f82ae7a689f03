"""Sweeps: killed half way they do only what is missing; one failing run is named, and leaves the rest intact."""

import importlib.util
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

from qd.cli.main import main
from qd.report import table
from qd.runner.sweep import exact_range
from qd.store import archive_file

HOUSE = Path(__file__).resolve().parents[2]
OURS = """import os, sys, time
from dataclasses import dataclass
from qd import keys
from qd.types import Evaluation

class Odd(Exception):
    def __init__(self, *, why): super().__init__(why)  # cannot be handed from one process to another

@dataclass(frozen=True)
class Disc:
    fails: str = "no"
    pure: bool = False
    def sample(self, key, n): return keys.uniform(key, (n, 2), -1, 1)
    def evaluate(self, keys, solutions):
        time.sleep(float(os.environ.get("PAUSE", "0")))
        if self.fails == "raise": raise Odd(why="it is odd")
        if self.fails == "exit": sys.exit(3)
        return Evaluation(1 - (solutions**2).sum(1) / 2, {"where": solutions})
"""
CHOICE = """# @package _global_
domain: {_target_: discs.Disc}
domain_defaults: {feature: where, bounds: [[-1, 1], [-1, 1]], dims: [9, 9]}
"""
SMALL = ("domain=disc", "budget=1200", "log_every=200", "save_every=200", "domain_defaults.batch_size=40", "console=off")
SWEEP = ("run", "-m", "seed=0,1,2", "emitter=isoline,gaussian", *SMALL)


@pytest.fixture
def place(tmp_path, monkeypatch) -> Path:
    """Somebody's own folder, with a domain in it."""
    (tmp_path / "conf/domain").mkdir(parents=True)
    (tmp_path / "conf/domain/disc.yaml").write_text(CHOICE)
    (tmp_path / "discs.py").write_text(OURS)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.delitem(sys.modules, "discs", raising=False)
    monkeypatch.setattr(
        "qd.report.figures.draw_heatmap", lambda run: []
    )  # the figures of each single run, which take longer than it
    return tmp_path


def folders(*, emitters=("isoline", "gaussian")) -> list[Path]:
    """In the order in which they are run."""
    rest = "domain_defaults.batch_size=40,{},log_every=200,save_every=200-s{}"
    return [Path("runs/disc", rest.format(f"emitter={emitter}", seed)) for seed in (0, 1, 2) for emitter in emitters]


def events(run: Path) -> list[str]:
    return [json.loads(line)["event"] for line in (run / "events.jsonl").read_text().splitlines()]


def same(one: Path, other: Path) -> None:
    ours, theirs = archive_file.load(one).columns, archive_file.load(other).columns
    assert ours.keys() == theirs.keys()
    assert all(np.array_equal(ours[name], theirs[name]) for name in ours)


def kill_in(run: Path, *command: str) -> None:
    """Gives a command in a process of its own, and kills it while ``run`` is between two checkpoints."""
    env = os.environ | {"PYTHONPATH": str(HOUSE), "PAUSE": "0.1"}
    process = subprocess.Popen([sys.executable, "-m", "qd", *command], env=env, stdout=subprocess.DEVNULL)
    metrics, patience = run / "metrics.csv", time.monotonic() + 240
    while not (metrics.exists() and len(metrics.read_text().splitlines()) >= 4):
        assert process.poll() is None and time.monotonic() < patience, f"{run} never got there"
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL


@pytest.mark.slow
def test_a_sweep_killed_half_way_and_given_again_does_only_what_is_missing(place, capsys):
    runs = folders()
    kill_in(runs[2], *SWEEP)
    finished, partial, missing = runs[:2], runs[2], runs[3:]
    assert all((run / "result.json").exists() for run in finished)
    assert (partial / "checkpoint").exists() and not (partial / "result.json").exists()
    assert not any(run.exists() for run in missing)
    before = {
        file: file.stat().st_mtime_ns for run in finished for file in run.rglob("*") if file.name not in (".lock", "disc")
    }

    assert main([*SWEEP]) == 0
    assert {file: file.stat().st_mtime_ns for file in before if file.is_file()} == {
        f: t for f, t in before.items() if f.is_file()
    }
    assert [events(run) for run in finished] == [["started"]] * 2
    assert events(partial) == ["started", "resumed"]
    assert [events(run) for run in missing] == [["started"]] * 3
    assert all((run / "result.json").exists() for run in runs)

    rows = table.read(Path("runs/disc/table.csv"))
    coverage = [row for row in rows if row.metric == "coverage_median"]
    assert [(row.n, "isoline" in row.method) for row in coverage] == [(3, True), (3, False)]
    assert Path("runs/disc/figures/curves.png").stat().st_size > 10_000
    assert "coverage" in capsys.readouterr().out

    assert main(["run", "seed=1", "emitter=isoline", *SMALL, "runs=alone"]) == 0
    same(partial, Path("alone", *partial.parts[1:]))


@pytest.mark.ci
def test_a_run_that_raises_or_exits_leaves_the_rest_intact(place, capsys):
    assert main(["run", "-m", "domain.fails=no,raise,exit", "seed=0,1", *SMALL]) == 1
    output = capsys.readouterr()
    assert len(list(place.glob("runs/disc/*/result.json"))) == 2
    assert "qd: 4 of 6 runs failed; typed again, the sweep does only these:" in output.err
    for seed in (0, 1):
        assert re.search(rf"^  domain.fails=raise seed={seed}: Odd: it is odd \(.*discs.py:\d+\)$", output.err, re.MULTILINE)
        assert re.search(rf"^  domain.fails=exit seed={seed}: SystemExit: 3 \(.*discs.py:\d+\)$", output.err, re.MULTILINE)
    assert output.err.count("Traceback") == 4
    (row,) = [row for row in table.read(Path("runs/disc/table.csv")) if row.metric == "qd_score_mean"]
    assert row.n == 2 and "fails=no" in row.method


def test_a_run_that_cannot_be_composed_is_named_and_left_out(place, capsys):
    assert main(["run", "-m", "refit=null,often", "seed=0", *SMALL]) == 1
    output = capsys.readouterr()
    assert re.search(r"^  refit=often: refit=often is no count of evaluations; type", output.err, re.MULTILINE)
    assert "Traceback" not in output.err and len(list(place.glob("runs/disc/*/result.json"))) == 1
    assert main(["run", "-m", "refit=often,never", *SMALL]) == 1
    assert "2 of 2 runs failed" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["seed=0,0"], "two runs of this sweep have one folder, runs/disc/"),
        (["budget=10,20"], "list each value once, and neither budget nor console"),
        (["seed=interval(0,1)"], r"seed=interval\(0,1\) lists no values; type seed=1,2,3 or seed=range\(0,5\)"),
        (["seed=range(0,0)"], r"seed=range\(0,0\) lists no values, so that nothing runs; type seed=1,2,3"),
        (["emitter=isoline,cma"], "unknown emitter 'cma'; type cma_me"),
        (["hydra/launcher=jbolib"], r"unknown launcher 'jbolib'; .*pip install 'qd-atlas\[sweep\]'"),
        (["hydra/sweeper=clever"], "Could not find 'hydra/sweeper/clever'"),
    ],
)
def test_nonsense_is_refused_before_anything_runs(place, capsys, words, message):
    assert main(["run", "-m", *SMALL, *words]) == 1
    error = capsys.readouterr().err
    assert re.search(f"^qd: .*{message}", error) and "Traceback" not in error
    assert not Path("runs").exists()


@pytest.mark.ci
def test_a_range_of_seeds_and_one_run_alone_are_sweeps_too(place):
    assert main(["run", "-m", "seed=range(0,2)", *SMALL]) == 0
    assert main(["run", "-m", "seed=5", *SMALL]) == 0
    assert sorted(run.parent.name[-2:] for run in place.glob("runs/disc/*/result.json")) == ["s0", "s1", "s5"]


@pytest.mark.ci
def test_a_sweep_and_a_run_alone_share_their_folders(place, capsys):
    assert main(["run", "seed=1", "emitter.variation.iso=0.1", *SMALL]) == 0
    (alone,) = place.glob("runs/disc/*/result.json")
    before = alone.stat().st_mtime_ns
    assert main(["run", "-m", "seed=0,1", "emitter.variation.iso=0.1", *SMALL]) == 0
    assert alone.stat().st_mtime_ns == before and len(list(place.glob("runs/disc/*/result.json"))) == 2


@pytest.mark.parametrize(
    ("launcher", "plugin", "more"),
    [
        ("joblib", "hydra_plugins.hydra_joblib_launcher", ["hydra.launcher.n_jobs=2"]),
        ("submitit_local", "hydra_plugins.hydra_submitit_launcher", ["hydra.launcher.timeout_min=5"]),
    ],
)
def test_runs_in_other_processes(place, capfd, monkeypatch, launcher, plugin, more):
    try:
        there = importlib.util.find_spec(plugin)
    except ModuleNotFoundError:
        there = None
    if there is None:
        pytest.skip(f"hydra/launcher={launcher} needs the extra: pip install 'qd-atlas[sweep]'")
    monkeypatch.setenv("PYTHONPATH", str(HOUSE))
    words = ["domain.fails=no,raise", "seed=0", *SMALL, f"hydra/launcher={launcher}", *more]
    assert main(["run", "-m", *words]) == 1
    output = capfd.readouterr()
    assert re.search(r"qd: 1 of 2 runs failed.*\n  domain.fails=raise: Odd: it is odd \(", output.err)
    (finished,) = place.glob("runs/disc/*/result.json")
    assert "fails=no" in str(finished) and Path("runs/disc/table.csv").exists()
    assert main(["collect", "runs"]) == 0  # whatever the launcher keeps beside them


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("range(0,1,0.1)", "0.0 0.1 0.2 0.3 0.4 0.5 0.6 0.7 0.8 0.9"),
        ("range(0.1,0.4,0.1)", "0.1 0.2 0.3"),  # Hydra 1.3.8 adds up the steps and reaches 0.4
        ("sort(range(0,0.5,0.1),reverse=true)", "0.4 0.3 0.2 0.1 0.0"),  # Hydra goes on to -0.1
        ("sort(range(1,6,2),reverse=true)", "5 3 1"),  # Hydra sweeps 4, 2, 0
        ("sort(range(5,0,-2))", "1 3 5"),
        ("sort(range(start=1,stop=6,step=2),reverse=true)", "5 3 1"),
        ("sort(range(1,6,2))", "1 3 5"),
        ("range(1e-5,4e-5,1e-5)", "1e-05 2e-05 3e-05"),
        ("range(5)", "0 1 2 3 4"),
        ("range(3,0,-1)", "3 2 1"),
        ("range(3,0)", ""),
    ],
)
def test_a_range_has_the_numbers_that_one_would_type_and_not_its_end(text, numbers):
    override = OverridesParser.create().parse_override(f"x={text}")
    assert exact_range(override.value(), list(override.sweep_string_iterator()), override.input_line or "") == numbers.split()


@pytest.mark.ci
def test_a_range_is_the_runs_of_its_short_values_and_one_begun_under_a_long_name_goes_on(place):
    words = ["emitter.variation.iso=range(0.2,0.35,0.1)", *SMALL]
    old = "emitter.variation.iso=0.30000000000000004"  # as typed in full, and as an earlier version named it
    assert main(["run", old, *SMALL]) == 0
    (earlier,) = place.glob("runs/disc/*/result.json")
    before = earlier.stat().st_mtime_ns
    assert main(["run", "-m", *words]) == 0
    names = sorted(path.parent.name.partition("iso=")[2].partition(",")[0] for path in place.glob("runs/disc/*/result.json"))
    assert names == ["0.2", "0.30000000000000004"] and earlier.stat().st_mtime_ns == before
    earlier.parent.rename(place / "moved")
    assert main(["run", "-m", *words]) == 0
    (short,) = place.glob("runs/disc/*iso=0.3,*/config.yaml")
    assert "iso: 0.3\n" in short.read_text()
    assert main(["run", "-m", "emitter.variation.iso=0.30000000000000004,0.3", *SMALL]) == 0  # typed in full: another value
    assert len(list(place.glob("runs/disc/*/result.json"))) == 3


def test_flags_of_hydra_may_follow_overrides(place, capsys):
    assert main(["run", "budget=1000", "--cfg", "job", "domain=arm"]) == 0
    assert "budget: 1000" in capsys.readouterr().out
