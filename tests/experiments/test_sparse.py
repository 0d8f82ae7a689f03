"""The experiment on sparse rewards: its book, its table, its schedule, and that nothing runs twice."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from domains.redundant_arm import RedundantArm
from domains.scene import Camera
from experiments.sparse import ground_truth, methods, sight, study, tasks
from experiments.sparse.curves import read
from qd import keys, programs
from qd.report import table
from qd.search import start, step
from qd.support.errors import UserError
from qd.types import Descriptor, Emitter, Evaluation, Rows, Search

TINY = tasks.SparseTask(RedundantArm(steps=20, points=4, camera=Camera(side=8)), (0.0, 1.0), steps=2)


@pytest.fixture
def tiny(monkeypatch):
    monkeypatch.setattr(study, "task", lambda name: TINY)
    monkeypatch.setattr(study, "_plan", lambda budget: [("arm", 1500)])


def test_it_writes_a_table_and_runs_nothing_twice(tiny, tmp_path, monkeypatch, capsys):
    study.main(seeds=2, methods=("random", "serene"), out=str(tmp_path))
    rows = table.read(tmp_path / "table.csv")
    assert {(r.case, r.method) for r in rows} == {("arm, 1500 evaluations", m) for m in ("random", "serene")}
    metrics = set(study.METRICS) - {"training"}
    assert {r.n for r in rows} == {2} and metrics <= {r.metric for r in rows} and (tmp_path / "arm_1500.png").exists()
    assert (tmp_path / "about.json").exists() and "coverage_all" in capsys.readouterr().out
    curves = read(tmp_path / "curves.jsonl")["arm, 1500 evaluations"]
    assert set(curves["serene"]) == {0, 1} and (np.diff(curves["serene"][0][:, 1]) >= 0).all()
    monkeypatch.setattr(study, "play", None)  # whoever calls it fails
    study.main(seeds=2, methods=("random", "serene"), out=str(tmp_path))
    with pytest.raises(UserError, match="unknown case 'moon'; type .*arm, 1500 evaluations"):
        study.main(cases="moon", out=str(tmp_path))


def test_ours_is_set_beside_each_other_seed_by_seed(tmp_path):
    runs = table.Runs(tmp_path / "runs.jsonl")
    for seed, (ours, theirs) in enumerate(((10, 40), (20, 100))):  # the second of theirs never saw them: the whole budget
        runs.add("arm", "ours", seed, {"until_all": ours, "coverage_all": 90.0})
        runs.add("arm", "stax", seed, {"until_all": theirs, "coverage_all": 80.0 + seed})
    runs.add("arm", "random", 2, {"until_all": 100, "coverage_all": 70.0})  # a seed of its own is beside nothing
    share, more = study.beside_ours(runs)
    assert (share.method, share.value, share.n) == ("ours / stax", pytest.approx((10 / 40 + 20 / 100) / 2), 2)
    assert (more.method, more.value, more.n) == ("ours - stax", 9.5, 2)


@pytest.mark.slow
def test_a_learned_search_trains_on_the_papers_schedule(tiny, monkeypatch):
    trained = []
    real = study.refit
    monkeypatch.setattr(study, "refit", lambda search, state: trained.append(state.evaluations) or real(search, state))
    monkeypatch.setattr(study, "CHUNK", 400)
    scores, curve = study.play(TINY, "taxons", 3200, seed=0)
    assert trained == [600, 1400, 2600]  # 200 seeds, then after chunks 1, 3 and 6
    assert scores["evaluations"] == 3200 and 0 < scores["training"] < 100 and scores["trainings"] == 3
    assert scores["coverage_all"] >= scores["coverage_current"] > 0 and scores["exploring"] == 100
    assert curve[0][0] == 200 and len(curve[0]) == 5


def test_an_arm_that_diverges_is_counted_and_its_controller_kept():
    components = methods.method("novelty", TINY)
    search = Search(TINY.domain, components.descriptor, components.archive, components.emitter)
    solutions = np.array(TINY.domain.sample(keys.new(0), 20))
    solutions[3] = np.nan
    state, batch = start(search, keys.new(0), solutions)
    book = ground_truth.GroundTruth(TINY)
    book.add(batch, 20, None)
    assert batch.status[3] == -1 and np.isnan(batch.solutions[3]).all()
    assert book.scores(20, np.zeros((0, 2)))["failed"] == 1
    _, after = step(search, state)
    assert (after.status >= 0).all()


def test_the_book_counts_by_ground_truth():
    place = np.array([[0.25, 0.25], [0.85, 0.88], [np.nan, 0.5], [0.01, 0.01]], np.float32)
    evaluation = Evaluation(np.array([1.0, 0.4, np.nan, 0.0], np.float32), {"position": place})
    batch = SimpleNamespace(ids=np.arange(4), status=np.array([2, 0, -1, 2]), evaluation=evaluation)
    book = ground_truth.GroundTruth(TINY)
    book.add(batch, 300, None)  # type: ignore[arg-type]
    scores = book.scores(1000, np.array([[0.5, 0.5], [0.505, 0.505]]))
    assert scores["area_1"] == pytest.approx(1) and scores["area_2"] == pytest.approx(0.4, abs=1e-4) and scores["area_3"] == 0
    assert scores["until_1"] == 300 and scores["until_2"] == scores["until_all"] == 1000 and scores["reached_all"] == 0
    assert scores["coverage_all"] == pytest.approx(100 * 3 / 2500)
    assert scores["coverage_current"] == pytest.approx(100 / 2500)
    assert scores["failed"] == 1 and scores["exploring"] == 100


def test_uniformity_is_one_where_all_cells_are_visited_alike_and_low_where_one_is():
    assert ground_truth.uniformity(np.full((50, 50), 7)) == pytest.approx(1)
    one = np.zeros((50, 50))
    one[3, 4] = 9
    assert ground_truth.uniformity(one) == pytest.approx(0, abs=0.05)
    half = np.concatenate([np.ones((25, 50)), np.zeros((25, 50))])
    assert 0.3 < ground_truth.uniformity(half) < 0.6


def test_every_method_and_task_is_there_and_unknown_names_are_named():
    for name in methods.METHODS:
        components = methods.method(name, tasks.task("curling"))
        assert isinstance(components.descriptor, Descriptor) and isinstance(components.emitter, Emitter)
    assert tasks.task("maze-quick") == replace(tasks.task("maze"), steps=40)
    for call in (lambda: methods.method("magic", TINY), lambda: tasks.task("moon")):
        with pytest.raises(ValueError, match="unknown (task|method) "):
            call()


def test_pixels_are_block_means_of_the_last_image():
    image = np.zeros((2, 3, 16, 16, 3), np.uint8)
    image[1, 2, :2, :2] = 255
    measures = methods.Pixels()((), {"image": image})
    assert measures.shape == (2, 192) == (2, len(methods.Pixels().bounds))
    assert measures[1, :3].tolist() == [1, 1, 1] and measures.sum() == 3


@pytest.mark.slow
def test_what_is_seen_is_told_and_drawn(tmp_path, monkeypatch):
    monkeypatch.setattr(sight, "TRAIN_IMAGES", 40)
    features = programs.evaluate(TINY.domain, ("image", "position"), keys.new(0), TINY.domain.sample(keys.new(1), 60))[1]
    rows = Rows(np.arange(60), np.zeros((60, 1)), np.zeros(60), features, np.ones(60, bool))
    scores = sight.look(replace(sight.PLAIN, steps=2, rows=40), rows, 0, tmp_path / "seen.png")
    assert scores["redrawn"] < 1 and scores["place_r2"] < 1 and scores["cpu_seconds"] > 0 and (tmp_path / "seen.png").exists()
    assert sight._r2(np.arange(4.0), np.arange(4.0)) == 1
