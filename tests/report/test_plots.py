"""Figures show what the records say: every cell in its place, every picture in its seat, every gap in words."""

import json
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.path import Path as Outline
from PIL import Image

from qd.archives import CVT, Grid
from qd.cli import plot
from qd.cli.main import main as cli
from qd.plots import drawing
from qd.plots.curves import curves
from qd.plots.heatmap import heatmap, voronoi
from qd.plots.records import Map, colours
from qd.plots.sheet import seats, sheet, sheet_svg
from qd.report import figures
from qd.store import archive_file, metrics_file
from qd.types import Rendering
from tests.support.stored_runs import BOUNDS, POSE, stored_run

EVIL = '<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'


def record(dims: tuple[int, ...] = (4, 5), n: int = 8, **changes) -> Map:
    """A grid of n elites in cells drawn at random, each in the middle of its own."""
    rng, m = np.random.default_rng(0), len(dims)
    bounds = tuple(BOUNDS[i % 2] for i in range(m))
    cell = rng.choice(int(np.prod(dims)), n, replace=False)
    low, high = np.array(bounds).T
    measures = low + (np.stack(np.unravel_index(cell, dims), axis=1) + 0.5) / dims * (high - low)
    names = [f"m{i}" for i in range(m)]
    return Map(measures, rng.uniform(0, 10, n), cell, bounds, names, "toy, seed 0, 8 evaluations", dims)._replace(**changes)


def mesh(axes) -> np.ma.MaskedArray:
    return axes.collections[0].get_array()


def test_a_grid_shows_each_elite_in_its_cell_and_names_its_axes():
    given = record(scale=(0.0, 10.0))
    axes, bar = heatmap(given).axes
    shown = mesh(axes)
    assert shown.shape == (5, 4)  # upwards, across
    assert shown.count() == 8
    for cell, objective in zip(given.cell, given.objective, strict=True):
        across, up = np.unravel_index(cell, (4, 5))
        assert shown[up, across] == objective
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("m0", "m1")
    assert (axes.get_xlim(), axes.get_ylim()) == BOUNDS
    assert axes.collections[0].get_clim() == (0.0, 10.0)
    assert given.title in axes.get_title(loc="left") and "8 elites in 20 cells (40.0 %)" in axes.get_title(loc="left")
    assert bar.get_ylabel() == "objective"


def test_without_a_range_the_colours_span_what_was_found():
    given = record()
    assert colours(given).get_clim() == (given.objective.min(), given.objective.max())
    one = record(n=1)
    low, high = colours(one).get_clim()
    assert low < high


def test_a_point_of_the_colour_bar_says_that_objectives_lie_beyond_it():
    inside, beyond = (heatmap(record(scale=scale)).axes[1] for scale in ((0.0, 10.0), (4.0, 6.0)))
    assert len(inside.patches) == 0
    assert len(beyond.patches) == 2


def test_one_measure_is_a_strip_whose_cells_stand_in_order():
    given = record((6,), n=3)
    shown = mesh(heatmap(given).axes[0])
    assert shown.shape == (1, 6)
    assert {i: shown[0, i] for i in np.flatnonzero(~np.ma.getmaskarray(shown)[0])} == dict(
        zip(given.cell, given.objective, strict=True)
    )

    centroids = np.array([[0.5], [-0.5], [0.0]])  # out of order
    strip = heatmap(given._replace(cell=np.array([0, 1, 2]), dims=None, centroids=centroids)).axes[0]
    assert list(mesh(strip)[0]) == list(given.objective[[1, 2, 0]])


def test_above_two_measures_each_point_is_the_best_over_the_others():
    given = record((3, 4, 2), n=24)
    figure = heatmap(given)
    best = np.full((3, 4, 2), np.nan)
    best.flat[given.cell] = given.objective
    shown = [axes for axes in figure.axes if axes.get_visible() and axes.get_xlabel()]
    assert [(axes.get_xlabel(), axes.get_ylabel()) for axes in shown] == [("m0", "m1"), ("m0", "m2"), ("m1", "m2")]
    for axes, hidden in zip(shown, (2, 1, 0), strict=True):
        assert np.array_equal(mesh(axes), best.max(axis=hidden).T)
    assert "the best over the other measures" in figure.get_suptitle()


def test_many_measures_say_which_pairs_are_shown():
    figure = heatmap(record((2,) * 6, n=20))
    assert sum(axes.get_visible() and bool(axes.get_xlabel()) for axes in figure.axes) == 6
    assert "pairs of the first 4 of 6 measures" in figure.get_suptitle()


@given(st.integers(1, 60), st.integers(0, 1000))
@settings(max_examples=25, deadline=None)
def test_the_cells_of_a_cvt_tile_the_bounds(cells, seed):
    rng = np.random.default_rng(seed)
    low, high = np.array(BOUNDS).T
    centroids = rng.uniform(low, high, (cells, 2))
    polygons = voronoi(centroids, BOUNDS)
    area = sum(_area(polygon) for polygon in polygons)
    assert area == pytest.approx((high - low).prod(), rel=1e-6)
    for point in rng.uniform(low, high, (20, 2)):
        away = np.linalg.norm((centroids - point) / (high - low), axis=1)
        nearest = np.argsort(away)
        if cells == 1 or away[nearest[1]] - away[nearest[0]] > 1e-6:
            assert Outline(polygons[nearest[0]]).contains_point(point)


def _area(polygon: np.ndarray) -> float:
    x, y = polygon.T
    return abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2


def test_a_cvt_shows_each_elite_in_the_colour_of_its_cell():
    centroids = np.random.default_rng(1).uniform(*np.array(BOUNDS).T, (20, 2))
    given = record(dims=(4, 5))._replace(dims=None, centroids=centroids)
    faces = heatmap(given).axes[0].collections[0].get_facecolor()
    assert np.allclose(faces[given.cell], colours(given).to_rgba(given.objective))
    assert len(np.unique(np.delete(faces, given.cell, axis=0), axis=0)) == 1  # all empty cells look alike


def test_an_archive_without_cells_is_a_scatter_with_the_best_on_top():
    given = record()._replace(dims=None)
    points = heatmap(given).axes[0].collections[0]
    assert list(points.get_array()) == sorted(given.objective)
    assert "cells" not in heatmap(given).axes[0].get_title(loc="left")


def test_curves_are_drawn_against_evaluations_and_gaps_are_said_in_words():
    found = {"evals": [10, 20, 30], "coverage": [1, 2, 3], "qd_score": [np.nan] * 3}
    figure = curves({name: np.array(column) for name, column in found.items()}, "toy")
    coverage, score, best = figure.axes
    assert [list(data) for data in coverage.lines[0].get_data()] == [[10, 20, 30], [1, 2, 3]]
    assert coverage.get_xlabel() == "evaluations"
    assert not score.lines and "not defined" in score.texts[0].get_text() and "negative" in score.texts[0].get_text()
    assert not best.lines and "not recorded" in best.texts[0].get_text()


def test_curves_mark_where_the_descriptor_learned():
    figure = curves({"evals": np.array([1, 2]), "coverage": np.array([3.0, 4.0])}, "toy", refits=[2])
    assert list(figure.axes[0].lines[1].get_xdata()) == [2, 2]
    assert "dotted: the descriptor learned" in figure.get_suptitle()


def test_the_best_rendered_elite_of_each_part_takes_its_seat():
    given = record((4, 4), n=16)
    rendered = np.ones(16, bool)
    rendered[np.argmax(given.objective)] = False
    columns, rows, taken = seats(given, rendered, side=2)
    assert (columns, rows) == (2, 2) and len(taken) == 4
    place = np.stack(np.unravel_index(given.cell, (4, 4)), axis=1) // 2
    for seat in taken:
        rivals = (place == (seat.column, seat.row)).all(axis=1) & rendered
        assert seat.elite == np.flatnonzero(rivals)[np.argmax(given.objective[rivals])]


def test_a_sheet_draws_poses_and_says_how_many():
    given = record()
    renderings = [Rendering("svg", POSE), None, *[Rendering("text", "a <b> $x$")] * 6]
    axes = sheet(given, renderings, side=4).axes[0]
    assert "of 8 elites" in axes.get_title(loc="left")
    assert any(patch.__class__.__name__ == "Circle" for patch in axes.patches)
    assert any(r"\$x\$" in text.get_text() for text in axes.texts)


def test_an_svg_that_is_not_simple_is_named_and_not_half_drawn():
    given = record(n=1)
    for source in (EVIL, "no svg", POSE.replace("/></svg>", ' style="fill:red"/></svg>'), POSE.replace("circle", "use")):
        axes = sheet(given, [Rendering("svg", source)]).axes[0]
        assert [text.get_text() for text in axes.texts] == ["svg"]


def test_shapes_are_drawn_where_they_stand():
    source = (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 10 10"><g stroke="red" fill="none">'
        '<line x1="0" y1="0" x2="10" y2="10"/><polyline points="0,0 5,5 10,0"/></g>'
        '<rect x="1" y="2" width="3" height="4"/><polygon points="0,0 1,0 1,1"/><path d="M0 0L10 0L10 10Z"/>'
        '<ellipse cx="5" cy="5" rx="2" ry="1"/></svg>'
    )
    axes = sheet(record(n=1), [Rendering("svg", source)]).axes[0]
    assert len(axes.lines) == 2 and len(axes.patches) == 5  # the frame is one
    line = axes.lines[0]
    ends = axes.transData.inverted().transform(line.get_transform().transform(line.get_xydata()))
    (seat,) = seats(record(n=1), np.array([True]))[2]
    inner = np.array([seat.column, seat.row]) + 0.07
    assert np.allclose(ends, [inner + [0, 0.86], inner + [0.86, 0]])  # svg's y grows downwards


def test_the_svg_sheet_is_sound_and_runs_no_script():
    given = record()._replace(title="a & b <script>")
    renderings = [
        Rendering("svg", EVIL),
        Rendering("text", "<script>"),
        Rendering("html", "<script>"),
        *[Rendering("svg", POSE)] * 5,
    ]
    source = sheet_svg(given, renderings)
    root = ElementTree.fromstring(source)
    names = {element.tag.rpartition("}")[2] for element in root.iter()}
    assert names <= {"svg", "g", "rect", "text", "tspan", "image", "title"}
    assert "<script" not in source
    assert source.count("data:image/svg+xml;base64,") == sum(rendering.kind == "svg" for rendering in renderings)


def test_a_picture_keeps_its_shape():
    import io

    buffer = io.BytesIO()
    Image.new("RGB", (20, 10), "red").save(buffer, "PNG")
    axes = sheet(record(n=1), [Rendering("png", buffer.getvalue())]).axes[0]
    left, right, bottom, top = axes.images[0].get_extent()
    assert (right - left) == pytest.approx(2 * (top - bottom))


def test_long_texts_are_cut():
    assert drawing.embed([Rendering("text", "word " * 100)], [(0, 0, 10)])[0].count("<tspan") == 6


@pytest.mark.parametrize("archive_settings", [Grid((6, 7)), CVT(30, samples=500)], ids=["grid", "cvt"])
def test_qd_plot_draws_a_stored_run(tmp_path, archive_settings, capsys):
    stored_run(tmp_path, archive_settings)
    assert plot.main([str(tmp_path)]) == 0
    made = {f"{name}.{ending}" for name in ("heatmap", "curves") for ending in ("png", "pdf")} | {"sheet.png", "sheet.svg"}
    assert {path.name for path in (tmp_path / "figures").iterdir()} == made
    assert str(tmp_path / "figures/heatmap.png") in capsys.readouterr().out
    for picture in (tmp_path / "figures").glob("*.png"):
        pixels = np.asarray(Image.open(picture).convert("L"))
        assert pixels.std() > 5  # something is on it
    ElementTree.parse(tmp_path / "figures/sheet.svg")


def test_the_record_of_a_stored_run_is_what_the_archive_held(tmp_path):
    archive = stored_run(tmp_path, Grid((6, 7)))
    drawn = figures.record(archive_file.load(tmp_path))
    data = archive.data()
    assert drawn.title == "toy, seed 3, 1,234 evaluations"
    assert list(drawn.names) == ["place[0]", "place[1]"]
    assert drawn.scale == (0.0, 9.0) and tuple(drawn.dims) == (6, 7)
    assert np.array_equal(drawn.cell, data["index"]) and np.array_equal(drawn.objective, data["objective"])


@pytest.mark.parametrize("archive_settings", [Grid((6, 7)), CVT(30, samples=500)], ids=["grid", "cvt"])
def test_titles_of_measures_with_their_units_are_on_the_map(tmp_path, archive_settings):
    stored_run(tmp_path, archive_settings)
    stored = archive_file.load(tmp_path)
    config = stored.about["config"] | {
        "domain": {"_target_": "domains.quant.domain.Quant"},
        "descriptor": {"feature": "cost"},
        "axis_labels": None,
    }
    titles = ["size with scales, KB", "bit operations, log2 of the share of W8A8's"]
    assert figures.record(stored._replace(about=stored.about | {"config": config})).names == titles
    config["axis_labels"] = {"cost": [["first, m"], ["second, s"]]}  # those of a run come first
    drawn = figures.record(stored._replace(about=stored.about | {"config": config}))
    (axes,) = (axes for axes in heatmap(drawn).axes if axes.get_xlabel() == "first, m")
    assert axes.get_ylabel() == "second, s" and len(axes.get_xticks()) > 2  # the ticks are numbers
    config["descriptor"] = {"feature": "cost", "columns": [1, 0]}
    assert figures.record(stored._replace(about=stored.about | {"config": config})).names == ["second, s", "first, m"]


def test_without_renderings_there_is_no_sheet(tmp_path):
    stored_run(tmp_path, Grid((6, 7)), renderings=False)
    assert not any(path.stem == "sheet" for path in figures.draw(tmp_path))


def test_a_line_of_metrics_that_was_cut_short_is_left_out(tmp_path):
    stored_run(tmp_path, Grid((6, 7)), renderings=False)
    (tmp_path / "events.jsonl").write_text('{"event": "refit", "evaluations": 90}\n{"event": "rel')
    assert figures.draw(tmp_path)
    read = metrics_file.metrics(tmp_path / "metrics.csv")
    assert list(read["evals"]) == [60, 120]
    assert np.isnan(read["qd_score"]).all()


@pytest.mark.parametrize(
    ("damage", "why"),
    [
        (b"\xff\xfe\x00", "no text in UTF-16"),
        (b"evals,best\n60,1\n12", "its last rows are gone"),
        (b"evals,best\n60,1\n1234\n", "inhomogeneous"),
        (b"evals,best\n60\n1234\n", "cannot reshape"),
        (b"evals,best\n60,1\nx,2\n", "could not convert"),
        (b"", "its last rows are gone"),
        (None, "it is gone"),
    ],
)
def test_damaged_metrics_are_told_of_and_no_old_curves_pass_for_theirs(tmp_path, capsys, damage, why):
    stored_run(tmp_path, Grid((6, 7)), renderings=False)
    (tmp_path / "result.json").write_text('{"evaluations": 1234, "sources": {}}')
    file, figures = tmp_path / "metrics.csv", tmp_path / "figures"
    figures.mkdir()
    (figures / "curves.png").write_text("old")
    file.unlink() if damage is None else file.write_bytes(damage)
    assert cli(["plot", str(tmp_path)]) == 1
    said = capsys.readouterr()
    assert "metrics.csv is damaged" in said.err and "curves not drawn" in said.err and why in said.err
    assert "Traceback" not in said.err and str(figures / "curves-before.png") in said.err
    assert str(figures / "heatmap.png") in said.out
    assert {path.name for path in figures.iterdir()} == {"heatmap.png", "heatmap.pdf", "curves-before.png"}
    assert (figures / "curves-before.png").read_text() == "old"
    assert file.exists() == (damage is not None)


def test_a_figure_drawn_again_is_the_same_picture(tmp_path):
    stored_run(tmp_path, Grid((6, 7)))
    before = {path.name: path.read_bytes() for path in figures.draw(tmp_path)}
    assert {path.name: path.read_bytes() for path in figures.draw(tmp_path)} == before


def test_a_folder_that_is_no_run_says_what_to_type(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match="nowhere does not exist.*type qd run first"):
        plot.main(["nowhere"])
    (tmp_path / "runs/toy/s0").mkdir(parents=True)
    stored_run(tmp_path / "runs/toy/s0", Grid((6, 7)), renderings=False)
    for wrong in ("nowhere", "runs", "runs/toy"):
        with pytest.raises(ValueError, match="type qd plot runs/toy/s0"):
            plot.main([wrong])


def test_a_run_that_was_cut_off_is_told_to_go_on(tmp_path):
    (tmp_path / "config.yaml").write_text("name: toy\n")
    with pytest.raises(ValueError, match="has no archive yet.*command of the run once more"):
        plot.main([str(tmp_path)])


def test_a_foreign_archive_is_refused(tmp_path):
    (tmp_path / "archive.json").write_text(json.dumps({"format": "other"}))
    with pytest.raises(ValueError, match="no archive of this project"):
        plot.main([str(tmp_path)])


def test_without_a_run_the_usage_is_said(capsys):
    assert cli(["plot"]) == 2
    assert "usage: qd plot RUN" in capsys.readouterr().err
    assert cli(["plot", "--help"]) == 0
    assert "usage: qd plot RUN" in capsys.readouterr().out
