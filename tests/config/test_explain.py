"""qd run --help: each choice, and each setting in a line with its default; no component is imported for it."""

import re
import resource
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest

from qd.config.compose import load
from qd.config.explain import comments, explain, read_choices
from qd.config.settings import COMPONENTS, EARLIER, DomainDefaults, Outside, Plateau, Settings
from qd.config.values import format_value
from tests.support.choices import NEEDED, PRICED, PROJECT, choices

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
    assert line(text, "domain_defaults.dims")[0] == "[50,50]" and line(text, "domain_defaults.feature")[0] == "gripper"
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


WORDS = [
    ["domain=bin_packing"], ["domain=openevolve", f"domain.project={PROJECT}"], ["domain=stories_genre"], ["recipe=sparse"],
    ["recipe=programs_triplets"], ["recipe=qdhf_eye"], ["domain=arm", "descriptor=triplets"],
    ["recipe=text_proposed", "emitter=cma_me_imp"], ["domain=quant", "archive=cvt_mae"],
]  # fmt: skip
EVERY = [pytest.param([f"{group}={name}", *NEEDED.get(f"{group}/{name}", [])], marks=pytest.mark.slow)
         for group in ("domain", "recipe", "descriptor") for name in choices(group)]  # fmt: skip


@pytest.mark.parametrize("words", [*WORDS, *EVERY])
def test_each_value_is_that_which_a_run_gets(words):
    found, shown, typed = read_choices(words), explain(words), " ".join(words)
    settings = load([*words, *(PRICED if found.names["lm"] == "openai" else [])])
    run = {
        key: value
        for key, value in found.values.items()
        if key not in (*COMPONENTS, "domain_defaults", "remote") and f"{key}=" not in typed
    }
    for key, value in run.items():
        if "${" not in str(value):  # else it is another setting's, which is named
            assert getattr(settings, key) in (value, tuple(value) if isinstance(value, list) else value), key
        assert f"  {key}={format_value(value)}"[:30] in shown, key
    for role in COMPONENTS:
        node, read = getattr(settings, role), found.values.get(role)
        if not any(word.startswith(f"{role}.") for word in words):
            assert (node or {}).get("_target_") == (read or {}).get("_target_"), role


def test_what_a_domain_chooses_and_sets_is_shown():
    text = explain(["domain=bin_packing"])
    for key, value in {"map_picture": "false", "budget": "100", "initial": "4", "domain_defaults.dims": "[10,8]"}.items():
        assert line(text, key)[0] == value
    assert line(text, "emitter")[0] == "code_mix" and line(text, "lm")[0] == "local"
    assert line(text, "domain.axes")[0] == "[complexity,length]"  # of the choice that it begins with


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
