"""Benchmarks: sides do as many evaluations as they say, rounds are resumed, ratios are of the same round."""

import numpy as np
import pytest

from domains.arm import Arm
from experiments import study
from experiments.benchmarks import cma_me, costs, cvt, dqd, equivalence, generators, host_loop, map_elites, rounds, seeds, sides
from experiments.maze import novelty
from experiments.maze import speed as maze_speed
from experiments.sparse import episodes, tasks
from qd.report.table import Runs, summary


@pytest.fixture(autouse=True)
def _small(monkeypatch):
    monkeypatch.setattr(sides, "WARM", 400)
    monkeypatch.setattr(map_elites, "WARM", 400)


SIDES = {
    "map_elites": lambda: map_elites.sides(Arm(10), 16, (5, 5), 64),
    "cvt": lambda: cvt.sides(2, 16, 16, 64),
    "cma_me": lambda: cma_me.sides("cma_es", 4, 2, 144),
    "dqd": lambda: dqd.sides(*dqd.CASES["OMG-MEGA, 270"][:3], 540),
    "host_loop": lambda: host_loop.sides("gaussian", 16),
}
MARKS = {"cma_me": pytest.mark.slow} | dict.fromkeys(("map_elites", "cvt", "dqd"), pytest.mark.ci)


@pytest.mark.parametrize("name", [pytest.param(name, marks=MARKS.get(name, ())) for name in SIDES])
def test_sides_go_on_and_count_what_they_evaluate(name, monkeypatch):
    monkeypatch.setattr(host_loop, "GENERATIONS", 4)
    several = SIDES[name]()
    assert len(several) >= 2
    for side in several.values():
        first, second = side(), side()
        assert first > 0 and 16 <= second <= 1080


@pytest.mark.slow
def test_seeds_go_on_together_and_one_by_one(tmp_path):
    runs = study.runs(tmp_path)
    several = seeds.sides(runs, "arm", 4, 20, 100, count=2)
    assert {side() for side in several.values()} == {200}
    assert runs.has("arm", "map, first call", 0) and seeds.fresh_process(4, 20, 100)["cpu_s"] > 0.1


@pytest.mark.ci
def test_costs_has_sides_for_every_axis(tmp_path, monkeypatch):
    monkeypatch.setattr(costs, "STARTS", 64)
    monkeypatch.setattr(costs, "NUMBERS", 1000)
    runs = study.runs(tmp_path)
    several = costs.sides(runs, "cells 1024", "cells", 1024)
    assert set(several) == {"limit", "fused, hash", "fused, threefry", "pyribs"} and several["limit"]() == 1024
    runs.add("cells 1024", "limit", 0, {"per_cpu_s": 1e6, "per_s": 1e6})
    assert runs.column("cells 1024", "memory", "mirror_mb")[-1] > 0
    assert len(costs.sheet(runs).axes) == 6


@pytest.mark.ci
def test_episodes_and_mazes_are_counted(monkeypatch):
    monkeypatch.setattr(episodes, "BATCH", 8)
    monkeypatch.setattr(maze_speed, "CALLS", 2)
    monkeypatch.setattr(maze_speed, "ITERATIONS", 2)
    assert {name: side() for name, side in episodes.sides(tasks.task("redundant arm").domain).items()} == dict.fromkeys(
        ("where it ends", "one image", "five images"), 16
    )
    assert maze_speed.episodes()["ours"]() == 2 * novelty.BATCH == maze_speed.searches()["ours"]()


def test_rounds_that_are_there_are_not_done_again_and_ratios_are_of_the_same_round(tmp_path):
    calls = []
    several = {"ours": lambda: calls.append("ours") or 100, "theirs": lambda: calls.append("theirs") or 50}
    runs = study.runs(tmp_path)
    rounds.race(runs, "a", lambda: several, 1)
    rounds.race(study.runs(tmp_path), "a", lambda: several, 3)
    assert len(calls) == 2 * (2 + 3)  # once before the clock runs in each process, and each round once
    rounds.race(study.runs(tmp_path), "a", lambda: pytest.fail("nothing is missing"), 3)
    made = Runs(tmp_path / "made.jsonl")
    for i, (ours, theirs) in enumerate(((4.0, 2.0), (9.0, 3.0), (8.0, 2.0))):
        made.add("a", "ours", i, {"per_cpu_s": ours, "per_s": ours})
        made.add("a", "theirs", i, {"per_cpu_s": theirs, "per_s": theirs})
    ratios = {row.metric: (row.value, row.n) for row in rounds.rows(made, {"pair": ("ours", "theirs")}) if row.method == "pair"}
    assert ratios == {"ratio per_cpu_s": (3.0, 3), "ratio per_s": (3.0, 3)}
    assert rounds.rows(made, {"pair": ("ours", "nobody")}) == summary(made)


def test_what_hardly_differs_is_equivalent_and_what_differs_is_not(tmp_path):
    runs = study.runs(tmp_path)
    random = np.random.default_rng(0).normal(0, 0.1, (20, 3))
    for seed, (a, b, c) in enumerate(random.tolist()):
        for method, value in (("hash", 100 + a), ("threefry", 100 + b), ("bad", 80 + c)):
            runs.add("arm", method, seed, {"coverage": value})
    same = equivalence.mean_differences(runs, ["arm"], ["coverage"], "hash", "threefry")
    worse = equivalence.mean_differences(runs, ["arm"], ["coverage"], "bad", "threefry")
    assert "n=20: equivalent" in equivalence.verdicts([*summary(runs), *same])
    assert "not shown to be equivalent" in equivalence.verdicts(worse) and worse[0].value == pytest.approx(-0.2, abs=0.01)
    with_one = equivalence.mean_differences(runs, ["arm"], ["coverage"], "hash", "nobody")
    assert with_one == []


@pytest.mark.slow
def test_both_generators_and_both_cma_me_are_measured(tmp_path, monkeypatch):
    monkeypatch.setitem(generators.BUDGETS, "quick", 600)
    generators.main("quick", seeds=2, out=str(tmp_path))
    runs = study.runs(tmp_path)
    assert len(runs.records) == 2 * 2 * 2 and "difference of coverage" in (tmp_path / "table.csv").read_text()
    monkeypatch.setattr(generators, "measure", None)  # a call fails
    generators.main("quick", seeds=2, out=str(tmp_path))
    for method in cma_me.QUALITY_METHODS:
        scores = cma_me.quality(method, 0, "cma_es", 4, 2, 360, mae=True)
        assert 0 < scores["elites"] <= 360 and scores["best"] > 50
