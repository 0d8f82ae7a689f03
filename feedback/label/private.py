"""Files of the labelling page that only their owner may read: the store of answers, and a separate file of secrets.

Answers may be passed on with a run; the secret that signs cookies and the key of the page may not.
"""

import json
import os
import secrets
from pathlib import Path

from qd.support.errors import UserError

FILE = "secrets.json"
SESSION, KEY = "session", "key"  # signs the cookies of browsers; lets browsers of other machines in


def secret(folder: Path, name: str) -> str:
    """Returns a secret of a run's page; a new one is random and stored, so that addresses and cookies stay valid.

    Args:
        folder: RUN/labels.
        name: SESSION or KEY.

    Raises:
        UserError: the file can be read by others, or is damaged.
    """
    values = _read(folder / FILE)
    if name not in values:
        keep(folder, {name: secrets.token_urlsafe(32 if name == SESSION else 16)})
        values = _read(folder / FILE)
    return values[name]


def keep(folder: Path, values: dict[str, str]) -> None:
    """Adds secrets to the file; those that it has stay.

    Args:
        folder: RUN/labels.
        values: SESSION or KEY -> secret.

    Raises:
        UserError: the file cannot be opened, or is damaged.
    """
    path = folder / FILE
    own(path)
    path.write_text(json.dumps(values | _read(path)), encoding="utf-8")


def own(path: Path) -> None:
    """Creates a file that only its owner can read (0600), or narrows the mode of an existing one; never follows a link.

    Raises:
        UserError: it is a link, or belongs to another account.
    """
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o600)
        try:
            if os.name != "nt" and os.fstat(handle).st_mode & 0o077:
                os.fchmod(handle, 0o600)
        finally:
            os.close(handle)
    except OSError as error:
        raise UserError(f"{path} cannot be opened ({error.strerror})", "it must be a file of yours, and no link") from error


def _read(path: Path) -> dict[str, str]:
    if not path.exists():
        return {}
    own(path)
    try:
        values = json.loads(path.read_text(encoding="utf-8") or "{}")
        if not isinstance(values, dict) or not all(isinstance(value, str) for value in values.values()):
            raise ValueError("it holds no names with texts")
    except ValueError as error:
        raise UserError(f"{path} is damaged ({error})", "remove it: the page then has a new key") from error
    return values
