"""Ways to damage a file: each takes a generator, the path of a whole file and the sentinel, and rewrites the file."""

import json
import os
import pickle
import random
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from tests.fuzz.case import Sentinel

Damage = Callable[[random.Random, Path, Sentinel], None]
TOKENS = (
    b"", b"NaN", b"nan", b"inf", b"-inf", b"1e999", b"-0", b"9" * 400, b"0x10", b"1_000", b"\x00", b"\r\n", b"\n\n",
    b"\xff\xfe",
    b"\xef\xbb\xbf", b"\xe9", b";", b"\t", b'"', b"'", b",", b",,", b"[[[[", b"{}", b"null", b"true", b"...", b"!!",
    b"&a", b"*a",
    b"---\n", b"../../x", b"=1+1", b"\x1b[31m", "\u202e".encode(), "\U0001f4a5".encode(),
)  # fmt: skip


class _Payload:
    """A pickle that would create the marker."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple:
        return os.mkdir, (str(self.marker),)


def _bytes(change: Callable[[random.Random, bytes], bytes]) -> Damage:
    def damage(draw: random.Random, path: Path, sentinel: Sentinel) -> None:
        path.write_bytes(change(draw, path.read_bytes()))

    damage.__name__ = change.__name__.strip("_")
    return damage


def _flip_bit(draw: random.Random, data: bytes) -> bytes:
    if not data:
        return b"\x01"
    at = draw.randrange(len(data))
    return data[:at] + bytes([data[at] ^ (1 << draw.randrange(8))]) + data[at + 1 :]


def _truncate(draw: random.Random, data: bytes) -> bytes:
    return data[: draw.randrange(len(data) + 1)]


def _delete_slice(draw: random.Random, data: bytes) -> bytes:
    start = draw.randrange(len(data) + 1)
    return data[:start] + data[start + draw.choice((1, 2, 8, 100)) :]


def _repeat_slice(draw: random.Random, data: bytes) -> bytes:
    start = draw.randrange(len(data) + 1)
    piece = data[start : start + draw.choice((1, 8, 100))]
    return data[:start] + piece * draw.choice((2, 3, 50)) + data[start:]


def _insert_token(draw: random.Random, data: bytes) -> bytes:
    at = draw.randrange(len(data) + 1)
    return data[:at] + draw.choice(TOKENS) + data[at:]


def _replace_number(draw: random.Random, data: bytes) -> bytes:
    """Puts a token, or another digit, where a digit stands."""
    digits = [at for at, byte in enumerate(data[:100_000]) if 48 <= byte <= 57]
    if not digits:
        return data + b"7"
    at = draw.choice(digits)
    return data[:at] + draw.choice((*TOKENS, b"%d" % draw.randrange(10))) + data[at + 1 :]


def _swap_lines(draw: random.Random, data: bytes) -> bytes:
    lines = data.split(b"\n")
    i, j = draw.randrange(len(lines)), draw.randrange(len(lines))
    lines[i], lines[j] = lines[j], lines[i]
    return b"\n".join(lines)


def _drop_line(draw: random.Random, data: bytes) -> bytes:
    lines = data.split(b"\n")
    del lines[draw.randrange(len(lines))]
    return b"\n".join(lines)


def _empty(draw: random.Random, data: bytes) -> bytes:
    return b""


def _noise(draw: random.Random, data: bytes) -> bytes:
    return draw.randbytes(draw.choice((1, 100, 5000)))


def _recode(draw: random.Random, data: bytes) -> bytes:
    text = data.decode("utf-8", "replace")
    return text.encode(draw.choice(("utf-16", "utf-16-le", "utf-8-sig", "utf-32", "cp1140")), "replace")


def _deep(draw: random.Random, data: bytes) -> bytes:
    return draw.choice((b"[" * 50_000, b'{"a":' * 50_000, b"<g>" * 20_000, b"- " * 5_000))


def folder(draw: random.Random, path: Path, sentinel: Sentinel) -> None:
    path.unlink()
    path.mkdir()


def absent(draw: random.Random, path: Path, sentinel: Sentinel) -> None:
    path.unlink()


def link_to_file(draw: random.Random, path: Path, sentinel: Sentinel) -> None:
    path.unlink()
    path.symlink_to(sentinel.outside / draw.choice(("diary.txt", "metrics.csv", "absent.txt", "folder")))


def link_beside(draw: random.Random, path: Path, sentinel: Sentinel) -> None:
    """A name that a writer may use on its way."""
    for name in (f"{path.name}.new", f"{path.name}.tmp", ".lock"):
        beside = path.with_name(name)
        beside.unlink(missing_ok=True)
        beside.symlink_to(sentinel.outside / "diary.txt")


def pickled(draw: random.Random, path: Path, sentinel: Sentinel) -> None:
    path.write_bytes(pickle.dumps(_Payload(sentinel.marker)))


def pickled_column(draw: random.Random, path: Path, sentinel: Sentinel) -> None:
    """An npz with an array of objects, which is a pickle inside."""
    column = np.array([_Payload(sentinel.marker)], dtype=object)
    with path.open("wb") as file:
        np.savez(file, id=column, objective=column, solution=column)


def zip_of_zeros(draw: random.Random, path: Path, sentinel: Sentinel) -> None:
    """An npz that names an array of many gigabytes and holds none of it."""
    header = b"\x93NUMPY\x01\x00v\x00{'descr': '<f8', 'fortran_order': False, 'shape': (99999999999,), }"
    with zipfile.ZipFile(path, "w") as archive:
        for name in ("id.npy", "objective.npy", "solution.npy"):
            archive.writestr(name, header.ljust(127) + b"\n")


def target(draw: random.Random, path: Path, sentinel: Sentinel) -> None:
    """Names a class to build, nested somewhere in a json or yaml file."""
    payload = {"_target_": "os.mkdir", "_args_": [str(sentinel.marker)]}
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        line = f"domain: {{_target_: os.mkdir, _args_: ['{sentinel.marker}']}}\n"
        tag = f"extra: !!python/object/apply:os.mkdir ['{sentinel.marker}']\n"
        path.write_bytes(path.read_bytes() + draw.choice((line, tag)).encode())
        return
    at = content
    while isinstance(at, dict) and at:
        name = draw.choice(sorted(at))
        if not isinstance(at[name], dict) or draw.random() < 0.5:
            at[name] = payload
            break
        at = at[name]
    path.write_text(json.dumps(content))


BYTES = tuple(
    _bytes(change)
    for change in (
        _flip_bit,
        _truncate,
        _delete_slice,
        _repeat_slice,
        _insert_token,
        _replace_number,
        _swap_lines,
        _drop_line,
        _empty,
        _noise,
        _recode,
        _deep,
    )
)
PATHS: tuple[Damage, ...] = (folder, absent, link_to_file, link_beside, pickled, pickled_column, zip_of_zeros, target)


def damage(draw: random.Random, path: Path, sentinel: Sentinel) -> str:
    """Damages a file once or twice, and returns what was done."""
    first = draw.choice(BYTES if draw.random() < 0.75 else PATHS)
    steps = [first] if first in PATHS or draw.random() < 0.7 else [first, draw.choice(BYTES)]
    for step in steps:
        step(draw, path, sentinel)
    return ", ".join(step.__name__ for step in steps)


class Copy:
    """A copy of a whole folder, which becomes whole again at little cost: only what has changed is copied again."""

    def __init__(self, whole: Path, folder: Path) -> None:
        self.whole, self.folder = whole, folder
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(whole, folder)
        self._before = self._entries()

    def restore(self) -> None:
        """Removes what is new, and copies again what was removed, written or replaced."""
        now = self._entries()
        if now == self._before:
            return
        for name in sorted(now.keys() | self._before.keys()):
            path, before = self.folder / name, self._before.get(name)
            if now.get(name) == before or not path.parent.is_dir() or path.parent.is_symlink():
                continue  # of what went with its folder too, which is copied whole
            if path.is_symlink() or path.is_file():
                path.unlink()
            elif path.is_dir() and (before is None or before[0] != now[name][0]):
                shutil.rmtree(path)
            original = self.whole / name
            if before is not None and not path.exists():
                shutil.copytree(original, path) if original.is_dir() else shutil.copy2(original, path)
        self._before = self._entries()

    def _entries(self) -> dict[str, tuple[int, ...]]:
        """For each name the kind of file, and what changes when it is written or replaced; of a folder only the kind."""
        entries: dict[str, tuple[int, ...]] = {}
        folders = [self.folder]
        while folders:
            for entry in os.scandir(folders.pop()):
                status, name = entry.stat(follow_symlinks=False), os.path.relpath(entry.path, self.folder)
                entries[name] = (status.st_mode, status.st_ino, status.st_size, status.st_ctime_ns)
                if entry.is_dir(follow_symlinks=False):
                    entries[name] = (status.st_mode,)
                    folders.append(Path(entry.path))
        return entries
