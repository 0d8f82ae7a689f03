"""Files that only grow: what is cut off is left out, and what was changed is found by its checksum."""

import json
import random
import shutil

import pytest

import qd
from qd.cli.main import main
from qd.report.page import contents
from qd.store import folder, metrics_file, runs
from qd.support import growing
from qd.support.errors import UserError
from tests.support.stored_runs import small_run


def test_a_torn_line_is_left_out_and_ended_before_the_next(tmp_path):
    file = tmp_path / "runs" / "lines.jsonl"
    assert growing.read(file) == []
    growing.append(file, [{"a": 1}, {"b": "\u2028 ü"}])
    whole = file.read_bytes()
    file.write_bytes(whole + b'{"c": [1, 2')
    assert growing.read(file) == [{"a": 1}, {"b": "\u2028 ü"}]
    growing.append(file, [{"d": 4}])
    assert growing.read(file) == [{"a": 1}, {"b": "\u2028 ü"}, {"d": 4}]
    assert file.read_bytes().startswith(whole + b'{"c": [1, 2\n{"sum": "')


def cuts(content: bytes, n: int, seed: int) -> list[bytes]:
    """Copies of a file, each without a piece somewhere; or with another digit."""
    draw, copies = random.Random(seed), []
    for i in range(n):
        at = draw.randrange(len(content) - 1)
        digits = [i for i in range(at, len(content)) if content[i : i + 1].isdigit()]
        if i % 4 == 0 and digits:
            other = b"%d" % ((content[digits[0]] - 48 + draw.randrange(1, 10)) % 10)
            copies.append(content[: digits[0]] + other + content[digits[0] + 1 :])
        else:
            copies.append(content[:at] + content[at + draw.choice((1, 2, 8, 30)) :])
    return copies


def test_no_cut_of_a_study_gives_another_number(tmp_path):
    file = tmp_path / "runs.jsonl"
    lines = [{"case": f"c{i}", "seed": i, "metrics": {"best": 1.5 + 10 * i, "cells": 12345 + i}} for i in range(9)]
    file.write_text(json.dumps(lines[0]) + "\n")  # of an earlier version
    growing.append(file, lines[1:])
    assert growing.read(file) == lines
    after = file.read_bytes().index(b"\n") + 1
    for content in cuts(file.read_bytes()[after:], 400, 0):
        file.write_bytes(json.dumps(lines[0]).encode() + b"\n" + content)
        try:
            for record in growing.read(file):  # a line that is no JSON is left out, and done again
                assert any(line.items() <= record.items() for line in lines), record
        except UserError as error:
            assert "line " in str(error) and "runs.jsonl is damaged: its checksum does not fit it" in str(error)
    assert growing.read(tmp_path / "none") == []


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    return small_run(tmp_path_factory.mktemp("whole"))


@pytest.mark.parametrize("name", ["metrics.csv", "events.jsonl", "result.json", "checksums.json"])
def test_no_cut_of_a_finished_run_gives_another_number(finished, tmp_path, name):
    run = tmp_path / "run"
    shutil.copytree(finished, run)
    read = {
        "metrics.csv": lambda: metrics_file.metrics(run / name)["qd_score"].tolist(),
        "events.jsonl": lambda: growing.events(run),
        "result.json": lambda: folder.result(run),
        "checksums.json": lambda: metrics_file.metrics(run / "metrics.csv")["qd_score"].tolist(),
    }[name]
    whole, right = (run / name).read_bytes(), read()
    for content in cuts(whole, 300, 1):
        (run / name).write_bytes(content)
        try:
            value = read()
        except UserError as error:
            assert f"{name} is damaged" in str(error) or f"{name} is no text" in str(error)
            assert "again=true" in str(error) or "remove it and give the run's command" in str(error)
        else:  # white space, or the name of the checksum itself
            assert name.endswith(".json")
            assert right.items() <= value.items() if isinstance(right, dict) else value == right


def test_each_reader_of_metrics_names_a_piece_that_was_cut_out(finished, tmp_path, capsys):
    run = tmp_path / "arm" / "s0"
    shutil.copytree(finished, run)
    lines = (run / "metrics.csv").read_text().splitlines()
    cells = lines[-1].split(",")
    cells[lines[0].split(",").index("qd_score")] = "7.5"  # plausible, and nothing else shows it
    (run / "metrics.csv").write_text("\n".join([*lines[:-1], ",".join(cells)]) + "\n")
    for read in (lambda: qd.load_run(run).metrics, lambda: qd.load_run(run).figure("curves")):
        with pytest.raises(UserError, match=r"metrics\.csv is damaged: .* not what the run wrote .* put it back from a copy"):
            read()
    assert main(["plot", str(run)]) == 1 and "metrics.csv is damaged" in capsys.readouterr().err
    assert runs_left_out(run.parents[1]) == 1
    assert any("metrics.csv is damaged" in note for note in contents.collect(run).facts["notes"])
    content = (run / "metrics.csv").read_bytes()
    (run / "metrics.csv").unlink()
    with pytest.raises(UserError, match=r"metrics\.csv is gone: by checksums.json the run wrote [\d,]+ bytes; put it back"):
        qd.load_run(run).metrics  # noqa: B018
    assert main(["plot", str(run)]) == 1 and "metrics.csv is gone" in capsys.readouterr().err
    (run / "metrics.csv").write_bytes(content)
    (run / "checksums.json").unlink()  # an earlier version wrote none
    assert qd.load_run(run).metrics["qd_score"].iloc[-1] == 7.5
    assert any("have no checksums" in note for note in contents.collect(run).facts["notes"])


def runs_left_out(place) -> int:
    lines: list[str] = []
    with pytest.raises(UserError, match="none of the 1 runs"):
        runs.finished_runs([place], lines.append)
    return sum("metrics.csv is damaged" in line for line in lines)


def test_a_config_that_differs_from_the_archive_is_named(finished, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(finished, run)
    text = (run / "config.yaml").read_text()
    assert qd.load_run(run).config["seed"] == 0 and "batch_size: 50" in text
    (run / "config.yaml").write_text(text.replace("batch_size: 50", "batch_size: 5"))
    with pytest.raises(UserError, match=r"config\.yaml is damaged: emitter\.batch_size was 50 and is now 5"):
        qd.load_run(run).config  # noqa: B018


WORDS = ["domain=arm", "domain.joints=4", "initial=20", "emitter.batch_size=20", "archive.dims=[6,6]", "driver=host",
         "save_every=40", "save_seconds=0", "log_every=20", "renderings=0"]  # fmt: skip


def test_a_killed_run_is_read_and_goes_on_and_one_that_was_cut_does_not(own_folder, capsys):
    assert main(["run", *WORDS, "budget=200"]) == 0
    (run,) = (path.parent for path in own_folder.glob("runs/arm/*/result.json"))
    whole = (run / "metrics.csv").read_text()
    right = qd.load_run(run).metrics["qd_score"].tolist()
    # killed: no result, rows past the last checksum, the last one torn
    (run / "result.json").unlink()
    (run / "metrics.csv").write_text(whole + "220,1,2")
    assert qd.load_run(run).metrics["qd_score"].tolist() == right
    content = (run / "metrics.csv").read_bytes()
    at = content.index(b"\n", len(content) // 2)
    (run / "metrics.csv").write_bytes(content[: at - 1] + content[at:])
    capsys.readouterr()
    assert main(["run", *WORDS, "budget=300"]) == 1
    message = capsys.readouterr().err
    assert f"{run.relative_to(own_folder) / 'metrics.csv'} is damaged" in message and "again=true" in message
    (run / "metrics.csv").write_bytes(content)
    assert main(["run", *WORDS, "budget=300"]) == 0
    frame = qd.load_run(run).metrics
    assert frame["evals"].tolist() == list(range(20, 301, 20)) and frame["qd_score"].tolist()[: len(right)] == right
    assert main(["run", *WORDS, "budget=400"]) == 0  # a finished run that grows
    assert qd.load_run(run).metrics["evals"].tolist() == list(range(20, 401, 20))


def test_an_older_checkpoint_is_gone_on_from(own_folder):
    assert main(["run", *WORDS, "budget=200"]) == 0
    (run,) = (path.parent for path in own_folder.glob("runs/arm/*/result.json"))
    (run / "result.json").unlink()
    newest = max((run / "checkpoint").iterdir())
    newest.write_bytes(newest.read_bytes()[:-9])  # the older one states shorter files than the checksums cover
    assert main(["run", *WORDS, "budget=200"]) == 0
    assert qd.load_run(run).metrics["evals"].tolist() == list(range(20, 201, 20))
