"""A run read back into Python: data frames, figures, solutions and policies; nothing that the folder names is built."""

import json

import numpy as np
import pytest
import yaml
from matplotlib.figure import Figure

import qd
from domains.maze import Maze
from qd.archives import Grid
from qd.cli.main import main
from qd.report.export import table
from tests.support.stored_runs import stored_run


@pytest.fixture
def stored(tmp_path):
    run = tmp_path / "runs/toy/s3"
    run.mkdir(parents=True)
    stored_run(run, Grid((10, 10)))
    (run / "config.yaml").write_text(yaml.safe_dump({"name": "toy", "seed": 3, "domain": {"_target_": "strangers.Trap"}}))
    return qd.load_run(run)


def test_elites_are_named_as_they_are_exported(stored):
    columns = table(stored.folder)
    assert list(stored.elites)[:7] == ["id", "objective", "measures_0", "measures_1", "solution_0", "solution_1", "solution_2"]
    np.testing.assert_array_equal(stored.elites["id"], columns["id"])
    np.testing.assert_array_equal(stored.elites[["solution_0", "solution_1", "solution_2"]], columns["solution"])


def test_the_best_elite_has_an_id_that_finds_its_solution(stored):
    best = stored.best
    assert best["objective"] == stored.elites["objective"].max()
    np.testing.assert_array_equal(stored.solution(best["id"]), [best[f"solution_{i}"] for i in range(3)])
    with pytest.raises(qd.UserError, match=r"no elite with id 99; type one of"):
        stored.solution(99)


def test_metrics_leave_out_a_line_that_was_cut_short(stored):
    assert stored.metrics["evals"].tolist() == [60, 120]
    assert np.isnan(stored.metrics["qd_score"]).all()


@pytest.mark.parametrize("kind", ["heatmap", "curves", "sheet"])
def test_figures_are_matplotlibs(stored, kind):
    assert isinstance(stored.figure(kind), Figure)


def test_an_unknown_figure_names_the_nearest(stored):
    with pytest.raises(qd.UserError, match="heatmap"):
        stored.figure("heatmaps")


def test_it_shows_itself_in_a_line_and_in_a_notebook(stored):
    assert "120 evaluations" in repr(stored) and "not finished" in repr(stored)
    html = stored._repr_html_()
    assert "data:image/png;base64," in html and "&lt;" not in html


def test_a_folder_of_no_run_names_runs_that_are_near(stored, monkeypatch):
    monkeypatch.chdir(stored.folder.parents[2])
    with pytest.raises(qd.UserError, match=r'type qd\.load_run\("runs/toy/s3"\)'):
        qd.load_run("runs/toy/s4")


def test_a_run_without_an_archive_still_has_its_metrics(stored):
    (stored.folder / "archive.json").unlink()
    run = qd.load_run(stored.folder)
    assert len(run.metrics) == 2 and run.config["seed"] == 3
    assert isinstance(run.figure("curves"), Figure)
    assert "img" not in run._repr_html_()
    with pytest.raises(qd.UserError, match="no archive yet"):
        _ = run.elites


def test_nothing_that_a_folder_names_is_imported_for_a_policy(stored):
    with pytest.raises(qd.UserError, match="pass the domain"):
        stored.policy(stored.best["id"])


def test_a_policy_needs_a_domain_that_says_what_it_is(stored):
    with pytest.raises(qd.UserError, match="Arm does not say"):
        stored.policy(stored.best["id"], "arm")


@pytest.mark.slow
def test_a_run_of_the_maze_has_policies_and_a_history(tmp_path, monkeypatch, own_key):
    monkeypatch.chdir(tmp_path)
    words = ["run", "domain=maze", "budget=100", "initial=50", "console=off", "renderings=0"]
    assert main([*words, "emitter.batch_size=50"]) == 0
    assert main([*words, "emitter.batch_size=50", "domain.steps=10", "domain.points=10", "name=short"]) == 0
    run = qd.load_run(next(tmp_path.glob("runs/maze/*")))
    elite = run.best["id"]
    assert {"generation", "id", "cell", "objective"} <= set(run.history) and len(run.history) >= len(run.elites)
    maze, readings = Maze(), np.linspace(0, 1, Maze().inputs)
    wheels = np.asarray(run.policy(elite)(readings))
    assert wheels.shape == (2,) and (np.abs(wheels) <= 1).all()
    np.testing.assert_array_equal(wheels, run.policy(elite, maze)(readings))
    np.testing.assert_array_equal(wheels, run.policy(elite, "maze")(readings))
    short = qd.load_run(next(tmp_path.glob("runs/short/*")))
    with pytest.raises(qd.UserError, match="settings of its own"):
        short.policy(short.best["id"])
    assert run.finished and json.loads((run.folder / "result.json").read_text())["evaluations"] == 100
