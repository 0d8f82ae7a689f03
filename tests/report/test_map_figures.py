"""The map over time, maps of many measures, and one colour scale for several runs."""

import numpy as np
import pytest
from PIL import Image

from qd.cli.main import main
from qd.plots import many_measures
from qd.plots.map_film import Change, map_film
from qd.plots.records import Map, colours
from qd.plots.side_by_side import MapPanel, side_by_side
from qd.report import figures
from tests.support.stored_runs import small_run


def record(dims: tuple[int, ...], cells: list[int], objective: list[float], scale=(0.0, 10.0)) -> Map:
    place = np.stack(np.unravel_index(cells, dims), axis=1)
    measures = (place + 0.5) / np.array(dims)
    bounds = [(0.0, 1.0)] * len(dims)
    names = [f"m{i}" for i in range(len(dims))]
    return Map(measures, np.array(objective), np.array(cells), bounds, names, "toy", dims, None, scale)


def test_a_frame_shows_the_map_as_it_was_then():
    final = record((2, 2), [0, 3], [5.0, 10.0])
    first, last = map_film(
        final, [Change(10, np.array([0]), np.array([1.0])), Change(20, np.array([0, 3]), np.array([5.0, 10.0]))]
    )
    lower_left, upper_right = (12 + 90, 46 + 270), (12 + 270, 46 + 90)
    paint = colours(final)
    assert first.getpixel(lower_left) == tuple(paint.to_rgba(1.0, bytes=True)[:3]) and first.getpixel(upper_right) == (239,) * 3
    assert last.getpixel(lower_left) == tuple(paint.to_rgba(5.0, bytes=True)[:3])
    assert last.getpixel(upper_right) == tuple(paint.to_rgba(10.0, bytes=True)[:3])


def test_of_three_measures_a_pixel_shows_the_best_over_the_third():
    final = record((2, 1, 2), [0, 1], [2.0, 8.0])
    (frame,) = map_film(final, [Change(5, np.array([0, 1]), np.array([2.0, 8.0]))])
    assert frame.getpixel((12 + 90, 46 + 90)) == tuple(colours(final).to_rgba(8.0, bytes=True)[:3])


def test_cells_of_a_cvt_are_those_of_the_nearest_centroid():
    centroids = np.array([[0.1, 0.5], [0.9, 0.5]])
    final = record((2, 2), [0, 1], [2.0, 8.0])._replace(dims=None, centroids=centroids)
    (frame,) = map_film(final, [Change(5, np.array([1]), np.array([8.0]))])
    assert frame.getpixel((12 + 170, 200)) == (239,) * 3
    assert frame.getpixel((12 + 190, 200)) == tuple(colours(final).to_rgba(8.0, bytes=True)[:3])
    with pytest.raises(ValueError, match="needs a grid, or a CVT of two measures"):
        map_film(final._replace(centroids=None), [Change(5, np.array([1]), np.array([8.0]))])


def test_nested_maps_hold_the_right_cells():
    final = record((2, 2, 3), [0, 5, 11], [1.0, 2.0, 3.0])
    figure = many_measures.nested(final)
    panels = [axes for axes in figure.axes if axes.images]
    shown = [np.ma.filled(axes.images[0].get_array(), np.nan) for axes in panels]
    assert len(panels) == 3 and shown[0][0, 0] == 1.0 and shown[2][1, 0] == 2.0 and shown[2][1, 1] == 3.0
    assert sum(np.isfinite(each).sum() for each in shown) == 3
    assert len([axes for axes in many_measures.nested(record((2, 2, 20), [0], [1.0])).axes if axes.images]) == 10


def test_a_line_of_parallel_coordinates_runs_through_measures_and_objective():
    figure = many_measures.parallel(record((2, 2, 4), [0, 15], [10.0, 5.0]))
    worse, best = figure.axes[0].collections[0].get_segments()  # the best on top
    np.testing.assert_allclose(worse[:, 1], [0.75, 0.75, 0.875, 0.5])
    np.testing.assert_allclose(best[:, 1], [0.25, 0.25, 0.125, 1.0])


@pytest.mark.ci
def test_qd_plot_draws_the_film_and_gives_runs_one_scale(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run = small_run(tmp_path)
    assert main(["plot", str(run), "--film", "--frames", "5"]) == 0
    with Image.open(run / "figures/map.gif") as film:
        assert 2 <= film.n_frames <= 5
    low, high = figures.shared_scale([run])
    scales = []
    monkeypatch.setattr(figures, "draw", lambda run, say, scale: scales.append(scale))
    assert main(["plot", str(run), "--scale", "same"]) == 0 and main(["plot", str(run), "--scale", "-5,0"]) == 0
    assert main(["plot", str(run)]) == 0
    assert scales == [(low, high), (-5.0, 0.0), None] and low < high
    assert main(["plot", str(run), "--scale", "5,0"]) == 1
    assert "--scale 5,0 is no colour scale; type --scale same" in capsys.readouterr().err


def test_long_titles_stay_within_their_figure():
    name = "a_method/emitter=gaussian,archive.dims=[50,50],seeds"
    panel = MapPanel(f"{name}\nminus {name}", np.zeros((3, 3)), ((0, 1), (0, 1)), ("x", "y"))
    title = f"difference of mean objectives, in cells that both methods fill, of {name}"
    figure = side_by_side([panel], title, "difference", (-1, 1))
    figure.draw_without_rendering()
    for text in (figure._suptitle, figure.axes[0]._left_title):  # type: ignore[attr-defined]
        box = text.get_window_extent()
        assert box.x0 >= 0 and box.x1 <= figure.bbox.x1
