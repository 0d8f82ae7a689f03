"""``qd run seeds=``: each seed is its lone run, in its own folder; what is finished is skipped; what cannot be is named."""

import json
import re
from pathlib import Path

import pytest

from qd.cli import run
from qd.fused.program import compiled
from qd.runner.many_seeds import many
from qd.store import archive_file, checkpoint
from tests.support.scripted import contents

WORDS = ["domain.joints=3", "archive.dims=[8,8]", "emitter.batch_size=32", "budget=700", "renderings=0", "console=plain"]


def state(path: Path):
    return checkpoint.load(path / "checkpoint", print).state


@pytest.mark.ci
def test_seeds_are_their_lone_runs_compiled_once_and_skipped_when_given_again(tmp_path, capsys) -> None:
    before = compiled.cache_info().misses
    assert many([*WORDS, f"runs={tmp_path}/many", "seeds=3", "seed=1"]) == 0
    assert compiled.cache_info().misses == before + 1
    folders = sorted(path.parent for path in tmp_path.glob("many/arm/*/result.json"))
    assert [folder.name.rsplit("-", 1)[1] for folder in folders] == ["s1", "s2", "s3"]
    assert run.main([*WORDS, f"runs={tmp_path}/lone", "seed=2"]) == 0
    (lone,) = (path.parent for path in tmp_path.glob("lone/arm/*/result.json"))
    assert lone.name == folders[1].name
    ours, alone = (archive_file.load(path).columns for path in (folders[1], lone))
    for name, column in alone.items():
        assert (ours[name] == column).all(), name
    one, other = contents(state(folders[1]).archive), contents(state(lone).archive)
    assert all((one[name] == other[name]).all() for name in one)
    times = [path.stat().st_mtime_ns for path in tmp_path.glob("many/arm/*/result.json")]
    capsys.readouterr()
    assert many([*WORDS, f"runs={tmp_path}/many", "seeds=3", "seed=1"]) == 0
    output = capsys.readouterr().out
    assert output.count("skipped") == 3 and output.startswith("0 of 3 seeds to run; the rest is finished\n")
    assert times == [path.stat().st_mtime_ns for path in tmp_path.glob("many/arm/*/result.json")]
    assert many([*WORDS, f"runs={tmp_path}/many", "seeds=5", "seed=1"]) == 0
    output = capsys.readouterr().out
    assert "2 of 5 seeds to run (4, 5); the rest is finished\n" in output
    assert "/1,400  " in output and "/3,500" not in output  # the live line counts what is run
    assert many([*(w for w in WORDS if "budget" not in w), "budget=1500", f"runs={tmp_path}/many", "seeds=2", "seed=1"]) == 0
    grown = [json.loads((folder / "result.json").read_text())["evaluations"] for folder in folders]
    assert grown[0] == grown[1] > 1500 - 32 and grown[2] < 800


def test_what_cannot_be_is_named_before_a_folder_is_made(tmp_path) -> None:
    where = f"runs={tmp_path}"
    for words, message in (
        (["seeds=3", "emitter=cma_me"], "Ribs runs on the host.*-m seed="),
        (["seeds=3", "driver=host"], "driver=host"),
        (["seeds=0"], "no number of seeds; type seeds=20"),
        (["seeds=two"], "no number of seeds"),
        (["seeds=3", "-m", "budget=1,2"], "type seed=range"),
        (["seeds=3", "emiter=cma_me"], "emitter"),
    ):
        with pytest.raises(ValueError, match=message):
            run.main([*words, where])
    assert not list(tmp_path.iterdir())


@pytest.mark.ci
def test_a_seed_that_cannot_go_on_is_told_of_and_stops_no_other(tmp_path, capsys) -> None:
    words = [*WORDS, f"runs={tmp_path}", "seeds=2"]
    (tmp_path / "arm").mkdir()
    assert many([*WORDS, f"runs={tmp_path}", "seeds=1", "name=arm"]) == 0
    (first,) = (tmp_path / "arm").glob("*-s0")
    for name in ("archive.npz", "archive.json"):
        (first / name).unlink()
    for path in (first / "checkpoint").iterdir():
        path.unlink()
    assert many(words) == 1
    assert re.search(r"qd: 1 of 2 runs failed; typed again, .*\n  .*s0: .* cannot be rebuilt: ", capsys.readouterr().err)
    assert len(list(tmp_path.glob("arm/*-s1/result.json"))) == 1
