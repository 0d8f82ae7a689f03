"""What studies share: a study cut off goes on, one that is complete runs nothing, and kept tables are what their runs say."""

import importlib
import json
import shutil
from itertools import product
from pathlib import Path

import pytest

from experiments import study
from qd.report import table
from qd.support.errors import UserError
from tests.support.choices import want_packages_of

RESULTS = Path(__file__).resolve().parents[2] / "experiments" / "results"
KEPT = {  # folder -> the study that wrote it
    "quant_language": "quant.language", "quant_trained": "quant.trained",
    "circuits_chemistry": "circuits.chemistry", "circuits_classifier": "circuits.classifier",
    "circuits_codes": "circuits.codes", "circuits_logic": "circuits.logic", "circuits_speed": "circuits.speed",
    "circuits_optimisers": "circuits.optimisers", "circuits_states": "circuits.states",
    "cma_me": "benchmarks.cma_me", "costs": "benchmarks.costs", "cvt": "benchmarks.cvt", "dqd": "benchmarks.dqd",
    "doctor": "doctor",
    "emq": "emq.study", "emq_graph": "emq.study", "emq_ten": "emq.study",
    "emq_screen": "emq.screen", "emq_speed": "emq.speed",
    "episodes": "sparse.episodes", "eye_innovation": "eye.innovation", "eye_qdhf": "eye.qdhf",
    "eye_speed": "eye.speed", "first_map": "benchmarks.first_map",
    "generators": "benchmarks.generators", "gflownets": "objectives.gflownets", "lm_judges": "judges.accuracy",
    "map_elites": "benchmarks.map_elites", "maze_novelty": "maze.novelty", "qd_run": "benchmarks.qd_run",
    "qdaif": "qdaif.study", "qdaif_ticks": "qdaif.ticks", "qdaif_unscaled": "qdaif.unscaled",
    "qdhf": "qdhf.study", "qdhf_joints": "qdhf.joints",
    "quant_diffusion": "quant.diffusion", "quant_diffusion_map": "quant.diffusion_map",
    "quant_diffusion_second": "quant.diffusion",
    "quant_forms": "quant.forms", "quant_objectives": "objectives.quantized",
    "quant_front": "quant.front",
    "quant_speed": "quant.speed", "remote": "benchmarks.remote.study",
    "objectives": "objectives.functions",
    "mome": "objectives.mome", "mome_speed": "objectives.speed", "programs_beside_openevolve": "programs.beside_openevolve",
    "programs_packing": "programs.packing", "programs_plans": "programs.plans",
    "programs_sandbox_cost": "programs.sandbox_cost",
    "reproduce": "reproduce", "seeds": "benchmarks.seeds", "stax": "sparse.study",
    "stax_sight": "sparse.sight", "walkers_damage": "walkers.damage", "walkers_learning": "walkers.learning",
    "walkers_qdax": "walkers.beside_qdax",
    "walkers_speed": "walkers.speed",
}  # fmt: skip
KEYS = list(product(("a", "b"), ("ours", "theirs"), range(3)))


@pytest.mark.parametrize("name", KEPT)
def test_every_kept_table_is_what_its_runs_say(name, tmp_path):
    if name.startswith("walkers"):
        want_packages_of("domain/hexapod")
    module = importlib.import_module(f"experiments.{KEPT[name]}")
    table.write(tmp_path / "table.csv", module.rows(study.runs(RESULTS / name)))
    assert (tmp_path / "table.csv").read_text() == (RESULTS / name / "table.csv").read_text()


def test_all_kept_runs_are_named_above():
    assert {path.parent.name for path in RESULTS.glob("*/runs.jsonl")} == set(KEPT)


def test_a_complete_study_runs_nothing_and_writes_the_same_table(tmp_path, monkeypatch, capsys):
    from experiments.qdhf import study as qdhf

    shutil.copytree(RESULTS / "qdhf", tmp_path / "qdhf")
    before = (tmp_path / "qdhf" / "runs.jsonl").read_bytes()
    monkeypatch.setattr(qdhf, "play", None)  # a call fails
    qdhf.main("first", seeds=10, cases="arm, 1000 answers", methods=("truth", "pca"), out=str(tmp_path / "qdhf"))
    assert (tmp_path / "qdhf" / "runs.jsonl").read_bytes() == before
    assert (tmp_path / "qdhf" / "table.csv").read_text() == (RESULTS / "qdhf" / "table.csv").read_text()
    assert "arm, 1000 answers" in capsys.readouterr().out


def test_a_study_that_is_killed_goes_on_where_it_was_cut_off(tmp_path):
    def run(stop_after: int | None = None) -> list[study.Key]:
        runs, keys = study.runs(tmp_path), []
        for key in study.missing(runs, KEYS):
            if len(keys) == stop_after:
                raise KeyboardInterrupt
            study.add(runs, *key, {"score": 10.0 * key[2]})
            keys.append(key)
        return keys

    with pytest.raises(KeyboardInterrupt):
        run(stop_after=5)
    file = tmp_path / "runs.jsonl"
    file.write_text(file.read_text()[:-20])  # killed while it wrote the fifth
    assert run() == KEYS[4:] and run() == []
    runs = study.runs(tmp_path)
    assert list(runs.records) == KEYS and study.cases(runs) == ["a", "b"] and study.methods(runs, "b") == ["ours", "theirs"]
    rows = table.summary(runs)
    study.report(tmp_path, rows, ["score"])
    assert [(row.case, row.method, row.value, row.n) for row in table.read(tmp_path / "table.csv")] == [
        (case, method, 10.0, 3) for case, method in product(("a", "b"), ("ours", "theirs"))
    ]


def test_results_of_quick_budgets_are_no_claims():
    assert study.folder("qdhf", "quick") == Path("runs/qdhf-quick")
    assert study.folder("qdhf", "first") == study.folder("qdhf") == Path("experiments/results/qdhf")
    assert study.folder("qdhf", "quick", "here") == Path("here")


def test_cases_are_chosen_by_how_they_begin():
    assert study.beginning(["arm, 50 answers", "arm, 100 answers", "maze"], "arm") == ["arm, 50 answers", "arm, 100 answers"]
    with pytest.raises(UserError, match="unknown case 'mzae'; type maze"):
        study.beginning(["arm, 50 answers", "maze"], "mzae")


def test_differences_are_paired_by_seed_and_of_what_both_measured(tmp_path):
    runs = study.runs(tmp_path)
    for seed in range(3):
        runs.add("a", "ours", seed, {"score": 5.0 + seed, "time": 1})
        runs.add("a", "theirs", seed + 1, {"score": 1.0 + seed})
    rows = study.differences(runs, [("a", "ours", "theirs"), ("a", "ours", "nobody")], ("score", "time"))
    assert [(row.method, row.metric, row.value, row.n) for row in rows] == [("ours - theirs", "score", 5.0, 2)]


def test_only_what_is_shown_is_printed_and_about_says_where_it_comes_from(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["qd", "study", "maze.novelty", "budget=first", f"out={tmp_path}"])
    monkeypatch.setattr("sys.modules", {**__import__("sys").modules, "__main__": importlib.import_module("qd")})
    runs = study.runs(tmp_path)
    runs.add("a", "ours", 0, {"score": 5.0})
    runs.add("a", "memory", 0, {"megabytes": 7.0})
    study.report(tmp_path, table.summary(runs), ["score"], packages=("numpy",))
    printed = capsys.readouterr().out
    assert "5.00" in printed and "memory" not in printed
    facts = json.loads((tmp_path / "about.json").read_text())
    assert facts["command"] == "qd study maze.novelty budget=first" and facts["cores"] >= 1 and facts["numpy"]
    assert facts["python"].startswith("3.") and facts["processor"] and "commit" in facts
