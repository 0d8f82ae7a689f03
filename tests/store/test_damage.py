"""Damaged files of a run folder: each is named with what to do, and nothing is removed before it is refused."""

import io
import json
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import yaml

import qd
from domains.arm import Arm
from qd.cli.main import main
from qd.store import archive_file, folder, history, metrics_file, renderings
from qd.support import growing, read_files
from qd.support.errors import UserError
from tests.support.checkpoints import BOUNDS, CONFIG, accepted, filled
from tests.support.stored import stored

HOUSE = Path(__file__).resolve().parents[2]
SMALL = ["domain.joints=3", "archive.dims=[5,5]", "initial=20", "emitter.batch_size=20", "console=off", "renderings=0"]


pytestmark = pytest.mark.usefixtures("own_key")


@pytest.fixture
def run(tmp_path) -> Path:
    (tmp_path / "run").mkdir()
    return tmp_path / "run"


def _rewrite(run: Path, **columns) -> None:
    """Changes columns of a stored archive (None removes one); its checksums fit."""
    with np.load(run / "archive.npz") as packed:
        arrays = {name: packed[name] for name in packed.files} | columns
    buffer = io.BytesIO()
    np.savez(buffer, **{name: column for name, column in arrays.items() if column is not None})
    (run / "archive.npz").write_bytes(buffer.getvalue())
    header = json.loads((run / "archive.json").read_text())
    header["sha256"] = __import__("hashlib").sha256(buffer.getvalue()).hexdigest()
    header["encodings"] = {name: how for name, how in header["encodings"].items() if columns.get(name, 0) is not None}
    (run / "archive.json").write_bytes(archive_file.encode_header(header))


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"objective": None}, "it has no column 'objective'"),
        ({"measures": None}, "it has no column 'measures'"),
        ({"solution": None}, "it has no column 'solution'"),
        ({"objective": np.zeros(3, np.float32)}, "the column 'objective' has 3 rows, but there are"),
        ({"solution": np.zeros((3, 2))}, "the column 'solution' has 3 rows"),
        ({"objective": np.array(["a"] * 15)}, r"the column 'objective' is <U1 \[15\]"),
        ({"objective": np.zeros((15, 2))}, r"the column 'objective' is float64 \[15, 2\]"),
        ({"id": np.zeros(15)}, r"the column 'id' is float64 \[15\]"),
        ({"measures": np.zeros((15, 3), np.float32)}, "3 measures, but archive.json has 2 bounds"),
    ],
)
def test_columns_of_an_archive_that_do_not_fit(run, columns, message):
    archive_file.save(run, filled(), BOUNDS, {})
    _rewrite(run, **columns)
    with pytest.raises(
        UserError, match=rf"archive\.npz is damaged: {message}.*; copy both files again, or give the run's command"
    ):
        archive_file.load(run)


@pytest.mark.parametrize(
    "entry",
    [
     {"bounds": []}, {"bounds": [[1, -1], [0, 1]]}, {"bounds": [["a", "b"]] * 2}, {"dims": "x"}, {"dims": [0, 5]},
     {"cells": -1},
     {"kind": 3}, {"config": []}, {"encodings": {"id": 3}}, {"objective_range": [0]},
     {"objective_range": [1, 0]}, {"objective_range": [2, 2]}, {"evaluations": "many"}],
)  # fmt: skip
def test_entries_of_a_header_that_do_not_fit(run, entry):
    archive_file.save(run, filled(), BOUNDS, {})
    header = json.loads((run / "archive.json").read_text())
    (run / "archive.json").write_bytes(archive_file.encode_header(header | entry))
    with pytest.raises(UserError, match=rf"archive\.json is damaged: its {next(iter(entry))} is .*copy both files again"):
        archive_file.load(run)


def test_a_header_of_an_earlier_version_has_no_checksum_and_opens(run):
    archive_file.save(run, filled(), BOUNDS, {"seed": 7})
    header = json.loads((run / "archive.json").read_text())
    del header["header_sha256"]
    (run / "archive.json").write_text(json.dumps(header))
    assert archive_file.load(run).about["seed"] == 7


def _zip(names: list[str]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in names:
            archive.writestr(
                name, b"\x93NUMPY\x01\x00v\x00" + b"{'descr': '<f8', 'fortran_order': False, 'shape': (99999999999,), }\n"
            )
    return buffer.getvalue()


DAMAGE = {
    "empty": b"", "text": b"hello", "huge": _zip(["generation.npy"]), "cut": b"PK\x03\x04abc",
    "deep": b"\x93NUMPY\x01\x00\x10\x00" + b"(" * 60,
}  # fmt: skip


def test_a_history_without_columns_is_named(run):
    (run / "history.npz").write_bytes(_zip([]))
    (run / "result.json").write_text('{"evaluations": 1, "sources": {}}')
    with pytest.raises(UserError, match=r"history\.npz is damaged: it has no column 'generation'; put it back"):
        history.load(run)


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_history_is_named(run, damage):
    (run / "history.npz").write_bytes(DAMAGE[damage])
    (run / "result.json").write_text('{"evaluations": 1, "sources": {}}')
    with pytest.raises(UserError, match=r"history\.npz is damaged .*put it back from a copy, or type again=true") as error:
        history.load(run)
    assert "\n" not in str(error.value)


def test_a_finished_run_stays_finished_where_it_cannot_grow(own_folder, capsys):
    assert main(["run", *SMALL, "budget=60"]) == 0
    (run,) = Path("runs/arm").iterdir()
    whole = {path.name: path.read_bytes() for path in run.iterdir() if path.is_file() and path.name != ".lock"}
    for name, damage in (("history.npz", b"hello"), ("metrics.csv", b"evals\n"), ("events.jsonl", b"")):
        (run / name).write_bytes(damage)
        assert main(["run", *SMALL, "budget=120"]) == 1
        message = capsys.readouterr().err
        assert f"{run / name}" in message and "again=true" in message and "Traceback" not in message
        assert (run / "result.json").read_bytes() == whole["result.json"] and (run / name).read_bytes() == damage
        (run / name).write_bytes(whole[name])
    assert main(["run", *SMALL, "budget=120"]) == 0
    assert json.loads((run / "result.json").read_text())["evaluations"] == 120


def test_parts_left_by_a_kill_after_the_result_are_removed_at_the_next_command(run):
    folder.admit(run, CONFIG)
    writer = history.History(run, 0)
    writer.add(*accepted(1, 0, [0, 1], [2, 2], [[], []]))
    writer.write_part(1)
    writer.pack()
    (run / "result.json").write_text('{"evaluations": 2, "sources": {}}')  # killed here
    with folder.lock(run):
        pass
    assert not (run / "history").exists() and history.load(run)["id"].tolist() == [0, 1]
    history.unpack(run)
    (run / "history.npz").write_bytes(b"damaged")
    with folder.lock(run):
        pass
    assert [path.name for path in (run / "history").iterdir()] == ["000000.npz"]  # all that is left of it


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"[]", "it holds a list, not an object"),
        (b"{}", "its evaluations is None"),
        (b'{"evaluations": "x", "sources": {}}', "its evaluations is x"),
        (b"{" * 9, "truncated or no JSON"),
        (b"[" * 100_000, "truncated or no JSON"),
        (b"\xff", "no text in UTF-8"),
    ],
)
def test_a_damaged_result_is_named(run, content, message):
    (run / "result.json").write_bytes(content)
    with pytest.raises(UserError, match=f"result.json .*{message}.*remove it and give the run's command"):
        folder.result(run)


@pytest.mark.parametrize(
    "content",
    [
        b"a: [", b"- 1", b"", b"a: !!python/object/apply:os.mkdir [marker]", b"a: &x [1]\nb: [*x, *x]", b"a: 2020-01-01",
        b"? \n", b"3: 4",
        b"a: !!binary aGk=", b"\xff\xfe\x00", b"- " * 5000, b"a: \x00", "a: é".encode("latin-1"),
    ],
)  # fmt: skip
def test_yaml_of_anything_but_plain_settings_is_refused(run, content, monkeypatch):
    monkeypatch.chdir(run)
    Path("config.yaml").write_bytes(content)
    with pytest.raises(UserError, match=r"config\.yaml .*; put it back"):
        read_files.yaml_mapping(Path("config.yaml"), "put it back")
    assert not Path("marker").exists()


def test_numbers_that_only_python_reads_are_damage(run):
    for cell in ("1_000", "\u0661"):
        (run / "metrics.csv").write_text(f"evals,best\n{cell},1\n", encoding="utf-8")
        with pytest.raises(UserError, match=r"metrics\.csv is damaged \(could not convert"):
            metrics_file.metrics(run / "metrics.csv")


@pytest.mark.parametrize("content", [b"evals,best\nnan,1\n", b"evals,best\n,1\n", b"evals,best\ninf,1\n"])
def test_metrics_without_evaluations_are_damaged(run, content):
    (run / "metrics.csv").write_bytes(content)
    with pytest.raises(UserError, match=r"metrics\.csv is damaged \(a row has no evals\)"):
        metrics_file.metrics(run / "metrics.csv")


def test_two_columns_of_one_name_in_metrics_are_damage(run):
    (run / "metrics.csv").write_text("evals,best,best\n1,2,3\n")
    with pytest.raises(UserError, match=r"metrics\.csv is damaged \(its first line gives two columns one name\)"):
        metrics_file.metrics(run / "metrics.csv")
    assert metrics_file.last_row(run / "metrics.csv") == {}


def test_whole_numbers_of_more_than_64_bits_in_metrics_are_numbers(tmp_path):
    run = tmp_path / "of_numbers"
    stored(run, np.zeros((2, 3), np.float32))
    (run / "metrics.csv").write_text(f"evals,best,count\n1,2,{'9' * 400}\n2,{10**30},4\n")
    frame = qd.load_run(run).metrics
    np.testing.assert_array_equal(frame.to_numpy(float), [[1, 2, np.inf], [2, 1e30, 4]])
    assert frame["evals"].dtype.kind == "i"


def test_quotation_marks_in_metrics_are_damage(run):
    (run / "metrics.csv").write_text('evals,"best\n1,2\n')
    with pytest.raises(UserError, match=r"metrics\.csv is damaged \(it holds a quotation mark\)"):
        metrics_file.metrics(run / "metrics.csv")


def test_rows_out_of_order_are_damage(run):
    (run / "metrics.csv").write_text("evals,best\n2,1\n1,1\n")
    with pytest.raises(UserError, match=r"metrics\.csv is damaged \(its rows are not in order of evals\)"):
        metrics_file.metrics(run / "metrics.csv")


def test_collect_leaves_out_what_is_damaged_and_says_why(run, capsys):
    for name, content in (
        ("config.yaml", "{}"),
        ("archive.json", '{"config": {"seed": 0}}'),
        ("metrics.csv", "evals,best\n1,2\n"),
    ):
        (run / name).write_text(content)
    whole = '{"evaluations": 1, "sources": {}}'
    for name, content, message in (
        ("result.json", "{", "result.json is damaged: truncated or no JSON"),
        ("archive.json", "[]", "archive.json is damaged (it holds a list, not an object)"),
        ("archive.json", "{}", "archive.json holds no config; type its command with again=true"),
        ("metrics.csv", "", "metrics.csv holds no rows; type its command with again=true"),
        ("metrics.csv", "evals\nx\n", "metrics.csv is damaged"),
    ):
        (run / "result.json").write_text(whole)
        (run / name).write_text(content)
        assert main(["collect", str(run)]) == 1
        output = capsys.readouterr()
        assert f"left out: {run}" in output.out and message in output.out and "none of the 1 runs" in output.err
        for file, text in (("archive.json", '{"config": {"seed": 0}}'), ("metrics.csv", "evals,best\n1,2\n")):
            (run / file).write_text(text)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"budget": "many"}, "budget=many is no whole number"),
        ({"budget": {}}, "its budget is a table"),
        ({"driver": "host"}, "its driver is host, no component"),
        ({"domain": [1]}, r"its domain is \[1\], no component"),
        ({"driver": None}, "its driver is empty"),
        ({"archive": None}, "its archive is empty"),
        ({"plateau": {"x": 1}}, r"its plateau is {'x': 1}, no table of share and over"),
        ({"plateau": 3}, "its plateau is 3"),
        ({"keep": 3}, "keep=3 is no list"),
        ({"nothing": 1}, "unknown setting 'nothing'"),
        ({"seed": "x"}, "seed=x is no whole number"),
    ],
)
def test_ask_names_what_is_wrong_in_a_config(own_folder, capsys, change, message):
    assert main(["run", *SMALL, "budget=20"]) == 0
    (run,) = Path("runs/arm").iterdir()
    config = run / "config.yaml"
    config.write_text(yaml.safe_dump(yaml.safe_load(config.read_text()) | change))
    assert main(["ask", str(run)]) == 1
    error = capsys.readouterr().err
    assert error.startswith(f"qd: {config} holds no config of a run: ") and re.search(message, error)


def test_damaged_lines_of_events_are_left_out(run):
    (run / "events.jsonl").write_bytes(b'{"event": "started"}\n3\n[1]\n{"cut\n' + b"[" * 100_000 + b'\n{"event": "refit"}\n')
    assert [event["event"] for event in growing.events(run)] == ["started", "refit"]


def _png(width: int, height: int) -> bytes:
    from PIL import Image

    buffer = io.BytesIO()
    Image.new("1", (width, height)).save(buffer, "PNG")
    return buffer.getvalue()


def test_pictures_that_are_damaged_or_huge_are_named(run):
    (run / "7.png").write_bytes(_png(8, 8))
    assert renderings.read(run / "7.png").kind == "png"
    for side in (5_000, 10_000, 20_000):
        (run / "7.png").write_bytes(_png(side, side))
        with pytest.raises(UserError, match=r"7\.png has more than 16,777,216 pixels; remove it, or draw it smaller"):
            renderings.read(run / "7.png")
    for damage in (b"", b"\x89PNG\r\n\x1a\n", _png(64, 64)[:50], b"GIF89a"):
        (run / "7.png").write_bytes(damage)
        with pytest.raises(UserError, match=r"7\.png is damaged .*; remove it"):
            renderings.read(run / "7.png")


SVG = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="{}">{}</svg>'


@pytest.mark.parametrize(
    "svg",
    [
        SVG.format("0 0 0 0", "<circle r='1'/>"),
        SVG.format("0 0 1e999 1", "<circle r='1'/>"),
        SVG.format("0 0 1", "<circle r='1'/>"),
        SVG.format("0 0 1 1", "<g>" * 5000 + "</g>" * 5000),
        SVG.format("0 0 1 1", "<circle r='nan'/>"),
        SVG.format("0 0 1 1", "<line x1='1e300' x2='0'/>"),
        SVG.format("0 0 1 1", "<circle r='1' fill='no colour'/>"),
        SVG.format("0 0 1 1", "<path d=''/>"),
        "<g>" * 20_000,
        "",
    ],
)
def test_a_picture_of_lines_that_is_not_simple_is_shown_as_its_kind(svg):
    from matplotlib.figure import Figure

    from qd.plots import drawing
    from qd.types import Rendering

    figure = Figure()
    axes = figure.subplots()
    drawing.draw(axes, [Rendering("svg", svg)], [(0, 0, 1)])
    figure.savefig(io.BytesIO(), format="png")
    assert [text.get_text() for text in axes.texts] == ["svg"]


@pytest.mark.parametrize("command", [["export"], ["export", "--format", "jsonl"], ["select", "--n", "3"]])
@pytest.mark.parametrize("out", [".", "folder"])
def test_out_must_be_a_file(own_folder, capsys, command, out):
    Path("folder").mkdir()
    archive_file.save(Path("folder"), filled(), BOUNDS, {})
    assert main([command[0], "folder", *command[1:], "--out", out]) == 1
    assert "is a folder, not a file; name a file" in capsys.readouterr().err
    assert main([command[0], "folder", *command[1:], "--out", ""]) == 2 and "--out" in capsys.readouterr().err


@pytest.mark.parametrize("words", [["compare"], ["plot"], ["export"], ["ask"], ["import"], ["query"], ["label"]])
def test_a_name_that_is_too_long_for_a_file_is_a_message(tmp_path, monkeypatch, capsys, words):
    monkeypatch.chdir(tmp_path)
    assert main([*words, "x" * 5000]) in (1, 2)
    message = capsys.readouterr().err
    assert message.startswith(f"qd: {'x' * 60}... is too long for the name of a file; type a shorter one")


def test_a_damaged_cache_of_a_language_model_is_named(tmp_path):
    from feedback.lm.accounting.cache import Cache

    file = tmp_path / "lm.sqlite"
    cache = Cache(str(file))
    cache._db.executemany("INSERT INTO failures VALUES (?, ?)", [(b"%d" % i, "x" * 200) for i in range(200)])
    cache.close()
    content = file.read_bytes()
    file.write_bytes(content[:4096] + b"\x07" * (len(content) - 4096))
    with pytest.raises(UserError, match=r"lm\.sqlite cannot be (read|opened).*type lm\.cache=another/file"):
        Cache(str(file)).find_failures([b"%d" % i for i in range(200)])


@pytest.mark.ci
def test_it_runs_without_assertions_and_docstrings(own_folder):
    env = os.environ | {"PYTHONPATH": str(HOUSE), "PYTHONOPTIMIZE": "2", "JAX_PLATFORMS": "cpu"}
    words = ["run", *SMALL, "budget=60", "driver=host", f"runs={own_folder}/runs"]
    code = "import qd.report.figures as f; f.draw_heatmap = lambda run: []\nfrom qd.cli.main import main\n"
    code += f"statuses = [main({words}), main(['run', 'nothing=1']), main(['export', '--help'])]\nprint(statuses)"
    ended = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True)
    assert ended.returncode == 0 and ended.stdout.endswith("[0, 1, 0]\n"), ended.stdout + ended.stderr
    assert "Traceback" not in ended.stderr
    (run,) = own_folder.glob("runs/arm/*")
    assert json.loads((run / "result.json").read_text())["evaluations"] == 60
    assert len(archive_file.load(run).columns["id"]) and Arm(joints=3)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"descriptor": "x"}, "the config in archive.json is damaged .*; give the run's command once more"),
        ({"descriptor": {"feature": "a", "columns": 7}}, "the config in archive.json is damaged"),
        ({"descriptor": {"feature": []}, "axis_labels": {"a": 3}}, "the config in archive.json is damaged"),
        ({"name": r"$\frac$ $", "descriptor": {"feature": r"$\no$"}}, None),
    ],
)
def test_figures_of_a_config_that_says_anything(run, config, message):
    from qd.report import figures

    archive_file.save(run, filled(), BOUNDS, {"config": config})
    if message is None:
        assert all(path.stat().st_size for path in figures.draw(run))
        return
    with pytest.raises(UserError, match=message):
        figures.draw(run)


def test_figures_that_cannot_be_written_are_named(run, capsys):
    archive_file.save(run, filled(), BOUNDS, {})
    (run / "figures").write_text("a file")
    assert main(["plot", str(run)]) == 1
    assert "figures cannot be written (File exists)" in capsys.readouterr().err


@pytest.mark.parametrize("content", ["{", "{}", "[1]", '[{"id": "x", "format": "onnx", "deployable": true}]', '[{"id": 1}]'])
def test_damaged_reports_of_exports_are_named(run, capsys, content):
    archive_file.save(run, filled(), BOUNDS, {})
    (run / "deployable.json").write_text(content)
    assert main(["query", str(run), "objective>=0"]) == 1
    assert (
        "deployable.json is damaged" in (message := capsys.readouterr().err)
        and "remove it, and export the elites again" in message
    )
