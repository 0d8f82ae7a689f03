"""What is refused from the words alone, before anything is imported or written."""

from pathlib import Path

import pytest

from qd.config import compose, declared, overrides
from qd.support import atomic
from qd.support.errors import UserError

SOURCE = """
from dataclasses import dataclass

@dataclass(frozen=True)
class Mine:
    count: int
    width: float = 0.5
    name: str | None = None
    sizes: tuple[int, ...] = (1, 2)
    inner: object = None
    late: int = None
"""


def test_annotations_and_defaults_are_read_from_the_source(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("kinds_of_mine.py").write_text(SOURCE)
    found = declared.arguments("kinds_of_mine.Mine")
    assert found == {
        "count": (int, None, True), "width": (float, 0.5, False), "name": (str | None, None, False),
        "sizes": (tuple, (1, 2), False), "inner": (None, None, False), "late": (int, None, False),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["descriptor.bounds=[[1,-1],[-1,1]]"], r"bounds\[0\] = \(1, -1\) is reversed; type \(-1, 1\)"),
        (["descriptor.bounds=[[0,0],[-1,1]]"], r"bounds\[0\] = \(0, 0\) is of zero width"),
        (["descriptor.bounds=[[-1,1]]"], r"the archive's dims \(50, 50\) are for 2 measures, but the descriptor gives 1"),
        (["archive.dims=[5,5,5]"], r"dims \(5, 5, 5\) are for 3 measures.*type 2 dims, e.g. archive.dims=\[50, 50\]"),
        (["archive.dims=50,50"], r"^archive.dims=50,50 lists values; type qd run -m archive.dims=50,50 for a sweep"),
        (["budget==100"], r"^cannot read 'budget==100'; type budget=100$"),
        (["budget = 100"], r"^cannot read 'budget = 100'; type budget=100$"),
        (['name="my run'], r"type KEY=VALUE, with inner quotes around blanks and signs: \"name='my run x'\""),
    ],
)
def test_numbers_that_cannot_be_are_refused_by_words_alone(words, message):
    with pytest.raises(UserError, match=message):
        compose.load(["domain=arm", *words])


def test_files_that_are_not_there_are_refused_by_words_alone(tmp_path):
    (tmp_path / "first.py").write_text("")
    words = ["domain=programs", "domain.problem.task=x", f"domain.problem.program={tmp_path}/first.py"]
    with pytest.raises(UserError, match=r"^domain.problem.evaluator=nowhere.py is no file; type domain.problem.evaluator=FILE"):
        compose.load([*words, "domain.problem.evaluator=nowhere.py"])
    with pytest.raises(UserError, match=r"^domain.project=nowhere is no folder; type domain.project=FOLDER"):
        compose.load(["domain=openevolve", "domain.project=nowhere"])
    assert compose.load([*words, f"domain.problem.evaluator={tmp_path}/first.py"])


def test_bounds_that_another_component_knows_pass():
    assert compose.load(["domain=arm", "descriptor=pca", "descriptor.measures=2"]).descriptor["measures"] == 2


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    for place in (tmp_path / "file", tmp_path / "file" / "arm" / "s0"):
        with pytest.raises(UserError, match=r"cannot be written \(Not a directory\); type runs=FOLDER"):
            atomic.check_folder(place)
    atomic.check_folder(tmp_path / "new" / "arm" / "s0")
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    with pytest.raises(UserError, match="Not a directory"):
        atomic.check_folder(tmp_path / "link" / "s0")


@pytest.mark.parametrize(
    ("number", "message"),
    [
        ("010", r"mine.yaml line 4: 010 is 8 in YAML; type '010' for text, or 10"),
        ("[3, -0755]", r"mine.yaml line 4: -0755 is -493 in YAML"),
        ("1:30", r"mine.yaml line 4: 1:30 is 90 in YAML; type '1:30' for text, or 90"),
        ("1:30.5", r"mine.yaml line 4: 1:30.5 is 90.5 in YAML"),
        *((each, None) for each in ("10", "0", "0.10", "'010'", "0x10", "1e-05", "a:30", "[1, 2]")),
    ],
)
def test_numbers_that_yaml_reads_as_others_are_refused(number, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("conf/domain").mkdir(parents=True)
    file = Path("conf/domain/mine.yaml")
    file.write_text(f"# @package _global_\ndomain:\n  _target_: domains.arm.Arm\n  joints: {number}\n")
    if message is None:
        assert overrides.hydra_overrides([])
        return
    with pytest.raises(UserError, match=message):
        overrides.hydra_overrides([])
