"""Projects of openevolve: config, cascade stages, metrics as features, what is not honoured, and its checkpoints."""

import json
import math
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from domains.programs import run
from domains.programs.coder import Coder
from domains.programs.emitters.operators import Diff
from domains.programs.measures import describe
from domains.programs.openevolve.domain import emitter, programs
from domains.programs.openevolve.project import Project
from domains.programs.sandbox.plain import Plain
from qd.cli.main import main
from qd.config.compose import assemble, load
from qd.report.figures import record
from qd.store import archive_file, checkpoints_of_openevolve
from qd.support.errors import UserError
from tests.support.choices import OWN_PROGRAM, PROJECT, SCRIPTED


def test_a_project_is_read_as_its_config_says(capsys):
    project = Project(str(PROJECT))
    assert project.statement.startswith("Guess a number.") and project.language == "python"
    assert project.axes == ("length", "size") and project.dims == (6, 6) and project.features == ("fitness", "size")
    first = describe(project.initial[0])["length"][0]
    assert project.axis_bounds == ((first / 2, 2 * first), (0, 1))
    assert dict(Project(str(PROJECT), bounds={"size": (0, 5)}).bounds)["size"] == (0, 5)
    domain = programs(str(PROJECT), Coder(None), Plain())
    assert domain.coder.temperature == 0.3 and domain.coder.longest == 4096
    shown = capsys.readouterr().err
    assert "config.yaml that are typed here instead: max_iterations (budget=), llm.primary_model (lm=)\n" in shown
    assert "config.yaml that change nothing here: database: population_size\n" in shown
    assert "temperature" not in shown and "num_islands" not in shown
    made = emitter(domain)
    assert made.islands == 2 and made.operators == (Diff(),) and made.migrate == 50


def test_impossible_numbers_are_refused():
    domain = programs(str(PROJECT), Coder(None), Plain())
    for settings in ({"batch_size": 0}, {"islands": 0}):
        with pytest.raises(UserError, match="batch_size=0 is too small|islands=0"):
            emitter(domain, **settings)
    with pytest.raises(UserError, match=r"domain.bounds.size=\(3,\) is no \(low, high\)"):
        Project(str(PROJECT), bounds={"size": (3,)})  # type: ignore[arg-type]


def test_stages_metrics_and_artifacts():
    project = Project(str(PROJECT))
    record = run(project, Plain(), project.initial[0])
    assert record.objective == 0.75 and record.features == {"fitness": 0.75, "size": 0.275}
    assert "note: it said 2.75" in record.words and "evaluating" in record.output
    low = run(project, Plain(), project.initial[0].replace("2.5", "-9.5"))
    assert low.objective == 0.1 and "note" not in low.words  # the first stage was its last
    broken = run(project, Plain(), project.initial[0].replace("2.5", "1 / 0"))
    assert math.isnan(broken.objective) and "ZeroDivisionError" in broken.words


def changed(tmp_path, old, new):
    folder = tmp_path / "project"
    shutil.copytree(PROJECT, folder)
    text = (folder / "config.yaml").read_text()
    assert old in text
    (folder / "config.yaml").write_text(text.replace(old, new))
    return Project(str(folder))


def test_a_dimension_that_no_metric_has_is_named(tmp_path):
    project = changed(tmp_path, "[complexity, size]", "[complexity, speed]")
    value = {"metrics": {"combined_score": 1.0, "size": 0.2}, "artifacts": {}}
    assert "metrics are combined_score, size; the feature dimension speed is none" in project.score(value).words
    assert "no metrics" in project.score([1]).words
    assert math.isnan(project.score({"metrics": {"combined_score": math.nan, "speed": 1.0}}).objective)
    failed = project.score({"metrics": {"combined_score": 0.0, "speed": 0.0, "error": "no such function"}})
    assert math.isnan(failed.objective) and failed.words == "no such function"


def test_without_a_combined_score_it_is_the_mean_of_the_rest(tmp_path):
    project = changed(tmp_path, "[complexity, size]", "[score, size]")
    score = project.score({"metrics": {"a": 0.5, "b": 1.0, "flag": True, "note": "none", "size": 0.1}})
    assert score.objective == 0.75 and project.axes == ("fitness", "size")


def test_a_folder_that_is_no_project_says_what_it_lacks(tmp_path):
    with pytest.raises(UserError, match="is no folder"):
        Project(str(tmp_path / "nowhere"))
    with pytest.raises(UserError, match=r"has no evaluator.py and no initial_program"):
        Project(str(tmp_path))
    (tmp_path / "evaluator.py").touch()
    (tmp_path / "initial_program.py").touch()
    assert Project(str(tmp_path)).dims == (10, 10)
    (tmp_path / "initial_program.py").write_text("# EVOLVE-BLOCK-START\nx = 1\n")
    with pytest.raises(UserError, match=r"initial_program.py: its EVOLVE-BLOCK markers are not in order; write a START and"):
        Project(str(tmp_path))
    (tmp_path / "initial_program.py").write_text("# EVOLVE-BLOCK-START\nx = 1\n# EVOLVE-BLOCK-END\n")
    (tmp_path / "config.yaml").write_text("[1")
    with pytest.raises(UserError, match="is no YAML"):
        Project(str(tmp_path)).statement  # noqa: B018


def test_the_search_takes_axes_bounds_and_cells_of_the_project():
    search = assemble(load(["domain=openevolve", *SCRIPTED, f"domain.project={PROJECT}"])).search
    assert search.archive.dims == (6, 6) and search.descriptor.bounds == Project(str(PROJECT)).axis_bounds
    with pytest.raises(UserError, match="reads the config of a project; type domain=openevolve"):
        assemble(load(["domain=bin_packing", "emitter=code_openevolve", *SCRIPTED]))


@pytest.mark.usefixtures("own_folder")
def test_axes_are_called_as_the_project_calls_them(tmp_path, capsys):
    """On figures, on the page and in conditions; what other domains of programs call them are the names of the features."""
    words = [
        "domain=openevolve",
        *SCRIPTED,
        f"domain.project={PROJECT}",
        "budget=6",
        "name=a",
        f"runs={tmp_path}",
        "console=off",
    ]
    assert main(["run", *words, "console=off", "yes=true"]) == 0
    (path,) = (tmp_path / "a").iterdir()
    stored = archive_file.load(path)
    assert stored.about["axis_titles"] == {"traits": ["complexity", "size"]}
    assert record(stored).names == ["complexity", "size"]
    assert main(["query", str(path), "complexity>0", "size<=1"]) == 0
    assert "complexity " in capsys.readouterr().out
    assert "traits[" not in (path / "report.html").read_text()
    assert assemble(load(["domain=sorting_network", *SCRIPTED])).search.domain.axis_titles == {"traits": ("size", "steps")}


def test_a_checkpoint_is_imported(tmp_path, capsys):
    code = (PROJECT / "initial_program.py").read_text()
    for number, (value, score) in enumerate([("2.5", 0.75), ("2.0", 0.25), ("9.0", 0.9)]):
        folder = tmp_path / "out/checkpoints/checkpoint_9/programs"
        folder.mkdir(parents=True, exist_ok=True)
        row = {
            "id": str(number),
            "code": code.replace("2.5", value),
            "metrics": {"combined_score": score},
            "iteration_found": number,
        }
        (folder / f"{number}.json").write_text(json.dumps(row))
    (folder.parent / "metadata.json").write_text("{}")
    found = checkpoints_of_openevolve.find(tmp_path / "out")
    sources, scores = checkpoints_of_openevolve.read(found)
    assert found == folder.parent and len(sources) == 3 and scores.tolist() == [0.75, 0.25, 0.9]
    words = [*SCRIPTED, f"domain.project={PROJECT}", "name=imported", "console=plain"]
    assert main(["import", str(tmp_path / "out"), "domain=openevolve", *words]) == 0
    assert capsys.readouterr().err.count("that are typed here instead") == 1
    (result,) = (
        (tmp_path / "runs/imported").iterdir()
        if (tmp_path / "runs").exists()
        else __import__("pathlib").Path("runs/imported").iterdir()
    )
    columns = archive_file.load(result).columns
    assert set(np.round(columns["objective"], 3).tolist()) <= {0.75, 0.25, 0.0} and len(columns["id"]) >= 2
    (folder / "3.json").write_text('{"id": "3"}')
    with pytest.raises(UserError, match="holds no code"):
        checkpoints_of_openevolve.read(found)


@pytest.mark.usefixtures("own_folder")
def test_a_run_of_which_no_program_is_one_says_what_to_type(capsys):
    assert main(["run", "domain=synthesis", "lm=toy", "budget=4", "sandbox=none", "console=off"]) == 1
    words = capsys.readouterr().err
    assert (
        "all 4 solutions of generation 0 failed, the first because: the reply is prose: it has no block of code; no reply of"
        in words
    )
    assert words.rstrip().endswith("type another model (lm=, lm.model=), or prompts of your own (domain.coder.prompts=FOLDER)")


@pytest.mark.usefixtures("own_folder")
def test_a_run_of_which_most_programs_fail_says_why(capsys):
    words = [*SCRIPTED, "lm.server.prose=1.0", "domain.problem.budget=40", "budget=6", "name=prose", "console=plain"]
    assert main(["run", "domain=minimise", *words]) == 0
    said = capsys.readouterr().out
    assert "of 8 evaluations failed, the first because: the reply is prose: it has no block of code; events.jsonl has" in said
    assert re.search(
        r"no reply of the language model gave a program \(\d different replies, in programs.jsonl\); type another", said
    )
    assert said.count(Plain().warning) == 2 and said.rstrip().endswith("report.html") and said.count("report.html") == 1


@pytest.mark.ci
@pytest.mark.usefixtures("own_folder")
@pytest.mark.parametrize(
    ("words", "evaluations"),
    [
        (["domain=openevolve", f"domain.project={PROJECT}", "budget=12"], 1 + 3 * 4),
        (["domain=bin_packing", "budget=9"], 4 + 2 * 4),
        (["domain=programs", *OWN_PROGRAM, "budget=8"], 4 + 4),
    ],
)
def test_a_budget_counts_first_programs_and_cuts_no_generation(words, evaluations):
    assert main(["run", *words, *SCRIPTED, "name=counted", "console=off"]) == 0
    (result,) = Path("runs/counted").glob("*/result.json")
    assert json.loads(result.read_text())["evaluations"] == evaluations
    assert sum('"objective"' in line for line in (result.parent / "programs.jsonl").read_text().splitlines()) <= evaluations
