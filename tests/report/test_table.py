"""Result tables: intervals, pairs, files that come back."""

import numpy as np
import pytest
from scipy.stats import ttest_rel

from qd.report import statistics, table
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


def test_rows_carry_the_intervals_of_qd_compare():
    values = np.random.default_rng(0).normal(size=9)
    for name in ("median", "mean"):
        assert table.over_seeds("a", "b", "c", values, name)[3:6] == tuple(map(float, getattr(statistics, name)(values)))
    alone = table.over_seeds("a", "b", "c", [1.0])
    assert alone.value == 1 and np.isnan([alone.low, alone.high]).all() and alone.values == ()


def test_below_five_seeds_the_values_themselves_are_there():
    few, more = (table.over_seeds("a", "b", "c", range(n)) for n in (4, 5))
    assert few.values == (0, 1, 2, 3) and more.values == ()
    assert "(0.0, 1.0, 2.0, 3.0)" in table.text([few], ("c",))


def test_ratios_have_intervals_of_their_logarithms():
    row = table.of_ratios("a", "ours / theirs", "speed", [0.5, 1.0, 8.0])
    logs = statistics.mean(np.log([0.5, 1.0, 8.0]))
    assert row.value == 1 and (row.low, row.high) == pytest.approx((np.exp(logs.low), np.exp(logs.high))) and row.low > 0
    assert row.values == (0.5, 1.0, 8.0)


def test_differences_are_paired_by_seed_and_corrected_for_their_number(tmp_path):
    runs = Runs(tmp_path / "r.jsonl")
    for seed in range(8):
        for method, score in (("ours", 50.0 + seed), ("near", 49.0 + seed + 0.1 * seed), ("far", 40.0 + seed % 3)):
            runs.add("arm", method, seed, {"score": score})
    rows = [table.difference(runs, "arm", "ours", other, "score") for other in ("near", "far")]
    test = ttest_rel([50.0 + seed for seed in range(8)], [49.0 + 1.1 * seed for seed in range(8)])
    assert (rows[0].method, rows[0].n) == ("ours - near", 8) and rows[0].value == pytest.approx(0.65)
    assert rows[0].p == pytest.approx(test.pvalue) and rows[0].high == pytest.approx(test.confidence_interval(0.95).high)
    assert [row.p for row in table.corrected(rows)] == pytest.approx(statistics.holm([row.p for row in rows]).tolist())
    elsewhere = rows[0]._replace(case="maze")
    assert table.corrected([*rows, elsewhere])[2] == elsewhere  # alone in its case
    with pytest.raises(ValueError, match="share no seed"):
        table.difference(Runs(tmp_path / "none"), "arm", "ours", "near", "score")


def test_a_table_comes_back_from_its_csv(tmp_path):
    rows = table.summary(some_runs(tmp_path / "r.jsonl"))
    assert [(r.method, r.metric) for r in rows] == [("ours", "score"), ("ours", "time"), ("theirs", "score")]
    rows.append(rows[0]._replace(values=(1.0, 2.5), p=0.01))
    table.write(tmp_path / "table.csv", rows)
    back = table.read(tmp_path / "table.csv")
    assert (back[-1].values, back[-1].p, back[0].values) == ((1.0, 2.5), 0.01, ()) and np.isnan(back[0].p)
    assert back[0]._replace(low=0, high=0) == Row("arm", "ours", "score", 53.5, 0, 0, 8, p=back[0].p)
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


def test_intervals_of_times_are_cut_at_zero_and_those_of_other_numbers_and_of_differences_are_not(tmp_path):
    values = [0.1, 0.2, 2.0]
    whole = table.over_seeds("a", "b", "score", values, "mean")
    assert whole.low < 0
    for metric in ("wall_s", "evals_per_s", "rows_mb", "cpu_seconds"):
        assert table.over_seeds("a", "b", metric, values, "mean") == whole._replace(metric=metric, low=0.0)
    assert np.isnan(table.over_seeds("a", "b", "wall_s", [1.0]).low)
    ratios = table.of_ratios("a", "ours / theirs", "per_s", [2.0, 4.0, 64.0])
    assert 0 < ratios.low < 1
    runs = table.Runs(tmp_path / "r.jsonl")
    for seed, value in enumerate(values):
        runs.add("a", "ours", seed, {"wall_s": 3 + value})
        runs.add("a", "theirs", seed, {"wall_s": 3.0})
    assert table.difference(runs, "a", "ours", "theirs", "wall_s").low == pytest.approx(whole.low)
