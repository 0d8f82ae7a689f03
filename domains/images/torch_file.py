"""Tensors of a file that torch.save wrote, read without torch: its old form, and its newer one, a zip archive.

Such a file is a pickle, which can run any program. Here the checksum comes first, and then an unpickler that knows four names
only: none of them does more than to put an array or a dictionary together.
"""

import hashlib
import io
import pickle
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from qd.support.errors import UserError

_MAGIC = 0x1950A86A20F9469CFC6C  # the first number of the old form
_TYPES = {"FloatStorage": np.dtype("<f4"), "LongStorage": np.dtype("<i8")}


def read(path: Path, sha256: str, fix: str) -> dict[str, np.ndarray]:
    """Reads named tensors.

    Args:
        path: the file.
        sha256: what it must have.
        fix: what to type where it has another.

    Returns:
        Name -> array, in the file's order.

    Raises:
        UserError: the checksum differs, or the file holds something else than named tensors.
    """
    data = path.read_bytes()
    if hashlib.sha256(data).hexdigest() != sha256:
        raise UserError(
            f"{path} has another checksum than {sha256[:16]}...: it was changed or is incomplete", f"delete it and {fix}"
        )
    return parse(data, str(path))


def parse(data: bytes, name: str) -> dict[str, np.ndarray]:
    """Reads named tensors of a file's bytes; the caller has checked where they come from.

    Args:
        data: the whole file.
        name: of the file, for messages.

    Returns:
        Name -> array.

    Raises:
        UserError: it holds something else, or is cut off.
    """
    try:
        tensors = _new(data) if data[:2] == b"PK" else _old(io.BytesIO(data))
    except (pickle.UnpicklingError, EOFError, ValueError, TypeError, KeyError, IndexError, AttributeError) as error:
        raise UserError(f"{name} is no file of named tensors ({error})") from error
    if not isinstance(tensors, dict) or not all(isinstance(each, np.ndarray) for each in tensors.values()):
        raise UserError(f"{name} holds something else than named tensors")
    return dict(tensors)


class _Place:
    """A tensor before its numbers are there: shape and strides, in elements, within a storage."""

    def __init__(self, storage: tuple[str, np.dtype], offset: int, shape: tuple[int, ...], strides: tuple[int, ...]) -> None:
        self.storage, self.offset, self.shape, self.strides = storage, offset, shape, strides

    def __reduce__(self) -> Any:
        raise TypeError("not to be stored")


def _place(storage: Any, offset: Any, shape: Any, strides: Any, *_: Any) -> _Place:
    return _Place(storage, offset, tuple(shape), tuple(strides))


class _Unpickler(pickle.Unpickler):
    """Knows OrderedDict, two kinds of storage and the rebuilding of a tensor; every other name is an error."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _place
        if module == "torch" and name in _TYPES:
            return name
        raise pickle.UnpicklingError(f"it names {module}.{name}")

    def persistent_load(self, pid: Any) -> tuple[str, np.dtype]:
        return str(pid[2]), _TYPES[pid[1]]


def _old(file: BinaryIO) -> Any:
    """Magic number, version, machine, the tensors' places, names of storages, then their sizes and numbers."""
    magic, _, _ = (_Unpickler(file).load() for _ in range(3))
    if magic != _MAGIC:
        raise ValueError("its first number is not torch's")
    places = _Unpickler(file).load()
    kinds = dict(place.storage for place in places.values())
    storages = {}
    for name in _Unpickler(file).load():
        (size,) = np.frombuffer(file.read(8), "<i8")
        kind = kinds[name]
        storages[name] = np.frombuffer(file.read(int(size) * kind.itemsize), kind)
    return _filled(places, storages)


def _new(data: bytes) -> Any:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        (pickled,) = (name for name in archive.namelist() if name.endswith("/data.pkl"))
        folder = pickled.removesuffix("data.pkl")
        places = _Unpickler(io.BytesIO(archive.read(pickled))).load()
        kinds = dict(place.storage for place in places.values())
        storages = {name: np.frombuffer(archive.read(f"{folder}data/{name}"), kind) for name, kind in kinds.items()}
    return _filled(places, storages)


def _filled(places: Any, storages: dict[str, np.ndarray]) -> "OrderedDict[str, np.ndarray]":
    """Returns the arrays; each lies wholly within its storage, or IndexError."""
    tensors: OrderedDict[str, np.ndarray] = OrderedDict()
    for name, place in places.items():
        numbers = storages[place.storage[0]][place.offset :]
        last = sum((n - 1) * stride for n, stride in zip(place.shape, place.strides, strict=True))
        if min((*place.shape, 1)) < 1 or min((*place.strides, 0)) < 0 or last >= len(numbers):
            raise IndexError(f"{name} reaches beyond its storage")
        steps = [stride * numbers.itemsize for stride in place.strides]
        tensors[str(name)] = np.lib.stride_tricks.as_strided(numbers, place.shape, steps, writeable=False).copy()
    return tensors
