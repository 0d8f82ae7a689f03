"""A run of several objectives from its start to the last command that reads it."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest

import qd
from qd.cli.main import main
from qd.plots.records import filled_cells_text
from qd.report import figures
from qd.store import archive_file

pytest.importorskip("moocore", reason="needs the extra objectives")
WORDS = [
    "domain=rastrigins",
    "archive.dims=[4,4]",
    "archive.front_size=6",
    "emitter.batch_size=40",
    "initial=60",
    "console=off",
    "renderings=0",
]


def the_run(name: str) -> Path:
    (path,) = Path("runs", name).iterdir()
    return path


@pytest.mark.parametrize("driver", ["host", pytest.param("fused", marks=pytest.mark.ci)])
def test_a_run_that_goes_on_ends_with_the_same_fronts(own_folder, driver):
    words = ["run", *WORDS, f"driver={driver}", "save_every=100"]
    assert main([*words, "name=whole", "budget=700"]) == 0
    assert main([*words, "name=parts", "budget=300"]) == 0
    assert main([*words, "name=parts", "budget=700"]) == 0
    whole, parts = (archive_file.load(the_run(name)).columns for name in ("whole", "parts"))
    assert whole.keys() == parts.keys() and len(whole["id"]) > len(np.unique(whole["index"])) == 16
    for name, column in whole.items():
        np.testing.assert_array_equal(column, parts[name], err_msg=name)
    results = [json.loads((the_run(name) / "result.json").read_text())["metrics"] for name in ("whole", "parts")]
    assert results[0]["qd_score"] == results[1]["qd_score"] > 0 < results[0]["hypervolume"] == results[1]["hypervolume"] < 1


def test_every_command_has_all_rows_of_all_fronts(own_folder, capsys):
    assert main(["run", *WORDS, "driver=host", "budget=400", "name=a"]) == 0
    run = str(the_run("a"))
    columns = archive_file.load(Path(run)).columns
    n, goals = len(columns["id"]), columns["objectives"]
    bar = float(np.median(goals[:, 0]))
    assert main(["query", run, f"objectives[0]>={bar}", "--top", "1000", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert {row["id"] for row in found["elites"]} == set(columns["id"][goals[:, 0] >= bar].tolist())
    assert main(["export", run, "--format", "csv"]) == 0
    rows = list(csv.DictReader(Path(run, "archive.csv").read_text().splitlines()))
    assert len(rows) == n and {"objectives_0", "objectives_1", "index"} <= rows[0].keys()
    assert main(["select", run, "--n", "5"]) == 0
    record = figures.record(archive_file.load(Path(run)))
    assert filled_cells_text(record) == f"{n} elites in fronts of 16 cells (100.0 %), of each the best"
    assert list(record.names) == ["first gene", "second gene"] and len(record.objective) == 16 < n
    assert main(["report", run]) == 0 and Path(run, "report.html").stat().st_size > 10_000
    assert main(["reevaluate", run, "--times", "2"]) == 0
    again = json.loads(Path(run, "reevaluated.json").read_text())
    stored = json.loads(Path(run, "result.json").read_text())["metrics"]
    for name in ("qd_score", "coverage", "best"):  # nothing is random
        assert again["archived"][name] == pytest.approx(stored[name]) == pytest.approx(again["corrected"][name], rel=1e-4)
    loaded = qd.load_run(run)
    assert len(loaded.elites) == n and loaded.best["objective"] == columns["objective"].max()
    assert "hypervolume" in loaded.metrics
