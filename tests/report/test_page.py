"""The page of a run: what is in it is right, it is whole for every kind of archive, and whatever a run says is only text."""

import re
import shutil
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from qd.archives import CVT, Grid, Proximity, SlidingBoundaries
from qd.cli.main import main
from qd.report.page import bundle, contents, lineage, timeline, write
from qd.report.stored_run import load_run
from tests.support.stored_runs import HOSTILE_PAGES, HOSTILE_SVGS, PAYLOADS, hostile_run, small_run, stored_run


def unpacked(file: Path) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    text = re.findall(r'id="data">([^<]*)<', file.read_text())[0]
    return bundle.unpack(text)


def test_there_are_forty_payloads():
    assert len({*PAYLOADS, *HOSTILE_SVGS, *HOSTILE_PAGES}) == 40


@pytest.mark.parametrize("folder", ["page", "compare", "view"])
def test_every_colour_that_a_page_uses_is_defined(folder):
    static = Path(write.__file__).parents[1] / folder / "static"
    text = write.style() + "".join(file.read_text() for file in sorted(static.iterdir()) if file.suffix in (".css", ".js"))
    used = {*re.findall(r"var\(--([a-z]+)", text), *re.findall(r'theme\("([a-z]+)"\)', text)}
    assert len(used) > 5 and used <= {*re.findall(r"--([a-z]+):", text)}


def test_packed_arrays_come_back():
    arrays = {
        "a": np.arange(7, dtype=np.int64), "b": np.array([[1.5, np.nan]], np.float32), "c": np.array([2**40, 1]),
        "d": np.zeros((0, 3)), "e": np.array([True, False]), "f": np.array([1.0], np.float16),
    }  # fmt: skip
    facts, back = bundle.unpack(bundle.pack({"x": float("nan"), "y": [np.int64(3), None], "é": "</script>"}, arrays))
    assert facts == {"x": None, "y": [3, None], "é": "</script>"}
    for name, array in arrays.items():
        np.testing.assert_array_equal(back[name], array)


def test_the_page_of_a_run_holds_its_elites(own_folder):
    run = small_run(own_folder)
    assert main(["report", str(run)]) == 0
    facts, arrays = unpacked(run / "report.html")
    elites = load_run(run).elites.sort_values("id")
    order = np.argsort(arrays["id"])
    np.testing.assert_array_equal(arrays["id"][order], elites["id"])
    np.testing.assert_array_equal(arrays["objective"][order], elites["objective"])
    np.testing.assert_array_equal(arrays["solution"][order], elites[[f"solution_{i}" for i in range(10)]])
    assert facts["film"] == "replay" and facts["dims"] == [8, 8] and facts["notes"] == []
    assert facts["evaluations"] == 400 and facts["domain_code"] == ["from domains.arm import Arm", "Arm(joints=10)"]


def test_each_frame_is_the_map_of_that_moment(own_folder):
    """A run with a smaller budget ends with the map that the longer run's page shows at that evaluation."""
    run = small_run(own_folder)
    shorter = small_run(own_folder, 200, "shorter")
    _, arrays = unpacked(load_run(run).report())
    frame = int(np.flatnonzero(arrays["film evaluations"] == 200)[0])
    changes = slice(0, arrays["film start"][frame + 1])
    shown = dict(zip(arrays["film cell"][changes].tolist(), arrays["film id"][changes].tolist(), strict=True))
    columns = load_run(shorter)._archive.columns
    assert shown == dict(zip(columns["index"].tolist(), columns["id"].tolist(), strict=True))


@pytest.mark.ci
def test_after_a_refit_the_slider_shows_todays_elites_by_birth(own_folder):
    words = ["recipe=arm_pca", "budget=400", "initial=50", "emitter.batch_size=50", "refit=[200]", "renderings=0"]
    assert main(["run", *words, f"runs={own_folder}/runs", "name=pca"]) == 0
    run = next((own_folder / "runs").glob("pca/*/result.json")).parent
    facts, arrays = unpacked(load_run(run).report())
    assert facts["film"] == "births"
    for frame in (3, len(arrays["film evaluations"]) - 1):
        shown = arrays["film id"][: arrays["film start"][frame + 1]]
        np.testing.assert_array_equal(np.sort(shown), np.sort(arrays["id"][arrays["id"] < arrays["film evaluations"][frame]]))


def test_replay_keeps_the_best_of_a_generation_and_the_first_of_equals():
    history = {
        "generation": np.array([0, 0, 0, 1, 1]), "id": np.array([0, 1, 2, 3, 4]), "cell": np.array([5, 5, 6, 5, 7]),
        "objective": np.array([1.0, 3.0, 2.0, 3.5, 9.0]), "parents": np.full((5, 1), -1),
    }  # fmt: skip
    film = timeline.replay(history, 5, 2)
    assert film.evaluations.tolist() == [3, 5] and timeline.last_frame(film) == {5: 3, 6: 2, 7: 4}
    assert film.id[: film.start[1]].tolist() == [1, 2]


def test_lineage_goes_back_to_generation_0():
    history = {
        "generation": np.array([0, 0, 1, 2, 2]), "id": np.array([0, 1, 5, 8, 9]), "cell": np.zeros(5, int),
        "objective": np.arange(5.0), "parents": np.array([[-1, -1], [-1, -1], [0, 1], [5, 5], [1, 7]]),
    }  # fmt: skip
    family = lineage.trace(history, np.array([8]))
    assert family.id.tolist() == [0, 1, 5, 8] and family.parents.tolist() == [[-1, -1], [-1, -1], [0, 1], [2, 2]]
    assert lineage.trace(history, np.array([9])).parents.tolist() == [[-1, -1], [0, -2]]  # 7 was never accepted
    cut = lineage.trace(history, np.array([8]), limit=2)
    assert cut.id.tolist() == [5, 8] and cut.parents.tolist() == [[-1, -1], [0, 0]] and cut.left_out == 2


@pytest.mark.parametrize(
    "settings", [Grid((6, 6)), CVT(20), Proximity(), SlidingBoundaries((6, 6))], ids=["grid", "cvt", "proximity", "sliding"]
)
def test_every_kind_of_archive_has_a_page(settings, tmp_path):
    stored_run(tmp_path, settings)
    (tmp_path / "config.yaml").write_text("name: toy\nseed: 3\n")
    facts, arrays = unpacked(write.write(tmp_path))
    assert len(arrays["id"]) > 5 and facts["pictures"]
    assert (facts["dims"] is not None, "polygon" in arrays) == {"Grid": (True, False), "CVT": (False, True)}.get(
        type(settings).__name__, (False, False)
    )


@pytest.mark.parametrize(
    "name", ["archive.npz", "archive.json", "metrics.csv", "history.npz", "config.yaml", "events.jsonl", "result.json"]
)
@pytest.mark.parametrize("data", [b"", b"\x00\xff" * 50, b"[1", None], ids=["empty", "noise", "cut", "absent"])
def test_what_can_be_read_of_a_damaged_run_is_shown(name, data, tmp_path, damaged_source):
    run = tmp_path / "run"
    shutil.copytree(damaged_source, run)
    if data is None:
        (run / name).unlink()
    else:
        (run / name).write_bytes(data)
    try:
        facts, arrays = unpacked(write.write(run))
    except ValueError as error:  # a message that names what is missing
        assert name in ("archive.json", "config.yaml") and str(error)
        return
    if name in ("archive.npz", "archive.json"):
        assert any("archive" in note for note in facts["notes"]) and facts["curves"]
    elif data is not None and name in ("metrics.csv", "history.npz"):
        assert any(name in note for note in facts["notes"]) or not facts["curves"]
    if name not in ("archive.npz", "archive.json"):
        assert len(arrays["id"])


@pytest.fixture(scope="module")
def damaged_source(tmp_path_factory):
    folder = tmp_path_factory.mktemp("source")
    words = ["domain=arm", "budget=200", "initial=50", "emitter.batch_size=50", "archive.dims=[8,8]", "renderings=4"]
    assert main(["run", *words, f"runs={folder}/runs", "name=page"]) == 0
    return next((folder / "runs").glob("page/*/result.json")).parent


def test_hostile_words_stand_only_in_the_packed_data(tmp_path):
    hostile_run(tmp_path)
    text = write.write(tmp_path).read_text()
    assert text.count("<script") == 2 and text.count("</script>") == 2  # the data and ours
    ours = (write._STATIC / "page.js").read_text()
    assert "window.marked" not in text.replace(ours, "").replace("&lt;script&gt;window.marked=1&lt;/script&gt;", "")
    assert "default-src 'none'" in text and "unsafe-eval" not in text
    facts, _ = unpacked(tmp_path / "report.html")
    assert facts["domain_code"] is None


def test_a_folder_that_is_no_run_is_named(tmp_path, capsys):
    assert main(["report", str(tmp_path)]) == 1
    assert str(tmp_path) in capsys.readouterr().err


def test_an_id_without_an_elite_is_named(tmp_path):
    stored_run(tmp_path, Grid((6, 6)))
    with pytest.raises(ValueError, match="no elite"):
        load_run(tmp_path).solution(-5)


def test_a_picture_that_is_a_link_is_not_put_into_the_page(tmp_path):
    (tmp_path / "diary.txt").write_text("private")
    (tmp_path / "run").mkdir()
    archive = stored_run(tmp_path / "run", Grid((6, 6)), renderings=False)
    (tmp_path / "run" / "config.yaml").write_text("name: toy\nseed: 3\n")
    (tmp_path / "run" / "renderings").mkdir()
    (tmp_path / "run" / "renderings" / f"{archive.data('id')[0]}.txt").symlink_to(tmp_path / "diary.txt")
    with pytest.raises(ValueError, match="is a link to"):
        write.write(tmp_path / "run")
    assert not (tmp_path / "run" / "report.html").exists()


def test_ten_thousand_elites_with_drawings_are_written_soon(tmp_path):
    """10,000 cells, as many drawings, 200,000 accepted rows."""
    rng = np.random.default_rng(0)
    n, rows = 10_000, 200_000
    facts = {"name": "big", "seed": 0, "pictures": {str(i): ["svg", "<svg/>" * 50] for i in range(n)}}
    history = {
        "generation": np.arange(rows) // 1000, "id": np.arange(rows), "cell": rng.integers(0, n, rows),
        "objective": rng.normal(size=rows),
        "parents": np.maximum(-1, np.arange(rows) - rng.integers(1000, 2000, rows))[:, None],
    }  # fmt: skip
    began = time.process_time()
    film = contents._short(history, rows)
    family = lineage.trace(history, film.id[-n:])
    text = bundle.pack(facts, {"cell": film.cell, "id": film.id, "objective": film.objective, "family": family.id})
    assert time.process_time() - began < 4 and len(text) < 8e6 and len(film.evaluations) >= 20


def test_colours_are_those_of_matplotlib():
    from matplotlib import colormaps

    for name in contents._PALETTES:
        there = (colormaps[name](np.arange(256))[:, :3] * 255).round().astype(np.uint8)
        np.testing.assert_array_equal(contents._palette(name), there)
