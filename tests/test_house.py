"""The house itself: small rooms, one version, a README that runs, a wheel that holds every choice."""

import csv
import os
import re
import runpy
import subprocess
import sys
import tomllib
import zipfile
from collections import Counter
from pathlib import Path

import pytest
import yaml

import qd
from qd.cli.main import COMMANDS, main
from qd.config.plugins import commands
from qd.support import provenance

HOUSE = Path(__file__).resolve().parents[1]
PACKAGES = ("qd", "domains", "feedback", "experiments")
README = (HOUSE / "README.md").read_text(encoding="utf-8")
NAMES = [*COMMANDS, *commands()]
ROOMS = sorted(path for package in PACKAGES for path in (HOUSE / package).rglob("*.py"))


def blocks(language: str) -> list[str]:
    """What README says in one language, block by block."""
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


def python(args: list[str], where: Path) -> str:
    """Runs Python in another folder and returns what it says."""
    env = os.environ | {"PYTHONPATH": str(HOUSE), "JAX_PLATFORMS": "cpu"}
    process = subprocess.run([sys.executable, *args], cwd=where, env=env, capture_output=True, text=True, timeout=300)
    assert process.returncode == 0, process.stdout + process.stderr
    return process.stdout


def test_a_file_holds_one_subject_and_at_most_400_lines():
    lengths = {str(room.relative_to(HOUSE)): len(room.read_text(encoding="utf-8").splitlines()) for room in ROOMS}
    assert {room: lines for room, lines in lengths.items() if lines > 400} == {} and len(lengths) > 400


def test_a_folder_shows_at_most_18_files():
    assert {folder: n for folder, n in Counter(str(room.parent) for room in ROOMS).items() if n > 18} == {}


def test_there_are_no_lumber_rooms():
    assert not {room.stem for room in ROOMS} & {"utils", "util", "base", "common", "helpers", "manager", "misc"}


def test_the_smallest_program_is_small_and_runs(tmp_path, monkeypatch, capsys):
    program = blocks("python")[0]
    assert len(program.splitlines()) <= 15
    (tmp_path / "smallest.py").write_text(program, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    runpy.run_path("smallest.py", run_name="__main__")
    assert float(re.search(r"coverage=array\(([\d.]+)", capsys.readouterr().out).group(1)) > 0.7


@pytest.mark.ci
def test_the_smallest_domain_is_small_and_runs_from_its_own_folder(tmp_path):
    domain, choice = blocks("python")[1], blocks("yaml")[0]
    assert len(domain.splitlines()) <= 25
    (tmp_path / "throw.py").write_text(domain, encoding="utf-8")
    (tmp_path / "conf/domain").mkdir(parents=True)
    (tmp_path / "conf/domain/throw.yaml").write_text(choice, encoding="utf-8")
    python(["-m", "qd", "run", "domain=throw", "budget=2000"], tmp_path)
    assert (tmp_path / "runs/throw/s0/result.json").exists()
    assert (tmp_path / "runs/throw/s0/figures/heatmap.png").exists()
    rows = list(csv.DictReader((tmp_path / "runs/throw/s0/metrics.csv").open(encoding="utf-8")))
    assert int(rows[-1]["evals"]) >= 2000 and int(rows[-1]["outside"]) == 0


def test_readme_never_tells_to_install_somebody_elses_package():
    for page in [*HOUSE.glob("*.md"), *HOUSE.glob("docs/*.md")]:
        assert not re.search(r"pip install (-\S+ )*qd(?!-atlas)\b", page.read_text(encoding="utf-8")), page


def test_readme_shows_pictures_that_are_there():
    pictures = re.findall(r"!\[[^]]*\]\(([^)]+)\)", README)
    assert pictures
    for picture in pictures:
        assert (HOUSE / picture).stat().st_size > 0


def test_versions_agree():
    citation = re.search(r"^version: (\S+)$", (HOUSE / "CITATION.cff").read_text(encoding="utf-8"), re.MULTILINE)
    newest = re.search(r"^## (\S+)", (HOUSE / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert citation and newest
    assert qd.__version__ == citation.group(1) == newest.group(1)


def test_the_citation_of_an_installed_package_is_that_of_the_checkout():
    about = yaml.safe_load((HOUSE / "CITATION.cff").read_text(encoding="utf-8"))
    authors = " and ".join(author["name"] for author in about["authors"])
    assert provenance.citation("qd-atlas") == (
        f"@software{{qd-atlas,\n  title = {{{about['title']}}},\n  author = {{{authors}}},\n"
        f"  version = {{{about['version']}}},\n}}"
    )
    assert provenance.citation("no-such-package") is None


def test_the_command_line_starts_without_jax_and_numpy(tmp_path):
    """One process answers all commands: each is named after which either is imported."""
    commands = [["--help"], ["plot"], *([name, "--help"] for name in NAMES)]
    program = f"""
import sys
from qd.cli.main import main
for words in {commands}:
    main(words)
    print("after", words, sorted({{"jax", "numpy"}} & set(sys.modules)))
"""
    lines = [line for line in python(["-c", program], tmp_path).splitlines() if line.startswith("after ")]
    assert lines == [f"after {words} []" for words in commands]


@pytest.mark.parametrize("name", NAMES)
def test_every_command_says_its_usage_and_refuses_what_it_cannot_parse(name, capsys):
    assert main([name, "--help"]) == 0
    assert f"usage: qd {name} " in capsys.readouterr().out
    if name != "run":  # its words are Hydra's
        assert main([name, "--no-such-flag", "x"]) == 2
        assert f"usage: qd {name} " in capsys.readouterr().err


def test_the_wheel_holds_every_choice_and_every_room(tmp_path):
    pytest.importorskip("build")
    pytest.importorskip("hatchling")
    python(["-m", "build", "--wheel", "--no-isolation", "--outdir", str(tmp_path), str(HOUSE)], tmp_path)
    (wheel,) = tmp_path.glob("qd_atlas-*.whl")
    files = set(zipfile.ZipFile(wheel).namelist())
    choices = {f"qd/conf/{path.relative_to(HOUSE / 'conf')}" for path in (HOUSE / "conf").rglob("*.yaml")}
    assert choices
    assert {name for name in files if name.startswith("qd/conf/") and name.endswith(".yaml")} == choices
    assert {str(room.relative_to(HOUSE)) for room in ROOMS} <= files
    assert {f"{package}/py.typed" for package in PACKAGES} <= files


def test_the_wheel_is_told_of_every_package_and_of_conf():
    wheel = tomllib.loads((HOUSE / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert tuple(wheel["packages"]) == PACKAGES
    assert wheel["force-include"] == {"conf": "qd/conf"}
