"""qd export: every number and every text comes back as it was."""

import csv
import json
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qd.archives import objects
from qd.cli.main import main
from qd.report import export
from qd.store import archive_file, tables
from qd.support.errors import UserError
from tests.support.stored import numbers, stored

NASTY = ["a,b", 'say "x"\nand y', "\r\n", "=1+1", "größe 日本", "", " 12 ", "\x00", "it's\tso"]


@pytest.mark.parametrize("form", ["csv", "parquet", "jsonl"])
def test_numbers_come_back_bit_for_bit(tmp_path, capsys, form):
    if form == "parquet":
        pytest.importorskip("pyarrow", reason="wants the extra parquet")
    expected = numbers(tmp_path / "run")
    assert main(["export", str(tmp_path / "run"), "--format", form]) == 0
    path = tmp_path / f"run/archive.{form}"
    assert capsys.readouterr().out.strip() == str(path)
    columns = tables.READERS[path.suffix](path)
    for name in ("solution", "measures", "spot"):
        np.testing.assert_array_equal(np.float32(tables.block(columns, name)), expected[name])
    np.testing.assert_array_equal(np.float32(columns["speed"]), expected["speed"])
    np.testing.assert_array_equal(columns["id"], expected["id"])
    pair = columns["pair"] if form == "jsonl" else tables.block(columns, "pair").reshape(-1, 3, 2)
    np.testing.assert_array_equal(np.float32(pair), expected["pair"])


def test_one_row_an_elite_and_pyribs_names(tmp_path):
    numbers(tmp_path / "run")
    assert main(["export", str(tmp_path / "run"), "--out", str(tmp_path / "deep/er/x.csv")]) == 0
    with (tmp_path / "deep/er/x.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 20 and [row["id"] for row in rows] == [str(i) for i in range(20)]
    head = ["id", "objective", "measures_0", "measures_1", "solution_0", "solution_1", "solution_2"]
    assert list(rows[0])[:7] == head and {"speed", "spot_0", "spot_1", "index"} <= set(rows[0])


@pytest.mark.parametrize("form", ["csv", "parquet", "jsonl"])
def test_any_text_comes_back(tmp_path, form):
    if form == "parquet":
        pytest.importorskip("pyarrow", reason="wants the extra parquet")
    stored(tmp_path / "run", objects(NASTY))
    main(["export", str(tmp_path / "run"), "--format", form, "--out", str(tmp_path / f"x.{form}")])
    found = tables.block(tables.READERS[f".{form}"](tmp_path / f"x.{form}"), "solution")
    assert found.tolist() == NASTY


@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_objects_come_back(tmp_path, form):
    solutions = [{"genes": [1, 2]}, {"genes": []}, {"name": "x,\n"}]
    stored(tmp_path / "run", objects(solutions))
    main(["export", str(tmp_path / "run"), "--format", form, "--out", str(tmp_path / f"x.{form}")])
    found = tables.block(tables.READERS[f".{form}"](tmp_path / f"x.{form}"), "solution")
    assert found.tolist() == solutions


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(width=32, allow_nan=False), min_size=1, max_size=30))
def test_csv_keeps_every_float32(tmp_path_factory, items):
    column = np.array(items, np.float32)
    path = tmp_path_factory.mktemp("floats") / "x.csv"
    path.write_bytes(tables.to_csv({"x": column}))
    back = np.float32(tables.from_csv(path)["x"])
    np.testing.assert_array_equal(back, column)


def test_what_is_not_finite_is_null_in_json(tmp_path):
    text = tables.to_jsonl({"x": np.array([[1.0, np.nan], [np.inf, 2.0]]), "id": np.arange(2)})
    assert [json.loads(line) for line in text.splitlines()] == [{"x": [1.0, None], "id": 0}, {"x": [None, 2.0], "id": 1}]


ARM = {"_target_": "domains.arm.Arm", "joints": 3}


def echo(domain, ids, cells, solutions, folder):
    """An exporter that reports what it is given."""
    return [
        {"id": i, "format": "echo", "deployable": True, "cell": cell, "solution": solution.tolist(), "joints": domain.joints}
        for i, cell, solution in zip(ids, cells, solutions, strict=True)
    ]


def test_elites_are_exported_by_id_and_an_unknown_id_is_refused(tmp_path, monkeypatch):
    form = {"echo": {"_target_": f"{__name__}.echo", "domain": ARM["_target_"]}}
    monkeypatch.setattr(export, "exporters", lambda: form)
    solutions = np.arange(60, dtype=np.float32).reshape(20, 3)
    columns = stored(tmp_path / "run", solutions, about={"config": {"domain": ARM}})
    reports = export.export(tmp_path / "run", [17, 3], "echo", tmp_path / "out")
    assert [report["solution"] for report in reports] == [solutions[17].tolist(), solutions[3].tolist()]
    assert [report["cell"] for report in reports] == columns["index"][[17, 3]].tolist()
    for unknown, near in ((20, "15, 16, 17, 18, 19"), (-1, "0, 1, 2, 3, 4")):
        with pytest.raises(UserError, match=f"^the archive has no elite with id {unknown}; type one of {near}$"):
            export.export(tmp_path / "run", [3, unknown], "echo", tmp_path / "out")
    assert export.reports_of(tmp_path / "run") == reports


@pytest.mark.parametrize(
    "words",
    [
        ["export", "run", "--out", ""],
        ["export", "run", "--format", "onnx", "--cell", "3", "--out", " "],
        ["select", "run", "--n", "3", "--out", ""],
        ["report", "run", "--out", ""],
        ["report", ""],
        ["query", ""],
        ["collect", ""],
        ["collect", "run", "into="],
    ],
    ids=" ".join,
)
def test_an_empty_name_is_not_the_working_directory(tmp_path, capsys, monkeypatch, words):
    numbers(tmp_path / "run")
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    assert main(words) == 2
    assert "type a name, or . for this folder" in capsys.readouterr().err
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("unknown", [0.5, np.nan, "3", None, [3]])
def test_an_id_is_a_whole_number(tmp_path, unknown):
    numbers(tmp_path / "run")
    archive = archive_file.load(tmp_path / "run")
    assert archive_file.rows_by_id(archive, [np.float64(3)]) == archive_file.rows_by_id(archive, [np.int32(3)])
    with pytest.raises(UserError, match="the archive has no elite with id .*; type one of 0, 1"):
        archive_file.rows_by_id(archive, [unknown])


def test_messages(tmp_path, capsys, monkeypatch):
    assert main(["export", str(tmp_path)]) == 1
    assert "it holds no archive.json; type qd run first" in capsys.readouterr().err
    with pytest.raises(ValueError, match="two columns would be called 'a_0'; type --format jsonl"):
        tables.flat({"a": np.zeros((2, 1)), "a_0": np.zeros(2)})
    numbers(tmp_path / "run")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    assert main(["export", str(tmp_path / "run"), "--format", "parquet"]) == 1
    assert "type pip install 'qd-atlas[parquet]', or --format csv" in capsys.readouterr().err
    assert not (tmp_path / "run/archive.parquet").exists()
    assert main(["export", str(tmp_path), "--where", "size<=3"]) == 1
    assert (
        "--where chooses cells to make files of; type --format onnx or --format qwix or --format qasm too"
        in capsys.readouterr().err
    )
