"""A folder that holds no run: the message names runs below it, whatever else lies there."""

import os
import re
from pathlib import Path

import pytest

from qd.store import runs
from qd.support.errors import UserError


def named(folder: Path) -> list[str]:
    with pytest.raises(UserError) as caught:
        runs.check(folder, "qd plot {}")
    return re.findall(r"[^\s(),;]*/s\d", str(caught.value))


def test_runs_up_to_three_levels_below_are_named_and_links_are_not_followed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for place in ("there/arm/s0", "there/s1", "there/a/b/s2", "there/a/b/c/s3", "elsewhere/s4"):
        Path(place).mkdir(parents=True)
        Path(place, "archive.json").write_text("{}")
    Path("there/linked").symlink_to(tmp_path / "elsewhere")
    assert named(Path("there")) == ["there/a/b/s2", "there/arm/s0", "there/s1"]
    Path("runs/arm/s5").mkdir(parents=True)
    Path("runs/arm/s5/archive.json").write_text("{}")
    assert named(Path("elsewhere/nothing")) == ["runs/arm/s5"]


def test_a_folder_that_vanishes_meanwhile_is_passed_over(tmp_path, monkeypatch):
    for place in ("gone", "kept/s0"):
        (tmp_path / place).mkdir(parents=True)
    (tmp_path / "kept/s0/archive.json").write_text("{}")
    scandir = os.scandir

    def vanishing(folder):
        if str(folder).endswith("gone"):
            raise FileNotFoundError(folder)
        return scandir(folder)

    monkeypatch.setattr(runs.os, "scandir", vanishing)
    assert named(tmp_path) == [str(tmp_path / "kept/s0")]


def test_only_so_many_folders_are_looked_at(tmp_path, monkeypatch):
    monkeypatch.setattr(runs, "_LOOKS", 10)
    for number in range(20):
        (tmp_path / f"{number:02d}").mkdir()
    (tmp_path / "00/s0").mkdir()
    (tmp_path / "00/s0/archive.json").write_text("{}")
    assert len(runs._runs(tmp_path)) == 0
    monkeypatch.setattr(runs, "_LOOKS", 30)
    assert len(runs._runs(tmp_path)) == 1
