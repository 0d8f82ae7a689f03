"""`qd view`: what the list says of runs is true, hostile folders run and reach nothing, bad input is named."""

import hashlib
import io
import json
import os
import re
import shlex
import shutil
import socket
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("starlette", reason="starlette lacks: pip install 'qd-atlas[web]'")
from PIL import Image
from starlette.testclient import TestClient

from qd.archives import CVT, Grid, Proximity
from qd.cli.main import main
from qd.report.stored_run import load_run
from qd.report.view import app, thumbnail
from qd.report.view.app import application
from qd.report.view.listing import Listing, describe
from qd.runner import live_map
from qd.store import archive_file, metrics_file
from qd.support import locks
from tests.support.stored_runs import PAYLOADS, hostile_run, small_run, stored_run

HOSTS = frozenset({"127.0.0.1:8764"})


def client(folder: Path, key: str | None = None) -> TestClient:
    return TestClient(application(Listing(folder), HOSTS, key), base_url="http://127.0.0.1:8764", follow_redirects=False)


def toy(folder: Path, settings: Any = None) -> Path:
    """A run that did not finish, with 60 elites."""
    folder.mkdir(parents=True)
    stored_run(folder, settings or Grid((6, 6)))
    (folder / "config.yaml").write_text("name: toy\nseed: 3\nbudget: 500\n")
    return folder


@pytest.fixture(scope="module")
def runs(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("view")
    small_run(folder)
    return folder / "runs"


def test_the_list_says_what_the_run_says(runs):
    (entry,) = client(runs).get("/runs.json").json()["runs"]
    run = load_run(runs / entry["id"])
    last = run.metrics.iloc[-1]
    assert entry["state"] == "finished" and entry["evaluations"] == 400 and entry["budget"] == 400
    assert entry["about"] == "Arm · Grid · 8×8" and shlex.split(entry["path"]) == [str(run.folder)]
    assert entry["scores"] == pytest.approx({name: last[name] for name in ("coverage", "qd_score", "best")})


def test_a_list_that_did_not_change_is_not_sent_again(tmp_path):
    run, browser = toy(tmp_path / "a"), client(tmp_path)
    have = browser.get("/runs.json").json()["version"]
    assert browser.get("/runs.json", params={"have": have}).status_code == 204
    with (run / "metrics.csv").open("a") as file:
        file.write(".0,,9.0\n")
    time.sleep(0.6)
    answer = browser.get("/runs.json", params={"have": have})
    assert answer.json()["runs"][0]["evaluations"] == 180 and answer.json()["runs"][0]["scores"] == {
        "coverage": 7.0,
        "best": 9.0,
    }


def test_a_request_that_waits_is_answered_once_the_run_changes(tmp_path, monkeypatch):
    run, browser = toy(tmp_path / "a"), client(tmp_path)
    monkeypatch.setattr(app, "_WAIT", 0.3)
    have = browser.get("/runs.json", params={"id": "a"}).json()["version"]
    began = time.monotonic()
    assert browser.get("/runs.json", params={"id": "a", "have": have, "wait": 1}).status_code == 204
    assert time.monotonic() - began >= 0.3
    monkeypatch.setattr(app, "_WAIT", 600)
    writer = threading.Timer(0.3, lambda: (run / "metrics.csv").write_text("evals,best\n190,9.0\n"))
    writer.start()
    answer = browser.get("/runs.json", params={"id": "a", "have": have, "wait": 1})
    assert answer.status_code == 200 and answer.json()["runs"][0]["evaluations"] == 190
    assert time.monotonic() - began < 60


def test_a_run_that_appears_is_listed_and_one_that_goes_is_not(tmp_path):
    listing = Listing(tmp_path)
    assert listing.entries() == []
    toy(tmp_path / "later/s0")
    time.sleep(0.6)
    assert [entry.id for entry in listing.entries()] == ["later/s0"]
    shutil.rmtree(tmp_path / "later")
    time.sleep(0.6)
    assert listing.entries() == []


def test_a_run_whose_lock_is_held_is_running(tmp_path):
    run = toy(tmp_path / "a")
    assert describe("a", run).state == "stopped"
    lock = locks.acquire(run / ".lock")
    running = describe("a", run)
    lock.release()
    assert running.state == "running" and running.budget == 500 and running.evaluations == 120
    assert describe("a", run, running).state == "stopped"


def test_the_archive_of_a_checkpoint_is_there_while_a_run_goes_on_and_gone_at_its_end(own_folder, monkeypatch):
    finished = small_run(own_folder, name="finished")
    assert not (finished / "now").exists()
    monkeypatch.setattr(live_map.LiveArchive, "remove", lambda self: None)
    run = small_run(own_folder)
    live = archive_file.load(run / "now")
    assert live.about["evaluations"] == 50 and 0 < len(live.columns["id"]) <= 50
    assert archive_file.newest(run) == run
    (run / "result.json").unlink()
    os.utime(run / "now/archive.json")  # as of a run that goes on after it was stopped
    assert archive_file.newest(run) == run / "now" and describe("a", run).about == "Arm · Grid · 8×8"


def test_the_last_row_of_metrics_is_the_last_whole_one(tmp_path):
    path = tmp_path / "metrics.csv"
    path.write_text("evals,best\n" + "".join(f"{i},{i / 2}\n" for i in range(60_000)) + "60000,3")
    assert metrics_file.last_row(path) == {"evals": 59_999.0, "best": 29_999.5}
    for text in ("", "evals,best\n", "evals,best", "evals,best\n1\n", "evals,best\n1,x\n", "\xff\n\xfe\n"):
        path.write_bytes(text.encode("latin-1"))
        assert metrics_file.last_row(path) == {}


def test_a_thumbnail_has_the_colour_of_each_elite_in_its_cell(tmp_path):
    run = toy(tmp_path / "a")
    picture = np.asarray(Image.open(io.BytesIO(thumbnail.draw(run))))
    columns = archive_file.load(run).columns
    across, up = np.unravel_index(columns["index"], (6, 6))
    assert picture.shape == (6, 6, 4) and (picture[..., 3] > 0).sum() == len(across)
    best, worst = np.argmax(columns["objective"]), np.argmin(columns["objective"])
    assert (picture[5 - up, across, 3] == 255).all()
    assert picture[5 - up[best], across[best], 0] > picture[5 - up[worst], across[worst], 0]  # yellow has more red than violet


@pytest.mark.parametrize("settings", [CVT(20), Proximity(), Grid((300, 4))], ids=["cvt", "proximity", "fine"])
def test_every_kind_of_archive_has_a_thumbnail(settings, tmp_path):
    picture = Image.open(io.BytesIO(thumbnail.draw(toy(tmp_path / "a", settings))))
    assert max(picture.size) <= 128 and picture.getextrema()[3][1] == 255


def test_measures_that_are_not_finite_and_no_elites_have_no_thumbnail(tmp_path):
    run = toy(tmp_path / "a")
    with np.load(run / "archive.npz") as arrays:
        columns = dict(arrays)
    columns["measures"] = np.full_like(columns["measures"], np.nan)
    np.savez(run / "archive.npz", **columns)
    header = json.loads((run / "archive.json").read_text())
    header["sha256"] = hashlib.sha256((run / "archive.npz").read_bytes()).hexdigest()
    (run / "archive.json").write_bytes(archive_file.encode_header(header))
    assert thumbnail.draw(run) is None
    assert client(tmp_path).get("/thumbnail", params={"id": "a"}).status_code == 204
    assert client(tmp_path).get("/report", params={"id": "a"}).status_code == 200


def test_the_report_is_made_from_the_files_and_made_again_when_they_change(runs, tmp_path):
    (run,) = (path.parent for path in runs.rglob("result.json"))
    shutil.copytree(run, tmp_path / "a")
    (tmp_path / "a/report.html").write_text("<script>parent.marked=1</script>")
    browser = client(tmp_path)
    answer = browser.get("/report", params={"id": "a"})
    assert "parent.marked" not in answer.text and answer.text.count("<script") == 2
    policy = answer.headers["content-security-policy"]
    assert "sandbox allow-scripts" in policy and "allow-same-origin" not in policy and "frame-ancestors 'self'" in policy
    assert re.findall("script-src 'sha256-[^']+'", policy)[0] in answer.text
    (tmp_path / "a/events.jsonl").write_text('{"event": "changed"}\n')
    assert browser.get("/report", params={"id": "a"}).text != answer.text


@pytest.mark.parametrize("id", ["../secret", "/etc", "a/../../secret", "b", "", "a\x00", ".."])
@pytest.mark.parametrize("page", ["/report", "/thumbnail", "/runs.json"])
def test_only_runs_of_the_list_are_answered(page, id, tmp_path):
    toy(tmp_path / "runs/a")
    toy(tmp_path / "secret")
    assert client(tmp_path / "runs").get(page, params={"id": id}).status_code == 404


def test_links_pipes_and_huge_files_of_a_stranger_are_not_opened(tmp_path):
    (tmp_path / "diary.yaml").write_text("name: private\n")
    names = ["config.yaml", "metrics.csv", "archive.json", "now", "events.jsonl"]
    for i, name in enumerate(names):
        run = toy(tmp_path / f"runs/{i}")
        shutil.rmtree(run / name) if (run / name).is_dir() else (run / name).unlink(missing_ok=True)
        (run / name).symlink_to(tmp_path / "diary.yaml")
    inside = toy(tmp_path / "runs/inside")
    (inside / "now").mkdir()
    (inside / "now/archive.json").symlink_to(tmp_path / "diary.yaml")
    pipe = toy(tmp_path / "runs/pipe")
    (pipe / "config.yaml").unlink()
    os.mkfifo(pipe / "config.yaml")
    large = toy(tmp_path / "runs/large")
    with (large / "archive.json").open("r+b") as file:
        file.truncate(65 << 20)
    (tmp_path / "runs/elsewhere").symlink_to(toy(tmp_path / "secret"))
    browser = client(tmp_path / "runs")
    entries = browser.get("/runs.json").json()["runs"]
    assert {entry["id"] for entry in entries} == {*map(str, range(len(names))), "inside", "pipe", "large"}
    for entry in entries:
        assert entry["state"] == "unreadable" and entry["problem"], entry
        for page in ("/report", "/thumbnail"):
            if entry["id"] != "large":
                answer = browser.get(page, params={"id": entry["id"]})
                assert answer.status_code == (422 if page == "/report" else 204) and "private" not in answer.text


def test_hostile_words_stay_words(tmp_path):
    (tmp_path / "a").mkdir()
    hostile_run(tmp_path / "a")
    (tmp_path / PAYLOADS[1]).mkdir()
    hostile_run(tmp_path / PAYLOADS[1])
    browser = client(tmp_path)
    answer = browser.get("/runs.json")
    assert answer.headers["content-type"] == "application/json" and answer.headers["x-content-type-options"] == "nosniff"
    assert {entry["id"] for entry in answer.json()["runs"]} == {"a", PAYLOADS[1]}
    for page in ("/", "/run?id=a"):
        answer = browser.get(page)
        assert "marked" not in answer.text and "default-src 'none'" in answer.headers["content-security-policy"]


def test_the_guard_of_the_labelling_page_stands_before_every_page(tmp_path):
    toy(tmp_path / "a")
    browser = client(tmp_path)
    for page in ("/", "/run", "/runs.json", "/report?id=a", "/thumbnail?id=a", "/static/index.js", "/shared/look.css"):
        assert browser.get(page).status_code == 200
        assert browser.get(page, headers={"host": "evil.example"}).status_code == 400
        assert browser.post(page).status_code == 405
        assert client(tmp_path, "secret").get(page).status_code == 401
    assert browser.get("/static/../app.py").status_code == 404


def test_a_damaged_run_is_named_and_the_others_are_shown(tmp_path):
    toy(tmp_path / "good")
    for name, data in (("config.yaml", b"\xff\xfe["), ("archive.json", b"[1"), ("archive.npz", b"PK")):
        run = toy(tmp_path / name)
        (run / name).write_bytes(data)
        if name == "config.yaml":
            (run / "archive.json").unlink()
    browser = client(tmp_path)
    states = {entry["id"]: entry["state"] for entry in browser.get("/runs.json").json()["runs"]}
    assert states == {"good": "stopped", "config.yaml": "unreadable", "archive.json": "unreadable", "archive.npz": "stopped"}
    assert browser.get("/thumbnail", params={"id": "archive.npz"}).status_code == 204
    assert browser.get("/report", params={"id": "archive.npz"}).status_code == 200


def test_five_hundred_runs_are_listed_in_less_than_a_second(tmp_path):
    source = toy(tmp_path / "runs/0")
    shutil.rmtree(source / "renderings")
    for i in range(1, 500):
        shutil.copytree(source, tmp_path / f"runs/{i}")
    began = time.process_time()
    assert len(Listing(tmp_path / "runs").entries()) == 500
    assert time.process_time() - began < 1


def test_bad_input_is_named(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        for words, problem in (
            ([str(tmp_path / "nothing")], "is not there; type qd run first"),
            ([str(tmp_path / "file")], "is no folder"),
            ([str(tmp_path), "--port", "0"], "--port 0 is out of range"),
            ([str(tmp_path), "--port", str(port)], f"port {port} of 127.0.0.1 cannot be used"),
            ([str(tmp_path), "--host", "256.1.1.1"], "256.1.1.1 cannot be used"),
        ):
            assert main(["view", *words]) == 1
            assert problem in capsys.readouterr().err
