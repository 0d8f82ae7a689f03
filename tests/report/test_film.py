"""Films: where all that was tried has ended is kept whole through kills, and drawn from the folder alone."""

import io
import re
import sys

import numpy as np
import pytest
from PIL import Image

from domains.redundant_arm import RedundantArm
from feedback.descriptors.select import Select
from qd.archives import Grid
from qd.cli import plot
from qd.emitters.vary import Gaussian, Vary
from qd.plots import film, video
from qd.report import film as report_film
from qd.store import films, folder, history
from qd.types import Search
from tests.support.checkpoints import accepted
from tests.support.searches import begin
from tests.support.stored_runs import stored_run


def ended(generation: int, ids: list[int], status: list[int], width: int = 2) -> tuple:
    state, batch = accepted(generation + 1, generation, ids, status, [[0]] * len(ids))
    place = np.stack([np.array(ids, float) / 10] * width, axis=1)
    return state, batch._replace(evaluation=batch.evaluation._replace(features={"place": place}))


def test_every_row_that_did_not_fail_is_kept_and_goes_on_after_a_kill(tmp_path):
    kept = history.History(tmp_path, 0, "place")
    kept.add(*ended(0, [0, 1, 2], [2, -1, 0]))
    kept.write_part(1)
    kept.add(*ended(1, [3, 4], [0, 0]))
    kept.write_part(2)
    kept = history.History(tmp_path, 1, "place")  # the checkpoint was older
    kept.add(*ended(1, [5], [1]))
    kept.write_part(2)
    kept.pack()
    history.History(tmp_path, 0).add(*ended(0, [0], [2]))
    folder.finish(tmp_path, {"evaluations": 4})
    assert not (tmp_path / "film").exists()
    packed = history.load(tmp_path, history.FILM)
    np.testing.assert_array_equal(packed["generation"], [0, 0, 1])
    np.testing.assert_allclose(packed["place"][:, 0], [0, 0.2, 0.5])
    with pytest.raises(ValueError, match=r"film=place is \[3\] in each row, but places have two numbers; type film=position"):
        kept.add(*ended(2, [6], [1], width=3))


def test_a_frame_shows_what_has_ended_until_then():
    place = np.random.default_rng(0).uniform(0, 1, (400, 2))
    objective = np.where(place[:, 0] > 0.9, place[:, 0], 0)
    frames = film.exploration(np.arange(400) // 10, objective, place, "arm", frames=5)
    inked = [int((np.asarray(frame)[60:] < 240).any(axis=2).sum()) for frame in frames]
    assert len(frames) == 5 and inked == sorted(inked) and inked[0] < 0.6 * inked[-1]
    vivid = [int((np.ptp(np.asarray(frame).astype(int), axis=2) > 60).sum()) for frame in frames]
    assert vivid[-1] > vivid[0] and vivid[-1] > 100  # who is paid has a colour
    with pytest.raises(ValueError, match="0 frames show nothing"):
        film.exploration(np.arange(400), objective, place, "arm", frames=0)


def test_films_lie_side_by_side_and_the_shorter_waits():
    long, short = (film.gif([Image.new("RGB", (40, 40), (c, 0, 0)) for c in range(0, 250, step)]) for step in (25, 100))
    frames = film.together([long, short], ["one", "two"])
    assert len(frames) == 10 and frames[0].size == (2 * 56, 68)
    assert frames[-1].getpixel((56 + 20, 30)) == (200, 0, 0)
    with pytest.raises(ValueError, match="run with film=position"):
        film.together([], [])


def test_who_is_filmed_is_best_and_apart():
    places = np.array([[0, 0], [0.01, 0], [1, 1], [0.5, 0.5]])
    np.testing.assert_array_equal(films.choice(places, np.array([0.9, 1.0, 0.3, 0.2]), 3), [1, 2, 3])
    assert len(films.choice(np.zeros((5, 2)), np.zeros(5), 3)) == 1


def test_qd_plot_draws_films_from_the_folder_alone(tmp_path, capsys):
    archive = stored_run(tmp_path, Grid((6, 7)))
    with pytest.raises(
        ValueError, match="holds no film, and no history of a map with cells; give its command again with film=position"
    ):
        plot.main([str(tmp_path), "--film"])
    kept = history.History(tmp_path, 0, "place")
    for generation in range(3):
        kept.add(*ended(generation, [generation, 5 + generation], [2, 0]))
    kept.write_part(3)
    (tmp_path / "films").mkdir()
    reel = film.gif([Image.new("RGB", (40, 40), (c, 0, 0)) for c in (0, 90)])
    (tmp_path / "films" / f"{archive.data('id')[0]}.gif").write_bytes(reel)
    assert plot.main([str(tmp_path), "--film", "--frames", "3"]) == 0
    said = capsys.readouterr().out
    for name, frames in (("exploration", 3), ("policies", 2)):
        assert f"{name}.gif" in said
        assert Image.open(tmp_path / f"figures/{name}.gif").n_frames == frames  # type: ignore[attr-defined]
    for words, message in (
        (["many"], r"--film \[FILE\]\] \[--frames 40\] \[--scale same\|LOW,HIGH\]\n.*invalid int value: 'many'"),
        (["9"], "type --film --frames 40"),
    ):
        with pytest.raises(SystemExit):
            plot.main([str(tmp_path), "--frames", *words])
        assert re.search(message, capsys.readouterr().err)


@pytest.mark.ci
def test_elites_of_a_domain_that_draws_are_filmed(tmp_path):
    arm = RedundantArm(steps=10, points=2)
    search = Search(arm, Select("position", ((0, 1), (0, 1))), Grid((10, 10)), Vary(Gaussian(), 8), keep=("position",))
    archive = begin(search, n=8).archive
    assert 1 <= films.save(tmp_path, arm, archive, "position") <= films.COUNT
    for path in (tmp_path / "films").glob("*.gif"):
        assert Image.open(io.BytesIO(path.read_bytes())).n_frames > 1  # type: ignore[attr-defined]
        assert int(path.stem) in archive.data("id")
    assert films.save(tmp_path, arm, archive, None) == 0


def test_one_film_is_written_as_gif_and_as_mp4(tmp_path, capsys):
    stored_run(tmp_path, Grid((6, 6)), renderings=False)
    run = tmp_path
    kept = history.History(run, 0)
    kept.add(*ended(0, [0, 1, 2], [2, 2, 2]))
    kept.write_part(1)
    for words in (
        ["--film", str(tmp_path / "a.gif"), str(run)],
        [str(run), "--film", str(tmp_path / "a.gif"), "--frames", "3"],
    ):
        assert plot.main(words) == 0 and capsys.readouterr().out.strip() == str(tmp_path / "a.gif")
        assert Image.open(tmp_path / "a.gif").n_frames >= 1
    with pytest.raises(ValueError, match="a.avi is neither a gif nor an mp4"):
        report_film.write(run, tmp_path / "a.avi", 3)
    pytest.importorskip("imageio_ffmpeg", reason="imageio-ffmpeg lacks: pip install 'qd-atlas[film]'")
    assert plot.main([str(run), "--film", str(tmp_path / "a.mp4")]) == 0
    assert (tmp_path / "a.mp4").read_bytes()[4:8] == b"ftyp"


def test_without_ffmpeg_the_extra_is_named(monkeypatch):
    monkeypatch.setattr(video.shutil, "which", lambda name: None)
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    with pytest.raises(ValueError, match=r"an mp4 needs ffmpeg, which is not here; type pip install 'qd-atlas\[film\]'"):
        video.mp4([Image.new("RGB", (8, 8))])
