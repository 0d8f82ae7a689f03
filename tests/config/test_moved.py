"""Names of the previous version still work, and say what to type now."""

import io
import json
import pickle
import pkgutil
from pathlib import Path

import numpy as np
import pytest
import yaml

from domains.quant.solve.emitter import EvaluatedConfigs
from domains.text.baselines import TextPoolMemory
from feedback.descriptors.pca import PCAParams
from feedback.descriptors.random_projection import RandomProjectionParams
from qd.cli.main import main
from qd.config import compose
from qd.config.build import locate
from qd.store import archive_file, checkpoint, identity
from qd.support import moved
from qd.support.conf import conf

SETTINGS = yaml.safe_load((conf() / "renamed.yaml").read_text(encoding="utf-8"))


def test_every_moved_name_is_there():
    table = yaml.safe_load((conf() / "moved.yaml").read_text(encoding="utf-8"))
    assert len(set(table.values())) == len(table)
    for before, now in table.items():
        assert moved.current(before) == moved.current(now)
        assert moved.original({"_target_": now}) == moved.original({"_target_": before})
        pkgutil.resolve_name(moved.current(before))


def test_a_name_that_moved_twice_is_found(monkeypatch):
    table = {"a.old": "a.b", "a.b.C": "a.d.E", "a.d.E.x": "a.d.E.y"}
    monkeypatch.setattr(moved, "_table", lambda: table)
    monkeypatch.setattr(moved, "_reverse_table", lambda: {now: before for before, now in table.items()})
    assert moved.current("a.old.C") == "a.d.E" and moved.current("a.old.F") == "a.b.F" and moved.current("a.d.E.x") == "a.d.E.y"
    assert moved.original({"_target_": "a.d.E"}) == {"_target_": "a.old.C"}


def test_a_class_renamed_in_a_module_that_moved_is_found_under_all_its_names():
    names = ["feedback.pca.Components", "feedback.descriptors.pca.Components", "feedback.descriptors.pca.PCAParams"]
    assert {moved.current(name) for name in names} == {names[-1]}
    assert all(moved.original({"_target_": name}) == {"_target_": names[0]} for name in names)


@pytest.mark.parametrize("target", ["feedback.descriptors.Select", "feedback.pca.PCA", "domains.quant.networks.ResNet"])
def test_a_target_of_the_previous_version_is_found(target):
    assert locate(target, "test").__name__ == target.rpartition(".")[2]


def test_a_renamed_target_is_found_and_changes_no_hash():
    old = {"emitter": {"_target_": "domains.text.baselines.Pool", "best": None}}
    new = {"emitter": {"_target_": "domains.text.baselines.TextPool", "best": None}}
    assert locate("domains.text.baselines.Pool", "test").__name__ == "TextPool"
    assert identity.config_hash(old) == identity.config_hash(new) and not identity.differences(old, new)


@pytest.mark.parametrize(
    ("value", "old"),
    [
        (PCAParams(1, 2), "feedback.pca Components"),
        (PCAParams(1, 2), "feedback.descriptors.pca Components"),
        (RandomProjectionParams(1, 2), "feedback.random_projection Projected"),
        (TextPoolMemory(("a",), (1.0,)), "domains.text.baselines Kept"),
        (EvaluatedConfigs(1, 2), "domains.quant.ilp_emitter Seen"),  # type: ignore[arg-type]
        (EvaluatedConfigs(1, 2), "domains.quant.solve.emitter Seen"),  # type: ignore[arg-type]
    ],
)
def test_a_checkpoint_of_the_previous_version_is_read_under_its_names(value, old):
    now = f"{type(value).__module__}\n{type(value).__name__}\n"
    pickled = pickle.dumps(value, protocol=2)
    assert now.encode() in pickled
    pickled = pickled.replace(now.encode(), f"{old.replace(' ', chr(10))}\n".encode())
    loaded = checkpoint._Unpickler(io.BytesIO(pickled)).load()
    assert type(loaded) is type(value) and loaded == value


def test_renamed_components_change_no_hash():
    before = {"emitter": {"climb": {"_target_": "qd.emitters.evolving.Evolving", "samples": 3}}}
    now = {"emitter": {"exploiter": {"_target_": "qd.emitters.sparse.cma_exploiter.CMAExploiter", "samples": 3}}}
    assert moved.original(now) == moved.original(before) == before
    assert identity.config_hash(before) == identity.config_hash(now)


def test_a_renamed_setting_changes_no_hash():
    before = {"relearn": [5], "called": {"a": 1}, "seed": 3, "descriptor": {"_target_": "feedback.pca.PCA"}}
    now = {"refit": [5], "axis_labels": {"a": 1}, "seed": 3, "descriptor": {"_target_": "feedback.descriptors.pca.PCA"}}
    assert moved.current_config(before)["refit"] == [5] and moved.original(now) == before
    assert identity.config_hash(before) == identity.config_hash(now) and not identity.differences(before, now)
    assert identity.differences(before, now | {"refit": [6]}) == ["refit was [5] and is now [6]"]


@pytest.mark.parametrize(
    ("before", "now"),
    [
        (["experiment=arm_pca", "relearn=5000"], ["recipe=arm_pca", "refit=5000"]),
        (["suits.dims=[5,5]"], ["domain_defaults.dims=[5,5]"]),
        (["recipe=sparse", "emitter.climb.patience=3"], ["recipe=sparse", "emitter.exploiter.patience=3"]),
        (["+now=true"], ["live_map=true"]),
        (
            [
                "domain=arm_qdhf",
                "descriptor=triplets",
                "descriptor.spend=[9,8,7,6]",
                "+descriptor.few=7",
                "+descriptor.lean=0.4",
                "+descriptor.together=3",
                "+descriptor.sittings=2",
            ],
            [
                "domain=arm_qdhf",
                "descriptor=triplets",
                "descriptor.questions_per_fit=[9,8,7,6]",
                "+descriptor.averaging_below=7",
                "+descriptor.covariance_power=0.4",
                "+descriptor.min_batch=3",
                "+descriptor.max_batches=2",
            ],
        ),
        (
            ["descriptor=conv_autoencoder", "+descriptor.anew=true"],
            ["descriptor=conv_autoencoder", "+descriptor.from_scratch=true"],
        ),
        (
            ["called={gripper:[[where,left,right],[where,down,up]]}"],
            ["axis_labels={gripper:[[where,left,right],[where,down,up]]}"],
        ),
    ],
)
def test_old_words_are_taken(before, now, capsys):
    settings = compose.load(before)
    err = capsys.readouterr().err
    assert settings == compose.load(now)
    assert compose.folder(settings, before) == compose.folder(settings, now)
    del err  # printed once a process


def test_old_words_say_what_to_type(capsys):
    from qd.config import overrides

    overrides.print_renamed.cache_clear()
    compose.load(["relearn=null"])
    assert capsys.readouterr().err == "qd: relearn= is now refit=; the old word works in this version only\n"


def test_a_folder_begun_under_old_words_is_found(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    settings = compose.load(["descriptor=pca", "refit=500"])
    new = compose.folder(settings, ["descriptor=pca", "refit=500"])
    assert new == Path("runs/arm/descriptor=pca,refit=500-s0")
    old = Path("runs/arm/descriptor=pca,relearn=500-s0")
    old.mkdir(parents=True)
    assert compose.folder(settings, ["descriptor=pca", "refit=500"]) == old
    new.mkdir()
    assert compose.folder(settings, ["descriptor=pca", "relearn=500"]) == new


def test_a_yaml_of_the_previous_version_works(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("conf/domain").mkdir(parents=True)
    Path("conf/domain/mine.yaml").write_text(
        "# @package _global_\n# mine\ndomain:\n  _target_: domains.arm.Arm\nsuits:\n  feature: gripper\n"
        "  bounds: [[-1, 1], [-1, 1]]\n  reads: [angles]\n  dims: [7, 7]\nrelearn: null\n"
        "called:\n  gripper: [[x, left, right], [y, down, up]]\n"
        "archive:\n  dims: ${suits.dims}\n",
        encoding="utf-8",
    )
    settings = compose.load(["domain=mine"])
    assert settings.archive["dims"] == [7, 7] and settings.descriptor["feature"] == "gripper"
    assert settings.axis_labels["gripper"][0] == ["x", "left", "right"]
    assert "a yaml of yours sets suits:, which is now domain_defaults:" in capsys.readouterr().err
    assert compose.load(["domain=mine", "domain_defaults.dims=[9,9]"]).archive["dims"] == [9, 9]


def test_a_component_setting_of_the_previous_version_in_a_yaml_is_read(tmp_path, monkeypatch, capsys):
    from qd.config import overrides

    overrides.print_renamed.cache_clear()
    monkeypatch.chdir(tmp_path)
    Path("conf/recipe").mkdir(parents=True)
    Path("conf/recipe/mine.yaml").write_text(
        "# @package _global_\ndefaults:\n  - override /domain: arm_qdhf\n  - override /descriptor: triplets\n"
        "descriptor:\n  spend: [4, 4, 4, 4]\n  together: 2\n",
        encoding="utf-8",
    )
    settings = compose.load(["recipe=mine"])
    assert settings.descriptor["questions_per_fit"] == [4, 4, 4, 4] and settings.descriptor["min_batch"] == 2
    assert "spend" not in settings.descriptor
    err = capsys.readouterr().err
    assert "qd: descriptor.spend= is now descriptor.questions_per_fit=" in err
    assert "qd: descriptor.together= is now descriptor.min_batch=" in err
    assert compose.assemble(settings).search.descriptor.questions_per_fit == (4, 4, 4, 4)


def test_readers_give_the_names_of_now(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["run", "budget=600", "console=off"]) == 0
    header = Path("runs/arm/s0/archive.json")
    content = json.loads(header.read_text().replace('"refit"', '"relearn"'))
    del content["header_sha256"]  # earlier versions wrote none
    header.write_text(json.dumps(content))
    stored = archive_file.load(Path("runs/arm/s0"))
    assert "refit" in stored.about["config"] and "relearn" not in stored.about["config"]
    assert np.isfinite(stored.columns["objective"]).all()
