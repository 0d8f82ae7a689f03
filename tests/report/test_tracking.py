"""`qd log`: rows against evaluations, once each, the same run again; nothing but numbers leaves the machine."""

import importlib.util
import json
import os
import struct
import subprocess
import sys
from pathlib import Path
from typing import ClassVar

import pytest

from qd.cli.main import main
from qd.report.tracking import live, log, writers

TRACKERS = [
    pytest.param(
        name,
        marks=pytest.mark.skipif(
            importlib.util.find_spec(package) is None, reason=f"{package} lacks: pip install 'qd-atlas[{name}]'"
        ),
    )
    for name, package in writers.PACKAGES.items()
]
ROWS = ["evals,coverage,qd_score,best", "100,5.0,,1.0", "200,6.0,2.0,nan", "300,7.0,3.0,2.0"]


class MemoryTracker:
    """A tracker that remembers."""

    opened: ClassVar[list[tuple]] = []
    rows: ClassVar[list[tuple]] = []

    def __init__(self, *words):
        self.opened.append(words)
        self.id = words[3] or "first"

    def row(self, evaluations, values):
        self.rows.append((evaluations, dict(values)))

    def close(self):
        pass


@pytest.fixture
def memory(monkeypatch):
    MemoryTracker.opened, MemoryTracker.rows = [], []
    monkeypatch.setattr(writers, "check", lambda tracker: None)
    monkeypatch.setattr(writers, "TensorboardWriter", MemoryTracker)
    return MemoryTracker


def stored(run: Path, rows: int = 3) -> Path:
    run.mkdir(parents=True, exist_ok=True)
    (run / "metrics.csv").write_text("\n".join(ROWS[: rows + 1]) + "\n")
    (run / "config.yaml").write_text(json.dumps({
        "name": "arm", "seed": 3, "budget": 300, "domain": {"_target_": "domains.arm.Arm", "joints": 10, "key": "SECRET"},
        "lm": {"_target_": "feedback.lm.Client", "key_variable": "SECRET", "url": "http://SECRET"}, "runs": "/home/SECRET",
    }))  # fmt: skip
    (run / "events.jsonl").write_text('{"event": "refit", "evaluations": 150}\n{"event": "failed", "solution": ["SECRET"]}\n')
    return run


def test_each_row_is_sent_once_and_later_ones_go_to_the_same_run(tmp_path, memory):
    run = stored(tmp_path / "arm/s3", rows=2)
    assert main(["log", str(run), "--to", "tensorboard"]) == 0
    assert memory.rows == [
        (100, {"coverage": 5.0, "best": 1.0, "events/refit": 0.0}),
        (200, {"coverage": 6.0, "qd_score": 2.0, "events/refit": 1.0}),
    ]
    stored(run)
    assert main(["log", str(run), "--to", "tensorboard"]) == 0
    assert [evaluations for evaluations, _ in memory.rows] == [100, 200, 300] and memory.opened[1][3] == "first"


def test_nothing_but_numbers_and_choices_is_handed_over(tmp_path, memory):
    log.log(stored(tmp_path / "arm/s3"), "tensorboard")
    assert "SECRET" not in repr(memory.opened) + repr(memory.rows)
    assert memory.opened[0][2] == {"name": "arm", "seed": 3, "budget": 300, "domain": "Arm", "domain.joints": 10}


def test_a_run_that_goes_on_is_followed_to_its_end(tmp_path, memory, monkeypatch):
    run, looks = stored(tmp_path / "arm/s3", rows=1), iter([True, True, False])
    monkeypatch.setattr(log, "_is_alive", lambda process: next(looks))
    monkeypatch.setattr(log.time, "sleep", lambda seconds: stored(run, len(memory.rows) + 1))
    assert log.log(run, "tensorboard", process=1) == 3


@pytest.mark.parametrize("tracker", ["wandb", "mlflow", "tensorboard"])
def test_a_package_that_lacks_is_named(tmp_path, monkeypatch, capsys, tracker):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert main(["log", str(stored(tmp_path / "s3")), "--to", tracker]) == 1
    assert f"pip install 'qd-atlas[{tracker}]'" in capsys.readouterr().err


def test_what_is_no_run_and_no_tracker_is_refused(tmp_path, capsys):
    assert main(["log", str(tmp_path), "--to", "tensorboard"]) == 1
    assert "is no folder of a run" in capsys.readouterr().err
    assert main(["log", str(stored(tmp_path / "s3")), "--to", "tensorbord"]) == 1
    assert "tensorboard" in capsys.readouterr().err


def test_a_live_tracker_is_a_process_of_its_own(tmp_path, monkeypatch):
    processes = []
    monkeypatch.setattr(writers, "check", lambda tracker: None)
    monkeypatch.setattr(subprocess, "Popen", lambda words, **more: processes.append((words, more)))
    live.start(tmp_path, None)
    assert processes == []
    live.start(tmp_path, "wandb")
    ((words, more),) = processes
    assert words == [sys.executable, "-m", "qd", "log", str(tmp_path), "--to", "wandb", "--process", str(os.getpid())]
    assert more["start_new_session"]


def test_mlflow_without_a_place_to_write_to_is_answered_with_what_to_type(tmp_path, monkeypatch, capsys):
    pytest.importorskip("mlflow", reason="mlflow lacks: pip install 'qd-atlas[mlflow]'")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "nowhere://x")
    assert main(["log", str(stored(tmp_path / "s3")), "--to", "mlflow"]) == 1
    assert "MLFLOW_TRACKING_URI=file:mlruns" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize("tracker", TRACKERS)
def test_the_package_itself_takes_the_rows_offline(tmp_path, tracker):
    run = stored(tmp_path / "arm/s3")
    there = {
        "WANDB_MODE": "offline",
        "MLFLOW_TRACKING_URI": f"file:{tmp_path}/mlruns",
        "MLFLOW_ALLOW_FILE_STORE": "true",
        "HOME": str(tmp_path),
    }
    words = [sys.executable, "-m", "qd", "log", str(run), "--to", tracker]
    for _ in range(2):
        subprocess.run(words, check=True, env=os.environ | there, timeout=300)
    files = {
        "wandb": lambda: list(run.glob("trackers/wandb/offline-run-*/*.wandb")),
        "mlflow": lambda: list((tmp_path / "mlruns").glob("*/*/metrics/coverage")),
        "tensorboard": lambda: list(run.glob("trackers/tensorboard/events*")),
    }[tracker]()
    assert files
    assert main(["report", str(run)]) == 0  # whatever the tracker put into the folder
    if tracker == "mlflow":
        assert [line.split()[1:] for line in files[0].read_text().splitlines()] == [
            ["5.0", "100"],
            ["6.0", "200"],
            ["7.0", "300"],
        ]
    if tracker == "tensorboard":
        assert sorted(scalars(files)["coverage"]) == [(100, 5.0), (200, 6.0), (300, 7.0)]
    assert not any(
        b"SECRET" in path.read_bytes() for path in tmp_path.rglob("*") if path.is_file() and "trackers" in path.parts
    )


def scalars(files: list[Path]) -> dict[str, list[tuple[int, float]]]:
    """Reads event files: records of length (8 bytes), checksum (4), event, checksum (4)."""
    from tensorboardX.proto.event_pb2 import Event

    values: dict[str, list[tuple[int, float]]] = {}
    for file in files:
        content = file.read_bytes()
        while content:
            (length,) = struct.unpack("<Q", content[:8])
            event = Event.FromString(content[12 : 12 + length])
            for value in event.summary.value:
                values.setdefault(value.tag, []).append((event.step, value.simple_value))
            content = content[16 + length :]
    return values
