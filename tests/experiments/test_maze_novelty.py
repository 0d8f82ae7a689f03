"""The novelty search on the maze: it repeats itself, and given again it runs only what is missing."""

import numpy as np
import pytest

from experiments.maze import novelty
from qd.report import table


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("novelty")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(novelty.BUDGETS, "quick", 4)
        novelty.main(seeds=2, methods=("ours",), out=str(folder))
        before = (folder / "runs.jsonl").read_text()
        novelty.main(seeds=3, methods=("ours",), out=str(folder))
    return folder, before


@pytest.mark.ci
def test_given_again_it_runs_what_is_missing(runs):
    folder, before = runs
    after = (folder / "runs.jsonl").read_text()
    assert after.startswith(before) and len(before.splitlines()) == 2 and len(after.splitlines()) == 3
    coverage = next(row for row in table.read(folder / "table.csv") if row.metric == "coverage")
    assert coverage.n == 3 and 0 < coverage.low <= coverage.value <= coverage.high < 100
    assert (folder / "coverage.png").stat().st_size > 0 and (folder / "about.json").exists()


def test_a_seed_repeats_itself(runs):
    stored_run = table.Runs(runs[0] / "runs.jsonl").records["target maze 4", "ours", 1]
    again = novelty.novelty_search(novelty.evaluator("ours"), 1, 4)
    assert {again[name] == stored_run[name] for name in ("coverage", "novel", "evaluations")} == {True}
    assert stored_run["evaluations"] == 600 and stored_run["novel"] <= 600


def test_both_sides_are_compared_by_seed_where_both_are_there(tmp_path):
    several = table.Runs(tmp_path / "runs.jsonl")
    for seed in range(6):
        for method, coverage in (("ours", 70 + seed), ("kheperax", 70.5 + seed)):
            several.add(
                "case", method, seed, {"coverage": coverage, "cpu_seconds": 1 + 5 * (method == "kheperax"), "wall_seconds": 1}
            )
    novelty.report(several, tmp_path)
    rows = {(row.method, row.metric): row for row in table.read(tmp_path / "table.csv")}
    assert rows[novelty.VERSUS, "cpu_seconds_ratio"].value == 6 and rows[novelty.VERSUS, "wall_seconds_ratio"].value == 1
    assert np.isclose(rows["ours - kheperax", "coverage"].value, -0.5)
