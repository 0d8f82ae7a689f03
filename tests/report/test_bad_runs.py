"""Bad input of the pages: what is no run, cut off, not finite, empty, no drawing or huge is named, and the rest is shown."""

import hashlib
import json
import re
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("starlette", reason="starlette lacks: pip install 'qd-atlas[web]'")
from starlette.testclient import TestClient

from qd.archives import Grid, insert
from qd.cli.main import main
from qd.report.page import bundle, write
from qd.report.view.app import application
from qd.report.view.listing import Listing
from qd.store import archive_file
from qd.types import Rows
from tests.support.stored_runs import BOUNDS, stored_run


def report(run: Path) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    return bundle.unpack(re.findall(r'id="data">([^<]*)<', write.write(run).read_text())[0])


def compared(folder: Path) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    assert main(["compare", str(folder)]) == 0
    return bundle.unpack(re.findall(r'id="data"[^>]*>([^<]*)<', next(folder.rglob("compare.html")).read_text())[0])


def viewed(folder: Path, id: str) -> tuple[int, int]:
    """Returns the statuses of the thumbnail and of the report."""
    browser = TestClient(application(Listing(folder), frozenset({"127.0.0.1:8764"})), base_url="http://127.0.0.1:8764")
    assert [run["id"] for run in browser.get("/runs.json").json()["runs"]] == [id]
    thumbnail, page = (browser.get(page, params={"id": id}).status_code for page in ("/thumbnail", "/report"))
    return thumbnail, page


def finished(run: Path, **changes: np.ndarray) -> Path:
    """A finished run of which columns of the archive are replaced."""
    run.mkdir(parents=True)
    stored_run(run, Grid((6, 6)), renderings=False)
    with np.load(run / "archive.npz") as arrays:
        columns = dict(arrays)
    for name, values in changes.items():
        columns[name] = np.resize(values, columns[name].shape).astype(columns[name].dtype)
    np.savez(run / "archive.npz", **columns)
    header = json.loads((run / "archive.json").read_text())
    header["config"] |= {"name": "toy", "seed": 0, "budget": 120}
    header["sha256"] = hashlib.sha256((run / "archive.npz").read_bytes()).hexdigest()
    (run / "archive.json").write_bytes(archive_file.encode_header(header))
    (run / "config.yaml").write_text("name: toy\nseed: 0\nbudget: 120\n")
    (run / "metrics.csv").write_text("evals,coverage,qd_score,best\n60,5.0,,8.0\n120,6.0,,8.5\n")
    (run / "result.json").write_text(json.dumps({"evaluations": 120, "sources": {}, "metrics": {}}))
    return run


def test_what_is_no_run_is_named_by_each_command(tmp_path, capsys):
    (tmp_path / "notes.txt").write_text("")
    for words, problem in (
        (["report"], "is no folder of a run"),
        (["compare"], "no run in"),
        (["plot"], "is no folder of a run"),
    ):
        assert main([*words, str(tmp_path)]) == 1
        error = capsys.readouterr().err
        assert problem in error and str(tmp_path) in error, words
    assert Listing(tmp_path).entries() == []


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("column", ["objective", "measures"])
def test_numbers_that_are_not_finite_are_shown_as_such(column, value, tmp_path):
    run = finished(tmp_path / "runs/toy-s0", **{column: np.array([1.0, value, 0.5], np.float32)})
    facts, arrays = report(run)
    stored = arrays[column].ravel()
    assert len(arrays["id"]) > 5 and 0 < np.count_nonzero(np.isfinite(stored)) < stored.size
    assert all(np.isfinite(bound).all() for bound in facts["bounds"])
    assert viewed(tmp_path / "runs", "toy-s0") == (200, 200)
    facts, arrays = compared(tmp_path / "runs")
    (case,) = facts["cases"]
    assert np.isfinite(case["scale"]).all() and len(case["maps"]) == 1


def test_a_run_without_elites_has_its_pages(tmp_path):
    run = finished(tmp_path / "runs/toy-s0")
    archive = Grid((6, 6)).open(
        Rows(np.arange(1), np.zeros((1, 3), np.float32), np.zeros(1, np.float32), {}, np.ones(1, bool)), BOUNDS, (), 0
    )
    header = json.loads((run / "archive.json").read_text())
    archive_file.save(run, archive, BOUNDS, {"seed": 0, "evaluations": 120, "config": header["config"]})
    facts, arrays = report(run)
    assert (
        facts["notes"][1:] == ["The archive holds no elites yet."]
        and "no checksums" in facts["notes"][0]
        and "id" not in arrays
    )
    assert viewed(tmp_path / "runs", "toy-s0") == (204, 200)
    facts, _ = compared(tmp_path / "runs")
    assert facts["cases"][0]["methods"][0]["seeds"] == [0]


@pytest.mark.parametrize("name, size", [("archive.npz", 100), ("archive.npz", 0), ("history.npz", 40)])
def test_a_file_that_is_cut_off_is_named_and_the_rest_is_shown(name, size, tmp_path):
    run = finished(tmp_path / "runs/toy-s0")
    (run / "history.npz").write_bytes((run / "archive.npz").read_bytes())
    (run / name).write_bytes((run / name).read_bytes()[:size])
    facts, arrays = report(run)
    assert any(name in note for note in facts["notes"]) and facts["curves"]
    assert ("id" in arrays) == (name != "archive.npz")
    assert viewed(tmp_path / "runs", "toy-s0")[1] == 200
    facts, _ = compared(tmp_path / "runs")
    assert any("not in the maps" in note for note in facts["notes"]) == (name == "archive.npz")


def test_solutions_that_are_objects_and_cannot_be_drawn_are_shown_as_text(tmp_path):
    run = tmp_path / "runs/toy-s0"
    finished(run)
    objects = np.array([{"a": i, "b": [1, 2]} for i in range(20)], object)
    rows = Rows(np.arange(20), objects, np.arange(20, dtype=np.float32), {}, np.ones(20, bool))
    archive = Grid((6, 6)).open(rows, BOUNDS, (), 0)
    places = np.random.default_rng(0).uniform(*np.array(BOUNDS).T, (20, 2)).astype(np.float32)
    insert(archive, rows.ids, objects, rows.objective, places, {})
    config = json.loads((run / "archive.json").read_text())["config"]
    archive_file.save(run, archive, BOUNDS, {"seed": 0, "evaluations": 120, "config": config})
    facts, arrays = report(run)
    assert len(facts["solutions"]) == len(arrays["id"]) > 5 and facts["pictures"] == {} and '"b"' in facts["solutions"][0]
    assert viewed(tmp_path / "runs", "toy-s0") == (200, 200)


def test_a_hundred_thousand_cells_are_shown_and_said_to_be_thinned(tmp_path):
    run = finished(tmp_path / "runs/toy-s0")
    side = 320
    n = side * side
    place = np.stack(np.unravel_index(np.arange(n), (side, side)), 1).astype(np.float32) + 0.5
    low, high = np.array(BOUNDS, np.float32).T
    rows = Rows(np.arange(n), np.zeros((n, 8), np.float32), np.arange(n, dtype=np.float32), {}, np.ones(n, bool))
    archive = Grid((side, side)).open(rows, BOUNDS, (), 0)
    insert(archive, rows.ids, rows.solutions, rows.objective, low + place / side * (high - low), {})
    config = json.loads((run / "archive.json").read_text())["config"]
    archive_file.save(run, archive, BOUNDS, {"seed": 0, "evaluations": n, "config": config})
    began = time.process_time()
    facts, arrays = report(run)
    assert time.process_time() - began < 6 and (run / "report.html").stat().st_size < 12e6
    assert len(arrays["id"]) > 99_000 and "solution" not in arrays
    assert any("qd export writes them" in note for note in facts["notes"])
    assert viewed(tmp_path / "runs", "toy-s0") == (200, 200)
    facts, arrays = compared(tmp_path / "runs")
    assert np.isfinite(arrays["case 0 map 0 values"]).sum() > 99_000
