"""The files of a run folder: whole or refused, and never foreign code."""

import errno
import json
import os
import stat
from pathlib import Path

import numpy as np
import pytest

from domains.arm import Arm
from feedback.descriptors.select import Select
from qd.archives import CVT, Grid, objects
from qd.store import archive_file, checkpoint, folder, history, identity, renderings, seal
from qd.support import atomic, growing
from tests.support.checkpoints import BOUNDS, CONFIG, a_checkpoint, accepted, filled, rows


@pytest.fixture(autouse=True)
def _own_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home"))


@pytest.fixture
def run_path(tmp_path: Path) -> Path:
    (tmp_path / "run").mkdir()
    return tmp_path / "run"


@pytest.mark.parametrize("settings", [Grid((5, 5)), CVT(20, samples=500)])
def test_archive_comes_back_column_for_column(run_path: Path, settings) -> None:
    archive = filled(settings)
    archive_file.save(run_path, archive, BOUNDS, {"seed": 7, "evaluations": 30})
    stored = archive_file.load(run_path)
    expected = archive.data(return_type="dict")
    assert stored.columns.keys() == expected.keys() and {"id", "solution", "seen", "index"} <= stored.columns.keys()
    for name, column in expected.items():
        assert stored.columns[name].dtype == column.dtype
        np.testing.assert_array_equal(stored.columns[name], column)
    about = stored.about
    assert (about["format"], about["version"], about["seed"], about["elites"]) == ("qd-archive", 1, 7, len(archive))
    assert about["bounds"] == [[-1, 1], [-1, 1]]
    if isinstance(settings, Grid):
        assert (about["kind"], about["dims"], stored.centroids) == ("grid", [5, 5], None)
    else:
        assert (about["kind"], about["dims"], about["cells"]) == ("cvt", None, 20)
        np.testing.assert_array_equal(stored.centroids, archive.centroids)


@pytest.mark.parametrize(
    ("items", "encoding"),
    [
        (["", "ein Gedicht über Öl", "詩", "two\nlines\0and a zero"], "text"),
        ([{"a": [1, 2.5]}, ["x", None], 3, "text among others"], "json"),
    ],
)
def test_objects_are_stored_without_pickle(run_path: Path, items: list, encoding: str) -> None:
    batch = rows(4, objects(items))
    batch = batch._replace(features={"seen": np.array([[-0.9, -0.9], [0.9, 0.9], [-0.9, 0.9], [0.9, -0.9]], np.float32)})
    archive_file.save(run_path, filled(batch=batch), BOUNDS, {})
    with np.load(run_path / "archive.npz", allow_pickle=False) as packed:
        assert all(packed[name].dtype != object for name in packed.files)
    stored = archive_file.load(run_path)
    assert stored.about["encodings"]["solution"] == encoding
    assert [stored.columns["solution"][i] for i in np.argsort(stored.columns["id"])] == items


def test_solutions_that_no_text_can_hold_are_refused() -> None:
    batch = rows(2, objects([object(), object()]))
    with pytest.raises(ValueError, match=r"'solution' cannot be stored as text .* make solutions of text"):
        archive_file.columns(filled(batch=batch))


def test_truncated_and_foreign_archives_are_refused(run_path: Path) -> None:
    with pytest.raises(ValueError, match=r"cannot be read .* name the folder of a run"):
        archive_file.load(run_path)
    archive_file.save(run_path, filled(), BOUNDS, {})
    npz, about = run_path / "archive.npz", run_path / "archive.json"
    whole, header = npz.read_bytes(), json.loads(about.read_text())

    npz.write_bytes(whole[:-100])
    with pytest.raises(ValueError, match=rf"is truncated \({len(whole) - 100} bytes\)"):
        archive_file.load(run_path)
    npz.write_bytes(whole)

    about.write_text(about.read_text()[:-30])
    with pytest.raises(ValueError, match=r"archive.json is damaged: truncated or no JSON .* copy both files again"):
        archive_file.load(run_path)
    about.write_text(json.dumps({"cells": 3}))
    with pytest.raises(ValueError, match="describes no archive of this project"):
        archive_file.load(run_path)
    about.write_text(json.dumps(header | {"elites": 3}))
    with pytest.raises(ValueError, match="archive.json is damaged: its checksum does not fit what it holds; copy both files"):
        archive_file.load(run_path)
    about.write_text(json.dumps(header | {"version": 2}))
    with pytest.raises(ValueError, match="is of version 2, and this program reads up to 1; type pip install"):
        archive_file.load(run_path)


def test_a_pickle_in_an_archive_is_not_run(run_path: Path) -> None:
    import hashlib

    class Trap:
        def __reduce__(self):
            return (os.mkdir, (str(run_path / "trapped"),))

    archive_file.save(run_path, filled(), BOUNDS, {})
    header = json.loads((run_path / "archive.json").read_text())
    np.savez(run_path / "archive.npz", solution=np.array([Trap()], dtype=object))
    header["sha256"] = hashlib.sha256((run_path / "archive.npz").read_bytes()).hexdigest()
    (run_path / "archive.json").write_bytes(archive_file.encode_header(header))
    with pytest.raises(ValueError, match=r"archive.npz is damaged \(Object arrays cannot be loaded"):
        archive_file.load(run_path)
    assert not (run_path / "trapped").exists()


def test_key_is_private_and_kept(tmp_path: Path) -> None:
    sealed = seal.seal(b"content")
    assert seal.key_path() == tmp_path / "home" / "qd-atlas" / "checkpoint.key"
    assert stat.S_IMODE(seal.key_path().stat().st_mode) == 0o600
    assert [path.name for path in seal.key_path().parent.iterdir()] == ["checkpoint.key"]
    (tmp_path / "a").write_bytes(sealed)
    assert seal.unseal(tmp_path / "a") == b"content"
    seal.key_path().chmod(0o644)
    with pytest.raises(ValueError, match="others may read the key of your checkpoints; type chmod 600"):
        seal.seal(b"content")


@pytest.mark.parametrize("cut", [slice(0, -1), slice(0, 20), slice(0, 0), slice(1, None)])
def test_damage_is_detected(tmp_path: Path, cut: slice) -> None:
    (tmp_path / "a").write_bytes(seal.seal(b"content")[cut])
    with pytest.raises(seal.DamageError, match="is damaged"):
        seal.unseal(tmp_path / "a")


def test_every_flipped_byte_is_detected(tmp_path: Path) -> None:
    sealed = seal.seal(b"content")
    for i in range(len(sealed)):
        (tmp_path / "a").write_bytes(sealed[:i] + bytes([sealed[i] ^ 1]) + sealed[i + 1 :])
        with pytest.raises(ValueError, match="is damaged"):
            seal.unseal(tmp_path / "a")


def test_a_foreign_checkpoint_is_never_unpickled(run_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Trap:
        def __reduce__(self):
            return (os.mkdir, (str(tmp_path / "trapped"),))

    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "theirs"))
    checkpoint.save(run_path, a_checkpoint(memory=Trap()))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "mine"))
    with pytest.raises(ValueError, match=r"was not signed with your key .* Type again=true to start over"):
        checkpoint.load(run_path, print)
    assert not (tmp_path / "trapped").exists()


def test_two_checkpoints_are_kept_and_the_older_serves_when_the_newer_is_damaged(run_path: Path) -> None:
    lines: list[str] = []
    assert checkpoint.load(run_path, lines.append) is None
    for evaluations in (64, 128, 192):
        checkpoint.save(run_path, a_checkpoint(evaluations))
    assert sorted(path.name for path in run_path.iterdir()) == ["000002.ckpt", "000003.ckpt"]
    newest = checkpoint.load(run_path, lines.append)
    assert newest is not None and newest.state.evaluations == 192 and newest.wall == 1.5 and not lines

    (run_path / "000003.ckpt").write_bytes((run_path / "000003.ckpt").read_bytes()[:-7])
    older = checkpoint.load(run_path, lines.append)
    assert older is not None and older.state.evaluations == 128
    assert "000003.ckpt is damaged" in lines[0] and "going on from the checkpoint before it" in lines[0]

    checkpoint.save(run_path, a_checkpoint(256))  # in place of the damaged one, which must not be found again
    newest = checkpoint.load(run_path, lines.append)
    assert newest is not None and newest.state.evaluations == 256 and len(lines) == 1


def test_no_whole_checkpoint_is_refused(run_path: Path) -> None:
    checkpoint.save(run_path, a_checkpoint())
    (run_path / "000001.ckpt").write_bytes(b"")
    with pytest.raises(ValueError, match=r"no checkpoint in .* is whole; type again=true"):
        checkpoint.load(run_path, print)


@pytest.mark.parametrize(("name", "fix"), [("ribs", "pip install ribs==0.0.1"), ("python", "use Python 0.0.1")])
def test_checkpoint_of_other_versions_is_refused(run_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, fix: str) -> None:
    here = identity.versions()
    with monkeypatch.context() as then:
        then.setattr(identity, "versions", lambda: here | {name: "0.0.1"})
        checkpoint.save(run_path, a_checkpoint())
    with pytest.raises(ValueError, match=rf"was written under {name} 0.0.1 \(here {here[name]}\); .*{fix}"):
        checkpoint.load(run_path, print)


def test_state_that_cannot_be_pickled_is_refused(run_path: Path) -> None:
    with pytest.raises(ValueError, match=r"the run cannot be stored: .* must be picklable"):
        checkpoint.save(run_path, a_checkpoint(memory=lambda: 0))
    assert list(run_path.iterdir()) == []


def test_history_keeps_accepted_rows_with_their_generation(run_path: Path) -> None:
    writer = history.History(run_path, 0)
    writer.add(*accepted(1, 0, [0, 1, 2], [2, -1, 2], [[], [], []]))
    writer.write_part(1)
    writer.add(*accepted(3, 1, [3, 4, 5, 6], [1, 0, 2, 2], [[0, 2]] * 4))  # two generations in one batch
    writer.write_part(3)
    assert sorted(path.name for path in (run_path / "history").iterdir()) == ["000000.npz", "000001.npz"]
    writer.pack()
    packed = history.load(run_path)
    np.testing.assert_array_equal(packed["generation"], [0, 0, 1, 2, 2])
    np.testing.assert_array_equal(packed["id"], [0, 2, 3, 5, 6])
    np.testing.assert_array_equal(packed["cell"], [0, 20, 30, 50, 60])
    np.testing.assert_array_equal(packed["parents"], [[-1, -1], [-1, -1], [0, 2], [0, 2], [0, 2]])
    assert packed["objective"].dtype == np.float32


def test_history_newer_than_the_checkpoint_is_removed(run_path: Path) -> None:
    writer = history.History(run_path, 0)
    for generation in range(4):
        writer.add(*accepted(generation + 1, generation, [generation], [2], [[0]]))
        writer.write_part(generation + 1)
    history.History(run_path, 2)
    np.testing.assert_array_equal(history.load(run_path)["generation"], [0, 1])


def test_packed_history_goes_on_and_is_cut_to_an_older_checkpoint(run_path: Path) -> None:
    writer = history.History(run_path, 0)
    for generation in range(4):
        writer.add(*accepted(generation + 1, generation, [generation], [2], [[0]]))
    writer.write_part(4)
    writer.pack()
    folder.finish(run_path, {"evaluations": 4})
    assert not (run_path / "history").exists()
    np.testing.assert_array_equal(history.load(run_path)["id"], [0, 1, 2, 3])
    folder.reopen(run_path, {})
    assert folder.result(run_path) is None
    writer = history.History(run_path, 3)
    writer.add(*accepted(4, 3, [33], [2], [[0]]))
    writer.write_part(4)
    np.testing.assert_array_equal(history.load(run_path)["id"], [0, 1, 2, 33])


def test_config_hash_leaves_out_what_decides_nothing() -> None:
    same = CONFIG | {
        "runs": "elsewhere",
        "console": "live",
        "budget": 5,
        "again": True,
        "emitter": {"workers": 9, "sigma": 1e-5},
    }
    assert identity.config_hash(same) == identity.config_hash(CONFIG)
    for other in ({"seed": 1}, {"domain": {"joints": 11}}, {"emitter": {"sigma": 2e-5}}):
        assert identity.config_hash(CONFIG | other) != identity.config_hash(CONFIG)
    assert identity.differences(CONFIG, CONFIG | {"domain": {"joints": 11}}) == ["domain.joints was 10 and is now 11"]


def test_another_config_is_refused_before_anything_is_written(run_path: Path) -> None:
    folder.admit(run_path, CONFIG)
    before = (run_path / "config.yaml").read_bytes()
    folder.admit(run_path, CONFIG)
    with pytest.raises(ValueError, match=r"another config: domain.joints was 10 and is now 4.*again=true to replace it"):
        folder.admit(run_path, CONFIG | {"domain": {"joints": 4}})
    assert (run_path / "config.yaml").read_bytes() == before
    folder.admit(run_path, CONFIG | {"budget": 200})
    assert b"budget: 200" in (run_path / "config.yaml").read_bytes()


def test_again_replaces_a_run_but_goes_on_with_its_own(run_path: Path) -> None:
    (run_path / "notes.txt").write_text("mine")
    folder.admit(run_path, CONFIG)
    (run_path / "metrics.csv").write_text("old")
    again = CONFIG | {"again": True}
    folder.admit(run_path, again, again=True)
    assert not (run_path / "metrics.csv").exists() and (run_path / "notes.txt").exists()
    (run_path / "metrics.csv").write_text("new")  # killed here, and the same command given again
    folder.admit(run_path, again, again=True)
    assert (run_path / "metrics.csv").read_text() == "new"
    (run_path / "result.json").write_text("{}")
    folder.admit(run_path, again, again=True)
    assert not (run_path / "metrics.csv").exists()


def test_a_folder_without_config_is_refused(run_path: Path) -> None:
    (run_path / "metrics.csv").write_text("of which run?")
    with pytest.raises(ValueError, match=r"holds metrics.csv but no config.yaml.*again=true"):
        folder.admit(run_path, CONFIG)
    (run_path / "config.yaml").write_text("a: [")
    with pytest.raises(
        ValueError, match=r"config.yaml is damaged: no YAML of plain settings .* type again=true to replace the run"
    ):
        folder.admit(run_path, CONFIG)


def test_second_process_is_refused_and_the_first_is_named(run_path: Path) -> None:
    with (
        folder.lock(run_path),
        pytest.raises(ValueError, match=f"in use by process {os.getpid()}; wait for it"),
        folder.lock(run_path),
    ):
        pass
    with folder.lock(run_path):
        pass


def test_unwritable_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(ValueError, match=r"cannot be written \(Not a directory\); type runs=FOLDER"),
        folder.lock(tmp_path / "file" / "run"),
    ):
        pass


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_full_disk_leaves_the_old_file(run_path: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    atomic.write(run_path / "a", b"old")

    def full(handle: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ValueError, match=r"the disk is full: .* The last checkpoint is intact; free some room"):
        atomic.write(run_path / "a", b"new")
    assert {path.name: path.read_bytes() for path in run_path.iterdir()} == {"a": b"old"}


def test_growing_file_is_cut_to_the_checkpoint(run_path: Path) -> None:
    grown = growing.Growing(run_path / "a")
    grown.add("one")
    length = grown.sync()
    grown.add("two")
    grown.close()
    again = growing.Growing(run_path / "a", length)
    again.add("three")
    again.close()
    assert (run_path / "a").read_text() == "one\nthree\n"
    with pytest.raises(ValueError, match="has 10 bytes, but 99 at the checkpoint"):
        growing.Growing(run_path / "a", 99)


def test_leftovers_are_tidied(run_path: Path) -> None:
    (run_path / "a.new").write_bytes(b"half")
    (run_path / "a").write_bytes(b"whole")
    atomic.tidy(run_path)
    assert [path.name for path in run_path.iterdir()] == ["a"]


def test_renderings_are_few_spread_and_hold_the_best(run_path: Path) -> None:
    arm = Arm(joints=3)
    archive = filled(Grid((20, 20)))
    assert len(archive) > 12
    assert renderings.save(run_path, arm, archive, 12) == 12
    names = sorted(path.name for path in (run_path / "renderings").iterdir())
    best = int(archive.best_elite["id"])
    assert len(names) == 12 and f"{best}.svg" in names
    assert renderings.save(run_path, arm, archive, 12) == 12
    assert sorted(path.name for path in (run_path / "renderings").iterdir()) == names
    assert renderings.save(run_path, arm, archive, 1) == 1
    assert [path.name for path in (run_path / "renderings").iterdir()] == [f"{best}.svg"]
    assert renderings.save(run_path, arm, archive, 10_000) == len(archive)


def test_fingerprint_covers_parts_within_parts() -> None:
    from qd.emitters.pool import Pool
    from qd.emitters.vary import IsoLine, Vary

    sources = identity.fingerprint(Pool((Vary(IsoLine(), 4),)), Select("a", BOUNDS), None)
    assert set(sources) == {"qd.emitters.pool", "qd.emitters.vary", "feedback.descriptors.select"}
    assert identity.changed_modules(sources, sources | {"qd.emitters.vary": "0"}) == ["qd.emitters.vary"]
