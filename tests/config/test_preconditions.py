"""A file of preconditions beside a component's module is asked before the module is imported, if it is ours."""

import sys

import pytest

from qd.config import preconditions


def test_only_files_of_this_distribution_are_asked(tmp_path, monkeypatch):
    package = tmp_path / "strangers" / "inner"
    package.mkdir(parents=True)
    for folder in (package.parent, package):
        (folder / "__init__.py").write_text("")
    (package / "preconditions.py").write_text("raise RuntimeError('this was run')")
    monkeypatch.syspath_prepend(tmp_path)
    preconditions.check(
        {"domain": {"_target_": "strangers.inner.domain.Domain"}, "archive": None, "emitter": {"batch_size": 3}}
    )
    assert "strangers.inner.preconditions" not in sys.modules


def test_axes_and_projects_of_programs_are_asked(tmp_path):
    problem = {"_target_": "domains.programs.problems.own.Evaluator", "features": ["speed"]}
    programs = {"_target_": "domains.programs.Programs", "problem": problem}
    for axes in (["speed", "length"], "@lm.axes", None):
        preconditions.check({"domain": {**programs, "axes": axes}})
    with pytest.raises(ValueError, match="domain.axes has 'sped', which is no feature; type some of length.*, speed$"):
        preconditions.check({"domain": {**programs, "axes": ["sped"]}})
    packing = {
        "_target_": "domains.programs.Programs",
        "problem": {"_target_": "domains.programs.problems.bin_packing.BinPacking"},
    }
    preconditions.check({"domain": {**packing, "axes": ["fresh", "slack"]}})
    with pytest.raises(ValueError, match="domain.axes has 'speed'"):
        preconditions.check({"domain": {**packing, "logarithmic": ["speed"]}})
    (tmp_path / "evaluator.py").touch()
    (tmp_path / "initial_program.py").write_text("# EVOLVE-BLOCK-START\n")
    with pytest.raises(ValueError, match="EVOLVE-BLOCK markers are not in order"):
        preconditions.check({"domain": {"_target_": "domains.programs.openevolve.domain.programs", "project": str(tmp_path)}})


def test_limits_of_a_domain_of_ours_are_asked():
    with pytest.raises(ValueError, match="type images=192"):
        preconditions.check({"domain": {"_target_": "domains.quant.domain.Quant", "network": "language", "images": 500}})
    preconditions.check({"domain": {"_target_": "domains.arm.Arm"}})
