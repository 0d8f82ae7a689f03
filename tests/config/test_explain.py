"""qd run --help: each choice, and each setting in a line with its default; no component is imported for it."""

import re
import resource
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest

from qd.config.explain import comments, explain
from qd.config.settings import COMPONENTS, EARLIER, DomainDefaults, Outside, Plateau, Settings

HOUSE = Path(__file__).resolve().parents[2]
TABLES = {"domain_defaults": DomainDefaults, "plateau": Plateau, "outside": Outside}


def line(text: str, key: str) -> tuple[str, str]:
    """The default and the meaning of a setting."""
    (match,) = re.findall(rf"^  {re.escape(key)}=(\S*) +(\S.*)$", text, re.MULTILINE)
    return match


def test_every_setting_of_a_run_has_a_line_with_its_default_and_a_meaning():
    text = explain()
    names = [field.name for field in fields(Settings) if field.name not in {*COMPONENTS, *EARLIER, *TABLES, "source"}]
    names += ["from", *(f"{name}.{field.name}" for name, table in TABLES.items() for field in fields(table))]
    for name in names:
        assert len(line(text, name)[1]) > 5, name
    assert line(text, "seed")[0] == "0" and line(text, "name") == ("null", "null: the domain's")
    assert line(text, "domain_defaults.dims")[0] == "[50,50]" and line(text, "domain_defaults.feature")[0] == ""
    assert line(text, "plateau.share") == ("0.01", "by more than this share of what they were")
    assert line(text, "emitter")[0] == "isoline" and line(text, "recipe")[0] == "null"
    assert max(map(len, text.splitlines())) <= 128


def test_words_add_the_settings_of_their_components():
    text = explain(["domain=maze", "emitter=isoline", "seed=3", "--help", "domain=nothing"])
    assert line(text, "domain.robot.radius") == ("0.015", "the wheels stand two radii apart")
    assert "  domain.steps=250\n" in text and "  emitter.variation.iso=0.01" in text
    assert "of domain=maze:" in text and "domain=nothing" not in text
    assert "  lm.price.in=\n" in explain(["lm=openai"])


def test_a_domain_of_ones_own_is_explained_and_not_imported(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "conf/domain").mkdir(parents=True)
    (tmp_path / "conf/domain/mine.yaml").write_text("# @package _global_\ndomain: {_target_: my_walk.Walk, steps: 9}\n")
    (tmp_path / "my_walk.py").write_text("raise SystemExit\nclass Walk:\n    steps: int = 8  # of a walk\n    far: float = 1\n")
    text = explain(["domain=mine"])
    assert line(text, "domain.steps") == ("9", "of a walk") and "  domain.far=1" in text


@pytest.mark.parametrize("words", [[], ["domain=quant"]])
def test_it_takes_little_time_and_no_jax(words, tmp_path):
    code = (
        "import sys; from qd.cli.main import main; assert main(sys.argv[1:]) == 0; assert not {'jax', 'hydra'} & {*sys.modules}"
    )
    times = []
    for _ in range(2):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-c", code, "run", *words, "--help"], cwd=tmp_path, env={"PYTHONPATH": str(HOUSE)},
                       check=True, capture_output=True)  # fmt: skip
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        times.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    assert min(times) < 0.3


def test_comments_are_read_beside_the_fields():
    source = "class A:\n    x: int = 1  # first\n    y: list = (\n        None  # second\n    )\n    z: int\n"
    assert comments(source, "A") == [("x", "1", "first"), ("y", "null", "second"), ("z", "", "")]
    assert comments(source, "B") == []
