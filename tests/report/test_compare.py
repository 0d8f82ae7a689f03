"""`qd compare`: groups, numbers, tables, maps, the page, and what it refuses."""

import csv
import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from matplotlib.colors import to_hex

from qd.archives import Grid, insert
from qd.cli.main import main
from qd.plots.bands import Band, bands
from qd.report import collect, table
from qd.report.compare import curves
from qd.report.page import bundle
from qd.store import archive_file, runs
from qd.types import Rows

BOUNDS = ((-1.0, 1.0), (0.0, 4.0))
TOY = Rows(np.arange(1), np.zeros((1, 1), np.float32), np.zeros(1, np.float32), {}, np.ones(1, bool))
COLUMNS = "evals,generation,wall_s,evals_per_s,elites,coverage,qd_score,best"


def stored(run: Path, seed: int, rows: list[tuple], budget: int = 1000, finished: bool = True, sources=(), **settings) -> Path:
    """A run's folder, as far as it is read: rows are (evaluations, coverage, QD score, best)."""
    run.mkdir(parents=True)
    config = {"name": run.parent.name, "seed": seed, "budget": budget, "emitter": "isoline"} | settings
    lines = [f"{evals},1,{evals / 100},9,{cover},{cover},{score},{best}" for evals, cover, score, best in rows]
    (run / "metrics.csv").write_text("\n".join([COLUMNS, *lines]) + "\n")
    (run / "config.yaml").write_text("seed: 0\n")
    if finished:
        (run / "archive.json").write_text(json.dumps({"config": config}))
        (run / "result.json").write_text(json.dumps({"evaluations": rows[-1][0], "sources": dict(sources)}))
    return run


def several(root: Path) -> Path:
    """Two methods of three seeds; each goes up to its own coverage, in steps of its own."""
    for seed in range(3):
        for method, top in (("isoline", 40), ("cma_me", 30)):
            rows = [(100, 5, "", seed), (500 + seed, 20, "", seed), (1000 + seed, top + seed * seed, "", seed)]
            stored(root / f"arm/emitter={method}-s{seed}", seed, rows, emitter=method)
    return root / "arm"


def values(path: Path) -> dict[tuple[str, str], table.Row]:
    return {(row.method, row.metric): row for row in table.read(path / "table.csv")}


def test_runs_that_differ_only_in_seed_are_one_method(tmp_path, capsys):
    folder = several(tmp_path)
    assert main(["compare", str(folder)]) == 0
    rows = values(folder)
    median = rows["emitter=isoline", "coverage_median"]
    assert (median.value, median.n) == (41, 3) and sorted(median.values) == [40, 41, 44]
    mean = rows["emitter=cma_me", "coverage_mean"]
    half = 4.302653 * np.std([0, 1, 4], ddof=1) / np.sqrt(3)  # Student's t of two degrees of freedom
    assert mean.value == pytest.approx(30 + 5 / 3, rel=1e-5)
    assert (mean.low, mean.high) == pytest.approx((mean.value - half, mean.value + half), rel=1e-5)
    assert ("emitter=isoline", "qd_score_median") not in rows  # defined in no seed
    output = capsys.readouterr().out
    assert "41.67 [36.5, 46.84]" in output and "emitter=cma_me" in output
    assert f"compared 6 runs: {folder}/compare.html, {folder}/table.csv" in output
    assert (folder / "figures/curves.png").stat().st_size > 10_000 and (folder / "figures/curves.pdf").exists()
    assert r"emitter=isoline & 3 & 41.67 [36.50, 46.84] (40.00, 41.00, 44.00) & 1.00" in (folder / "table.tex").read_text()


def test_compilation_is_a_column_of_its_own_where_a_run_counted_it(tmp_path, capsys):
    stored(tmp_path / "arm/s0", 0, [(100, 5, 1, 1), (1000, 6, 1, 1)])  # of an earlier version
    for seed, seconds in ((1, 2.5), (2, 4.5)):
        path = stored(tmp_path / f"arm/s{seed}", seed, [(100, 5, 1, 1), (1000, 6, 1, 1)]) / "metrics.csv"
        head, *lines = path.read_text().splitlines()
        path.write_text("\n".join([f"{head},compile_s", *(f"{line},{seconds}" for line in lines)]) + "\n")
    assert main(["compare", str(tmp_path / "arm")]) == 0
    rows = values(tmp_path / "arm")
    assert (rows["default", "wall_s_mean"].value, rows["default", "wall_s_mean"].n) == (10, 3)
    assert (rows["default", "compile_s_mean"].value, rows["default", "compile_s_mean"].n) == (3.5, 2)
    assert "compile_s" in capsys.readouterr().out


@pytest.mark.ci
def test_a_table_is_written_where_all_its_runs_lie_or_where_it_is_told_to(tmp_path):
    arm, other = several(tmp_path / "runs"), stored(tmp_path / "runs/maze/s0", 0, [(100, 1, 2, 3), (1000, 4, 5, 6)])
    assert main(["compare", str(arm / "emitter=isoline-s0"), str(arm / "emitter=isoline-s1")]) == 0
    assert values(arm)["emitter=isoline", "best_mean"].n == 2
    assert main(["compare", str(tmp_path / "runs")]) == 0
    rows_of_all = table.read(tmp_path / "runs/table.csv")
    assert {(row.case, row.method) for row in rows_of_all} == {
        ("arm", "emitter=isoline"),
        ("arm", "emitter=cma_me"),
        ("maze", "default"),
    }
    assert sorted(file.name for file in tmp_path.glob("runs/figures/*.png")) == ["curves-arm.png", "curves-maze.png"]
    assert main(["compare", str(other), "--out", str(tmp_path / "there")]) == 0
    (row,) = [row for row in table.read(tmp_path / "there/table.csv") if row.metric == "qd_score_median"]
    assert (row.value, row.n) == (5, 1) and np.isnan(row.low)


def test_unfinished_and_damaged_runs_are_named_and_left_out(tmp_path, capsys):
    folder = several(tmp_path)
    partial = stored(folder / "emitter=isoline-s3", 3, [(100, 1, 1, 1), (400, 2, 2, 2)], finished=False)
    (stored(folder / "emitter=isoline-s4", 4, [(1000, 1, 1, 1)]) / "archive.json").unlink()
    assert main(["compare", str(folder)]) == 0
    said = capsys.readouterr().out
    assert f"left out: {partial} is not finished (400 evaluations); give its command again" in said
    assert "emitter=isoline-s4 has lost its archive.json; type its command with again=true" in said
    assert values(folder)["emitter=isoline", "coverage_mean"].n == 3


def test_runs_of_different_budgets_are_compared_where_all_have_been(tmp_path, capsys):
    rows = [(100, 5, 0, 1), (1010, 20, 0, 2), (2020, 60, 0, 3)]
    stored(tmp_path / "arm/s0", 0, rows, budget=2000)
    stored(tmp_path / "arm/s1", 1, [*rows[:1], (1005, 10, 0, 2)], budget=1000)
    assert main(["compare", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert (
        "note: arm has runs of different budgets: 1,000 (1 runs), 2,000 (1 runs) evaluations; all are compared at 1,000" in said
    )
    assert values(tmp_path / "arm")["default", "coverage_mean"].value == 15


@pytest.mark.parametrize(
    ("seeds", "methods"),
    [
        ([(0, 0), (1, 1)], 1),  # the client of a language model has the seed of the run
        ([(0, 0), (1, 0)], 1),  # or one of its own
        ([(0, 3), (1, 3), (2, 5)], 2),  # of which another value is another method
    ],
)
def test_a_component_with_a_seed_is_one_method_over_seeds(seeds, methods, tmp_path):
    each = [
        runs.Run(Path(f"r/s{seed}"), {"seed": seed, "name": "r", "lm": {"seed": own}, "judges": [{"seed": own}]}, {}, {})
        for seed, own in seeds
    ]
    assert len(set(runs.recipes(each))) == methods
    notes: list[str] = []
    (found,) = collect.cases(each, notes).values()
    assert len(found) == methods and len(notes) == methods - 1
    assert methods == 1 or "lm.seed was 3 and is now 5" in notes[0]


def test_other_code_and_other_defaults_under_one_name_are_said(tmp_path, capsys):
    rows = [(100, 5, 0, 1), (1000, 20, 0, 2)]
    stored(tmp_path / "arm/s0", 0, rows, sources={"domains.arm": "a"})
    stored(tmp_path / "arm/s1", 1, rows, sources={"domains.arm": "b"})
    stored(tmp_path / "arm/s2", 2, rows, initial=7)
    assert main(["compare", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert f"note: the code of domains.arm was another in {tmp_path}/arm/s1 than in {tmp_path}/arm/s0" in said
    found = re.search(rf"note: (default #\w+) is another recipe than {tmp_path}/arm/s0: initial was absent and is now 7", said)
    assert found
    coverage = {row.method: row.n for row in table.read(tmp_path / "arm/table.csv") if row.metric == "coverage_mean"}
    assert coverage == {"default": 2, found[1]: 1}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["nowhere"], "nowhere is not there; type a folder of runs, e.g. qd compare runs/arm"),
        (["a_file"], "a_file is no folder"),
        (["empty"], "no run in empty; type qd run -m seed=0,1,2 and then qd compare"),
        (["begun"], "none of the 1 runs in begun is finished"),
        (["arm", "copy"], "seed 0 of default is there twice: arm/s0 and copy/s0; compare one of them"),
    ],
)
def test_nonsense_is_refused(tmp_path, monkeypatch, capsys, words, message):
    monkeypatch.chdir(tmp_path)
    Path("empty/inside").mkdir(parents=True)
    Path("a_file").write_text("")
    rows = [(100, 5, 0, 1)]
    stored(Path("begun/s0"), 0, rows, finished=False)
    stored(Path("arm/s0"), 0, rows)
    stored(Path("copy/s0"), 0, rows, name="arm")
    assert main(["compare", *words]) == 1
    said = capsys.readouterr().err
    assert said.startswith(f"qd: {message}") and "Traceback" not in said
    assert not list(tmp_path.rglob("table.csv"))


def test_runs_that_share_no_folder_need_into():
    one, other = (runs.Run(Path(folder), {"seed": 0}, {}, {}) for folder in ("/here/s0", "/there/s0"))
    with pytest.raises(ValueError, match="say where the tables belong: qd compare ... --out FOLDER"):
        collect.shared_folder([one, other])


def test_a_band_holds_the_last_row_of_each_seed_and_ends_where_the_first_seed_ends(tmp_path):
    found = runs.finished_runs([several(tmp_path)])
    isoline = [run for run in found if "isoline" in run.folder.name]
    band = curves.band(isoline, "coverage")
    assert list(band.evaluations) == [100, 500, 501, 502, 1000]
    assert list(band.middle) == [5, 10, 15, 20, pytest.approx(80 / 3)]  # at 501 two of three seeds have their second row
    half = 4.302653 * 5
    assert band.low[1] == pytest.approx(10 - half) and band.high[1] == pytest.approx(10 + half)
    assert np.isnan(band.low[[0, 3]]).all()  # all seeds equal
    assert curves.band(isoline, "unheard_of") is None


def test_records_that_do_not_overlap_are_refused_by_name(tmp_path, capsys):
    early = stored(tmp_path / "arm/s0", 0, [(100, 5, 1, 1), (200, 6, 1, 1)])
    late = stored(tmp_path / "arm/s1", 1, [(500, 5, 1, 1), (1000, 6, 1, 1)])
    assert main(["compare", str(tmp_path / "arm")]) == 1
    assert f"that of {early} ends at 200 evaluations, and that of {late} begins at 500; compare" in capsys.readouterr().err


def test_bands_are_drawn_in_one_colour_a_method_and_gaps_are_said_in_words():
    evaluations = np.array([1.0, 2.0, 3.0])
    told = {f"method {i}": {"coverage": Band(evaluations, evaluations + i, evaluations, evaluations + 2 * i)} for i in range(9)}
    figure = bands(told, "toy")
    coverage, score, best = figure.axes
    assert len(coverage.lines) == len(coverage.collections) == 9
    looks = [(line.get_color(), line.get_linestyle()) for line in coverage.lines]
    assert len(set(looks)) == 9
    assert all(
        to_hex(band.get_facecolor()[0]) == to_hex(line.get_color())
        for band, line in zip(coverage.collections, coverage.lines, strict=True)
    )
    assert "not recorded" in score.texts[0].get_text() and not best.lines
    assert [text.get_text() for text in figure.legends[0].get_texts()] == list(told)


def test_it_starts_without_jax():
    loaded = "import sys; from qd.cli.main import main; main(['compare']); sys.exit('jax' in sys.modules)"
    subprocess.run([sys.executable, "-c", loaded], check=True, cwd=Path(__file__).parents[2], stdout=subprocess.DEVNULL)


def planted(root: Path, shifts: dict[str, float], seeds: int = 5) -> Path:
    """Methods with the same seeds, the same spread, and a coverage that differs by what is planted; with archives."""
    rng = np.random.default_rng(0)
    for seed in range(seeds):
        luck = rng.normal()
        for method, shift in shifts.items():
            run = root / f"arm/emitter={method}-s{seed}"
            stored(run, seed, [(100, 5, 1, 1), (1000, 40 + shift + luck + 0.1 * rng.normal(), 1, 1)], emitter=method)
            grid = Grid((4, 4)).open(TOY, BOUNDS, (), 0)
            places = np.array([[-0.9, 0.1], [0.9, 3.9]], np.float32)[: 1 + (method != "worse")]
            insert(
                grid,
                np.arange(len(places)),
                np.zeros((len(places), 1), np.float32),
                np.full(len(places), shift, np.float32),
                places,
                {},
            )
            config = {"name": "arm", "seed": seed, "budget": 1000, "emitter": method, "descriptor": {"feature": "place"}}
            archive_file.save(
                run, grid, BOUNDS, {"seed": seed, "evaluations": 1000, "config": config, "objective_range": [0.0, 9.0]}
            )
    return root / "arm"


def comparisons(folder: Path) -> dict[tuple[str, str, str], dict[str, str]]:
    with (folder / "comparisons.csv").open(newline="") as file:
        return {(row["a"], row["b"], row["metric"]): row for row in csv.DictReader(file)}


def test_a_planted_difference_is_found_paired_by_seed_and_a_lack_of_one_is_not(tmp_path, capsys):
    folder = planted(tmp_path, {"best": 2.0, "same": 2.0, "worse": 0.0})
    assert main(["compare", str(folder)]) == 0
    rows = comparisons(folder)
    planted_row = rows["emitter=best", "emitter=worse", "coverage"]
    assert float(planted_row["low"]) < 2 < float(planted_row["high"]) and float(planted_row["p_holm"]) < 0.01
    assert planted_row["paired"] == "True"
    assert float(rows["emitter=best", "emitter=same", "coverage"]["p_holm"]) > 0.05
    assert rows["emitter=best", "emitter=worse", "best"]["p"] == "nan"  # no spread over seeds
    output = capsys.readouterr().out
    assert "emitter=best is higher" in output and "5 paired" in output
    assert r"\textbf{" in (folder / "comparisons.tex").read_text()
    assert all((folder / f"figures/{name}.{kind}").exists() for name in ("maps", "differences") for kind in ("png", "pdf"))


def test_the_page_holds_maps_and_their_difference_and_asks_for_nothing(tmp_path):
    folder = planted(tmp_path, {"better": 2.0, "worse": 1.0})
    main(["compare", str(folder)])
    text = (folder / "compare.html").read_text()
    facts, arrays = bundle.unpack(re.search(r'<script id="data" type="text/plain">(.*?)</script>', text, re.DOTALL)[1])
    (case,) = facts["cases"]
    assert case["pairs"] == [[0, 1, 1.0]] and case["scale"] == [0.0, 9.0]  # the only cell that both fill differs by 1
    assert [int(np.isfinite(arrays[f"{each['key']} values"]).sum()) for each in case["maps"]] == [2, 1]
    assert "default-src 'none'; script-src 'sha256-" in text and not re.search(r"(src|href)=", text)


@pytest.mark.ci
def test_against_compares_with_one_method_and_metric_chooses_numbers(tmp_path, capsys):
    folder = planted(tmp_path, {"one": 1.0, "two": 1.0, "three": 0.0})
    assert main(["compare", str(folder), "--against", "emitter=two", "--metric", "coverage"]) == 0
    assert list(comparisons(folder)) == [
        ("emitter=one", "emitter=two", "coverage"),
        ("emitter=three", "emitter=two", "coverage"),
    ]
    assert main(["compare", str(folder), "--against", "two"]) == 1
    assert "no method is called two; type --against with one of emitter=one, " in capsys.readouterr().err
    assert main(["compare", str(folder), "--metric", "coverag"]) == 1
    assert "coverage" in capsys.readouterr().err


def test_one_seed_and_different_domains_are_said(tmp_path, capsys):
    rows = [(100, 5, 1, 1), (1000, 40, 1, 1)]
    for name, domain in (("arm", "domains.arm.Arm"), ("maze", "domains.maze.Maze")):
        stored(tmp_path / f"{name}/s0", 0, rows, domain={"_target_": domain})
    stored(tmp_path / "arm/emitter=other-s0", 0, rows, domain={"_target_": "domains.arm.Arm"}, emitter="other")
    assert main(["compare", str(tmp_path / "arm"), "--out", str(tmp_path)]) == 0
    output = capsys.readouterr().out
    assert "one seed only of" in output and "no interval can be given" in output
    assert main(["compare", str(tmp_path / "arm/s0"), str(tmp_path / "maze/s0"), "--out", str(tmp_path)]) == 0
    assert "arm and maze are different domains: their numbers are not compared" in capsys.readouterr().out


def test_two_recipes_of_one_domain_are_one_case(tmp_path):
    for name in ("arm", "arm_pca"):
        for seed in (0, 1):
            rows = [(100, 5, 1, 1), (1000, 40 + seed, 1, 1)]
            stored(tmp_path / f"{name}/s{seed}", seed, rows, domain={"_target_": "domains.arm.Arm"}, descriptor=name)
    assert main(["compare", str(tmp_path)]) == 0
    assert ("arm/default", "arm_pca/default", "coverage") in comparisons(tmp_path)


def test_the_old_name_works_and_says_so(tmp_path, capsys):
    folder = planted(tmp_path, {"one": 1.0}, seeds=2)
    assert main(["collect", str(folder), f"into={tmp_path / 'there'}"]) == 0
    assert "qd: qd collect is called qd compare now" in capsys.readouterr().err and (tmp_path / "there/compare.html").exists()


def test_a_damaged_archive_is_named_and_left_out_of_the_maps(tmp_path, capsys):
    folder = planted(tmp_path, {"one": 1.0, "two": 2.0}, seeds=2)
    (folder / "emitter=one-s0/archive.npz").write_bytes(b"nothing")
    assert main(["compare", str(folder)]) == 0
    assert f"note: {folder}/emitter=one-s0 is not in the maps: " in capsys.readouterr().out
