"""Files that are read whole, or refused by their name: a damaged one is a message, never a traceback."""

import hashlib
import io
import json
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from qd.support.errors import UserError

_BROKEN_ARRAYS = (  # whatever NumPy and zipfile raise on bytes that are no npy or npz
    ValueError, KeyError, TypeError, OSError, EOFError, zipfile.BadZipFile, zlib.error, struct.error, NotImplementedError,
    RuntimeError, MemoryError, OverflowError, SyntaxError, tokenize.TokenError,
)  # fmt: skip
_CHECKSUM = "content_sha256"  # of a JSON object without this entry; earlier versions wrote none
HEADER_CHECKSUM = "header_sha256"  # the same in archive.json
_MARKS = {b"\xef\xbb\xbf": "utf-8-sig", b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}  # byte order marks


def data(path: Path, fix: str) -> bytes:
    """Returns the bytes of a file.

    Args:
        path: the file.
        fix: what the message proposes.

    Raises:
        UserError: it cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror})", fix) from error


def text(path: Path, fix: str = "save it as UTF-8") -> str:
    """Returns the text of a file in UTF-8, or in UTF-16 with a byte order mark; the mark itself is left out.

    Arguments as in ``data``.

    Raises:
        UserError: it cannot be read, or is in another encoding.
    """
    return decoded(path, data(path, fix), fix)


def decoded(path: Path, content: bytes, fix: str) -> str:
    """Returns the bytes of a file as ``text`` does.

    Args:
        path: the file.
        content: its bytes.
        fix: what the message proposes.

    Raises:
        UserError: it is in another encoding.
    """
    encoding = next((name for mark, name in _MARKS.items() if content.startswith(mark)), "utf-8")
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        raise UserError(
            f"{path} is no text in {encoding.upper()} (byte {error.start:,} is {error.object[error.start]:#x})", fix
        ) from error


def json_object(path: Path, fix: str) -> dict[str, Any]:
    """Returns the JSON object that a file holds, without its own checksum; arguments as in ``data``.

    Raises:
        UserError: it cannot be read, is no JSON, holds something else than an object, or differs from its checksum.
    """
    return checked(path, unchecked_object(path, fix), fix)


def unchecked_object(path: Path, fix: str) -> dict[str, Any]:
    """Returns the JSON object that a file holds with its checksum, which is not compared yet; arguments as in ``data``."""
    content = json_value(path, fix)
    if not isinstance(content, dict):
        raise UserError(f"{path} is damaged (it holds a {type(content).__name__}, not an object)", fix)
    return content


def checked(path: Path, content: Mapping[str, Any], fix: str) -> dict[str, Any]:
    """Returns a JSON object without its own checksum, which is compared where it has one.

    Args:
        path: of its file, for the message.
        content: as ``with_checksum`` wrote it.
        fix: what the message proposes.

    Raises:
        UserError: the content differs from its checksum.
    """
    plain = {name: value for name, value in content.items() if name not in (_CHECKSUM, HEADER_CHECKSUM)}
    for name in (_CHECKSUM, HEADER_CHECKSUM):
        if name in content and content[name] not in (None, json_sha256(plain)):
            raise UserError(f"{path} is damaged: its checksum does not fit what it holds", fix)
    return plain


def with_checksum(content: Mapping[str, Any], name: str = _CHECKSUM) -> bytes:
    """Returns a JSON file: the content with its own checksum, which ``json_object`` compares.

    Args:
        content: of what JSON can hold; a checksum in it is replaced.
        name: of the checksum.
    """
    plain = {key: value for key, value in content.items() if key != name}
    return (json.dumps({name: json_sha256(plain)} | plain, indent=1) + "\n").encode()


def json_sha256(content: Mapping[str, Any]) -> str:
    """Returns the SHA-256 of what JSON can hold, whatever the order of its names; 64 hex digits."""
    as_read = json.loads(json.dumps(content))  # tuples are lists, keys are text
    return hashlib.sha256(json.dumps(as_read, sort_keys=True).encode()).hexdigest()


def json_value(path: Path, fix: str) -> Any:
    """Returns what a JSON file holds, as ``json_object`` does, of any kind; arguments as in ``data``."""
    try:
        return json.loads(text(path, fix))
    except (json.JSONDecodeError, RecursionError) as error:
        raise UserError(f"{path} is damaged: truncated or no JSON ({_line(error)})", fix) from error


def yaml_mapping(path: Path, fix: str) -> dict[str, Any]:
    """Returns the settings that a YAML file holds, of what JSON can hold; arguments as in ``data``.

    Raises:
        UserError: it cannot be read, is no YAML of plain settings, has aliases (which can stand for any amount of text), or
            holds something else than a mapping.
    """
    source = text(path, fix)
    try:
        content = yaml.load(source, _Plain)  # a safe loader
        plain = json.loads(json.dumps(content))  # keys are text, dates are refused
    except (yaml.YAMLError, RecursionError, ValueError, TypeError) as error:
        raise UserError(f"{path} is damaged: no YAML of plain settings ({_line(error)})", fix) from error
    if not isinstance(content, dict) or not all(isinstance(key, str) for key in content):
        raise UserError(f"{path} is damaged (it holds no settings)", fix)
    return plain


def npz(path: Path, fix: str, content: bytes | None = None) -> dict[str, np.ndarray]:
    """Returns the arrays of an npz file by name; never a pickle.

    Args:
        path: the file.
        fix: what the message proposes.
        content: its bytes, where they are read already.

    Raises:
        UserError: it cannot be read, or is damaged.
    """
    content = data(path, fix) if content is None else content
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            return {name: arrays[name] for name in arrays.files}
    except AttributeError as error:  # a single array
        raise UserError(f"{path} is damaged (it holds one array, not several by name)", fix) from error
    except _BROKEN_ARRAYS as error:
        raise UserError(f"{path} is damaged ({_line(error)})", fix) from error


def npy(path: Path, fix: str) -> np.ndarray:
    """Returns the array of an npy file; never a pickle; arguments as in ``data``.

    Raises:
        UserError: it cannot be read, or is no plain array.
    """
    content = data(path, fix)
    try:
        array = np.load(io.BytesIO(content), allow_pickle=False)
    except _BROKEN_ARRAYS as error:
        raise UserError(f"{path} is no plain array ({_line(error)})", fix) from error
    if not isinstance(array, np.ndarray):
        raise UserError(f"{path} is no plain array (it is an archive of several)", fix)
    return array


class _Plain(yaml.SafeLoader):
    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("it has aliases")
        return super().compose_node(parent, index)


def _line(error: BaseException) -> str:
    """Returns what an error says, in one line."""
    return " ".join(str(error).split()) or type(error).__name__
