"""`qd collect`: groups, numbers, curves, and what it refuses."""

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from matplotlib.colors import to_hex

from qd.cli.main import main
from qd.plots.bands import Band, bands
from qd.report import collect, table
from qd.store import runs

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
    assert main(["collect", str(folder)]) == 0
    told = values(folder)
    assert told["emitter=isoline", "coverage_median"] == ("arm", "emitter=isoline", "coverage_median", 41, 40, 44, 3)
    assert told["emitter=cma_me", "coverage_mean"].value == pytest.approx(30 + 5 / 3, rel=1e-5)
    assert ("emitter=isoline", "qd_score_median") not in told  # defined of no seed
    said = capsys.readouterr().out
    assert "41 [40, 44]" in said and "emitter=cma_me" in said and f"collected 6 runs: {folder}/table.csv" in said
    assert (folder / "figures/curves.png").stat().st_size > 10_000 and (folder / "figures/curves.pdf").exists()
    assert r"emitter=isoline & 3 & 41.00 [40.00, 44.00] & 1.00" in (folder / "table.tex").read_text()


def test_compilation_is_a_column_of_its_own_where_a_run_counted_it(tmp_path, capsys):
    stored(tmp_path / "arm/s0", 0, [(100, 5, 1, 1), (1000, 6, 1, 1)])  # of an earlier version
    for seed, seconds in ((1, 2.5), (2, 4.5)):
        path = stored(tmp_path / f"arm/s{seed}", seed, [(100, 5, 1, 1), (1000, 6, 1, 1)]) / "metrics.csv"
        head, *lines = path.read_text().splitlines()
        path.write_text("\n".join([f"{head},compile_s", *(f"{line},{seconds}" for line in lines)]) + "\n")
    assert main(["collect", str(tmp_path / "arm")]) == 0
    rows = values(tmp_path / "arm")
    assert (rows["default", "wall_s_mean"].value, rows["default", "wall_s_mean"].n) == (10, 3)
    assert (rows["default", "compile_s_mean"].value, rows["default", "compile_s_mean"].n) == (3.5, 2)
    assert "compile_s" in capsys.readouterr().out


def test_a_table_is_written_where_all_its_runs_lie_or_where_it_is_told_to(tmp_path):
    arm, other = several(tmp_path / "runs"), stored(tmp_path / "runs/maze/s0", 0, [(100, 1, 2, 3), (1000, 4, 5, 6)])
    assert main(["collect", str(arm / "emitter=isoline-s0"), str(arm / "emitter=isoline-s1")]) == 0
    assert values(arm)["emitter=isoline", "best_mean"].n == 2
    assert main(["collect", str(tmp_path / "runs")]) == 0
    told = table.read(tmp_path / "runs/table.csv")
    assert {(row.case, row.method) for row in told} == {
        ("arm", "emitter=isoline"),
        ("arm", "emitter=cma_me"),
        ("maze", "default"),
    }
    assert sorted(file.name for file in tmp_path.glob("runs/figures/*.png")) == ["curves-arm.png", "curves-maze.png"]
    assert main(["collect", str(other), f"into={tmp_path / 'there'}"]) == 0
    (row,) = [row for row in table.read(tmp_path / "there/table.csv") if row.metric == "qd_score_median"]
    assert (row.value, row.n) == (5, 1) and np.isnan(row.low)


def test_unfinished_and_damaged_runs_are_named_and_left_out(tmp_path, capsys):
    folder = several(tmp_path)
    partial = stored(folder / "emitter=isoline-s3", 3, [(100, 1, 1, 1), (400, 2, 2, 2)], finished=False)
    (stored(folder / "emitter=isoline-s4", 4, [(1000, 1, 1, 1)]) / "archive.json").unlink()
    assert main(["collect", str(folder)]) == 0
    said = capsys.readouterr().out
    assert f"left out: {partial} is not finished (400 evaluations); give its command again" in said
    assert "emitter=isoline-s4 has lost its archive.json; type its command with again=true" in said
    assert values(folder)["emitter=isoline", "coverage_mean"].n == 3


def test_runs_of_different_budgets_are_compared_where_all_have_been(tmp_path, capsys):
    rows = [(100, 5, 0, 1), (1010, 20, 0, 2), (2020, 60, 0, 3)]
    stored(tmp_path / "arm/s0", 0, rows, budget=2000)
    stored(tmp_path / "arm/s1", 1, [*rows[:1], (1005, 10, 0, 2)], budget=1000)
    assert main(["collect", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert (
        "note: arm has runs of different budgets: 1,000 (1 runs), 2,000 (1 runs) evaluations; all are compared at 1,000" in said
    )
    assert values(tmp_path / "arm")["default", "coverage_mean"].value == 15


def test_other_code_and_other_defaults_under_one_name_are_said(tmp_path, capsys):
    rows = [(100, 5, 0, 1), (1000, 20, 0, 2)]
    stored(tmp_path / "arm/s0", 0, rows, sources={"domains.arm": "a"})
    stored(tmp_path / "arm/s1", 1, rows, sources={"domains.arm": "b"})
    stored(tmp_path / "arm/s2", 2, rows, initial=7)
    assert main(["collect", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert f"note: the code of domains.arm was another in {tmp_path}/arm/s1 than in {tmp_path}/arm/s0" in said
    found = re.search(rf"note: (default #\w+) is another recipe than {tmp_path}/arm/s0: initial was absent and is now 7", said)
    assert found
    coverage = {row.method: row.n for row in table.read(tmp_path / "arm/table.csv") if row.metric == "coverage_mean"}
    assert coverage == {"default": 2, found[1]: 1}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["nowhere"], "nowhere is not there; type a folder of runs, e.g. qd collect runs/arm"),
        (["a_file"], "a_file is no folder"),
        (["empty"], "no run in empty; type qd run -m seed=0,1,2 and then qd collect"),
        (["begun"], "none of the 1 runs in begun is finished"),
        (["arm", "copy"], "seed 0 of default is there twice: arm/s0 and copy/s0; collect one of them"),
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
    assert main(["collect", *words]) == 1
    said = capsys.readouterr().err
    assert said.startswith(f"qd: {message}") and "Traceback" not in said
    assert not list(tmp_path.rglob("table.csv"))


def test_runs_that_share_no_folder_need_into():
    one, other = (runs.Run(Path(folder), {"seed": 0}, {}, {}) for folder in ("/here/s0", "/there/s0"))
    with pytest.raises(ValueError, match="say where the table belongs: qd collect ... into=FOLDER"):
        collect.shared_folder([one, other])


def test_a_band_holds_the_last_row_of_each_seed_and_ends_where_the_first_seed_ends(tmp_path):
    found = runs.finished_runs([several(tmp_path)])
    isoline = [run for run in found if "isoline" in run.folder.name]
    band = collect.band(isoline, "coverage")
    assert list(band.evaluations) == [100, 500, 501, 502, 1000]
    assert list(band.middle) == [5, 5, 20, 20, 20]  # at 501 two of three seeds have their second row
    assert list(band.low) == [5, 5, 5, 20, 20] and list(band.high) == [5, 20, 20, 20, 40]
    assert collect.band(isoline, "unheard_of") is None


def test_records_that_do_not_overlap_are_refused_by_name(tmp_path, capsys):
    early = stored(tmp_path / "arm/s0", 0, [(100, 5, 1, 1), (200, 6, 1, 1)])
    late = stored(tmp_path / "arm/s1", 1, [(500, 5, 1, 1), (1000, 6, 1, 1)])
    assert main(["collect", str(tmp_path / "arm")]) == 1
    assert f"that of {early} ends at 200 evaluations, and that of {late} begins at 500; collect" in capsys.readouterr().err


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
    loaded = "import sys; from qd.cli.main import main; main(['collect']); sys.exit('jax' in sys.modules)"
    subprocess.run([sys.executable, "-c", loaded], check=True, cwd=Path(__file__).parents[2], stdout=subprocess.DEVNULL)
