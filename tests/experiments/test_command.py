"""``qd study``: names, settings and values are checked before anything large is imported; old names still answer."""

import re
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from experiments import command
from qd.cli.main import main
from qd.support import moved
from qd.support.errors import UserError

HOUSE = Path(__file__).resolve().parents[2]
OLD = {  # names of earlier versions
    "emq": "emq", "emq_bench": "emq.bench", "emq_figure": "emq.figure", "emq_screen": "emq.screen", "emq_speed": "emq.speed",
    "hawq_ilp": "quant.hawq", "lm_demo": "judges.demo", "lm_judges": "judges.accuracy", "maze_novelty": "maze.novelty",
    "peer_kheperax": "maze.kheperax", "qdaif": "qdaif", "qdhf": "qdhf", "qdhf_curves": "qdhf.curves",
    "qdhf_picture": "qdhf.picture", "quant_forms": "quant.forms", "quant_front": "quant.front", "quant_map": "quant.map",
    "quant_proxies": "quant.proxies", "reproduce": "reproduce", "stax": "sparse", "stax_sight": "sparse.sight",
    "benchmarks.map_elites": "benchmarks.map_elites", "benchmarks.maze_speed": "maze.speed",
    "benchmarks.quant": "quant.speed", "benchmarks.episodes": "sparse.episodes",
    "benchmarks.generators": "benchmarks.generators",
}  # fmt: skip
WITH_BUDGETS = [name for name, file in command.names().items() if "budget" in {s.name for s in command.settings_of(file)}]


def test_alone_it_lists_every_study_in_groups_with_one_line_each(capsys):
    assert main(["study"]) == 0
    lines = capsys.readouterr().out.splitlines()
    for name, file in command.names().items():
        (line,) = [line for line in lines if line.split()[:1] == [name]]
        assert len(line) <= 160 and len(line.split()) > 4, name
        assert lines.index("") < lines.index(line) and file.is_file()
    assert main(["study", "qdhf", "--help"]) == 0
    assert "qd study qdhf budget=quick|first|full" in capsys.readouterr().out


@pytest.mark.parametrize("old", OLD)
def test_old_names_answer_and_say_what_to_type_now(old, capsys):
    assert moved.current(f"experiments.{old}") == f"experiments.{OLD[old]}"
    assert command.find(command.current(old)).is_file()
    assert main(["experiment", old, "bugdet=quick"]) == 1
    message = capsys.readouterr().err
    assert "qd experiment is called qd study now" in message and f"of qd study {OLD[old]};" in message
    assert (f"{old} is called {OLD[old]} now; type qd study {OLD[old]}" in message) == (old != OLD[old])


@pytest.mark.parametrize("name", command.names())
def test_every_setting_is_read_from_the_source(name):
    file = command.find(name)
    for setting in command.settings_of(file):
        assert setting.kind in ("str", "int", "Names"), setting
        if setting.kind == "Names":
            assert command.parse(file, [f"{setting.name}={','.join(setting.choices)}"])[setting.name] == setting.choices
    with pytest.raises(UserError, match=rf"unknown setting 'bugdet' of qd study {name}; "):
        command.parse(file, ["bugdet=quick"])
    with pytest.raises(UserError, match=r"'quick' is not KEY=VALUE"):
        command.parse(file, ["quick"])


@pytest.mark.parametrize("name", WITH_BUDGETS)
def test_a_budget_is_one_of_those_of_the_study(name):
    file = command.find(name)
    (budgets,) = [setting.choices for setting in command.settings_of(file) if setting.name == "budget"]
    assert (
        budgets and set(budgets) <= {"quick", "first", "full"} and command.parse(file, ["budget=quick"]) == {"budget": "quick"}
    )
    with pytest.raises(UserError, match="unknown budget 'quik'; type quick"):
        command.parse(file, ["budget=quik"])
    with pytest.raises(UserError, match=f"'quick' is not KEY=VALUE; type qd study {name} budget=quick$"):
        command.parse(file, ["quick"])


def test_values_are_checked_and_the_nearest_is_named():
    qdhf = command.find("qdhf")
    assert command.parse(qdhf, ["seeds=3", "methods=ours,pca once"]) == {"seeds": 3, "methods": ("ours", "pca once")}
    with pytest.raises(UserError, match="unknown method 'our'; type ours"):
        command.parse(qdhf, ["methods=truth,our"])
    with pytest.raises(UserError, match="seeds=two is not a whole number"):
        command.parse(qdhf, ["seeds=two"])
    with pytest.raises(UserError, match="unknown study 'qdfh'; type qdhf"):
        command.find("qdfh")


def test_names_that_have_commas_are_found_whole():
    setting = command.StudySetting("methods", "Names", ("ours", "ours, steps of 0.05", "stax"), False)
    assert command._split(setting, "ours, steps of 0.05,stax,ours") == ("ours, steps of 0.05", "stax", "ours")


def test_a_wrong_word_is_refused_before_jax_is_imported():
    code = "import sys; from qd.cli.main import main; status = main(['study', 'qdhf', 'budget=huge']); "
    code += "sys.exit(0 if status == 1 and not {'jax', 'numpy'} & set(sys.modules) else 9)"
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", code], cwd=HOUSE, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)  # by CPU time, which other tests disturb least
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 1


def test_python_m_is_the_same_command():
    for name in ("qdhf", "quant.hawq"):
        run = subprocess.run(
            [sys.executable, "-m", f"experiments.{name}", "budget=huge"], cwd=HOUSE, capture_output=True, text=True, check=False
        )
        assert run.returncode == 1 and "qd: unknown budget 'huge'; type quick, first or full" in run.stderr


def test_readme_names_every_study_and_what_it_links_is_there():
    folder = HOUSE / "experiments"
    page = (folder / "README.md").read_text(encoding="utf-8")
    for name in command.names():
        assert f"`qd study {name}" in page or f"`{name}`" in page, name
    links = re.findall(r"\]\(([^)]+)\)", page)
    assert len(links) > 50
    for link in links:
        assert (folder / link).is_file(), link
    tables = {Path(link).parent.name for link in links if link.endswith("table.csv")}
    assert tables == {path.parent.name for path in (folder / "results").glob("*/table.csv")}
