"""Result tables: intervals, pairs, files that come back."""

import numpy as np
import pytest

from qd.report import table
from qd.report.table import Row, Runs


def some_runs(path, n: int = 8) -> Runs:
    runs = Runs(path)
    for seed in range(n):
        runs.add("arm", "ours", seed, {"score": 50 + seed, "time": 1})
        runs.add("arm", "theirs", seed, {"score": 40 + seed})
    return runs


def test_runs_are_found_again_and_a_torn_line_is_not_a_run(tmp_path):
    path = tmp_path / "runs.jsonl"
    some_runs(path)
    with path.open("a") as file:
        file.write('{"case": "arm", "method": "ours", "se')
    again = Runs(path)
    assert len(again.records) == 16 and again.column("arm", "ours", "score")[3] == 53
    again.add("arm", "ours", 99, {"score": 1.0})
    assert Runs(path).has("arm", "ours", 99)
    with pytest.raises(ValueError, match="already"):
        again.add("arm", "ours", 99, {"score": 1.0})


def test_an_interval_holds_the_truth_about_95_times_in_100():
    rng = np.random.default_rng(0)
    held = [low <= 0 <= high for low, high in (table.interval(rng.normal(size=20), np.mean) for _ in range(300))]
    assert 0.88 < np.mean(held) < 0.98
    assert all(np.isnan(table.interval(np.array([1.0]))))


def test_differences_are_paired_by_seed(tmp_path):
    row = table.difference(some_runs(tmp_path / "r.jsonl"), "arm", "ours", "theirs", "score")
    assert row.value == row.low == row.high == 10 and row.n == 8
    with pytest.raises(ValueError, match="share no seed"):
        table.difference(Runs(tmp_path / "none"), "arm", "ours", "theirs", "score")


def test_a_table_comes_back_from_its_csv(tmp_path):
    rows = table.summary(some_runs(tmp_path / "r.jsonl"))
    assert [(r.method, r.metric) for r in rows] == [("ours", "score"), ("ours", "time"), ("theirs", "score")]
    table.write(tmp_path / "table.csv", rows)
    back = table.read(tmp_path / "table.csv")
    assert back[0]._replace(low=0, high=0) == Row("arm", "ours", "score", 53.5, 0, 0, 8)
    assert back[0].low == pytest.approx(rows[0].low, rel=1e-5)


def test_a_table_reads_in_a_terminal_and_in_latex():
    rows = [Row("arm 20 %", "ours_1", "score", 5.04, 4, 6, 3), Row("arm 20 %", "b", "time", 1, float("nan"), float("nan"), 1)]
    lines = table.text(rows, ("score", "time")).splitlines()
    assert lines[1].split("  ")[0] == "arm 20 %" and "5.0 [4.0, 6.0]" in lines[1] and lines[1].endswith("-")
    assert lines[2].endswith("1.0")
    said = table.latex(rows, ("score",))
    assert r"arm 20 \% & ours\_1 & 3 & 5.0 [4.0, 6.0] \\" in said and said.startswith(r"\begin{tabular}{llrr}")


def test_names_that_latex_would_read_as_commands_are_escaped():
    said = table.latex([Row("a&b", "dims=[9,9] #1^2 {x}~$", "qd_score", 5, 4, 6, 3)], ("qd_score",))
    assert r"a\&b & dims=[9,9] \#1\textasciicircum{}2 \{x\}\textasciitilde{}\$ & 3 & 5.0 [4.0, 6.0] \\" in said
    assert r"$n$ & qd\_score \\" in said


def test_two_samples_are_compared_as_textbooks_do():
    ours, theirs = [5.0, 6.0, 7.0], [1.0, 2.0, 3.0, 4.0]
    found = table.compare(ours, theirs)
    # s_p² = (2 * 1 + 3 * 5/3) / 5 = 1.4; error = sqrt(1.4 (1/3 + 1/4)); U is as large as it can be: p = 2 / C(7, 3)
    assert (found.difference, found.n, found.m) == (3.5, 3, 4)
    assert found.error == pytest.approx(np.sqrt(1.4 * 7 / 12)) and found.p == pytest.approx(2 / 35)
    assert not found.within() and found.within(3.9) and not found.within(3.8)
    assert table.compare(theirs, ours) == found._replace(difference=-3.5, n=4, m=3)


def test_samples_of_one_population_are_within_two_errors_about_95_times_in_100():
    rng = np.random.default_rng(0)
    found = [table.compare(rng.normal(size=12), rng.normal(size=12)) for _ in range(400)]
    assert 0.91 < np.mean([each.within() for each in found]) < 0.98
    assert 0.02 < np.mean([each.p < 0.05 for each in found]) < 0.08


@pytest.mark.parametrize("sample", [[1.0], [], [1.0, float("nan")]])
def test_too_few_values_are_not_compared(sample):
    with pytest.raises(ValueError, match="cannot be compared"):
        table.compare(sample, [1.0, 2.0])
