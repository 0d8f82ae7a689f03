"""A checkpoint is a pickle, and unpickling runs code: it is signed with a key that only this user has. So is config.yaml.

A sealed file: magic line; SHA-256 of all that follows; HMAC of all that follows it; the content.
"""

import hashlib
import hmac
import os
import secrets
from pathlib import Path

from qd.support.cache_dirs import config_path
from qd.support.errors import UserError

_MAGIC = b"qd-checkpoint 1\n"
_LINE = 65  # 64 hex digits and a newline
_KEY_BYTES = 32
_SIGNED = b"qd file\n"  # so that no signature of a file is one of a checkpoint


class DamageError(ValueError):
    """A sealed file that is not whole."""


class Foreign(ValueError):
    """A sealed file that is whole, but was signed with another key."""


def seal(content: bytes) -> bytes:
    """Returns the content as a sealed file."""
    body = _line(hmac.new(_key(), content, hashlib.sha256).hexdigest()) + content
    return _MAGIC + _line(hashlib.sha256(body).hexdigest()) + body


def unseal(path: Path) -> bytes:
    """Returns the content of a sealed file.

    Raises:
        DamageError: it is cut short, altered or no checkpoint.
        Foreign: it is not signed with this user's key.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DamageError(f"{path} cannot be read ({error.strerror})") from error
    start = len(_MAGIC)
    checksum, body = data[start : start + _LINE], data[start + _LINE :]
    if not data.startswith(_MAGIC) or checksum != _line(hashlib.sha256(body).hexdigest()):
        raise DamageError(f"{path} is damaged: its checksum does not fit its {len(data)} bytes")
    signature, content = body[:_LINE], body[_LINE:]
    if not hmac.compare_digest(signature, _line(hmac.new(_key(), content, hashlib.sha256).hexdigest())):
        raise Foreign(
            f"{path} was not signed with your key ({key_path()}): a foreign checkpoint, which could run any code, "
            "is never opened. Type again=true to start over; if it is your own from another machine, copy that key here"
        )
    return content


def signature(content: bytes) -> str:
    """Returns this user's signature of a file that holds no checkpoint, 64 hex digits; the key is made where there is none."""
    return hmac.new(_key(), _SIGNED + content, hashlib.sha256).hexdigest()


def is_signature(content: bytes, signature_text: str) -> bool:
    """Whether a text is this user's signature of a content; makes no key.

    Args:
        content: of the file.
        signature_text: as ``signature`` returned it once.
    """
    return key_path().exists() and hmac.compare_digest(signature(content).encode(), signature_text.encode())


def key_path() -> Path:
    """Where this user's key lies."""
    return config_path("checkpoint.key")


def _key() -> bytes:
    path = key_path()
    if not path.exists():
        _make_key(path)
    try:
        mode, key = path.stat().st_mode, path.read_bytes()
    except OSError as error:
        raise UserError(f"your checkpoints' key {path} cannot be read ({error.strerror})", f"type chmod 600 {path}") from error
    if os.name != "nt" and mode & 0o077:
        raise UserError("others may read the key of your checkpoints", f"type chmod 600 {path}")
    if len(key) != _KEY_BYTES:
        raise UserError(f"{path} is no key: it has {len(key)} bytes, not {_KEY_BYTES}", "remove it, and a new one is made")
    return key


def _make_key(path: Path) -> None:
    """Makes the key in one stroke, so that of two processes one wins and both use its key."""
    beside = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(secrets.token_bytes(_KEY_BYTES))
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(beside, path)
        except FileExistsError:
            pass
        finally:
            beside.unlink()
    except OSError as error:
        raise UserError(
            f"the key of your checkpoints cannot be made at {path} ({error.strerror}); "
            "type XDG_CONFIG_HOME=FOLDER before the command, with a folder that you may write in"
        ) from error


def _line(digest: str) -> bytes:
    return digest.encode() + b"\n"
